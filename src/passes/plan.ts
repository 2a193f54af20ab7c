import type { Steps } from '../ir/index.js'

/** A piece of memory with a life in a program: in use from its first to its last instruction, both included. */
export interface Block {
  readonly bytes: number
  readonly first: number
  readonly last: number
}

export interface ArenaPlan {
  /** Byte offset of every block. */
  readonly offsets: readonly number[]
  readonly bytes: number
}

export const ARENA_ALIGNMENT = 64

/** Blocks placed between two pauses: each may look at all that were placed before. */
const BLOCKS_A_STEP = 8

const align = (bytes: number): number => Math.ceil(bytes / ARENA_ALIGNMENT) * ARENA_ALIGNMENT

/**
 * Places blocks in one arena so that blocks in use at the same time never overlap: largest first, each at the lowest offset that is
 * free through its whole life.
 */
export function* planArena(blocks: readonly Block[]): Steps<ArenaPlan> {
  const offsets = new Array<number>(blocks.length).fill(0)
  const bySize = blocks
    .map((_, i) => i)
    .sort((a, b) => blocks[b].bytes - blocks[a].bytes || blocks[a].first - blocks[b].first)
  // Placed blocks, by offset.
  const placed: number[] = []
  let total = 0
  for (const index of bySize) {
    if (placed.length % BLOCKS_A_STEP === 0) yield
    const block = blocks[index]
    const size = align(block.bytes)
    let offset = 0
    for (const other of placed) {
      if (blocks[other].last < block.first || blocks[other].first > block.last) continue
      if (offsets[other] >= offset + size) break
      offset = Math.max(offset, offsets[other] + align(blocks[other].bytes))
    }
    offsets[index] = offset
    total = Math.max(total, offset + size)
    placed.splice(insertionPoint(placed, offsets, offset), 0, index)
  }
  return { offsets, bytes: total }
}

/** Position in `placed`, sorted by offset, at which a block at `offset` belongs. */
function insertionPoint(placed: readonly number[], offsets: readonly number[], offset: number): number {
  let low = 0
  let high = placed.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (offsets[placed[middle]] <= offset) low = middle + 1
    else high = middle
  }
  return low
}
