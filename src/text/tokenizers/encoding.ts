/** What encoding a text gives: ids and, computed when asked for, the tokens and where they come from. */

export type Offsets = readonly [number, number]

/** Columns that only some callers read: they are computed at first use where the encoder did without them. */
export interface Details {
  tokens: string[]
  words: (number | null)[]
  /** In Unicode code points. */
  offsets: Offsets[]
  /** In UTF-16 units, as `slice` takes them. */
  unitOffsets: Offsets[]
}

export const emptyDetails = (): Details => ({ tokens: [], words: [], offsets: [], unitOffsets: [] })

const NO_OFFSETS: Offsets = [0, 0]
const DETAIL_KEYS = ['tokens', 'words', 'offsets', 'unitOffsets'] as const

export type Side = 'left' | 'right'

export class Encoding {
  ids: number[] = []
  typeIds: number[] = []
  /** 1 at tokens that the tokenizer added. */
  specialTokensMask: number[] = []
  /** 0 at padding. */
  attentionMask: number[] = []
  /** What truncation cut off, in parts of the same length. */
  overflowing: Encoding[] = []
  /** Range of tokens of each input sequence; empty while there is one only. */
  ranges = new Map<number, Offsets>()
  /** Columns computed so far; null where they are left to {@link source}. */
  columns: Details | null = emptyDetails()
  /** Gives an equal encoding with its columns, before padding. */
  source: (() => Encoding | undefined) | null = null
  private padded = { left: 0, right: 0, token: '' }

  /** Tokens without their columns, which `source` gives when they are read. */
  static ofIds(ids: number[], typeId: number): Encoding {
    const encoding = new Encoding()
    encoding.ids = ids
    encoding.typeIds = new Array<number>(ids.length).fill(typeId)
    encoding.specialTokensMask = new Array<number>(ids.length).fill(0)
    encoding.attentionMask = new Array<number>(ids.length).fill(1)
    encoding.columns = null
    return encoding
  }

  /** Tokens that belong to no text. */
  static ofSpecialTokens(ids: readonly number[], tokens: readonly string[], typeId: number): Encoding {
    const encoding = Encoding.ofIds([...ids], typeId)
    encoding.specialTokensMask.fill(1)
    encoding.columns = {
      tokens: [...tokens],
      words: ids.map(() => null),
      offsets: ids.map(() => NO_OFFSETS),
      unitOffsets: ids.map(() => NO_OFFSETS),
    }
    return encoding
  }

  get length(): number {
    return this.ids.length
  }

  private details(): Details {
    if (this.columns) return this.columns
    if (!this.source) throw new Error('this encoding has been made without tokens and offsets')
    const found = this.source()?.columns
    const { left, right } = this.padded
    if (found?.tokens.length !== this.length - left - right)
      throw new Error(
        'tokens and offsets are computed when they are read: the tokenizer has changed since it encoded this text',
      )
    const details: Details = {
      tokens: [...found.tokens],
      words: [...found.words],
      offsets: [...found.offsets],
      unitOffsets: [...found.unitOffsets],
    }
    padDetails(details, left, 'left', this.padded.token)
    padDetails(details, right, 'right', this.padded.token)
    this.columns = details
    return details
  }

  get tokens(): readonly string[] {
    return this.details().tokens
  }

  /** For each token the number of the word it is part of; null at special tokens. */
  get wordIds(): readonly (number | null)[] {
    return this.details().words
  }

  /** Where each token stands in its text, in UTF-16 units: `text.slice(...offsets[i])`. */
  get offsets(): readonly Offsets[] {
    return this.details().unitOffsets
  }

  /** Where each token stands in its text, in code points, as Python counts. */
  get codePointOffsets(): readonly Offsets[] {
    return this.details().offsets
  }

  /** Number of input sequences. */
  get sequenceCount(): number {
    return this.ranges.size || 1
  }

  /** For each token the input sequence it comes from; null at special tokens. */
  get sequenceIds(): (number | null)[] {
    const ids = new Array<number | null>(this.length).fill(null)
    for (let sequence = 0; sequence < this.sequenceCount; sequence++) {
      const [start, end] = this.sequenceRange(sequence)
      ids.fill(sequence, start, end)
    }
    return ids
  }

  private sequenceRange(sequence: number): Offsets {
    return this.ranges.get(sequence) ?? [0, this.length]
  }

  /** Token at a position of a text (UTF-16 units); null where none is. */
  charToToken(position: number, sequence = 0): number | null {
    const [start, end] = this.sequenceRange(sequence)
    for (let i = start; i < end; i++) {
      const [from, to] = this.offsets[i]
      if (position >= from && position < to) return i
    }
    return null
  }

  /** Range of tokens of a word; null where it has none. */
  wordToTokens(word: number, sequence = 0): Offsets | null {
    const [start, end] = this.sequenceRange(sequence)
    let [first, last] = [-1, -1]
    for (let i = start; i < end; i++) {
      if (this.wordIds[i] !== word) continue
      if (first < 0) first = i
      last = i + 1
    }
    return first < 0 ? null : [first, last]
  }

  setSequenceId(sequence: number): void {
    this.ranges.set(sequence, [0, this.length])
  }

