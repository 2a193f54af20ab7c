import type { HostArray } from '../formats/host-array.js'
import type { TypedArray } from '../ir/dtype.js'
import { type ArrayRow, arraySource, type WindowOptions, windowSource } from './arrays.js'
import {
  type BatchOptions,
  type BucketOptions,
  batchSource,
  bucketSource,
  type PaddedBatchOptions,
  paddedBatchSource,
} from './batch.js'
import { cacheSource } from './cache.js'
import type { Batched } from './collate.js'
import {
  concatSource,
  type GeneratorFunction,
  generatorSource,
  itemSource,
  repeatSource,
  type StreamOptions,
} from './combine.js'
import type { Nested } from './host.js'
import { checkDataState, DataIterator, type DataState, type IterateOptions } from './iterator.js'
import { prefetchSource } from './prefetch.js'
import { type ShuffleOptions, shuffleSource } from './shuffle.js'
import { DataError, type MaybePromise, type Source } from './source.js'
import { filterSource, type MapFunction, mapSource, skipSource, takeSource } from './transform.js'
import { type WorkerMapOptions, workerSource } from './workers.js'

/**
 * A sequence of items that can be gone through any number of times. Stages are lazy and leave the data set they are called
 * on as it is. `for await (const item of dataset)` is one epoch; the next loop is the next epoch, shuffled anew.
 *
 * ```ts
 * const train = fromArrays({ x, y }).shuffle({ seed: 1 }).batch(64)
 * ```
 *
 * A pass can be stopped and continued exactly: `state()` is JSON, `restore(state)` makes the next loop start there.
 */
export class Dataset<T> implements AsyncIterable<T> {
  #nextEpoch = 0
  #restored: DataState | undefined
  #latest: DataIterator<T> | undefined

  constructor(readonly source: Source<T>) {}

  /** Items an epoch, or undefined where only reading tells. */
  get length(): number | undefined {
    return this.source.length
  }

  /** Applies `fn` to every item. Its second argument has the epoch, the index and seeded random numbers for augmentation. */
  map<U>(fn: MapFunction<T, U>, options: { seed?: number } = {}): Dataset<U> {
    return new Dataset(mapSource(this.source, fn, options.seed ?? 0))
  }

  /** Keeps the items for which `keep` is true. The length is no longer known. */
  filter(keep: (item: T) => MaybePromise<boolean>): Dataset<T> {
    return new Dataset(filterSource(this.source, keep))
  }

  /** Groups rows and stacks their fields along a new first axis. */
  batch(size: number, options?: BatchOptions): Dataset<Batched<T>> {
    return new Dataset(batchSource(this.source, size, options))
  }

  /** {@link batch} for rows whose arrays differ in their first axis: shorter ones are filled up. */
  paddedBatch(size: number, options?: PaddedBatchOptions): Dataset<Batched<T>> {
    return new Dataset(paddedBatchSource(this.source, size, options))
  }

  /** Padded batches of rows whose lengths lie between the same boundaries (inclusive above). */
  bucketByLength(
    boundaries: readonly number[],
    batchSize: number | readonly number[],
    lengthOf: (row: T) => number,
    options?: BucketOptions,
  ): Dataset<Batched<T>> {
    return new Dataset(bucketSource(this.source, boundaries, batchSize, lengthOf, options))
  }

  /** A random order, another one each epoch, the same for the same seed. */
  shuffle(options?: ShuffleOptions): Dataset<T> {
    return new Dataset(shuffleSource(this.source, options))
  }

  /** `times` passes (without end, if left out) as one. */
  repeat(times = Number.POSITIVE_INFINITY): Dataset<T> {
    return new Dataset(repeatSource(this.source, times))
  }

  take(count: number): Dataset<T> {
    return new Dataset(takeSource(this.source, count))
  }

  skip(count: number): Dataset<T> {
    return new Dataset(skipSource(this.source, count))
  }

  /** Makes up to `depth` items ahead while the consumer works. */
  prefetch(depth: number): Dataset<T> {
    return new Dataset(prefetchSource(this.source, depth))
  }

