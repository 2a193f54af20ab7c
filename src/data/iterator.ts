import { isRecord, show } from '../formats/strict-json.js'
import { Breather } from './schedule.js'
import { type Cursor, DataError, dataError, END, type MaybePromise, type Position } from './source.js'

/** Where a pass over the data stands. Plain JSON: it goes into checkpoints. */
export interface DataState {
  readonly version: 1
  readonly epoch: number
  /** null at an epoch's beginning. */
  readonly position: Position | null
}

/** @throws DataError where `state` is not what {@link DataIterator.state} gave */
export function checkDataState(state: unknown): DataState {
  const valid = isRecord(state) && state.version === 1 && Number.isSafeInteger(state.epoch) && Number(state.epoch) >= 0
  if (!valid || !(state.position === null || isRecord(state.position))) {
    throw new DataError(`saved data state: expected {version: 1, epoch, position}, got ${show(state)}`)
  }
  return state as unknown as DataState
}

export interface DataProgress {
  readonly epoch: number
  /** Items given so far in this epoch, those before a restored position not counted. */
  readonly items: number
  /** Items an epoch, where known. */
  readonly total: number | undefined
}

export interface IterateOptions {
  /** Default 0. */
  epoch?: number
  /** Continues exactly where an iterator's `state()` was taken; decides the epoch too. */
  state?: DataState
  signal?: AbortSignal
  onProgress?: (progress: DataProgress) => void
}

/** One pass over a data set: an async iterator that knows its place. */
export class DataIterator<T> implements AsyncIterableIterator<T> {
  #tail: Promise<unknown> = Promise.resolve()
  #done = false
  #items = 0
  readonly #breather = new Breather()
  readonly #start: Position | null

  constructor(
    private readonly cursor: Cursor<T>,
    readonly epoch: number,
    private readonly total: number | undefined,
    private readonly options: IterateOptions,
  ) {
    this.#start = options.state?.position ?? null
  }

  /** @throws DataError that names file and row; the signal's reason where it aborted */
  next(): Promise<IteratorResult<T, undefined>> {
    const step = this.#tail.then(() => this.#next())
    this.#tail = step.catch(() => undefined)
    return step
  }

  /** Ends the pass early and releases files and workers. */
  async return(): Promise<IteratorResult<T, undefined>> {
    await this.#close()
    return { done: true, value: undefined }
  }

  /** Where to continue after the item given last. */
  state(): DataState {
    if (this.#done) return { version: 1, epoch: this.epoch + 1, position: null }
    return { version: 1, epoch: this.epoch, position: this.#items === 0 ? this.#start : this.cursor.position() }
  }

  /** Names the item given last, such as `train.csv line 18`. */
  where(): string | undefined {
    return this.cursor.where()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async #next(): Promise<IteratorResult<T, undefined>> {
    if (this.#done || this.#closed !== undefined) return { done: true, value: undefined }
    try {
      const pause = this.#breather.pause()
      if (pause !== undefined) await pause
      this.options.signal?.throwIfAborted()
      const pulled = this.cursor.pull()
      const item = pulled instanceof Promise ? await this.#unlessAborted(pulled) : pulled
      if (item === END) {
        this.#done = true
        await this.#close()
        return { done: true, value: undefined }
      }
      this.#items++
      this.options.onProgress?.({ epoch: this.epoch, items: this.#items, total: this.total })
      return { done: false, value: item }
    } catch (error) {
      const { signal } = this.options
      const closing = this.#close().catch(() => undefined) // the error that came first is the one to tell
      // After an abort the stage that hangs may be the one to close: do not wait for it.
      if (signal?.aborted) throw signal.reason
      await closing
      throw dataError('reading failed', this.cursor.where(), error)
    }
  }

  #closed: Promise<void> | undefined

  #close(): Promise<void> {
    this.#closed ??= Promise.resolve().then(() => this.cursor.close())
    return this.#closed
  }

  /** Settles with `pending`, or at once when the signal aborts. */
  #unlessAborted(pending: MaybePromise<T | typeof END>): Promise<T | typeof END> {
    const { signal } = this.options
    if (signal === undefined) return Promise.resolve(pending)
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason)
      signal.addEventListener('abort', abort, { once: true })
      Promise.resolve(pending)
        .then(resolve, reject)
        .finally(() => signal.removeEventListener('abort', abort))
    })
  }
}
