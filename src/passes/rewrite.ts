import {
  finish,
  Graph,
  makeNode,
  NODES_A_STEP,
  type Node,
  type OpAttrs,
  type OpName,
  type Steps,
  topologicalOrder,
  type Value,
} from '../ir/index.js'

/**
 * What replaces the outputs of `node`, whose inputs are already rewritten to `inputs`; null keeps the node.
 * Fewer values than outputs are not allowed.
 */
export type Visit = (node: Node, inputs: readonly Value[]) => readonly Value[] | null

/** The node on other inputs, or itself where nothing changed. */
export function withInputs(node: Node, inputs: readonly Value[]): Node {
  return inputs.every((input, i) => input === node.inputs[i]) ? node : makeNode(node.op, inputs, node.attrs)
}

/** Rewrites a graph node by node, each after its inputs. What nothing needs any more is gone from the result. */
export function* rewriteSteps(graph: Graph, visit: Visit): Steps<Graph> {
  const mapped = new Map<Value, Value>()
  const resolve = (value: Value): Value => mapped.get(value) ?? value
  let count = 0
  for (const node of topologicalOrder(graph.results)) {
    if (node.op === 'parameter') continue
    if (++count % NODES_A_STEP === 0) yield
    const inputs = node.inputs.map(resolve)
    const outputs = visit(node, inputs) ?? withInputs(node, inputs).outputs
    node.outputs.forEach((output, i) => {
      if (outputs[i] !== output) mapped.set(output, outputs[i])
    })
  }
  return new Graph(graph.params, graph.results.map(resolve))
}

/** {@link rewriteSteps} at once. */
export const rewriteGraph = (graph: Graph, visit: Visit): Graph => finish(rewriteSteps(graph, visit))

/** How often each value is read; results of the graph count too. */
export function countReads(graph: Graph): Map<Value, number> {
  const reads = new Map<Value, number>()
  const add = (value: Value): void => {
    reads.set(value, (reads.get(value) ?? 0) + 1)
  }
  for (const node of topologicalOrder(graph.results)) node.inputs.forEach(add)
  graph.results.forEach(add)
  return reads
}

/** Attributes with every nested graph replaced by `f` of it; the same object where none changes. */
export function mapNested<K extends OpName>(attrs: OpAttrs[K], f: (graph: Graph) => Graph): OpAttrs[K] {
  let changed = false
  const entries = Object.entries(attrs).map(([key, value]) => {
    if (!(value instanceof Graph)) return [key, value]
    const next = f(value)
    changed ||= next !== value
    return [key, next]
  })
  return changed ? (Object.fromEntries(entries) as OpAttrs[K]) : attrs
}

/** Remembers the result of `f` for each graph: bodies are shared between nodes. */
export function memoized(f: (graph: Graph) => Graph): (graph: Graph) => Graph {
  const known = new Map<Graph, Graph>()
  return (graph) => {
    let result = known.get(graph)
    if (!result) {
      result = f(graph)
      known.set(graph, result)
    }
    return result
  }
}
