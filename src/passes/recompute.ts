import {
  apply,
  cloneWith,
  dtypeBytes,
  Graph,
  isOp,
  makeNode,
  type Node,
  OPS,
  type Steps,
  sizeOf,
  topologicalOrder,
  type Value,
} from '../ir/index.js'
import { EPILOGUE } from './epilogue.js'
import { CLUSTER } from './group.js'
import { rewriteSteps, withInputs } from './rewrite.js'

/** Smaller values are kept: their memory is not worth a kernel. */
const MIN_BYTES = 1 << 20

/** The peak must fall to this share for anything to be calculated twice. */
const WORTH = 0.9

/** Inputs of at most this share of a result are kept for it. */
const SMALL_INPUT = 1 / 16

const bytesOf = ({ shape, dtype }: Value): number => sizeOf(shape) * dtypeBytes(dtype)

const isView = (node: Node): boolean =>
  (OPS[node.op].class === 'movement' && node.inputs.length === 1) || node.op === 'optimization_barrier'

/** The value whose memory a chain of views shows. */
function heldBy(value: Value): Value {
  let at = value
  while (isView(at.node)) at = at.node.inputs[at.node.outputs.indexOf(at)]
  return at
}

const isLasting = ({ node }: Value): boolean => node.op === 'parameter' || node.op === 'constant'

const isRecomputed = (node: Node): boolean =>
  isOp(node, 'composite') && node.attrs.name === CLUSTER && node.attrs.attributes.recomputed === true

/** Values with more readers left than this do not end soon. */
const FEW_READERS = 8

/** Places nodes one by one, each after what it needs. */
class Schedule {
  readonly sorted: Node[] = []
  private readonly placed = new Set<Node>()
  /** Readers that are still to come, views taken for what they show. */
  private readonly left = new Map<Value, Set<Node>>()
  private readonly results: ReadonlySet<Value>

  constructor(graph: Graph, order: readonly Node[]) {
    this.results = new Set(graph.results.map(heldBy))
    for (const node of order) {
      if (isView(node)) continue
      for (const base of basesOf(node)) {
        const readers = this.left.get(base)
        if (readers) readers.add(node)
        else this.left.set(base, new Set([node]))
      }
    }
  }

  /** Places a node, and after it whatever has become ready and gives back at least as much memory as it takes. */
  add(first: Node): void {
    const pending = [first]
    for (let node = pending.pop(); node; node = pending.pop()) {
      if (this.placed.has(node)) continue
      this.place(node)
      if (isView(node)) continue
      for (const value of [...basesOf(node), ...node.outputs]) {
        const readers = this.left.get(value)
        if (!readers || readers.size > FEW_READERS || isLasting(value)) continue
        for (const reader of readers) if (this.isReady(reader) && this.gain(reader) >= 0) pending.push(reader)
      }
    }
  }

  private place(node: Node): void {
    if (this.placed.has(node)) return
    for (const { node: input } of node.inputs)
      if (isView(input) || isRecomputed(input) || input.inputs.length === 0) this.place(input)
    this.placed.add(node)
    this.sorted.push(node)
    if (!isView(node)) for (const base of basesOf(node)) this.left.get(base)?.delete(node)
  }

  private isReady(node: Node): boolean {
    return basesOf(node).every(
      (base) => isLasting(base) || this.placed.has(base.node) || (isRecomputed(base.node) && this.isReady(base.node)),
    )
  }

  /** Bytes that nothing holds any more after `node`, less those of its outputs; results of the graph have memory of their own. */
  private gain(node: Node): number {
    let bytes = 0
    for (const base of basesOf(node))
      if (!isLasting(base) && !this.results.has(base) && this.left.get(base)?.size === 1) bytes += bytesOf(base)
    return node.outputs.reduce((sum, output) => sum - (this.results.has(output) ? 0 : bytesOf(output)), bytes)
  }
}

const basesOf = (node: Node): Value[] => [...new Set(node.inputs.map(heldBy))]

/**
 * An order of execution that holds little memory: that of {@link topologicalOrder}, but what gives back as much as it takes runs as soon as it
 * can (gradients of weights, so that activations and their gradients end one after the other), and what is calculated again
 * comes right before its first reader.
 */
export function executionOrder(graph: Graph): Node[] {
  const order = topologicalOrder(graph.results)
  const schedule = new Schedule(graph, order)
  for (const node of order) if (!isView(node) && !isRecomputed(node)) schedule.add(node)
  for (const node of order) schedule.add(node)
  return schedule.sorted
}

interface Lives {
  readonly position: ReadonlyMap<Node, number>
  /** Positions of readers, ascending, views taken for what they show. */
  readonly reads: ReadonlyMap<Value, readonly number[]>
  readonly peak: number
  readonly peakAt: number
}

function livesOf(graph: Graph, order: readonly Node[]): Lives {
  const position = new Map(order.map((node, i) => [node, i]))
  const reads = new Map<Value, number[]>()
  order.forEach((node, i) => {
    if (isView(node)) return
    for (const input of node.inputs) {
      const base = heldBy(input)
      const known = reads.get(base)
      if (!known) reads.set(base, [i])
      else if (known[known.length - 1] !== i) known.push(i)
    }
  })
  const results = new Set(graph.results.map(heldBy))
  const change = new Float64Array(order.length + 1)
  order.forEach((node, i) => {
    if (isView(node) || node.op === 'parameter' || node.op === 'constant') return
    for (const output of node.outputs) {
      if (results.has(output)) continue
      change[i] += bytesOf(output)
      change[(reads.get(output)?.at(-1) ?? i) + 1] -= bytesOf(output)
    }
  })
  let [live, peak, peakAt] = [0, 0, 0]
  change.forEach((delta, i) => {
    live += delta
    if (live > peak) [peak, peakAt] = [live, i]
  })
  return { position, reads, peak, peakAt }
}

