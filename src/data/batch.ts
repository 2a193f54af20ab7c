/** Stages that make batches: of a fixed number of rows, padded, or of rows of similar length. */
import { type Batched, type CollateOptions, collate, collatePadded, type PadOptions } from './collate.js'
import {
  type Cursor,
  DataError,
  END,
  type MaybePromise,
  type OpenContext,
  type RowView,
  replayed,
  resume,
  rowCursor,
  type Source,
} from './source.js'

export interface BatchOptions extends CollateOptions {
  /** Leaves out a last batch that is not full. */
  dropLast?: boolean
}

export interface PaddedBatchOptions extends PadOptions {
  dropLast?: boolean
}

export interface BucketOptions extends PadOptions {
  dropLast?: boolean
  /** Pads (these fields) to the bucket's boundary instead of to the batch's longest: few shapes, few compilations. */
  padToBoundary?: boolean | readonly string[]
}

type Collate = (rows: readonly unknown[], where: (row: number) => string | undefined) => unknown

export function checkBatchSize(size: number, name: string): void {
  if (!Number.isSafeInteger(size) || size < 1)
    throw new TypeError(`${name}: the batch size should be a positive integer, got ${size}`)
}

export function batchSource<T>(source: Source<T>, size: number, options: BatchOptions = {}): Source<Batched<T>> {
  checkBatchSize(size, 'batch')
  return groupSource(source, size, options.dropLast ?? false, true, (rows, where) => collate(rows, options, where))
}

export function paddedBatchSource<T>(
  source: Source<T>,
  size: number,
  options: PaddedBatchOptions = {},
): Source<Batched<T>> {
  checkBatchSize(size, 'paddedBatch')
  return groupSource(source, size, options.dropLast ?? false, false, (rows, where) =>
    collatePadded(rows, options, where),
  )
}

function groupSource<T>(
  source: Source<T>,
  size: number,
  dropLast: boolean,
  gather: boolean,
  make: Collate,
): Source<Batched<T>> {
  const count = (length: number) => (dropLast ? Math.floor(length / size) : Math.ceil(length / size))
  const rows = (epoch: number): RowView<Batched<T>> | undefined => {
    const view = source.rows?.(epoch)
    return view && groupRows(view, size, count(view.length), gather, make)
  }
  const open = (context: OpenContext): Cursor<Batched<T>> => {
    const view = rows(context.epoch)
    if (view !== undefined) return rowCursor(view, context)
    const { cursor, index } = resume('batch', source, context)
    return groupCursor(cursor, size, dropLast, make, index)
  }
  return {
    get length() {
      return source.length === undefined ? undefined : count(source.length)
    },
    rows,
    open,
  }
}

/** Batches by index, over rows by index. */
function groupRows<T>(
  view: RowView<T>,
  size: number,
  count: number,
  gather: boolean,
  make: Collate,
): RowView<Batched<T>> {
  const start = (index: number) => index * size
  const end = (index: number) => Math.min(view.length, start(index) + size)
  return {
    length: count,
    where: (index) => `batch ${index} (${view.where(start(index))} to ${view.where(end(index) - 1)})`,
    at(index) {
      const first = start(index)
      const indices = Uint32Array.from({ length: end(index) - first }, (_, i) => first + i)
      if (gather && view.gather !== undefined) return view.gather(indices) as Batched<T>
      const items = Array.from(indices, (row) => view.at(row))
      const finish = (rows: readonly unknown[]) => make(rows, (row) => view.where(first + row)) as Batched<T>
      // Rows that take time (files) are read side by side.
      return items.some((item) => item instanceof Promise) ? Promise.all(items).then(finish) : finish(items)
    },
  }
}

function groupCursor<T>(
  cursor: Cursor<T>,
  size: number,
  dropLast: boolean,
  make: Collate,
  start: number,
): Cursor<Batched<T>> {
  let index = start
  let ended = false
  let names: (string | undefined)[] = []
  const collect = (rows: T[]): MaybePromise<Batched<T> | typeof END> => {
    while (!ended && rows.length < size) {
      const item = cursor.pull()
      if (item instanceof Promise)
        return item.then((value) => {
          add(rows, value)
          return collect(rows)
        })
      add(rows, item)
    }
    if (rows.length === 0 || (dropLast && rows.length < size)) return END
    index++
    return make(rows, (row) => names[row]) as Batched<T>
  }
  const add = (rows: T[], item: T | typeof END): void => {
    if (item === END) ended = true
    else {
      rows.push(item)
      names.push(cursor.where())
    }
  }
  return {
    ...cursor,
    pull() {
      names = []
      return collect([])
    },
    position: () => ({ op: 'batch', index, inner: cursor.position() }),
    where: () => (names.length === 0 ? undefined : `batch ${index - 1} (${names[0]} to ${names[names.length - 1]})`),
  }
}

