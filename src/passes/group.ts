import {
  apply,
  cloneWith,
  dtypeBytes,
  Graph,
  makeNode,
  NODES_A_STEP,
  type Node,
  OPS,
  type Steps,
  sizeOf,
  topologicalOrder,
  type Value,
} from '../ir/index.js'
import { functionOf } from './functions.js'

/** Name of the composites that {@link groupElementwise} makes: a body of elementwise ops of one shape, run as one kernel. */
export const CLUSTER = 'cluster'

export interface GroupLimits {
  /** Most ops in a cluster. */
  readonly ops: number
  /** Most inputs and outputs of a cluster together. */
  readonly operands: number
}

export const GROUP_LIMITS: GroupLimits = { ops: 48, operands: 32 }

const ELEMENTWISE = new Set(['unary', 'binary', 'compare', 'select', 'cast'])

export const isElementwise = (node: Node): boolean => ELEMENTWISE.has(OPS[node.op].class) || functionOf(node) !== null

class Cluster {
  readonly nodes = new Set<Node>()
  constructor(readonly stage: number) {}

  /** Values that members read from outside. */
  inputs(): Set<Value> {
    const inputs = new Set<Value>()
    for (const node of this.nodes) for (const input of node.inputs) if (!this.nodes.has(input.node)) inputs.add(input)
    return inputs
  }
}

/** Consumers of every node, once each; results of the graph count as one more. */
function countUses(order: readonly Node[], graph: Graph): { consumers: Map<Node, Set<Node>>; results: Set<Node> } {
  const consumers = new Map<Node, Set<Node>>()
  for (const node of order) {
    consumers.set(node, new Set())
    for (const input of node.inputs) consumers.get(input.node)?.add(node)
  }
  return { consumers, results: new Set(graph.results.map((result) => result.node)) }
}

class Grouping {
  readonly clusterOf = new Map<Node, Cluster>()
  private readonly stages = new Map<Node, number>()
  private readonly order: Node[]
  private readonly consumers: Map<Node, Set<Node>>
  private readonly results: Set<Node>

  constructor(
    graph: Graph,
    private readonly limits: GroupLimits,
  ) {
    this.order = topologicalOrder(graph.results)
    const uses = countUses(this.order, graph)
    this.consumers = uses.consumers
    this.results = uses.results
  }

  *run(): Steps<void> {
    for (const [i, node] of this.order.entries()) {
      if (i % NODES_A_STEP === 0) yield
      this.place(node)
    }
    for (const [i, node] of [...this.order].reverse().entries()) {
      if (i % NODES_A_STEP === 0) yield
      this.delay(node)
    }
  }

  /**
   * A stage counts how often elementwise work was followed by something else on the way to a node. Ops of one stage can never wait
   * for each other through a node outside, so any of them may share a cluster.
   */
  private place(node: Node): void {
    let stage = 0
    for (const { node: input } of node.inputs) {
      const barrier = isElementwise(input) && !isElementwise(node) ? 1 : 0
      stage = Math.max(stage, (this.stages.get(input) ?? 0) + barrier)
    }
    if (isElementwise(node)) {
      const cluster = this.merge(node, stage)
      stage = cluster.stage
    }
    this.stages.set(node, stage)
  }

  private merge(node: Node, stage: number): Cluster {
    const joined = new Set<Cluster>()
    for (const { node: input } of node.inputs) {
      const cluster = this.clusterOf.get(input)
      if (cluster && cluster.stage === stage) joined.add(cluster)
    }
    const merged = new Cluster(stage)
    for (const cluster of joined) for (const member of cluster.nodes) merged.nodes.add(member)
    merged.nodes.add(node)
    // Past the limits a new cluster starts, one stage later so that the order between the two is clear.
    const fits = merged.nodes.size <= this.limits.ops && this.operandBound(merged) <= this.limits.operands
    const cluster = fits ? merged : new Cluster(joined.size > 0 ? stage + 1 : stage)
    if (!fits) cluster.nodes.add(node)
    for (const member of cluster.nodes) this.clusterOf.set(member, cluster)
    return cluster
  }

  /** Inputs and outputs of a cluster; consumers that are not placed yet may join it, so this is a bound once all are placed. */
  private operandBound(cluster: Cluster): number {
    let outputs = 0
    for (const node of cluster.nodes) {
      const used = [...(this.consumers.get(node) ?? [])]
      const outside = used.some((consumer) => !cluster.nodes.has(consumer) && this.stages.has(consumer))
      if (outside || this.results.has(node) || used.some((consumer) => !isElementwise(consumer))) outputs++
    }
    return cluster.inputs().size + outputs
  }

