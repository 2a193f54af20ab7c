import { isWhitespace } from './unicode/classes.js'
import type { Transformation } from './unicode/normalize.js'

/** UTF-16 units that the code point at `i` takes. */
export const unitsAt = (text: string, i: number): number => (text.codePointAt(i)! > 0xffff ? 2 : 1)

/**
 * A text under normalization, that knows for each unit which range of the original it stands for. Positions are UTF-16 units;
 * ranges of the original are absolute, also in slices. While nothing has changed no alignment is kept.
 */
export class AlignedText {
  text: string
  /** Start and end in the original of each unit; null while the text is the original. */
  private starts: Int32Array | null = null
  private ends: Int32Array | null = null

  constructor(
    text: string,
    /** Range of the original that this text came from. */
    readonly from = 0,
    readonly to = text.length,
  ) {
    this.text = text
  }

  /** Range of the original that `[start, end)` of the text stands for; null where that is no range of the text. */
  originalRange(start: number, end: number): [number, number] | null {
    if (start === end) return [this.from + start, this.from + end]
    if (end > this.text.length || start > end) return null
    if (this.starts && this.ends) return [this.starts[start], this.ends[end - 1]]
    return [this.from + this.charStart(start), this.from + this.charEnd(end - 1)]
  }

  private charStart(i: number): number {
    const unit = this.text.charCodeAt(i)
    return (unit & 0xfc00) === 0xdc00 && i > 0 ? i - 1 : i
  }

  private charEnd(i: number): number {
    const unit = this.text.charCodeAt(i)
    return (unit & 0xfc00) === 0xd800 && i + 1 < this.text.length ? i + 2 : i + 1
  }

  private track(): { starts: Int32Array; ends: Int32Array } {
    if (this.starts && this.ends) return { starts: this.starts, ends: this.ends }
    const starts = new Int32Array(this.text.length)
    const ends = new Int32Array(this.text.length)
    for (let i = 0; i < starts.length; i++) {
      starts[i] = this.from + this.charStart(i)
      ends[i] = this.from + this.charEnd(i)
    }
    this.starts = starts
    this.ends = ends
    return { starts, ends }
  }

  slice(start: number, end: number): AlignedText {
    const [from, to] = this.originalRange(start, end) ?? [this.from, this.from]
    const part = new AlignedText(this.text.slice(start, end), from, to)
    if (this.starts && this.ends) {
      part.starts = this.starts.subarray(start, end)
      part.ends = this.ends.subarray(start, end)
    }
    return part
  }

  /**
   * Replaces the text. `removed` characters at the start are dropped first; then each change consumes input as
   * {@link Transformation} says, and characters that were added share the range of the one before them.
   */
  transform({ codePoints, changes }: Transformation, removed = 0): void {
    const { starts, ends } = this.track()
    const old = this.text
    const text = textOf(codePoints)
    const newStarts = new Int32Array(text.length)
    const newEnds = new Int32Array(text.length)
    let offset = 0
    const skip = (count: number): void => {
      for (; count > 0 && offset < old.length; count--) offset += unitsAt(old, offset)
    }
    skip(removed)
    let unit = 0
    for (let i = 0; i < codePoints.length; i++) {
      const change = changes[i]
      const source = change > 0 ? offset - 1 : Math.min(offset, old.length - 1)
      const [start, end] = source < 0 ? [this.from, this.from] : [starts[source], ends[source]]
      for (let units = codePoints[i] > 0xffff ? 2 : 1; units > 0; units--, unit++) {
        newStarts[unit] = start
        newEnds[unit] = end
      }
      if (change <= 0) skip(1 - change)
    }
    this.text = text
    this.starts = newStarts
    this.ends = newEnds
  }

  /** Replaces the text by one of as many units, each of which stands for what the old one stood for. */
  replaceUnits(text: string): void {
    this.text = text
  }

