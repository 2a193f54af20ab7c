/** Ids alone, without tokens and offsets: each text is cut in place and words are remembered. Equal to the exact path. */
import type { AddedVocabulary } from '../added-vocabulary.js'
import { Fields, isObject, type JsonObject } from '../config.js'
import type { Bpe } from '../models/bpe.js'
import type { Model } from '../models/model.js'
import type { WordPiece } from '../models/word-piece.js'
import type { Normalizer } from '../normalizers/normalizer.js'
import { metaspaceOptions } from '../pre-tokenizers/index.js'
import { BertScanner } from './bert.js'
import { byteWords, plainWords, type WordEncoder } from './models.js'
import { chain, type Splitter, splitGpt2, splitterOf } from './splitters.js'

export interface FastEncoder {
  /** Ids of a text; null where only the exact path can tell. */
  encode(text: string): number[] | null
}

/** What a quick encoder is made from. */
export interface FastSource {
  readonly model: Model
  readonly normalizer: Normalizer | null
  readonly added: AddedVocabulary
  partJson(part: 'normalizer' | 'pre_tokenizer'): unknown
}

/** Appends the ids of a normalized text; `first` where it starts the text. */
type PartEncoder = (text: string, first: boolean, ids: number[]) => void

const withWords =
  (words: WordEncoder, cut: (text: string, first: boolean, words: WordEncoder) => void): PartEncoder =>
  (text, first, ids) => {
    words.ids = ids
    cut(text, first, words)
  }

/** A pre-tokenizer as the list of its steps. */
function steps(json: unknown): JsonObject[] | null {
  if (json === null || json === undefined) return []
  if (!isObject(json)) return null
  if (json.type !== 'Sequence') return [json]
  const parts = Array.isArray(json.pretokenizers) ? json.pretokenizers.map(steps) : [null]
  return parts.includes(null) ? null : parts.flatMap((part) => part ?? [])
}

function splitters(list: readonly JsonObject[]): Splitter[] | null {
  const found = list.map(splitterOf)
  return found.includes(null) ? null : (found as Splitter[])
}

/** Steps that cut, then bytes as characters. */
function byteLevelEncoder(list: readonly JsonObject[], model: Bpe): PartEncoder | null {
  const last = list[list.length - 1]
  const cuts = splitters(list.slice(0, -1))
  const words = byteWords(model)
  if (!cuts || !words) return null
  const prefixSpace = last.add_prefix_space === true
  // The space would go before each piece of an earlier step.
  if (prefixSpace && cuts.length > 0) return null
  if (last.use_regex !== false) cuts.push(splitGpt2)
  const split = chain(cuts)
  return withWords(words, (text, _, { emit }) => {
    const whole = prefixSpace && !text.startsWith(' ') ? ` ${text}` : text
    split(whole, 0, whole.length, emit)
  })
}

function metaspaceEncoder(json: JsonObject, model: Model): PartEncoder | null {
  const { replacement, scheme, split } = metaspaceOptions(Fields.of(json, 'pre_tokenizer'))
  const words = plainWords(model)
  if (!words || replacement.length !== 1) return null
  if (!split && !mergesWithinWords(model, replacement)) return null
  const mark = replacement.charCodeAt(0)
  return withWords(words, (text, first, { emit }) => {
    const spaced = text.replaceAll(' ', replacement)
    const prepend = spaced.charCodeAt(0) !== mark && (scheme === 'always' || (scheme === 'first' && first))
    const whole = prepend ? replacement + spaced : spaced
    if (split) cutBefore(whole, mark, emit)
    else cutBeforeRuns(whole, mark, emit)
  })
}

/** Cuts before each mark. */
function cutBefore(text: string, mark: number, emit: WordEncoder['emit']): void {
  let start = 0
  for (let i = 1; i < text.length; i++) {
    if (text.charCodeAt(i) !== mark) continue
    emit(text, start, i)
    start = i
  }
  if (text.length > start) emit(text, start, text.length)
}

/** Cuts before each run of marks. */
function cutBeforeRuns(text: string, mark: number, emit: WordEncoder['emit']): void {
  let start = 0
  for (let i = 1; i < text.length; i++) {
    if (text.charCodeAt(i) !== mark || text.charCodeAt(i - 1) === mark) continue
    emit(text, start, i)
    start = i
  }
  if (text.length > start) emit(text, start, text.length)
}