  /**
   * Moves an op that only a later cluster reads into that cluster, where holding and reading its inputs then costs no more than its
   * result: weight decay, scaled parameters, the centred input of a batch norm and the like.
   */
  private delay(node: Node): void {
    const own = this.clusterOf.get(node)
    const consumers = [...(this.consumers.get(node) ?? [])]
    const target = consumers.length > 0 ? this.clusterOf.get(consumers[0]) : undefined
    if (!own || !target || own === target || this.results.has(node)) return
    if (consumers.some((consumer) => this.clusterOf.get(consumer) !== target) || target.stage <= own.stage) return
    const [output] = node.outputs
    let bytes = 0
    for (const input of new Set(node.inputs)) {
      if (own.nodes.has(input.node)) return
      if (!isLasting(input.node)) bytes += sizeOf(spreadFrom(input).shape) * dtypeBytes(input.dtype)
    }
    if (bytes > sizeOf(output.shape) * dtypeBytes(output.dtype)) return
    if (target.nodes.size >= this.limits.ops) return
    target.nodes.add(node)
    if (this.operandBound(target) > this.limits.operands) {
      target.nodes.delete(node)
      return
    }
    own.nodes.delete(node)
    this.clusterOf.set(node, target)
  }
}

/** What is behind a broadcast: that alone is held and read. */
function spreadFrom(value: Value): Value {
  let at = value
  while (at.node.op === 'broadcast_in_dim') at = at.node.inputs[0]
  return at
}

/** True for parameters, constants and views of them: they live through the run anyway. */
function isLasting(node: Node): boolean {
  let at = node
  while (OPS[at.op].class === 'movement' && at.inputs.length === 1) at = at.inputs[0].node
  return at.op === 'parameter' || at.op === 'constant'
}

/** What becomes one node of the new graph. */
type Unit = Cluster | Node

const unitInputs = (unit: Unit): Iterable<Value> => (unit instanceof Cluster ? unit.inputs() : unit.inputs)

function unitOrder(graph: Graph, unitOf: (node: Node) => Unit): Unit[] {
  const order: Unit[] = []
  const seen = new Set<Unit>()
  const stack: { unit: Unit; inputs: Value[]; next: number }[] = []
  const enter = (unit: Unit): void => {
    if (seen.has(unit)) return
    seen.add(unit)
    stack.push({ unit, inputs: [...unitInputs(unit)], next: 0 })
  }
  for (const result of graph.results) {
    enter(unitOf(result.node))
    while (stack.length > 0) {
      const top = stack[stack.length - 1]
      if (top.next < top.inputs.length) enter(unitOf(top.inputs[top.next++].node))
      else {
        order.push(top.unit)
        stack.pop()
      }
    }
  }
  return order
}

function clusterNode(cluster: Cluster, isUsedOutside: (node: Node) => boolean, renamed: Map<Value, Value>): void {
  const inputs = [...cluster.inputs()]
  const params = inputs.map(({ shape, dtype }) => apply('parameter', [], { shape, dtype }))
  const outputs = [...cluster.nodes].filter(isUsedOutside).map((node) => node.outputs[0])
  const body = new Graph(params, cloneWith(outputs, new Map(inputs.map((input, i) => [input, params[i]]))))
  const operands = inputs.map((input) => renamed.get(input) ?? input)
  const node = makeNode('composite', operands, { name: CLUSTER, attributes: {}, body })
  outputs.forEach((output, i) => {
    renamed.set(output, node.outputs[i])
  })
}

/**
 * Gathers elementwise ops into clusters, each one composite named {@link CLUSTER}. Ops of one cluster have one shape. What a
 * contraction computes is never computed twice, and nothing else is either.
 */
export function* groupElementwise(graph: Graph, limits: GroupLimits = GROUP_LIMITS): Steps<Graph> {
  const grouping = new Grouping(graph, limits)
  yield* grouping.run()
  const { clusterOf } = grouping
  const used = new Set<Node>(graph.results.map((result) => result.node))
  for (const node of topologicalOrder(graph.results)) {
    const own = clusterOf.get(node)
    for (const input of node.inputs) if (!own || clusterOf.get(input.node) !== own) used.add(input.node)
  }
  const renamed = new Map<Value, Value>(graph.params.map((param) => [param, param]))
  const rename = (value: Value): Value => renamed.get(value) ?? value
  let count = 0
  for (const unit of unitOrder(graph, (node) => clusterOf.get(node) ?? node)) {
    if (++count % NODES_A_STEP === 0) yield
    if (unit instanceof Cluster) {
      clusterNode(unit, (node) => used.has(node), renamed)
      continue
    }
    if (unit.op === 'parameter') continue
    const copy = makeNode(unit.op, unit.inputs.map(rename), unit.attrs)
    unit.outputs.forEach((output, i) => {
      renamed.set(output, copy.outputs[i])
    })
  }
  return new Graph(graph.params, graph.results.map(rename))
}
