import { type Cursor, checkPosition, type OpenContext, type Source } from './source.js'

export interface WorkerMapOptions {
  /** Threads. Default: one less than the processor has cores, at least one. */
  workers?: number
  /** Name of the function that the module exports: `(item, { epoch, index, where, seed }) => result`. Default `default`. */
  exportName?: string
  /** Makes `context.seed` differ: a 32-bit number for the item's own randomness, reproducible. Default 0. */
  seed?: number
}

/** What the function in a worker is told about its item. */
export interface WorkerItemContext {
  readonly epoch: number
  readonly index: number
  readonly where: string | undefined
  readonly seed: number
}

/** Maps in worker threads. What needs Node is loaded when the first item is asked for, so that this file runs anywhere. */
export function workerSource<T, U>(source: Source<T>, module: string | URL, options: WorkerMapOptions = {}): Source<U> {
  const open = (context: OpenContext): Cursor<U> => {
    const { position } = context
    if (position !== undefined) checkPosition(position, 'workers')
    let cursor: Cursor<U> | undefined
    let closed = false
    const load = async () => {
      const { openWorkers } = await import('./workers.node.js')
      if (closed) throw new Error('the pass was ended')
      cursor = openWorkers<T, U>(source.open({ ...context, position: position?.inner }), module, options, context)
      return cursor.pull()
    }
    return {
      pull: () => (cursor === undefined ? load() : cursor.pull()),
      position: () => cursor?.position() ?? position ?? { op: 'workers', index: 0 },
      where: () => cursor?.where(),
      close: () => {
        closed = true
        return cursor?.close()
      },
    }
  }
  return {
    get length() {
      return source.length
    },
    open,
  }
}