  clone(): Encoding {
    const copy = this.slice(0, this.length)
    copy.ranges = new Map(this.ranges)
    copy.overflowing = this.overflowing.map((part) => part.clone())
    return copy
  }

  private slice(start: number, end: number): Encoding {
    const part = new Encoding()
    part.ids = this.ids.slice(start, end)
    part.typeIds = this.typeIds.slice(start, end)
    part.specialTokensMask = this.specialTokensMask.slice(start, end)
    part.attentionMask = this.attentionMask.slice(start, end)
    const { columns } = this
    part.columns = columns && {
      tokens: columns.tokens.slice(start, end),
      words: columns.words.slice(start, end),
      offsets: columns.offsets.slice(start, end),
      unitOffsets: columns.unitOffsets.slice(start, end),
    }
    return part
  }

  /**
   * Cuts to `maxLength` tokens; what is cut becomes {@link overflowing}, each part repeating `stride` tokens of the one before.
   * @throws RangeError unless `stride < maxLength`
   */
  truncated(maxLength: number, stride: number, side: Side): Encoding {
    const { length } = this
    if (maxLength >= length) return this
    if (maxLength === 0) {
      const empty = new Encoding()
      if (!this.columns) empty.columns = null
      empty.overflowing = [this]
      return empty
    }
    if (stride >= maxLength)
      throw new RangeError(
        `stride is ${stride}, expected less than the ${maxLength} tokens that truncation leaves to the text`,
      )
    const parts: Encoding[] = []
    const step = maxLength - stride
    if (side === 'right') {
      for (let start = 0; start < length; start += step) {
        const end = Math.min(start + maxLength, length)
        parts.push(this.slice(start, end))
        if (end === length) break
      }
    } else {
      for (let end = length; end > 0; end -= step) {
        const start = Math.max(0, end - maxLength)
        parts.push(this.slice(start, end))
        if (start === 0) break
      }
    }
    const [first, ...rest] = parts
    first.overflowing = rest
    return first
  }

  /** Appends another encoding; each overflowing part of one is joined with the other and its parts. */
  mergeWith(other: Encoding): void {
    const overflowing: Encoding[] = []
    const join = (left: Encoding, right: Encoding): void => {
      const joined = left.clone()
      joined.mergeWith(right.clone())
      overflowing.push(joined)
    }
    for (const part of this.overflowing) {
      join(part, other)
      for (const otherPart of other.overflowing) join(part, otherPart)
    }
    for (const otherPart of other.overflowing) join(this, otherPart)
    const start = this.length
    for (const [sequence, [from, to]] of other.ranges) this.ranges.set(sequence, [start + from, start + to])
    append(this.ids, other.ids)
    append(this.typeIds, other.typeIds)
    append(this.specialTokensMask, other.specialTokensMask)
    append(this.attentionMask, other.attentionMask)
    // A part without columns leaves the whole without.
    if (this.columns && other.columns)
      for (const key of DETAIL_KEYS) append<unknown>(this.columns[key], other.columns[key])
    else this.columns = null
    this.overflowing = overflowing
  }

  static merge(encodings: readonly Encoding[]): Encoding {
    const merged = new Encoding()
    for (const encoding of encodings) merged.mergeWith(encoding)
    return merged
  }

  /** Fills up to `length` tokens, overflowing parts too. */
  pad(length: number, id: number, typeId: number, token: string, side: Side): void {
    for (const part of this.overflowing) part.pad(length, id, typeId, token, side)
    const missing = length - this.length
    if (missing <= 0) return
    padColumn(this.ids, missing, id, side)
    padColumn(this.typeIds, missing, typeId, side)
    padColumn(this.specialTokensMask, missing, 1, side)
    padColumn(this.attentionMask, missing, 0, side)
    if (this.columns) padDetails(this.columns, missing, side, token)
    else {
      this.padded[side] += missing
      this.padded.token = token
    }
    if (side === 'left')
      for (const [sequence, [from, to]] of this.ranges) this.ranges.set(sequence, [from + missing, to + missing])
  }

  /** Says where columns come from when they are read, for this encoding and its overflowing parts. */
  attachSource(make: () => Encoding | undefined): void {
    let made: Encoding | undefined
    const once = (): Encoding | undefined => {
      made ??= make()
      return made
    }
    this.source = once
    for (const [i, part] of this.overflowing.entries()) part.attachSource(() => once()?.overflowing[i])
  }
}

function append<T>(to: T[], from: readonly T[]): void {
  for (let i = 0; i < from.length; i++) to.push(from[i])
}

function padColumn<T>(column: T[], count: number, value: T, side: Side): void {
  const filler = new Array<T>(count).fill(value)
  if (side === 'right') append(column, filler)
  else {
    const old = column.slice()
    column.length = 0
    append(column, filler)
    append(column, old)
  }
}

function padDetails(details: Details, count: number, side: Side, token: string): void {
  if (count === 0) return
  padColumn(details.tokens, count, token, side)
  padColumn(details.words, count, null, side)
  padColumn(details.offsets, count, NO_OFFSETS, side)
  padColumn(details.unitOffsets, count, NO_OFFSETS, side)
}
