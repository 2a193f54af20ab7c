import {
  type Cursor,
  chain,
  checkPosition,
  END,
  type OpenContext,
  type RowView,
  replayed,
  rowCursor,
  type Source,
} from './source.js'

/**
 * Keeps items in memory once they were made: later epochs repeat those of the first. Rows reachable by index are kept one
 * by one; the items of a stream once a pass over it is complete.
 */
export function cacheSource<T>(source: Source<T>): Source<T> {
  if (source.rows?.(0) !== undefined) return cacheRows(source)
  return cacheStream(source)
}

function cacheRows<T>(source: Source<T>): Source<T> {
  const kept = new Map<number, T>()
  const view = source.rows?.(0) as RowView<T>
  const at = (index: number) => {
    if (kept.has(index)) return kept.get(index) as T
    return chain(view.at(index), (item) => {
      kept.set(index, item)
      return item
    })
  }
  const cached: RowView<T> = { length: view.length, where: (index) => view.where(index), at }
  return { length: view.length, rows: () => cached, open: (context) => rowCursor(cached, context) }
}

interface Kept<T> {
  readonly items: readonly T[]
  readonly names: readonly (string | undefined)[]
}

function cacheStream<T>(source: Source<T>): Source<T> {
  let kept: Kept<T> | undefined
  const collect = (context: OpenContext): Cursor<T> => {
    const cursor = source.open({ ...context, epoch: 0 })
    const items: T[] = []
    const names: (string | undefined)[] = []
    const note = (item: T | typeof END) => {
      if (item === END) kept = { items, names }
      else {
        items.push(item)
        names.push(cursor.where())
      }
      return item
    }
    return { ...cursor, pull: () => chain(cursor.pull(), note) }
  }
  // Positions are counts of items in both cases: a new process, which has nothing kept, can continue from either.
  const open = (context: OpenContext): Cursor<T> =>
    kept === undefined ? replayed('cache', context, collect) : keptCursor(kept, context)
  return {
    get length() {
      return kept?.items.length ?? source.length
    },
    open,
  }
}

function keptCursor<T>({ items, names }: Kept<T>, { position, signal }: OpenContext): Cursor<T> {
  if (position !== undefined) checkPosition(position, 'cache')
  let index = position?.index ?? 0
  return {
    pull() {
      signal?.throwIfAborted()
      return index < items.length ? items[index++] : END
    },
    position: () => ({ op: 'cache', index }),
    where: () => names[index - 1],
    close: () => undefined,
  }
}