/** How to calculate one output of a node again: inputs, and a graph of elementwise ops on them. */
interface Recipe {
  readonly inputs: readonly Value[]
  readonly body: Graph
}

const parameterLike = ({ shape, dtype }: Value): Value => apply('parameter', [], { shape, dtype })

function recipeOf(output: Value): Recipe | null {
  const { node } = output
  if (!isOp(node, 'composite')) return null
  const { name, body } = node.attrs
  const result = body.results[node.outputs.indexOf(output)]
  if (name === CLUSTER) {
    const members = new Set(topologicalOrder([result]))
    const used = body.params.map((_, i) => i).filter((i) => members.has(body.params[i].node))
    const params = used.map((i) => parameterLike(body.params[i]))
    const clone = cloneWith([result], new Map(used.map((at, i) => [body.params[at], params[i]])))
    return { inputs: used.map((i) => node.inputs[i]), body: new Graph(params, clone) }
  }
  // The activation behind a product that is kept.
  if (name !== EPILOGUE || node.outputs.length !== 2 || output !== node.outputs[0]) return null
  if (result.node.inputs.length !== 1 || result.node.inputs[0] !== body.results[1]) return null
  const param = parameterLike(node.outputs[1])
  const activation = makeNode(result.node.op, [param], result.node.attrs)
  return { inputs: [node.outputs[1]], body: new Graph([param], activation.outputs) }
}

interface Choice {
  readonly recipe: Recipe
  /** Readers from this position on read the second result. */
  readonly from: number
}

/** Results of elementwise work that lie unread across the peak, and whose inputs are there at their next reader anyway. */
function choose(graph: Graph, order: readonly Node[], { reads, position, peakAt }: Lives): Map<Value, Choice> {
  const results = new Set(graph.results.map(heldBy))
  const chosen = new Map<Value, Choice>()
  for (const output of order.flatMap((node) => ((position.get(node) ?? 0) < peakAt ? node.outputs : []))) {
    const from = reads.get(output)?.find((at) => at > peakAt)
    if (from === undefined || bytesOf(output) < MIN_BYTES || results.has(output)) continue
    const recipe = recipeOf(output)
    const isThere = (input: Value): boolean => {
      const base = heldBy(input)
      if (isLasting(base) || bytesOf(base) <= SMALL_INPUT * bytesOf(output)) return true
      return !chosen.has(base) && (reads.get(base)?.at(-1) ?? 0) >= from
    }
    if (recipe?.inputs.every(isThere)) chosen.set(output, { recipe, from })
  }
  return chosen
}

/** The graph in which the late readers of chosen values read a second result. */
function* apart(graph: Graph, chosen: ReadonlyMap<Value, Choice>, { position }: Lives): Steps<Graph> {
  const renamed = new Map<Value, Value>()
  const again = new Map<Value, Value>()
  const second = (value: Value): Value => {
    const known = again.get(value)
    if (known) return known
    const choice = chosen.get(value)
    let result = renamed.get(value) ?? value
    if (choice) {
      const inputs = choice.recipe.inputs.map((input) => renamed.get(input) ?? input)
      const attributes = { recomputed: true }
      result = makeNode('composite', inputs, { name: CLUSTER, attributes, body: choice.recipe.body }).outputs[0]
    } else if (chosen.has(heldBy(value))) {
      const { node } = value
      const at = node.outputs.indexOf(value)
      result = makeNode(node.op, node.inputs.map(second), node.attrs).outputs[at]
    }
    again.set(value, result)
    return result
  }
  return yield* rewriteSteps(graph, (node, inputs) => {
    const at = position.get(node) ?? 0
    const isLate = (input: Value): boolean => at >= (chosen.get(heldBy(input))?.from ?? Number.POSITIVE_INFINITY)
    const own = isView(node) ? inputs : node.inputs.map((input, i) => (isLate(input) ? second(input) : inputs[i]))
    const { outputs } = withInputs(node, own)
    node.outputs.forEach((output, i) => {
      renamed.set(output, outputs[i])
    })
    return outputs
  })
}

/**
 * Calculates results of elementwise work a second time for readers behind the peak of memory, instead of keeping them through it: where
 * all that they come from is kept anyway (or small), they are large, and the peak falls by a tenth. Typically what an activation
 * returned, again from what it was applied to, for the backward pass. Values are the same; `graph` comes grouped.
 */
export function* recompute(graph: Graph): Steps<Graph> {
  const order = executionOrder(graph)
  const lives = livesOf(graph, order)
  if (lives.peak < MIN_BYTES) return graph
  yield
  const chosen = choose(graph, order, lives)
  if (chosen.size === 0) return graph
  const changed = yield* apart(graph, chosen, lives)
  return livesOf(changed, executionOrder(changed)).peak <= WORTH * lives.peak ? changed : graph
}
