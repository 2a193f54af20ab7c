import { apply, type Graph, isOp, type Node, type Steps } from '../ir/index.js'
import { countReads, rewriteSteps } from './rewrite.js'

/** True when `permutation` only exchanges the free dimensions of the two operands of `dot`. */
function exchangesOperands(dot: Node<'dot_general'>, permutation: readonly number[]): boolean {
  const { lhs_batch, lhs_contract } = dot.attrs
  const batch = lhs_batch.length
  const left = dot.inputs[0].shape.length - batch - lhs_contract.length
  const right = permutation.length - batch - left
  return permutation.every((dim, i) => dim === (i < batch ? i : i < batch + right ? i + left : i - right))
}

/**
 * Turns the transpose of a product into the product of the exchanged operands, where nothing else reads the product: gradients of
 * weights come so.
 */
export function swapTransposedDots(graph: Graph): Steps<Graph> {
  const reads = countReads(graph)
  return rewriteSteps(graph, (node, inputs) => {
    if (!isOp(node, 'transpose') || reads.get(node.inputs[0]) !== 1) return null
    const product = inputs[0].node
    if (!isOp(product, 'dot_general')) return null
    const dot = product as unknown as Node<'dot_general'>
    if (!exchangesOperands(dot, node.attrs.permutation)) return null
    const { lhs_batch, rhs_batch, lhs_contract, rhs_contract } = dot.attrs
    const attrs = { lhs_batch: rhs_batch, rhs_batch: lhs_batch, lhs_contract: rhs_contract, rhs_contract: lhs_contract }
    return [apply('dot_general', [dot.inputs[1], dot.inputs[0]], attrs)]
  })
}