  /** Keeps the items in memory as they come: what is before this stage runs once, as in epoch 0. */
  cache(): Dataset<T> {
    return new Dataset(cacheSource(this.source))
  }

  /**
   * Applies the function that a module exports, in worker threads; items keep their order. Node only.
   * Items and results are copied between threads: plain values, host arrays and typed arrays.
   */
  mapInWorkers<U>(module: string | URL, options?: WorkerMapOptions): Dataset<U> {
    return new Dataset(workerSource<T, U>(this.source, module, options))
  }

  /** One pass, independent of {@link state}: with its epoch, place, abort signal and progress chosen. */
  iterate(options: IterateOptions = {}): DataIterator<T> {
    const { signal } = options
    const state = options.state === undefined ? undefined : checkDataState(options.state)
    const epoch = state?.epoch ?? options.epoch ?? 0
    const cursor = this.source.open({ epoch, signal, position: state?.position ?? undefined })
    return new DataIterator(cursor, epoch, this.length, options)
  }

  /** The next epoch. */
  [Symbol.asyncIterator](): DataIterator<T> {
    const state = this.#restored ?? { version: 1, epoch: this.#nextEpoch, position: null }
    this.#latest = this.iterate({ state })
    this.#restored = undefined
    this.#nextEpoch = state.epoch + 1
    return this.#latest
  }

  /** Where the latest `for await` stands: after the item it gave last, or at the next epoch once it is through. */
  state(): DataState {
    return this.#restored ?? this.#latest?.state() ?? { version: 1, epoch: this.#nextEpoch, position: null }
  }

  /** Makes the next `for await` continue where `state` was taken. */
  restore(state: DataState): void {
    this.#restored = checkDataState(state)
  }

  /** All items of one epoch. */
  async toArray(options?: IterateOptions): Promise<T[]> {
    const items: T[] = []
    for await (const item of this.iterate(options)) items.push(item)
    return items
  }

  /** Reads one epoch into memory: its items become reachable by index, as `split` and a uniform shuffle need them. */
  async load(options?: IterateOptions): Promise<Dataset<T>> {
    const items: T[] = []
    const names: (string | undefined)[] = []
    const iterator = this.iterate(options)
    for await (const item of iterator) {
      items.push(item)
      names.push(iterator.where())
    }
    return new Dataset(itemSource(items, (index) => names[index] ?? `item ${index}`))
  }

  /** Number of items an epoch, counted by reading where it is not known. */
  async count(options?: IterateOptions): Promise<number> {
    if (this.length !== undefined) return this.length
    let count = 0
    for await (const _ of this.iterate(options)) count++
    return count
  }

  /** The first item. @throws DataError where there is none; `purpose` says what needed it, such as `training` */
  async first(purpose = 'reading', options?: IterateOptions): Promise<T> {
    for await (const item of this.iterate(options)) return item
    throw new DataError(`${purpose} needs at least one row, the data has none`)
  }
}

/** Rows of arrays that agree in their first axis: `fromArrays({ x, y })` gives rows `{ x, y }`. Nested numbers are taken as f32. */
export function fromArrays<K extends string>(
  fields: Readonly<Record<K, HostArray | TypedArray | Nested>>,
): Dataset<ArrayRow<K>> {
  return new Dataset(arraySource(fields))
}

/**
 * Windows of a sequence for next-element prediction, as rows `{ x, y }`: y is x moved on by one. What is left at the end,
 * too short for a window, is not used.
 */
export const fromWindows = (sequence: HostArray | TypedArray, options: WindowOptions): Dataset<ArrayRow<'x' | 'y'>> =>
  new Dataset(windowSource(sequence, options))

/** The items of an array. */
export const fromItems = <T>(items: readonly T[]): Dataset<T> => new Dataset(itemSource(items))

/** Items of a generator, which is called anew each epoch. */
export function fromGenerator<T>(generate: GeneratorFunction<T>, options?: StreamOptions): Dataset<T> {
  return new Dataset(generatorSource(generate, options))
}

/** The items of several data sets, one after the other. */
export const concat = <T>(...datasets: readonly Dataset<T>[]): Dataset<T> =>
  new Dataset(concatSource(datasets.map(({ source }) => source)))
