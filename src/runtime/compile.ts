import { apply, cloneWith, Graph, graphKeySteps, type Steps, type Value } from '../ir/index.js'
import type { Backend, Executable, Run } from './backend.js'
import type { Buffer } from './buffer.js'

const CACHE_LIMIT = 512

/** Executables by backend and canonical graph, least recently used first. */
const caches = new WeakMap<Backend, Map<string, Executable>>()

/** Compiles through the bounded cache shared by lazy evaluation and jit. `key` must determine the graph. */
export function* compileCached(
  backend: Backend,
  key: string,
  build: () => Graph,
  name: string,
  donated?: readonly number[],
  stableFrom?: number,
): Steps<Executable> {
  let cache = caches.get(backend)
  if (!cache) {
    cache = new Map()
    caches.set(backend, cache)
  }
  const full = donated ? `${key}#${donated.join()}#${stableFrom}` : key
  const hit = cache.get(full)
  if (hit) {
    cache.delete(full)
    cache.set(full, hit)
    return hit
  }
  const executable = yield* backend.compile(build(), { name, donated, stableFrom })
  cache.set(full, executable)
  if (cache.size > CACHE_LIMIT) cache.delete(cache.keys().next().value as string)
  return executable
}

export function* compileGraph(
  backend: Backend,
  graph: Graph,
  name: string,
  donated?: readonly number[],
  stableFrom?: number,
): Steps<Executable> {
  return yield* compileCached(backend, yield* graphKeySteps(graph), () => graph, name, donated, stableFrom)
}

/** A closed copy of what `results` compute from `leaves`. */
export function extractGraph(leaves: readonly Value[], results: readonly Value[]): Graph {
  const replacements = new Map<Value, Value>()
  const params = leaves.map((leaf) => {
    const param = apply('parameter', [], { shape: leaf.shape, dtype: leaf.dtype })
    replacements.set(leaf, param)
    return param
  })
  return new Graph(params, cloneWith(results, replacements))
}

/**
 * Marks the outputs of a run as ready only when the run and everything it waited for succeeded, so that one failure reaches every
 * later reader instead of leaving garbage.
 */
export function trackRun(run: Run, inputs: readonly Buffer[]): void {
  const waits: Promise<void>[] = run.done ? [run.done] : []
  for (const input of inputs) if (input.ready) waits.push(input.ready)
  if (waits.length === 0) return
  const ready = (waits.length === 1 ? waits[0] : Promise.all(waits).then(() => {})).then(() => {
    for (const output of run.outputs) output.ready = null
  })
  ready.catch(() => {})
  for (const output of run.outputs) output.ready = ready
}
