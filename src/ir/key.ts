import { Graph, topologicalOrder } from './graph.js'
import type { Node, Value } from './node.js'
import { finish, NODES_A_STEP, type Steps } from './steps.js'

const graphKeys = new WeakMap<Graph, string>()

/** Text that is equal for two attribute values exactly when they mean the same. */
export function attrKey(value: unknown): string {
  if (value === null || value === undefined) return '~'
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : `${value}`
  if (typeof value === 'string') return JSON.stringify(value)
  if (value instanceof Graph) return graphKey(value)
  if (ArrayBuffer.isView(value))
    return `${value.constructor.name}(${(value as unknown as ArrayLike<number | bigint>).length}:${bytesKey(value)})`
  if (Array.isArray(value)) return `[${value.map(attrKey).join()}]`
  if (typeof value === 'object') {
    const entries = Object.entries(value)
    return entries.length === 0 ? '' : `{${entries.map(([key, item]) => `${key}:${attrKey(item)}`).join()}}`
  }
  return String(value)
}

// Two characters a byte pair keep the key exact: NaN payloads and signed zeros differ, and nothing is hashed away.
function bytesKey(view: ArrayBufferView): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  const parts: string[] = []
  for (let start = 0; start < bytes.length; start += 8192)
    parts.push(String.fromCharCode(...bytes.subarray(start, start + 8192)))
  return parts.join('')
}

/** Canonical text of the nodes in `order`, numbered from `leaves` on; `results` name what is returned. */
export function* orderKeySteps(
  order: readonly Node[],
  leaves: readonly Value[],
  results: readonly Value[],
): Steps<string> {
  const numbers = new Map<Value, number>()
  const parts: string[] = []
  for (const leaf of leaves) {
    numbers.set(leaf, numbers.size)
    parts.push(`${leaf.dtype}[${leaf.shape.join()}]`)
  }
  parts.push('|')
  for (const node of order) {
    if (parts.length % NODES_A_STEP === 0) yield
    if (numbers.has(node.outputs[0])) continue
    parts.push(`${node.op}(${node.inputs.map((input) => numbers.get(input)).join()})${attrKey(node.attrs)}`)
    for (const output of node.outputs) numbers.set(output, numbers.size)
  }
  parts.push('|', results.map((result) => numbers.get(result)).join())
  return parts.join(';')
}

/** {@link orderKeySteps} at once. */
export const orderKey = (order: readonly Node[], leaves: readonly Value[], results: readonly Value[]): string =>
  finish(orderKeySteps(order, leaves, results))

/** Canonical text of a graph: equal for graphs of equal structure, shapes, dtypes and attributes. */
export function* graphKeySteps(graph: Graph): Steps<string> {
  let key = graphKeys.get(graph)
  if (key === undefined) {
    key = yield* orderKeySteps(topologicalOrder(graph.results), graph.params, graph.results)
    graphKeys.set(graph, key)
  }
  return key
}

/** {@link graphKeySteps} at once. */
export const graphKey = (graph: Graph): string => finish(graphKeySteps(graph))
