import {
  finish,
  Graph,
  graphKey,
  isOp,
  makeNode,
  type Node,
  type Steps,
  topologicalOrder,
  type Value,
} from '../ir/index.js'
import { mapNested, memoized, rewriteSteps } from './rewrite.js'

type ScanNode = Node<'scan'>

/** Other nodes stay, but for the loops inside their bodies. */
function withNested(node: Node, inputs: readonly Value[], inside: (graph: Graph) => Graph): readonly Value[] | null {
  if (!isOp(node, 'while')) return null
  const attrs = mapNested<'while'>(node.attrs, inside)
  return attrs === node.attrs ? null : makeNode('while', inputs, attrs).outputs
}

const isScan = (node: Node): boolean => isOp(node, 'scan')

/** Keys of a scan's body cut to its first `count` results: equal for scans that compute the same that far. */
const prefixKey = ({ body }: ScanNode['attrs'], count: number): string =>
  graphKey(count === body.results.length ? body : new Graph(body.params, body.results.slice(0, count)))

/** Whether `wide` computes what `narrow` does, and perhaps more results after it. */
function covers(wide: ScanNode['attrs'], narrow: ScanNode['attrs']): boolean {
  const count = narrow.body.results.length
  if (wide.body.results.length < count || wide.num_consts !== narrow.num_consts || wide.num_carry !== narrow.num_carry)
    return false
  if (wide.length !== narrow.length || wide.reverse !== narrow.reverse) return false
  return wide.body === narrow.body || prefixKey(wide, count) === prefixKey(narrow, count)
}

/**
 * Runs a scan once where another over the same operands returns the same results and more: differentiation emits the forward scan
 * again with its carries stacked.
 */
function mergeSteps(graph: Graph): Steps<Graph> {
  const steps = (body: Graph): Steps<Graph> => {
    const groups = scansByOperands(body)
    const emitted = new Map<Node, Node>()
    return rewriteSteps(body, (node, inputs) => {
      if (!isScan(node)) return withNested(node, inputs, inside)
      const own = node as unknown as ScanNode
      const widest = widestCover(groups.get(operandKey(node)) ?? [own], own)
      let copy = emitted.get(widest as unknown as Node)
      if (!copy) {
        copy = makeNode('scan', inputs, mapNested<'scan'>(widest.attrs, inside))
        emitted.set(widest as unknown as Node, copy)
      }
      return copy.outputs
    })
  }
  const inside: (graph: Graph) => Graph = memoized((body) => finish(steps(body)))
  return steps(graph)
}

export const mergeScans = (graph: Graph): Graph => finish(mergeSteps(graph))

/** A group of one keeps its node. */
function widestCover(group: readonly ScanNode[], own: ScanNode): ScanNode {
  return group.reduce(
    (best, other) => (other.outputs.length > best.outputs.length && covers(other.attrs, own.attrs) ? other : best),
    own,
  )
}

const operandKey = (node: Node): string => node.inputs.map((input) => `${input.node.id}.${input.index}`).join()

function scansByOperands(graph: Graph): Map<string, ScanNode[]> {
  const groups = new Map<string, ScanNode[]>()
  for (const node of topologicalOrder(graph.results)) {
    if (!isScan(node)) continue
    const key = operandKey(node)
    groups.set(key, [...(groups.get(key) ?? []), node as unknown as ScanNode])
  }
  return groups
}

function readValues(graph: Graph): Set<Value> {
  const read = new Set<Value>(graph.results)
  for (const node of topologicalOrder(graph.results)) for (const input of node.inputs) read.add(input)
  return read
}

/** Drops stacked results of scans that nothing reads, then constants and slices that their bodies do not use. */
function pruneSteps(graph: Graph): Steps<Graph> {
  const steps = (body: Graph): Steps<Graph> => {
    const read = readValues(body)
    return rewriteSteps(body, (node, inputs) =>
      isScan(node) ? pruned(node as unknown as ScanNode, inputs, read, inside) : withNested(node, inputs, inside),
    )
  }
  const inside: (graph: Graph) => Graph = memoized((body) => finish(steps(body)))
  return steps(graph)
}

export const pruneScans = (graph: Graph): Graph => finish(pruneSteps(graph))

/** {@link mergeScans}, then {@link pruneScans}. */
export function* scanSteps(graph: Graph): Steps<Graph> {
  return yield* pruneSteps(yield* mergeSteps(graph))
}

function pruned(
  { attrs, outputs }: ScanNode,
  inputs: readonly Value[],
  read: ReadonlySet<Value>,
  inside: (graph: Graph) => Graph,
): readonly Value[] {
  const { num_consts, num_carry } = attrs
  const keptOutputs = outputs.map((_, i) => i).filter((i) => i < num_carry || read.has(outputs[i]))
  const body = inside(
    new Graph(
      attrs.body.params,
      keptOutputs.map((i) => attrs.body.results[i]),
    ),
  )
  const used = readValues(body)
  const isCarry = (i: number): boolean => i >= num_consts && i < num_consts + num_carry
  const keptInputs = inputs.map((_, i) => i).filter((i) => isCarry(i) || used.has(body.params[i]))
  const node = makeNode(
    'scan',
    keptInputs.map((i) => inputs[i]),
    {
      ...attrs,
      body: new Graph(
        keptInputs.map((i) => body.params[i]),
        body.results,
      ),
      num_consts: keptInputs.filter((i) => i < num_consts).length,
    },
  )
  // An output that nothing reads needs a stand-in only.
  return outputs.map((output, i) => node.outputs[keptOutputs.indexOf(i)] ?? output)
}
