import { permutation, randomBelow, randomWords } from './rng.js'
import {
  type Cursor,
  END,
  type MaybePromise,
  type OpenContext,
  type RowView,
  replayed,
  rowCursor,
  type Source,
} from './source.js'

export interface ShuffleOptions {
  /** The same seed and epoch give the same order. */
  seed?: number
  /**
   * Items held to draw from. Left out, the order is a uniform permutation: of indices where rows are reachable by index,
   * and otherwise of the epoch's items, which are then all held in memory.
   */
  bufferSize?: number
}

/** The rows of `view` in another order. */
export function reorder<T>(view: RowView<T>, order: Uint32Array): RowView<T> {
  return {
    length: order.length,
    at: (index) => view.at(order[index]),
    where: (index) => view.where(order[index]),
    gather: view.gather && ((indices) => view.gather?.(indices.map((index) => order[index]))),
  }
}

/** Draws at random from a buffer that is refilled from `cursor`. */
function bufferedCursor<T>(cursor: Cursor<T>, size: number, next: () => number): Cursor<T> {
  const buffer: { item: T; where: string | undefined }[] = []
  let last: string | undefined
  let ended = false
  const draw = (): T | typeof END => {
    if (buffer.length === 0) return END
    const slot = randomBelow(next, buffer.length)
    const drawn = buffer[slot]
    buffer[slot] = buffer[buffer.length - 1]
    buffer.pop()
    last = drawn.where
    return drawn.item
  }
  const note = (item: T | typeof END): void => {
    if (item === END) ended = true
    else buffer.push({ item, where: cursor.where() })
  }
  const pull = (): MaybePromise<T | typeof END> => {
    while (!ended && buffer.length < size) {
      const item = cursor.pull()
      if (item instanceof Promise)
        return item.then((value) => {
          note(value)
          return pull()
        })
      note(item)
    }
    return draw()
  }
  return { pull, position: () => cursor.position(), where: () => last, close: () => cursor.close() }
}

export function shuffleSource<T>(source: Source<T>, options: ShuffleOptions = {}): Source<T> {
  const { seed = 0, bufferSize } = options
  if (bufferSize !== undefined && (!Number.isSafeInteger(bufferSize) || bufferSize < 1)) {
    throw new TypeError(`shuffle: bufferSize should be a positive integer, got ${bufferSize}`)
  }
  randomWords(seed) // refuses a seed that is not an integer here, not in the first epoch
  let latest: { epoch: number; order: Uint32Array } | undefined
  const rows = (epoch: number): RowView<T> | undefined => {
    const view = bufferSize === undefined ? source.rows?.(epoch) : undefined
    if (view === undefined) return undefined
    if (latest?.epoch !== epoch || latest.order.length !== view.length) {
      latest = { epoch, order: permutation(view.length, seed, epoch) }
    }
    return reorder(view, latest.order)
  }
  const open = (context: OpenContext): Cursor<T> => {
    const view = rows(context.epoch)
    if (view !== undefined) return rowCursor(view, context)
    return replayed('shuffle', context, (start) =>
      bufferedCursor(source.open(start), bufferSize ?? Number.POSITIVE_INFINITY, randomWords(seed, start.epoch)),
    )
  }
  return {
    get length() {
      return source.length
    },
    rows,
    open,
  }
}
