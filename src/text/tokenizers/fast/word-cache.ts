/** Words and their ids in flat arrays, so that a hit makes no object. Forgets everything when it is full. */

const SLOTS = 1 << 16
const WIDTH = 5
/** Longer words are not kept. */
const MAX_WORD = 64

export class WordCache {
  private readonly slots = new Int32Array(SLOTS * WIDTH)
  private units = new Uint16Array(1 << 19)
  private ids = new Int32Array(1 << 18)
  private unitCount = 0
  private idCount = 0
  private words = 0

  /**
   * Appends the ids of `text[start, end)` where they are known.
   * @returns whether they were
   */
  read(text: string, start: number, end: number, out: number[]): boolean {
    const length = end - start
    if (length > MAX_WORD) return false
    const { slots } = this
    const hash = hashOf(text, start, end)
    for (let i = hash & (SLOTS - 1); ; i = (i + 1) & (SLOTS - 1)) {
      const at = i * WIDTH
      const found = slots[at]
      if (found === 0) return false
      if (found !== hash || slots[at + 2] !== length) continue
      const key = slots[at + 1]
      let j = 0
      while (j < length && this.units[key + j] === text.charCodeAt(start + j)) j++
      if (j < length) continue
      const first = slots[at + 3]
      const last = first + slots[at + 4]
      for (let k = first; k < last; k++) out.push(this.ids[k])
      return true
    }
  }

  /** Remembers that `text[start, end)` has the ids of `from` from `first` on. */
  write(text: string, start: number, end: number, from: readonly number[], first: number): void {
    const length = end - start
    const count = from.length - first
    if (length > MAX_WORD) return
    const full = this.words >= SLOTS / 2 || this.unitCount + length > this.units.length
    if (full || this.idCount + count > this.ids.length) this.clear()
    const { slots } = this
    const hash = hashOf(text, start, end)
    let i = hash & (SLOTS - 1)
    while (slots[i * WIDTH] !== 0) i = (i + 1) & (SLOTS - 1)
    slots.set([hash, this.unitCount, length, this.idCount, count], i * WIDTH)
    for (let j = start; j < end; j++) this.units[this.unitCount++] = text.charCodeAt(j)
    for (let k = first; k < from.length; k++) this.ids[this.idCount++] = from[k]
    this.words++
  }

  clear(): void {
    this.slots.fill(0)
    this.unitCount = 0
    this.idCount = 0
    this.words = 0
  }
}

/** A hash that is never 0. */
function hashOf(text: string, start: number, end: number): number {
  let hash = 0x811c9dc5
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash ^= hash >>> 15
  return hash === 0 ? 1 : hash
}
