import { apply, Graph, isOp, type Node, OPS, type Steps } from '../ir/index.js'
import { contractionOf, isEpilogue, onOperands, withEpilogue } from './epilogue.js'
import { isElementwise } from './group.js'
import { countReads, rewriteSteps } from './rewrite.js'

/** A product that nothing follows yet but maybe a bias. */
function mayAdd(node: Node): boolean {
  if (!isEpilogue(node)) return isOp(node, 'dot_general')
  const { attributes, body } = node.attrs
  return attributes.activation === 0 && !attributes.addend && contractionOf(body).op === 'dot_general'
}

/**
 * Has products add what is added to their result (residual connections, sums of gradients), where nothing else reads it without. Comes
 * after absorbEpilogues.
 */
export function absorbSums(graph: Graph): Steps<Graph> {
  const reads = countReads(graph)
  return rewriteSteps(graph, (node, inputs) => {
    if (!isOp(node, 'add') || node.outputs[0].dtype !== 'f32') return null
    for (const at of [0, 1]) {
      const [product, addend] = [inputs[at], inputs[1 - at]]
      if (reads.get(node.inputs[at]) !== 1 || !mayAdd(product.node)) continue
      // What the cluster of the sum would compute on its way, or read by strides, is not worth memory of its own.
      const onTheWay = isElementwise(addend.node) && reads.get(node.inputs[1 - at]) === 1
      if (onTheWay || OPS[addend.node.op].class === 'movement' || addend.node.op === 'constant') continue
      const operands = [...product.node.inputs, addend]
      const params = operands.map(({ shape, dtype }) => apply('parameter', [], { shape, dtype }))
      const sum = apply('add', [onOperands(product.node, params.slice(0, -1)), params[params.length - 1]], {})
      return withEpilogue(operands, 'none', new Graph(params, [sum]), true)
    }
    return null
  })
}
