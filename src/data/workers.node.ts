import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { isRecord } from '../formats/strict-json.js'
import { randomWords } from './rng.js'
import { type Cursor, dataError, END, type OpenContext, type Position } from './source.js'
import type { WorkerItemContext, WorkerMapOptions } from './workers.js'

/**
 * Copies the part of each buffer that a view covers: cloning a view between threads would copy its whole buffer, which
 * for a row of an array is the whole array. Kept free of outer names: its source is also run in the workers.
 */
function compact(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) {
    if (value instanceof DataView || value.byteLength === value.buffer.byteLength) return value
    return (value as Uint8Array).slice()
  }
  if (Array.isArray(value)) return value.map(compact)
  if (typeof value !== 'object' || value === null) return value
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, compact(item)]))
}

/** A worker's program. It is passed as text because a file beside this one would not survive bundling. */
const PROGRAM = `
const { parentPort, workerData } = require('node:worker_threads')
const compact = ${compact.toString()}
const loaded = import(workerData.module).then((module) => {
  const fn = module[workerData.exportName]
  if (typeof fn !== 'function') throw new TypeError('expected it to export a function "' + workerData.exportName + '", got ' + typeof fn)
  return fn
})
loaded.catch(() => undefined)
parentPort.on('message', async ({ id, item, context }) => {
  try {
    const result = await (await loaded)(item, context)
    parentPort.postMessage({ id, result: compact(result) })
  } catch (error) {
    parentPort.postMessage({ id, error: String(error && error.message || error), stack: String(error && error.stack || '') })
  }
})
`

interface Task {
  readonly settle: (result: unknown) => void
  readonly fail: (error: Error) => void
}

/** Threads that each run one module's function. */
class WorkerPool {
  readonly #workers: { readonly worker: Worker; readonly tasks: Map<number, Task> }[] = []
  #nextId = 0

  constructor(count: number, module: string, exportName: string) {
    for (let i = 0; i < count; i++) {
      const worker = new Worker(PROGRAM, { eval: true, workerData: { module, exportName } })
      const tasks = new Map<number, Task>()
      worker.on('message', (message: unknown) => this.#receive(tasks, message))
      worker.on('error', (error) => failAll(tasks, error instanceof Error ? error : new Error(String(error))))
      worker.on('exit', (code) => failAll(tasks, new Error(`the worker ended (exit code ${code})`)))
      this.#workers.push({ worker, tasks })
    }
  }

  /** Runs the function on the least busy worker. */
  run(item: unknown, context: WorkerItemContext): Promise<unknown> {
    const { worker, tasks } = this.#workers.reduce((best, next) => (next.tasks.size < best.tasks.size ? next : best))
    const id = this.#nextId++
    return new Promise((settle, fail) => {
      tasks.set(id, { settle, fail })
      try {
        worker.postMessage({ id, item: compact(item), context })
      } catch (error) {
        tasks.delete(id)
        throw error // not cloneable
      }
    })
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map(({ worker }) => worker.terminate()))
  }

  #receive(tasks: Map<number, Task>, message: unknown): void {
    if (!isRecord(message) || typeof message.id !== 'number') return
    const task = tasks.get(message.id)
    tasks.delete(message.id)
    if (typeof message.error !== 'string') {
      task?.settle(message.result)
      return
    }
    const error = new Error(message.error)
    if (typeof message.stack === 'string' && message.stack !== '') error.stack = message.stack
    task?.fail(error)
  }
}

function failAll(tasks: Map<number, Task>, error: Error): void {
  for (const { fail } of tasks.values()) fail(error)
  tasks.clear()
}

/** An item under way. */
interface Started {
  readonly result: Promise<unknown>
  readonly position: Position
  readonly where: string | undefined
}

function moduleUrl(module: string | URL): string {
  if (module instanceof URL) return module.href
  return module.startsWith('file:') ? module : pathToFileURL(resolve(module)).href
}

function workerCount(workers: number | undefined): number {
  const count = workers ?? Math.max(1, availableParallelism() - 1)
  if (Number.isSafeInteger(count) && count >= 1) return count
  throw new TypeError(`mapInWorkers: workers should be a positive integer, got ${workers}`)
}

/** Maps the items of `source` in worker threads, two under way in each; results come out in order. */
export function openWorkers<T, U>(
  source: Cursor<T>,
  module: string | URL,
  options: WorkerMapOptions,
  context: OpenContext,
): Cursor<U> {
  const { exportName = 'default', seed = 0 } = options
  const { epoch, position: start } = context
  const count = workerCount(options.workers)
  const url = moduleUrl(module)
  const pool = new WorkerPool(count, url, exportName)
  const queue: Promise<Started>[] = []
  let tail: Promise<unknown> = Promise.resolve()
  let read = start?.index ?? 0
  let given = read
  let ended = false
  let taken: { position: Position | undefined; where: string | undefined } = {
    position: start?.inner,
    where: undefined,
  }

  const startNext = async (): Promise<Started> => {
    const item = ended ? END : await source.pull()
    const [position, where] = [source.position(), source.where()]
    if (item === END) {
      ended = true
      return { result: Promise.resolve(END), position, where }
    }
    const index = read++
    const result = pool.run(item, { epoch, index, where, seed: randomWords(seed, epoch, index)() })
    result.catch(() => undefined) // reaches the consumer when its turn comes
    return { result, position, where }
  }
  const fill = (): void => {
    while (!ended && queue.length < count * 2) {
      const started = tail.then(startNext)
      started.catch(() => {
        ended = true
      })
      tail = started
      queue.push(started)
    }
  }
  return {
    async pull() {
      fill()
      const started = await queue.shift()
      if (started === undefined) return END
      const { position, where } = started
      const result = await started.result.catch((error) => {
        throw dataError(`function "${exportName}" of ${url}`, where, error)
      })
      taken = { position, where }
      if (result === END) return END
      given++
      fill()
      return result as U
    },
    position: () => ({ op: 'workers', index: given, inner: taken.position }),
    where: () => taken.where,
    async close() {
      ended = true
      await pool.close()
      await tail.catch(() => undefined)
      await source.close()
    },
  }
}
