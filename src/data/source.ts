/**
 * The small contract behind {@link Dataset}: a source opens a cursor for an epoch, a cursor yields items one by one and
 * says where it is. Positions are plain JSON, so that a checkpoint can hold them.
 */
import { FileError, FormatError } from '../formats/errors.js'
import { isRecord, show } from '../formats/strict-json.js'

export type MaybePromise<T> = T | Promise<T>

/** What a cursor yields after its last item. */
export const END: unique symbol = Symbol('end')

/** Where a cursor stands: `index` items of this stage are consumed; `inner` is the stage before it. */
export interface Position {
  readonly op: string
  readonly index: number
  /** Items in the epoch where that is known: a changed data set is noticed by it. */
  readonly length?: number
  readonly inner?: Position
}

export interface OpenContext {
  /** Counts passes over the data; shuffles and random maps differ by it, reproducibly. */
  readonly epoch: number
  /** Start here instead of at the epoch's beginning. */
  readonly position?: Position
  readonly signal?: AbortSignal
}

/** One pass over the data. `pull` is never called while an earlier call is pending. */
export interface Cursor<T> {
  pull(): MaybePromise<T | typeof END>
  /** Where to continue after the item pulled last. */
  position(): Position
  /** Names the item pulled last for errors, such as `train.csv line 18`. */
  where(): string | undefined
  close(): MaybePromise<void>
}

/** Items reachable by index, in the order of one epoch. */
export interface RowView<T> {
  readonly length: number
  at(index: number): MaybePromise<T>
  where(index: number): string
  /** Builds a batch of rows at once, where that is faster than row by row. */
  gather?(indices: Uint32Array): unknown
}

export interface Source<T> {
  /** Items an epoch, or undefined where only reading tells. */
  readonly length: number | undefined
  /** Present where items are reachable by index. */
  rows?(epoch: number): RowView<T> | undefined
  open(context: OpenContext): Cursor<T>
}

/** Data that cannot be read or used. The message names file and row where they are known. */
export class DataError extends Error {
  override readonly name = 'DataError'
}

/** `error` with the item's name before its message; errors that name their place already are left as they are. */
export function dataError(action: string, where: string | undefined, error: unknown): Error {
  if (error instanceof DataError || error instanceof FormatError || error instanceof FileError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new DataError(`${where === undefined ? '' : `${where}: `}${action}: ${message}`, { cause: error })
}

/** Applies `next` at once to a plain value, later to a promised one: synchronous pipelines stay synchronous. */
export function chain<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}

/** Checks that a stored position belongs to stage `op`. @throws DataError where it is of another pipeline or data set */
export function checkPosition(position: unknown, op: string, length?: number): asserts position is Position {
  if (
    !isRecord(position) ||
    position.op !== op ||
    !Number.isSafeInteger(position.index) ||
    Number(position.index) < 0
  ) {
    throw new DataError(
      `saved data position: expected one of stage "${op}", got ${show(position)}: was the pipeline changed?`,
    )
  }
  if (length !== undefined && (position.length !== length || Number(position.index) > length)) {
    throw new DataError(
      `saved data position: taken at ${show(position.index)} of ${show(position.length)} items, this data has ${length}`,
    )
  }
}

/**
 * Opens `source` where stage `op`, whose state is its count of items and the state of the stage before it, left off.
 * @throws DataError where the saved position is of another pipeline
 */
export function resume<T>(op: string, source: Source<T>, context: OpenContext): { cursor: Cursor<T>; index: number } {
  const { position } = context
  if (position === undefined) return { cursor: source.open(context), index: 0 }
  checkPosition(position, op)
  if (position.index > 0 && position.inner === undefined) {
    throw new DataError(`saved data position: stage "${op}" lacks the position of the stage before it`)
  }
  return { cursor: source.open({ ...context, position: position.inner }), index: position.index }
}

/** Reads the rows of a view in order. */
export function rowCursor<T>(view: RowView<T>, context: OpenContext): Cursor<T> {
  const { position, signal } = context
  if (position !== undefined) checkPosition(position, 'rows', view.length)
  let index = position?.index ?? 0
  return {
    pull() {
      signal?.throwIfAborted()
      return index < view.length ? view.at(index++) : END
    },
    position: () => ({ op: 'rows', index, length: view.length }),
    where: () => (index > 0 ? view.where(index - 1) : undefined),
    close: () => undefined,
  }
}

/** A source over rows that may differ in order, not in number, from epoch to epoch. */
export function rowSource<T>(length: number, rows: (epoch: number) => RowView<T>): Source<T> {
  return { length, rows, open: (context) => rowCursor(rows(context.epoch), context) }
}

/**
 * For stages whose state is not worth saving (buffers): the position is the number of items yielded, and opening at one
 * starts the epoch again and drops that many.
 */
export function replayed<T>(op: string, context: OpenContext, open: (context: OpenContext) => Cursor<T>): Cursor<T> {
  if (context.position !== undefined) checkPosition(context.position, op)
  let toDrop = context.position?.index ?? 0
  let yielded = 0
  const cursor = open({ ...context, position: undefined })
  const drop = async (): Promise<void> => {
    for (; toDrop > 0; toDrop--) {
      context.signal?.throwIfAborted()
      if ((await cursor.pull()) === END) throw new DataError('saved data position: lies past the end of the data')
      yielded++
    }
  }
  const pullOne = () =>
    chain(cursor.pull(), (item) => {
      if (item !== END) yielded++
      return item
    })
  return {
    pull: () => (toDrop > 0 ? drop().then(pullOne) : pullOne()),
    position: () => ({ op, index: yielded + toDrop }),
    where: () => cursor.where(),
    close: () => cursor.close(),
  }
}
