/** Merging of byte-pair encoding: the pair of the lowest rank first, from the left where ranks are equal. */

/** Words up to this many symbols are merged by scanning, longer ones by a heap. */
const SCAN_LIMIT = 48

const NONE = 0x7fffffff

/** Pairs of ids with their rank and the id that they merge to, in one open-addressed table. */
export class MergeTable {
  private readonly slots: Int32Array
  private readonly mask: number
  readonly size: number

  /** @param merges left, right and merged ids, best first; of a pair that comes twice the later rank holds */
  constructor(merges: readonly (readonly [number, number, number])[]) {
    this.size = merges.length
    const capacity = 2 ** Math.max(4, Math.ceil(Math.log2(merges.length * 2 + 1)))
    this.slots = new Int32Array(capacity * 4).fill(-1)
    this.mask = capacity - 1
    for (const [rank, [left, right, merged]] of merges.entries()) {
      const at = this.find(left, right, true)
      this.slots[at] = left
      this.slots[at + 1] = right
      this.slots[at + 2] = rank
      this.slots[at + 3] = merged
    }
  }

  /** Index of the entry of a pair, or -1 (or where it would stand). */
  private find(left: number, right: number, orFree: boolean): number {
    const { slots, mask } = this
    const mixed = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)
    for (let i = (mixed ^ (mixed >>> 15)) & mask; ; i = (i + 1) & mask) {
      const at = i * 4
      const found = slots[at]
      if (found === left && slots[at + 1] === right) return at
      if (found === -1) return orFree ? at : -1
    }
  }

  /** Entry of a pair, or -1: see {@link rank} and {@link merged}. */
  entry(left: number, right: number): number {
    return this.find(left, right, false)
  }

  rank(entry: number): number {
    return this.slots[entry + 2]
  }

  merged(entry: number): number {
    return this.slots[entry + 3]
  }
}

/** Symbols of one word, merged in place. */
export class SymbolBuffer {
  ids = new Int32Array(64)
  /** Lengths, in whatever unit the caller counts. */
  lengths = new Int32Array(64)
  count = 0
  private entries = new Int32Array(64)
  private previous = new Int32Array(64)
  private next = new Int32Array(64)

  clear(): void {
    this.count = 0
  }

  push(id: number, length: number): void {
    if (this.count === this.ids.length) this.grow()
    this.ids[this.count] = id
    this.lengths[this.count++] = length
  }

  private grow(): void {
    const double = (from: Int32Array): Int32Array<ArrayBuffer> => {
      const to = new Int32Array(from.length * 2)
      to.set(from)
      return to
    }
    this.ids = double(this.ids)
    this.lengths = double(this.lengths)
    this.entries = double(this.entries)
    this.previous = double(this.previous)
    this.next = double(this.next)
  }

  /** @param dropout probability that a merge is passed over, for regularisation (Provilkov et al. 2020) */
  merge(table: MergeTable, dropout = 0): void {
    if (this.count < 2 || table.size === 0) return
    if (dropout === 0 && this.count <= SCAN_LIMIT) this.mergeByScan(table)
    else this.mergeByHeap(table, dropout)
  }

  private mergeByScan(table: MergeTable): void {
    const { ids, lengths, entries } = this
    let last = this.count - 1
    let best = NONE
    let at = -1
    for (let i = 0; i < last; i++) {
      const entry = table.entry(ids[i], ids[i + 1])
      entries[i] = entry
      if (entry >= 0 && table.rank(entry) < best) {
        best = table.rank(entry)
        at = i
      }
    }
    while (at >= 0) {
      ids[at] = table.merged(entries[at])
      lengths[at] += lengths[at + 1]
      for (let i = at + 1; i < last; i++) {
        ids[i] = ids[i + 1]
        lengths[i] = lengths[i + 1]
        entries[i] = entries[i + 1]
      }
      last--
      if (at > 0) entries[at - 1] = table.entry(ids[at - 1], ids[at])
      if (at < last) entries[at] = table.entry(ids[at], ids[at + 1])
      best = NONE
      at = -1
      for (let i = 0; i < last; i++) {
        const entry = entries[i]
        if (entry >= 0 && table.rank(entry) < best) {
          best = table.rank(entry)
          at = i
        }
      }
    }
    this.count = last + 1
  }

  private mergeByHeap(table: MergeTable, dropout: number): void {
    const { ids, lengths, previous, next, count } = this
    const heap = new MergeHeap(count)
    for (let i = 0; i < count; i++) {
      previous[i] = i - 1
      next[i] = i + 1 < count ? i + 1 : -1
    }
    const offer = (left: number): void => {
      const entry = table.entry(ids[left], ids[next[left]])
      if (entry >= 0) heap.push(table.rank(entry), left, table.merged(entry))
    }
    for (let i = 0; i + 1 < count; i++) offer(i)
    const skipped: [number, number, number][] = []
    while (heap.size > 0) {
      const [rank, at, merged] = heap.pop()
      if (dropout > 0 && Math.random() < dropout) {
        skipped.push([rank, at, merged])
        continue
      }
      for (const item of skipped.splice(0)) heap.push(...item)
      if (lengths[at] === 0 || next[at] < 0) continue
      const right = next[at]
      const entry = table.entry(ids[at], ids[right])
      // The pair may have changed since it was offered.
      if (entry < 0 || table.merged(entry) !== merged) continue
      ids[at] = merged
      lengths[at] += lengths[right]
      lengths[right] = 0
      next[at] = next[right]
      if (next[at] >= 0) previous[next[at]] = at
      if (previous[at] >= 0) offer(previous[at])
      if (next[at] >= 0) offer(at)
    }
    let kept = 0
    for (let i = 0; i < count; i++) {
      if (lengths[i] === 0) continue
      ids[kept] = ids[i]
      lengths[kept++] = lengths[i]
    }
    this.count = kept
  }
}

/** A binary heap of merges: lowest rank first, then leftmost. Keys are rank and position in one double. */
class MergeHeap {
  private keys: Float64Array
  private values: Int32Array
  size = 0

  constructor(expected: number) {
    this.keys = new Float64Array(expected * 2 + 16)
    this.values = new Int32Array(expected * 2 + 16)
  }

  push(rank: number, position: number, merged: number): void {
    if (this.size === this.keys.length) {
      const [keys, values] = [this.keys, this.values]
      this.keys = new Float64Array(keys.length * 2)
      this.values = new Int32Array(keys.length * 2)
      this.keys.set(keys)
      this.values.set(values)
    }
    const { keys, values } = this
    const key = rank * 4294967296 + position
    let i = this.size++
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (keys[parent] <= key) break
      keys[i] = keys[parent]
      values[i] = values[parent]
      i = parent
    }
    keys[i] = key
    values[i] = merged
  }

  /** Rank, position and merged id of the best. */
  pop(): [number, number, number] {
    const { keys, values } = this
    const [top, merged] = [keys[0], values[0]]
    const last = --this.size
    const [key, value] = [keys[last], values[last]]
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= last) break
      if (child + 1 < last && keys[child + 1] < keys[child]) child++
      if (keys[child] >= key) break
      keys[i] = keys[child]
      values[i] = values[child]
      i = child
    }
    keys[i] = key
    values[i] = value
    const rank = Math.floor(top / 4294967296)
    return [rank, top - rank * 4294967296, merged]
  }
}
