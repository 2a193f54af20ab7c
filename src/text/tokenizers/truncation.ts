/** Truncation and padding as the Rust tokenizers do them. */
import type { Encoding, Side } from './encoding.js'

export const TRUNCATION_STRATEGIES = ['longest_first', 'only_first', 'only_second'] as const
export type TruncationStrategy = (typeof TRUNCATION_STRATEGIES)[number]

export interface TruncationOptions {
  /** Tokens of the whole, special tokens included. */
  readonly maxLength: number
  readonly strategy: TruncationStrategy
  /** Tokens that an overflowing part repeats of the one before. */
  readonly stride: number
  readonly direction: Side
}

export interface PaddingOptions {
  /** To the longest of a batch, or to this many tokens. */
  readonly length: number | null
  readonly direction: Side
  readonly padToMultipleOf: number | null
  readonly padId: number
  readonly padTypeId: number
  readonly padToken: string
}

/** Lengths that the two sequences are cut to so that the longer gives first. */
function longestFirst(first: number, second: number, maxLength: number): [number, number] {
  const swap = first > second
  let [short, long] = swap ? [second, first] : [first, second]
  long = short > maxLength ? short : Math.max(short, maxLength - short)
  if (short + long > maxLength) {
    short = Math.floor(maxLength / 2)
    long = short + (maxLength % 2)
  }
  return swap ? [long, short] : [short, long]
}

/**
 * Cuts one or two encodings to `maxLength` tokens in sum.
 * @throws RangeError where the sequence to cut is missing, or too short for what must go
 */
export function truncateEncodings(
  encodings: readonly Encoding[],
  { maxLength, strategy, stride, direction }: TruncationOptions,
): Encoding[] {
  const cut = (encoding: Encoding, length: number): Encoding => encoding.truncated(length, stride, direction)
  if (maxLength === 0) return encodings.map((encoding) => cut(encoding, 0))
  const total = encodings.reduce((sum, { length }) => sum + length, 0)
  const excess = total - maxLength
  if (excess <= 0) return [...encodings]
  if (strategy === 'longest_first') {
    if (encodings.length === 1) return [cut(encodings[0], maxLength)]
    const lengths = longestFirst(encodings[0].length, encodings[1].length, maxLength)
    return encodings.map((encoding, i) => cut(encoding, lengths[i]))
  }
  const target = strategy === 'only_first' ? 0 : 1
  if (target >= encodings.length) throw new RangeError("truncation 'only_second': there is no second sequence")
  const { length } = encodings[target]
  if (length <= excess)
    throw new RangeError(`truncation '${strategy}': ${excess} tokens must go, the sequence to cut has ${length}`)
  return encodings.map((encoding, i) => (i === target ? cut(encoding, length - excess) : encoding))
}

/** Pads encodings in place to one length. */
export function padEncodings(encodings: readonly Encoding[], options: PaddingOptions): void {
  if (encodings.length === 0) return
  let length = options.length ?? encodings.reduce((longest, encoding) => Math.max(longest, encoding.length), 0)
  const multiple = options.padToMultipleOf
  if (multiple && length % multiple > 0) length += multiple - (length % multiple)
  for (const encoding of encodings)
    encoding.pad(length, options.padId, options.padTypeId, options.padToken, options.direction)
}
