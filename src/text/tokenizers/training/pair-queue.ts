/** Pairs of symbols waiting to be merged: the most frequent first, then the lowest ids. */
export interface PairEntry {
  readonly left: number
  readonly right: number
  count: number
  /** Words that hold the pair, as far as this entry knows. */
  readonly words: readonly number[]
}

const before = (a: PairEntry, b: PairEntry): boolean =>
  a.count !== b.count ? a.count > b.count : a.left !== b.left ? a.left < b.left : a.right < b.right

export class PairQueue {
  private readonly items: PairEntry[] = []

  push(item: PairEntry): void {
    const { items } = this
    let i = items.length
    items.push(item)
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!before(item, items[parent])) break
      items[i] = items[parent]
      i = parent
    }
    items[i] = item
  }

  pop(): PairEntry | undefined {
    const { items } = this
    const top = items[0]
    const last = items.pop()
    if (last === undefined || items.length === 0) return top
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= items.length) break
      if (child + 1 < items.length && before(items[child + 1], items[child])) child++
      if (!before(items[child], last)) break
      items[i] = items[child]
      i = child
    }
    items[i] = last
    return top
  }
}
