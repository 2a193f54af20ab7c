/** Sets and maps of code points, decoded from the tables of this folder. */

/** Membership in a set of code points: one bit each, so that a lookup is a shift and a mask. */
export class CodePointSet {
  private readonly bits = new Uint32Array(0x110000 >> 5)

  /** @param ranges `gap[.extra]` in base 36, separated by spaces */
  constructor(ranges: string) {
    let at = 0
    for (const part of ranges.split(' ')) {
      const [gap, extra = '0'] = part.split('.')
      at += Number.parseInt(gap, 36)
      for (const end = at + Number.parseInt(extra, 36); at <= end; at++) this.bits[at >> 5] |= 1 << (at & 31)
    }
  }

  has(codePoint: number): boolean {
    return (this.bits[codePoint >> 5] & (1 << (codePoint & 31))) !== 0
  }
}

/** A small number for each code point; 0 where the table has none. */
export function codePointMap(ranges: string, shift = 0): Uint8Array {
  const values = new Uint8Array(0x110000)
  let at = 0
  for (const part of ranges.split(' ')) {
    const [gap, extra, value] = part.split('.')
    at += Number.parseInt(gap, 36)
    const end = at + Number.parseInt(extra, 36) + 1
    values.fill(Number.parseInt(value, 36) + shift, at, end)
    at = end
  }
  return values
}

/** The ranges of a table as `[first, last]`. */
export function rangesOf(ranges: string): [number, number][] {
  let at = 0
  return ranges.split(' ').map((part) => {
    const [gap, extra = '0'] = part.split('.')
    const first = at + Number.parseInt(gap, 36)
    const last = first + Number.parseInt(extra, 36)
    at = last + 1
    return [first, last]
  })
}

/** A value computed at first use. */
export function lazy<T>(make: () => T): () => T {
  let value: T | undefined
  return () => {
    value ??= make()
    return value
  }
}
