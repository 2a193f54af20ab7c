/** Models on ranges of a text, with words remembered. */
import { bytesToCharacters } from '../byte-level.js'
import type { Bpe } from '../models/bpe.js'
import type { Model } from '../models/model.js'
import type { Unigram } from '../models/unigram.js'
import type { Emit } from './splitters.js'
import { WordCache } from './word-cache.js'

/** Takes pieces of text and appends their ids to `ids`. */
export interface WordEncoder {
  ids: number[]
  readonly emit: Emit
}

type Encode = (text: string, start: number, end: number, ids: number[]) => void

function remembering(encode: Encode): WordEncoder {
  const cache = new WordCache()
  const encoder = {
    ids: [] as number[],
    emit: (text: string, start: number, end: number): void => {
      const { ids } = encoder
      if (cache.read(text, start, end, ids)) return
      const first = ids.length
      encode(text, start, end, ids)
      cache.write(text, start, end, ids, first)
    },
  }
  return encoder
}

/** Bytes of a word, each the token of its character. Null where the model does not take bytes so. */
export function byteWords(model: Bpe): WordEncoder | null {
  if (model.options.dropout) return null
  const utf8 = new TextEncoder()
  const { ids: vocabulary } = model.vocabulary
  let scratch = new Uint8Array(256)
  if (!model.byteTokens())
    return remembering((text, start, end, ids) => model.encodeInto(bytesToCharacters(text.slice(start, end)), ids))
  return remembering((text, start, end, ids) => {
    const word = text.slice(start, end)
    if (model.options.ignoreMerges) {
      const id = vocabulary.get(bytesToCharacters(word))
      if (id !== undefined) {
        ids.push(id)
        return
      }
    }
    if (scratch.length < word.length * 3) scratch = new Uint8Array(word.length * 3)
    model.encodeBytesInto(scratch, 0, utf8.encodeInto(word, scratch).written, ids)
  })
}

/** Words as they are; null for a model that draws by chance. */
export function plainWords(model: Model): WordEncoder | null {
  if (model.type === 'BPE') {
    const bpe = model as Bpe
    return bpe.options.dropout
      ? null
      : remembering((text, start, end, ids) => bpe.encodeInto(text.slice(start, end), ids))
  }
  if (model.type === 'Unigram') {
    const unigram = model as Unigram
    return remembering((text, start, end, ids) => unigram.encodeInto(text.slice(start, end), ids))
  }
  return remembering((text, start, end, ids) => {
    for (const { id } of model.tokenize(text.slice(start, end))) ids.push(id)
  })
}
