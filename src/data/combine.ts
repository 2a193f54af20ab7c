/** Stages that string passes together: repeat, concat; and sources of items at hand or from a generator. */
import {
  type Cursor,
  chain,
  checkPosition,
  DataError,
  dataError,
  END,
  type MaybePromise,
  type OpenContext,
  type RowView,
  rowCursor,
  rowSource,
  type Source,
} from './source.js'

/** Opens `part(0)`, `part(1)`, ... one after the other; undefined ends the sequence. */
function sequence<T>(
  op: string,
  context: OpenContext,
  part: (index: number, context: OpenContext) => Cursor<T> | undefined,
): Cursor<T> {
  const { position } = context
  if (position !== undefined) checkPosition(position, op)
  let index = position?.index ?? 0
  let cursor = part(index, { ...context, position: position?.inner })
  const advance = (item: T | typeof END): MaybePromise<T | typeof END> => {
    if (item !== END || cursor === undefined) return item
    return chain(cursor.close(), () => {
      cursor = part(++index, { ...context, position: undefined })
      return cursor === undefined ? END : chain(cursor.pull(), advance)
    })
  }
  return {
    pull: () => (cursor === undefined ? END : chain(cursor.pull(), advance)),
    position: () => ({ op, index, inner: cursor?.position() }),
    where: () => cursor?.where(),
    close: () => cursor?.close(),
  }
}

/** `source` `times` times within one epoch, each pass with an epoch number of its own. */
export function repeatSource<T>(source: Source<T>, times: number): Source<T> {
  if (times !== Number.POSITIVE_INFINITY && (!Number.isSafeInteger(times) || times < 0)) {
    throw new TypeError(`repeat takes a count of passes or nothing, got ${times}`)
  }
  const open = (context: OpenContext): Cursor<T> => {
    const first = Number.isFinite(times) ? context.epoch * times : context.epoch
    let seen = false
    return sequence('repeat', context, (index, inner) => {
      // An endless repetition of nothing would never return.
      if (index > 0 && !seen && inner.position === undefined && times === Number.POSITIVE_INFINITY) {
        throw new DataError('repeat: the data has no items')
      }
      if (index >= times) return undefined
      const cursor = source.open({ ...inner, epoch: first + index })
      const note = (item: T | typeof END) => {
        if (item !== END) seen = true
        return item
      }
      return { ...cursor, pull: () => chain(cursor.pull(), note) }
    })
  }
  return {
    get length() {
      if (source.length === 0 || times === 0) return 0
      return source.length === undefined ? undefined : source.length * times
    },
    open,
  }
}

/** The rows of several views, one after the other. */
function joinViews<T>(views: readonly RowView<T>[]): RowView<T> {
  const starts = [0]
  for (const view of views) starts.push(starts[starts.length - 1] + view.length)
  const find = (index: number): [RowView<T>, number] => {
    let at = 0
    while (index >= starts[at + 1]) at++
    return [views[at], index - starts[at]]
  }
  return {
    length: starts[views.length],
    at: (index) => {
      const [view, row] = find(index)
      return view.at(row)
    },
    where: (index) => {
      const [view, row] = find(index)
      return view.where(row)
    },
  }
}

export function concatSource<T>(sources: readonly Source<T>[]): Source<T> {
  const rows = (epoch: number): RowView<T> | undefined => {
    const views = sources.map((source) => source.rows?.(epoch))
    return views.every((view): view is RowView<T> => view !== undefined) ? joinViews(views) : undefined
  }
  const open = (context: OpenContext): Cursor<T> => {
    const view = rows(context.epoch)
    if (view !== undefined) return rowCursor(view, context)
    return sequence('concat', context, (index, inner) => sources[index]?.open(inner))
  }
  return {
    get length() {
      let total: number | undefined = 0
      for (const { length } of sources) total = total === undefined || length === undefined ? undefined : total + length
      return total
    },
    rows,
    open,
  }
}

/** Items of an array. `where` names them for errors. */
export function itemSource<T>(
  items: readonly T[],
  where: (index: number) => string = (index) => `item ${index}`,
): Source<T> {
  const view: RowView<T> = { length: items.length, at: (index) => items[index], where }
  return rowSource(items.length, () => view)
}

/** What a generator function is called with, once an epoch. */
export interface GeneratorContext {
  readonly epoch: number
  readonly signal?: AbortSignal
}

export type GeneratorFunction<T> = (context: GeneratorContext) => Iterable<T> | AsyncIterable<T>

export interface StreamOptions {
  /** Items an epoch, where known; another number is an error. */
  length?: number
  /** Names an item for errors. */
  where?: (index: number) => string
}

/** Items of a generator, started anew each epoch. A saved position is reached by dropping the items before it. */
export function generatorSource<T>(generate: GeneratorFunction<T>, options: StreamOptions = {}): Source<T> {
  const { length, where = (index) => `item ${index}` } = options
  const open = (context: OpenContext): Cursor<T> => {
    const { position, epoch, signal } = context
    if (position !== undefined) checkPosition(position, 'stream')
    const target = position?.index ?? 0
    let index = 0
    let iterator: Iterator<T> | AsyncIterator<T> | undefined
    const step = async (): Promise<T | typeof END> => {
      for (;;) {
        signal?.throwIfAborted()
        iterator ??= start(generate({ epoch, signal }))
        const result = await Promise.resolve(iterator.next()).catch((error) =>
          Promise.reject(dataError('reading failed', where(index), error)),
        )
        if (result.done) return finish(index)
        index++
        if (index > target) return result.value
      }
    }
    const finish = (count: number): typeof END => {
      if (count < target)
        throw new DataError(`saved data position: item ${target} lies past the end, there are ${count} items`)
      if (length !== undefined && count !== length)
        throw new DataError(`the generator should give ${length} items, it gave ${count}`)
      return END
    }
    return {
      pull: step,
      position: () => ({ op: 'stream', index: Math.max(index, target) }),
      where: () => (index > 0 ? where(index - 1) : undefined),
      close: async () => {
        await iterator?.return?.()
      },
    }
  }
  return { length, open }
}

const start = <T>(items: Iterable<T> | AsyncIterable<T>): Iterator<T> | AsyncIterator<T> =>
  Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()

/** An item with the name that errors give it. */
export interface Located<T> {
  readonly row: T
  readonly where: string
}

/** The rows of a generator that names each. */
export function locatedSource<T>(generate: GeneratorFunction<Located<T>>): Source<T> {
  const source = generatorSource(generate)
  const open = (context: OpenContext): Cursor<T> => {
    const cursor = source.open(context)
    let where: string | undefined
    const unwrap = (item: Located<T> | typeof END): T | typeof END => {
      if (item === END) return END
      where = item.where
      return item.row
    }
    return { ...cursor, pull: () => chain(cursor.pull(), unwrap), where: () => where }
  }
  return { length: undefined, open }
}

/** All rows of a generator, held in memory. */
export async function collectLocated<T>(located: AsyncIterable<Located<T>>): Promise<Source<T>> {
  const rows: T[] = []
  const names: string[] = []
  for await (const { row, where } of located) {
    rows.push(row)
    names.push(where)
  }
  return itemSource(rows, (index) => names[index])
}
