import { chain, type Cursor, END, type OpenContext, type RowView, replayed, rowCursor, type Source } from './source.js'

/**
 * Keeps items in memory once they were made: later epochs repeat those of the first. Rows reachable by index are kept one
 * by one; a stream is kept when a pass over it is complete, and is then reachable by index.
 */
export function cacheSource<T>(source: Source<T>): Source<T> {
  const kept = new Map<number, T>()
  let complete: RowView<T> | undefined
  const rows = (): RowView<T> | undefined => {
    if (complete !== undefined) return complete
    const view = source.rows?.(0)
    return view && {
      length: view.length,
      where: (index) => view.where(index),
      at: (index) => {
        const known = kept.get(index)
        if (known !== undefined || kept.has(index)) return known as T
        return chain(view.at(index), (item) => {
          kept.set(index, item)
          return item
        })
      },
    }
  }
  const collect = (context: OpenContext): Cursor<T> => {
    const cursor = source.open(context)
    const items: T[] = []
    const names: (string | undefined)[] = []
    const note = (item: T | typeof END) => {
      if (item === END) complete = { length: items.length, at: (index) => items[index], where: (index) => names[index] ?? `item ${index}` }
      else {
        items.push(item)
        names.push(cursor.where())
      }
      return item
    }
    return { ...cursor, pull: () => chain(cursor.pull(), note) }
  }
  const open = (context: OpenContext): Cursor<T> => {
    const view = rows()
    if (view === undefined) return replayed('cache', context, (start) => collect({ ...start, epoch: 0 }))
    // A position saved while the stream was still being read counts the same items.
    const { position } = context
    const moved = position?.op === 'cache' ? { op: 'rows', index: position.index, length: view.length } : position
    return rowCursor(view, { ...context, position: moved })
  }
  return { get length() { return complete?.length ?? source.length }, rows, open }
}