  /** Replaces each character by one other. */
  map(replace: (c: number) => number): void {
    if (isAscii(this.text)) {
      let text = ''
      for (let i = 0; i < this.text.length; i++) text += String.fromCharCode(replace(this.text.charCodeAt(i)))
      this.replaceUnits(text)
      return
    }
    const codePoints = codePointsOf(this.text)
    let changed = false
    for (let i = 0; i < codePoints.length; i++) {
      const c = replace(codePoints[i])
      if (c !== codePoints[i]) changed = true
      codePoints[i] = c
    }
    if (changed) this.transform({ codePoints, changes: new Array<number>(codePoints.length).fill(0) })
  }

  /** Keeps the characters that `keep` holds for. */
  filter(keep: (c: number) => boolean): void {
    if (keepsAll(this.text, keep)) return
    const codePoints: number[] = []
    const changes: number[] = []
    let removedFirst = 0
    let removed = 0
    for (const char of this.text) {
      const c = char.codePointAt(0)!
      if (!keep(c)) {
        removed++
        continue
      }
      if (codePoints.length === 0) removedFirst = removed
      else changes.push(-removed)
      codePoints.push(c)
      removed = 0
    }
    if (codePoints.length === 0) {
      if (removed > 0) this.transform({ codePoints, changes }, removed)
      return
    }
    changes.push(-removed)
    if (removedFirst > 0 || changes.some((change) => change < 0)) this.transform({ codePoints, changes }, removedFirst)
  }

  /** Puts `prefix` before a text that is not empty; it shares the range of the first character. */
  prepend(prefix: string): void {
    if (this.text.length === 0 || prefix.length === 0) return
    const { starts, ends } = this.track()
    const length = prefix.length
    const newStarts = new Int32Array(starts.length + length).fill(starts[0])
    const newEnds = new Int32Array(starts.length + length).fill(ends[0])
    newStarts.set(starts, length)
    newEnds.set(ends, length)
    this.text = prefix + this.text
    this.starts = newStarts
    this.ends = newEnds
  }

  /** Replaces ranges (in order, without overlap) by `content`, which takes the range of the last character replaced. */
  replaceRanges(ranges: readonly (readonly [number, number])[], content: string): void {
    if (ranges.length === 0) return
    const { starts, ends } = this.track()
    const parts: string[] = []
    const newStarts: number[] = []
    const newEnds: number[] = []
    let done = 0
    const keep = (to: number): void => {
      parts.push(this.text.slice(done, to))
      for (let i = done; i < to; i++) {
        newStarts.push(starts[i])
        newEnds.push(ends[i])
      }
    }
    for (const [start, end] of ranges) {
      keep(start)
      parts.push(content)
      for (let i = 0; i < content.length; i++) {
        newStarts.push(end > 0 ? starts[end - 1] : this.from)
        newEnds.push(end > 0 ? ends[end - 1] : this.from)
      }
      done = end
    }
    keep(this.text.length)
    this.text = parts.join('')
    this.starts = Int32Array.from(newStarts)
    this.ends = Int32Array.from(newEnds)
  }

  /** Removes white space at the sides. */
  strip(left: boolean, right: boolean): void {
    let start = 0
    let end = this.text.length
    if (left) while (start < end && isWhitespace(this.text.charCodeAt(start))) start++
    if (right) while (end > start && isWhitespace(this.text.charCodeAt(end - 1))) end--
    if (start === 0 && end === this.text.length) return
    const { starts, ends } = this.track()
    this.text = this.text.slice(start, end)
    this.starts = starts.subarray(start, end)
    this.ends = ends.subarray(start, end)
  }
}

function keepsAll(text: string, keep: (c: number) => boolean): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.codePointAt(i)!
    if (!keep(c)) return false
    if (c > 0xffff) i++
  }
  return true
}

/** Whether a text holds ASCII alone, of which each character is one unit in every form. */
export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) >= 0x80) return false
  return true
}

export const codePointsOf = (text: string): number[] => Array.from(text, (char) => char.codePointAt(0)!)

/** The text of code points, in pieces that a call can take. */
export function textOf(codePoints: readonly number[]): string {
  let text = ''
  for (let i = 0; i < codePoints.length; i += 4096) text += String.fromCodePoint(...codePoints.slice(i, i + 4096))
  return text
}
