import { vjp } from '../../autodiff/index.js'
import { evaluateGraph } from '../../interpret/index.js'
import { finish, Graph, isFloat, type OpName, parameter, type TypedArray, type Value } from '../../ir/index.js'
import type { Backend } from '../../runtime/backend.js'
import { wrapArray } from '../../runtime/buffer.js'
import { contractDrafts } from './contract.js'
import { controlDrafts } from './control.js'
import { fill } from './data.js'
import { type Draft, type Drafts, within } from './draft.js'
import { elementwiseDrafts } from './elementwise.js'
import { structureDrafts } from './structure.js'
import { type Accuracy, disagreement } from './tolerance.js'

const DRAFTS: { readonly [K in OpName]: () => Drafts } = {
  ...elementwiseDrafts,
  ...structureDrafts,
  ...contractDrafts,
  ...controlDrafts,
}

/** A graph with inputs that every backend must run as the interpreter does. */
export interface BackendCase {
  /** `op/label`, with `/gradient` behind it for the gradient of the case. */
  readonly id: string
  readonly graph: Graph
  readonly inputs: readonly TypedArray[]
  readonly accuracy: Accuracy
  readonly fails?: RegExp
}

export interface BackendFailure {
  readonly id: string
  readonly message: string
}

export interface BackendReport {
  readonly passed: number
  readonly failures: readonly BackendFailure[]
}

export interface BackendConformanceOptions {
  /** Runs the cases whose id it matches. */
  readonly filter?: RegExp
  readonly onCase?: (id: string, failure: string | null) => void
}

const paramsOf = ({ inputs }: Draft): Value[] => inputs.map(({ shape, dtype }) => parameter(shape, dtype))

function forwardCase(id: string, draft: Draft): BackendCase {
  const params = paramsOf(draft)
  const graph = new Graph(params, draft.build(params))
  return { id, graph, inputs: draft.inputs.map(fill), accuracy: draft.accuracy, fails: draft.fails }
}

/** The gradient of every float input under random cotangents of every float result; null where there is none. */
function gradientCase(id: string, draft: Draft): BackendCase | null {
  const params = paramsOf(draft)
  const results = draft.build(params)
  const cts = results.map(({ shape, dtype }) => (isFloat(dtype) ? parameter(shape, dtype) : null))
  const grads = vjp(
    results,
    cts,
    params.filter(({ dtype }) => isFloat(dtype)),
  ).filter((grad) => grad !== null)
  if (grads.length === 0) return null
  const ctParams = cts.filter((ct) => ct !== null)
  const inputs = [
    ...draft.inputs.map(fill),
    ...ctParams.map(({ shape, dtype }, i) => fill({ shape, dtype, low: -1, high: 1 }, 1000 + i)),
  ]
  const scale = draft.accuracy === 'exact' ? 4 : 4 + 4 * draft.accuracy.scale
  return {
    id: `${id}/gradient`,
    graph: new Graph([...params, ...ctParams], grads),
    inputs,
    accuracy: within(64, scale),
  }
}

/** Every op, dtype and odd shape, forward and gradient. */
export function* backendCases(filter?: RegExp): Generator<BackendCase> {
  for (const [name, drafts] of Object.entries(DRAFTS)) {
    for (const draft of drafts()) {
      const id = `${name}/${draft.label}`
      if (!filter || filter.test(id)) yield forwardCase(id, draft)
      if (!draft.gradient || (filter && !filter.test(`${id}/gradient`))) continue
      const gradient = gradientCase(id, draft)
      if (gradient) yield gradient
    }
  }
}

async function runCase(backend: Backend, { graph, inputs, accuracy, fails }: BackendCase): Promise<string | null> {
  const buffers = inputs.map((input, i) => wrapArray(input, graph.params[i].dtype, graph.params[i].shape))
  try {
    const run = finish(backend.compile(graph, { name: 'conformance' })).run(buffers)
    if (run.done) await run.done
    if (fails) return `succeeds where it must fail with ${fails}`
    const want = evaluateGraph(graph, inputs)
    for (let i = 0; i < want.length; i++) {
      const difference = disagreement(run.outputs[i].array, want[i], graph.results[i].dtype, accuracy)
      if (difference !== null) return want.length > 1 ? `result ${i}: ${difference}` : difference
    }
    for (const output of run.outputs) output.release()
    return null
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (fails) return fails.test(message) ? null : `fails with "${message}", expected ${fails}`
    return `fails: ${message}`
  } finally {
    for (const buffer of buffers) buffer.release()
  }
}

/**
 * Holds a backend to the reference interpreter: every op with every dtype it takes, on shapes around nothing, one and the edges of tiles, with
 * special values and through views, forward and (f32) gradient.
 */
export async function runBackendConformance(
  backend: Backend,
  options: BackendConformanceOptions = {},
): Promise<BackendReport> {
  let passed = 0
  const failures: BackendFailure[] = []
  for (const item of backendCases(options.filter)) {
    const message = await runCase(backend, item)
    options.onCase?.(item.id, message)
    if (message === null) passed++
    else failures.push({ id: item.id, message })
  }
  return { passed, failures }
}
