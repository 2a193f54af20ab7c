/** Stages that work item by item: map, filter, take, skip. */
import { randomUnit, randomWords } from './rng.js'
import {
  type Cursor,
  chain,
  dataError,
  END,
  type MaybePromise,
  type OpenContext,
  type RowView,
  resume,
  rowCursor,
  type Source,
} from './source.js'

/** What a map function knows about its item. */
export interface ItemContext {
  readonly epoch: number
  /** Place of the item among those that this stage reads in the epoch. */
  readonly index: number
  /** Names the item for errors. */
  readonly where: string | undefined
  /** Uniform numbers of [0, 1), the same for the same seed, epoch and index: augmentation that resumes exactly. */
  random(): number
}

export type MapFunction<T, U> = (item: T, context: ItemContext) => MaybePromise<U>

function itemContext(seed: number, epoch: number, index: number, where: string | undefined): ItemContext {
  let words: (() => number) | undefined
  const random = () => {
    words ??= randomWords(seed, epoch, index)
    return randomUnit(words)
  }
  return { epoch, index, where, random }
}

/** Calls a user's function; what it throws comes out with the item's name. */
function call<U>(action: string, where: string | undefined, run: () => MaybePromise<U>): MaybePromise<U> {
  try {
    const result = run()
    if (!(result instanceof Promise)) return result
    return result.catch((error) => Promise.reject(dataError(action, where, error)))
  } catch (error) {
    throw dataError(action, where, error)
  }
}

export function mapSource<T, U>(source: Source<T>, fn: MapFunction<T, U>, seed: number): Source<U> {
  const apply = (item: T, epoch: number, index: number, where: string | undefined) =>
    call('map function', where, () => fn(item, itemContext(seed, epoch, index, where)))
  const rows = (epoch: number): RowView<U> | undefined => {
    const view = source.rows?.(epoch)
    if (view === undefined) return undefined
    return {
      length: view.length,
      where: (index) => view.where(index),
      at: (index) => chain(view.at(index), (item) => apply(item, epoch, index, view.where(index))),
    }
  }
  const open = (context: OpenContext): Cursor<U> => {
    const view = rows(context.epoch)
    if (view !== undefined) return rowCursor(view, context)
    const { cursor, index: start } = resume('map', source, context)
    let index = start
    return {
      ...cursor,
      pull: () =>
        chain(cursor.pull(), (item) => (item === END ? END : apply(item, context.epoch, index++, cursor.where()))),
      position: () => ({ op: 'map', index, inner: cursor.position() }),
    }
  }
  return {
    get length() {
      return source.length
    },
    rows,
    open,
  }
}

export function filterSource<T>(source: Source<T>, keep: (item: T) => MaybePromise<boolean>): Source<T> {
  const open = (context: OpenContext): Cursor<T> => {
    const { cursor, index: start } = resume('filter', source, context)
    let index = start
    const pull = (): MaybePromise<T | typeof END> => {
      // A loop while items come synchronously: recursion would overflow where few are kept.
      for (;;) {
        const item = cursor.pull()
        if (item instanceof Promise)
          return item.then((value) => chain(test(value), (passes) => (passes ? value : pull())))
        const passes = test(item)
        if (passes instanceof Promise) return passes.then((kept) => (kept ? item : pull()))
        if (passes) return item
      }
    }
    const test = (item: T | typeof END): MaybePromise<boolean> => {
      if (item === END) return true
      return chain(
        call('filter function', cursor.where(), () => keep(item)),
        (passes) => {
          if (passes) index++
          return passes
        },
      )
    }
    return { ...cursor, pull, position: () => ({ op: 'filter', index, inner: cursor.position() }) }
  }
  return { length: undefined, open }
}

/** Rows `from` to `to` of a view. */
const slice = <T>(view: RowView<T>, from: number, to: number): RowView<T> => ({
  length: to - from,
  at: (index) => view.at(from + index),
  where: (index) => view.where(from + index),
  gather: view.gather && ((indices) => view.gather?.(indices.map((index) => from + index))),
})

const checkCount = (count: number, name: string): void => {
  if (!Number.isSafeInteger(count) || count < 0) throw new TypeError(`${name} takes a count of items, got ${count}`)
}

export function takeSource<T>(source: Source<T>, count: number): Source<T> {
  checkCount(count, 'take')
  const rows = (epoch: number) => {
    const view = source.rows?.(epoch)
    return view && slice(view, 0, Math.min(count, view.length))
  }
  const open = (context: OpenContext): Cursor<T> => {
    const view = rows(context.epoch)
    if (view !== undefined) return rowCursor(view, context)
    const { cursor, index: start } = resume('take', source, context)
    let index = start
    return {
      ...cursor,
      pull: () =>
        index < count
          ? chain(cursor.pull(), (item) => {
              if (item !== END) index++
              return item
            })
          : END,
      position: () => ({ op: 'take', index, inner: cursor.position() }),
    }
  }
  return {
    get length() {
      return source.length === undefined ? undefined : Math.min(count, source.length)
    },
    rows,
    open,
  }
}

export function skipSource<T>(source: Source<T>, count: number): Source<T> {
  checkCount(count, 'skip')
  const rows = (epoch: number) => {
    const view = source.rows?.(epoch)
    return view && slice(view, Math.min(count, view.length), view.length)
  }
  const open = (context: OpenContext): Cursor<T> => {
    const view = rows(context.epoch)
    if (view !== undefined) return rowCursor(view, context)
    const { cursor, index } = resume('skip', source, context)
    let toSkip = Math.max(0, count - index)
    const skip = async (): Promise<T | typeof END> => {
      for (; toSkip > 0; toSkip--) if ((await cursor.pull()) === END) return END
      return cursor.pull()
    }
    return {
      ...cursor,
      pull: () => (toSkip > 0 ? skip() : cursor.pull()),
      position: () => ({ op: 'skip', index: count - toSkip, inner: cursor.position() }),
    }
  }
  return {
    get length() {
      return source.length === undefined ? undefined : Math.max(0, source.length - count)
    },
    rows,
    open,
  }
}
