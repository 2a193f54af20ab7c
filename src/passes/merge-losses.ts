import { attrKey, type Graph, isOp, type Node, type Steps, topologicalOrder, type Value } from '../ir/index.js'
import { rewriteSteps } from './rewrite.js'

const LOSS = 'linear_cross_entropy'

type Composite = Node<'composite'>

const named = (node: Node, name: string): node is Composite => isOp(node, 'composite') && node.attrs.name === name

/** The attributes that loss and gradient have in common, and their operands. */
const sameLoss = (loss: Composite, gradient: Composite): boolean =>
  attrKey(loss.attrs.attributes) === attrKey(gradient.attrs.attributes) &&
  loss.inputs.every((input, i) => input === gradient.inputs[i + 1])

/** Whether `node` is among what `value` is computed from. */
function needs(value: Value, node: Node): boolean {
  const seen = new Set<Node>()
  const pending = [value.node]
  for (let at = pending.pop(); at; at = pending.pop()) {
    if (at === node) return true
    if (seen.has(at)) continue
    seen.add(at)
    for (const input of at.inputs) pending.push(input.node)
  }
  return false
}

/** A loss and the gradient that computes the same losses on its way. */
function pairIn(graph: Graph): readonly [Composite, Composite] | null {
  const nodes = topologicalOrder(graph.results)
  for (const loss of nodes) {
    if (!named(loss, LOSS)) continue
    for (const gradient of nodes) {
      if (!named(gradient, `${LOSS}_grad`) || !sameLoss(loss, gradient)) continue
      // A cotangent that depends on the losses needs them before.
      if (!needs(gradient.inputs[0], loss)) return [loss, gradient]
    }
  }
  return null
}

/** Takes the losses of `linear_cross_entropy` from its gradient where both run: one product less. */
export function* mergeLosses(graph: Graph): Steps<Graph> {
  let current = graph
  for (let pair = pairIn(current); pair; pair = pairIn(current)) {
    const [loss, gradient] = pair
    current = yield* rewriteSteps(current, (node) => (node === loss ? [gradient.outputs[0]] : null))
  }
  return current
}
