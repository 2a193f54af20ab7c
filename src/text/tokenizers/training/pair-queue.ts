import { Heap } from '../heap.js'

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

export const pairQueue = (): Heap<PairEntry> => new Heap(before)