/** Whether no merge reaches over the start of a run of marks, so that each word can be merged by itself. */
function mergesWithinWords(model: Model, mark: string): boolean {
  if (model.type !== 'BPE') return false
  const { pairs, vocabulary, options } = model as Bpe
  if (options.continuingSubwordPrefix || options.endOfWordSuffix || options.ignoreMerges) return false
  return vocabulary.ids.has(mark) && !pairs.some(([left, right]) => right.startsWith(mark) && !left.endsWith(mark))
}

const SENTENCEPIECE_MARK = '\u2581'

/** A model that sees the whole text, where its words can be told apart. */
function wholeTextEncoder(model: Model): PartEncoder | null {
  const words = plainWords(model)
  if (!words || !mergesWithinWords(model, SENTENCEPIECE_MARK)) return null
  const mark = SENTENCEPIECE_MARK.charCodeAt(0)
  return withWords(words, (text, _, { emit }) => cutBeforeRuns(text, mark, emit))
}

function partEncoder(source: FastSource): PartEncoder | null {
  const { model } = source
  const list = steps(source.partJson('pre_tokenizer'))
  if (!list) return null
  if (list.length === 0) return wholeTextEncoder(model)
  const last = list[list.length - 1]
  if (last.type === 'ByteLevel') return model.type === 'BPE' ? byteLevelEncoder(list, model as Bpe) : null
  if (last.type === 'Metaspace') {
    const cuts = splitters(list.slice(0, -1))
    const encode = metaspaceEncoder(last, model)
    if (!cuts || !encode) return null
    if (cuts.length === 0) return encode
    if (last.prepend_scheme === 'first') return null
    const split = chain(cuts)
    return (text, first, ids) =>
      split(text, 0, text.length, (part, from, to) => encode(part.slice(from, to), first, ids))
  }
  const cuts = splitters(list)
  const words = plainWords(model)
  if (!cuts || !words) return null
  const split = chain(cuts)
  return withWords(words, (text, _, { emit }) => split(text, 0, text.length, emit))
}

/** BERT's whole pipeline; null for other tokenizers. */
function bertEncoder(source: FastSource): BertScanner | null {
  const normalizer = source.partJson('normalizer')
  const preTokenizer = source.partJson('pre_tokenizer')
  if (source.model.type !== 'WordPiece' || !isObject(preTokenizer) || preTokenizer.type !== 'BertPreTokenizer')
    return null
  if (normalizer !== null && !(isObject(normalizer) && normalizer.type === 'BertNormalizer')) return null
  return new BertScanner(source.model as WordPiece, source.normalizer)
}

/** A quick encoder for the kinds of tokenizers that have one; null for others. */
export function compileFast(source: FastSource): FastEncoder | null {
  const { added, normalizer } = source
  const bert = bertEncoder(source)
  const encodePart = bert ? null : partEncoder(source)
  if (!bert && !encodePart) return null
  const encodeBert = (text: string, ids: number[]): boolean => {
    if (!bert || added.hasNormalized || !BertScanner.takes(text)) return false
    bert.encode(text, ids)
    return true
  }
  const encodeOther = (text: string, first: boolean, ids: number[]): boolean => {
    if (!encodePart) return false
    const normalized = normalizer ? normalizer.normalize(text) : text
    const parts = added.splitNormalized(normalized)
    if (!parts) {
      if (normalized.length > 0) encodePart(normalized, first, ids)
      return true
    }
    for (const { start, end, id } of parts) {
      if (id !== null) ids.push(id)
      else if (end > start) encodePart(normalized.slice(start, end), first && start === 0, ids)
    }
    return true
  }
  return {
    encode(text) {
      const ids: number[] = []
      const parts = added.splitPlain(text) ?? [{ start: 0, end: text.length, id: null }]
      for (const { start, end, id } of parts) {
        if (id !== null) ids.push(id)
        else if (end > start) {
          const part = start === 0 && end === text.length ? text : text.slice(start, end)
          if (!(encodeBert(part, ids) || encodeOther(part, start === 0, ids))) return null
        }
      }
      return ids
    },
  }
}