/** Where each bucket ends, and how many rows make its batch. */
interface Buckets {
  readonly boundaries: readonly number[]
  readonly sizes: readonly number[]
}

function checkBuckets(boundaries: readonly number[], batchSize: number | readonly number[]): Buckets {
  const ascending = boundaries.every(
    (boundary, i) => Number.isSafeInteger(boundary) && boundary > (boundaries[i - 1] ?? 0),
  )
  if (!ascending || boundaries.length === 0) {
    throw new TypeError(`bucketByLength: boundaries should be ascending positive integers, got [${boundaries}]`)
  }
  const sizes = typeof batchSize === 'number' ? boundaries.map(() => batchSize) : batchSize
  for (const size of sizes) checkBatchSize(size, 'bucketByLength')
  if (sizes.length !== boundaries.length) {
    throw new TypeError(
      `bucketByLength: expected ${boundaries.length} batch sizes, one a boundary, got ${sizes.length}`,
    )
  }
  return { boundaries, sizes }
}

/**
 * Batches of rows whose lengths lie between the same boundaries: bucket i takes lengths up to and including
 * `boundaries[i]`. A longer row is an error. Batches come out as buckets fill up; the rest at the end, shortest first.
 */
export function bucketSource<T>(
  source: Source<T>,
  boundaries: readonly number[],
  batchSize: number | readonly number[],
  lengthOf: (row: T) => number,
  options: BucketOptions = {},
): Source<Batched<T>> {
  const buckets = checkBuckets(boundaries, batchSize)
  const open = (context: OpenContext): Cursor<Batched<T>> =>
    replayed('bucket', context, (start) => bucketCursor(source.open(start), buckets, lengthOf, options))
  return { length: undefined, open }
}

function boundaryPadding({ padToBoundary = false }: BucketOptions, boundary: number): PadOptions['padTo'] {
  if (typeof padToBoundary === 'boolean') return padToBoundary ? boundary : undefined
  return Object.fromEntries(padToBoundary.map((field) => [field, boundary]))
}

interface Named<T> {
  readonly row: T
  readonly where: string | undefined
}

function bucketCursor<T>(
  cursor: Cursor<T>,
  { boundaries, sizes }: Buckets,
  lengthOf: (row: T) => number,
  options: BucketOptions,
): Cursor<Batched<T>> {
  const held: Named<T>[][] = boundaries.map(() => [])
  let last: string | undefined
  let draining = 0
  let ended = false
  const emit = (bucket: number): Batched<T> => {
    const rows = held[bucket]
    held[bucket] = []
    last = `batch of lengths up to ${boundaries[bucket]} (${rows[0].where} to ${rows[rows.length - 1].where})`
    const pad = { ...options, padTo: options.padTo ?? boundaryPadding(options, boundaries[bucket]) }
    return collatePadded(
      rows.map(({ row }) => row),
      pad,
      (row) => rows[row].where,
    ) as Batched<T>
  }
  /** Files a row; the bucket's number where that fills it. */
  const file = (row: T): number | undefined => {
    const where = cursor.where()
    const length = lengthOf(row)
    const bucket = boundaries.findIndex((boundary) => length <= boundary)
    if (bucket < 0) {
      throw new DataError(
        `${where}: is ${length} long, the last boundary is ${boundaries[boundaries.length - 1]}: shorten it with map() or add a boundary`,
      )
    }
    held[bucket].push({ row, where })
    return held[bucket].length === sizes[bucket] ? bucket : undefined
  }
  const drain = (): Batched<T> | typeof END => {
    if (!options.dropLast)
      for (; draining < held.length; draining++) if (held[draining].length > 0) return emit(draining)
    return END
  }
  const step = (item: T | typeof END): MaybePromise<Batched<T> | typeof END> => {
    if (item === END) {
      ended = true
      return drain()
    }
    const full = file(item)
    return full === undefined ? pull() : emit(full)
  }
  const pull = (): MaybePromise<Batched<T> | typeof END> => {
    while (!ended) {
      const item = cursor.pull()
      if (item instanceof Promise) return item.then(step)
      if (item === END) ended = true
      else {
        const full = file(item)
        if (full !== undefined) return emit(full)
      }
    }
    return drain()
  }
  return { ...cursor, pull, where: () => last }
}
