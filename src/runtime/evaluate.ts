import { finish, type Node, OPS, orderKeySteps, type Steps, topologicalOrder, type Value } from '../ir/index.js'
import type { Executable } from './backend.js'
import type { Buffer } from './buffer.js'
import { type Cell, pendingCells } from './cell.js'
import { compileCached, extractGraph, trackRun } from './compile.js'
import { bufferOf, isRealised, markRan, markRealised, ranOnce } from './realised.js'
import { currentBackend } from './select.js'
import { currentTrace } from './trace.js'

const CHEAP = new Set(['source', 'movement', 'meta'])

/** Nodes to keep: the roots, and nodes that run for the second time. */
function nodesToKeep(order: readonly Node[], roots: readonly Value[]): Node[] {
  const keep = new Set(roots.map((root) => root.node))
  for (const node of order) if (ranOnce(node) && !CHEAP.has(OPS[node.op].class)) keep.add(node)
  return [...keep]
}

interface Submission {
  order: Node[]
  keep: Node[]
  inputs: Buffer[]
  leaves: Value[]
  results: Value[]
}

function prepare(roots: readonly Value[]): Submission {
  const order = topologicalOrder(roots, isRealised)
  if (order.some((node) => node.op === 'parameter' && !isRealised(node))) {
    throw new Error(
      'a tensor that belongs to a finished trace was used outside of it: return it from the traced function instead of keeping it',
    )
  }
  const keep = nodesToKeep(order, roots)
  const results = keep.flatMap((node) => node.outputs)
  const leaves = order.filter(isRealised).flatMap((node) => node.outputs)
  const inputs = leaves.map((leaf) => bufferOf(leaf) as Buffer)
  return { order, keep, inputs, leaves, results }
}

function settle({ order, keep }: Submission, outputs: readonly Buffer[]): void {
  let next = 0
  for (const node of keep) {
    markRealised(node, outputs.slice(next, next + node.outputs.length))
    next += node.outputs.length
  }
  for (const node of order) markRan(node)
}

function rootsOf(values: readonly Value[]): { roots: Value[]; cells: Cell[] } {
  if (currentTrace()) throw new TracedReadError(currentTrace()?.name ?? '')
  const cells = pendingCells()
  const roots = [...values, ...cells.map((cell) => cell.outer)].filter((value) => !isRealised(value.node))
  return { roots: [...new Set(roots)], cells }
}

/** A concrete value was asked for while tracing, when there is none yet. */
export class TracedReadError extends Error {
  override name = 'TracedReadError'
  constructor(name: string) {
    super(
      `a value was read while tracing ${name || 'a function'}: inside jit there are no numbers yet. ` +
        'Return the tensor and read it outside, use where() or scan() instead of branching on it, or pass it as a static argument.',
    )
  }
}

function* executableOf({ order, leaves, results }: Submission): Steps<Executable> {
  const key = yield* orderKeySteps(order, leaves, results)
  return yield* compileCached(currentBackend(), key, () => extractGraph(leaves, results), 'lazy')
}

/** Compiles what {@link submit} of these values would compile. */
export function* compileSubmission(values: readonly Value[]): Steps<void> {
  const { roots } = rootsOf(values)
  if (roots.length > 0) yield* executableOf(prepare(roots))
}

/**
 * Submits what `values` need, together with all pending state, as one program; returns their buffers, which may still be being written
 * (see {@link Buffer.ready}).
 */
export function submit(values: readonly Value[]): Buffer[] {
  const { roots, cells } = rootsOf(values)
  if (roots.length > 0) {
    const submission = prepare(roots)
    const run = finish(executableOf(submission)).run(submission.inputs)
    trackRun(run, submission.inputs)
    settle(submission, run.outputs)
  }
  for (const cell of cells) cell.settled()
  return values.map((value) => bufferOf(value) as Buffer)
}

/** {@link submit} on the calling thread: for synchronous loops whose pending graph has grown past its budget. */
export function submitSync(values: readonly Value[]): void {
  const { roots, cells } = rootsOf(values)
  if (roots.length > 0) {
    const submission = prepare(roots)
    settle(submission, finish(executableOf(submission)).runSync(submission.inputs))
  }
  for (const cell of cells) cell.settled()
}

/** Waits until the buffers of `values` are written. Rejects with what went wrong. */
export async function realise(values: readonly Value[]): Promise<Buffer[]> {
  const buffers = submit(values)
  for (const buffer of buffers) if (buffer.ready) await buffer.ready
  return buffers
}
