import type { Encoding } from '../text/tokenizers/index.js'
import type { LengthOptions, RunOptions, TextModel } from './text-model.js'
import { checkCount, inputName, softmaxOf } from './types.js'

export interface FillMaskOptions extends LengthOptions, RunOptions {
  /** Fillings to list. Default 5. */
  readonly topK?: number
  /** Only these are considered: tokens, or texts whose first token counts. */
  readonly targets?: string | readonly string[]
}

/** A token in place of a mask. */
export interface MaskFilling {
  readonly score: number
  /** Id of the token. */
  readonly token: number
  readonly token_str: string
  /** The text with this mask filled; other masks stay. */
  readonly sequence: string
}

/** Fills the masks of texts. */
export interface MaskFiller {
  readonly task: 'fill-mask'
  readonly model: string
  /** How a mask is written. */
  readonly maskToken: string
  /** Fillings of each mask of a text, best first. @throws RangeError for a text without mask, or longer than the model reads */
  (text: string, options?: FillMaskOptions): Promise<MaskFilling[][]>
  (texts: readonly string[], options?: FillMaskOptions): Promise<MaskFilling[][][]>
}

/** Places of masks in the tokens. */
function masksOf({ ids }: Encoding, mask: number, maskToken: string, where: string): number[] {
  const places = [...ids.keys()].filter((i) => ids[i] === mask)
  if (places.length === 0) throw new RangeError(`${where} holds no mask: write ${maskToken} where a token is wanted`)
  return places
}

function targetIds({ tokenizer }: TextModel, targets: string | readonly string[]): number[] {
  const ids = new Set<number>()
  for (const target of typeof targets === 'string' ? [targets] : targets) {
    const id = tokenizer.tokenToId(target) ?? tokenizer.encode(target, null, { addSpecialTokens: false })[0]
    if (id === undefined) throw new RangeError(`the target '${target}' has no token`)
    ids.add(id)
  }
  if (ids.size === 0) throw new RangeError('targets names no token')
  return [...ids]
}

/** The `count` best of `ids`, the first of equals first. */
function best(scores: readonly number[], ids: readonly number[] | null, count: number): number[] {
  const candidates = ids ? [...ids] : Array.from(scores.keys())
  return candidates.sort((a, b) => scores[b] - scores[a] || a - b).slice(0, count)
}

export function maskFiller(text: TextModel): MaskFiller {
  const { tokenizer, name } = text
  const { maskToken, maskTokenId, padTokenId } = tokenizer
  if (maskToken === null || maskTokenId === null) throw new TypeError(`the tokenizer of ${name} has no mask token`)
  const read = text.reader('fill-mask', ({ logits }) => ({ logits }))

  async function fillAll(texts: readonly string[], options: FillMaskOptions): Promise<MaskFilling[][][]> {
    const topK = checkCount('topK', options.topK ?? 5)
    const wanted = options.targets === undefined ? null : targetIds(text, options.targets)
    const rows = texts.map((input, i) => text.encode(input, null, options, inputName(i, texts.length)))
    const places = rows.map((row, i) =>
      masksOf(row, maskTokenId as number, maskToken as string, inputName(i, texts.length)),
    )
    const outputs = await read(rows, options)
    return outputs.map(({ logits }, i) => {
      const words = logits.shape[1]
      const single = places[i].length === 1
      return places[i].map((place) => {
        const scores = softmaxOf(logits.data.subarray(place * words, (place + 1) * words))
        return best(scores, wanted, topK).map((token): MaskFilling => {
          const ids = rows[i].ids.with(place, token).filter((id) => id !== padTokenId)
          return {
            score: scores[token],
            token,
            token_str: tokenizer.decode([token]),
            sequence: tokenizer.decode(ids, { skipSpecialTokens: single }),
          }
        })
      })
    })
  }

  const fill = async (input: string | readonly string[], options: FillMaskOptions = {}) =>
    typeof input === 'string' ? (await fillAll([input], options))[0] : fillAll(input, options)
  return Object.assign(fill as MaskFiller, { task: 'fill-mask' as const, model: name, maskToken })
}
