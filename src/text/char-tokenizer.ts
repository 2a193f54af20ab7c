import { type CharVocab, PAD_ID } from './char-vocab.js'

/**
 * What happens to texts longer than the model reads: an error, or the start alone is kept, or start and end in equal parts
 * (opinions tend to stand there).
 */
export const TRUNCATIONS = ['error', 'head', 'headAndTail'] as const
export type Truncation = (typeof TRUNCATIONS)[number]

export interface CharTokenizerOptions {
  /** Characters that the model reads. */
  readonly maxLength: number
  readonly truncation: Truncation
}

/** Texts are padded to a multiple of this, so that few shapes are compiled. */
export const LENGTH_STEP = 16

/** `length` rounded up to what texts are padded to; at least one step. */
export const paddedLength = (length: number, step = LENGTH_STEP): number =>
  Math.max(step, Math.ceil(length / step) * step)

/** Characters to ids, as long as a model may read. */
export class CharTokenizer {
  constructor(
    readonly vocab: CharVocab,
    readonly options: CharTokenizerOptions,
  ) {}

  /** @throws RangeError where the text is longer than `maxLength` and truncation is an error */
  encode(text: string): Int32Array {
    const ids = this.vocab.encode(text)
    const { maxLength, truncation } = this.options
    if (ids.length <= maxLength) return ids
    if (truncation === 'error')
      throw new RangeError(
        `the text has ${ids.length} characters, the model reads ${maxLength}; shorten it, or train with "truncation": "head"`,
      )
    if (truncation === 'head') return ids.slice(0, maxLength)
    const head = Math.ceil(maxLength / 2)
    const cut = new Int32Array(maxLength)
    cut.set(ids.subarray(0, head))
    cut.set(ids.subarray(ids.length - (maxLength - head)), head)
    return cut
  }
}

/** Rows of ids as one row-major block [rows, length], filled up with [PAD]. */
export function padRows(rows: readonly Int32Array[], length: number): Int32Array {
  const block = new Int32Array(rows.length * length).fill(PAD_ID)
  for (const [i, ids] of rows.entries()) block.set(ids, i * length)
  return block
}
