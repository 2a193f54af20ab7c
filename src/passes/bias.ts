import {
  apply,
  type DType,
  Graph,
  isOp,
  makeNode,
  type Node,
  type Steps,
  sameShape,
  topologicalOrder,
  type Value,
} from '../ir/index.js'
import { rewriteSteps } from './rewrite.js'

/** Name of the composites that {@link absorbBiases} makes: a contraction and the bias added to it. Operands: lhs, rhs, bias. */
export const BIASED = 'biased'

const DTYPES = new Set<DType>(['f32', 'f64'])

/** Dimensions of a contraction's result along which a bias may lie: the free ones of the right operand, or the output features. */
function biasDims(node: Node): number[] | null {
  if (isOp(node, 'convolution')) return [node.attrs.output_feature]
  if (!isOp(node, 'dot_general')) return null
  const rank = node.outputs[0].shape.length
  const free = node.inputs[1].shape.length - node.attrs.rhs_batch.length - node.attrs.rhs_contract.length
  return Array.from({ length: free }, (_, i) => rank - free + i)
}

/** The bias that `addend` spreads over the result of `contraction`, or null. */
function biasOf(addend: Value, contraction: Node): Value | null {
  const dims = biasDims(contraction)
  const { node } = addend
  if (!dims || !isOp(node, 'broadcast_in_dim') || !DTYPES.has(addend.dtype)) return null
  const [bias] = node.inputs
  const extents = dims.map((dim) => addend.shape[dim])
  const { dims: spread } = node.attrs
  return sameShape(bias.shape, extents) && sameShape(spread, dims) && dims.length > 0 ? bias : null
}

function biased(contraction: Node, bias: Value, spread: Node): Value {
  const operands = [...contraction.inputs, bias]
  const params = operands.map(({ shape, dtype }) => apply('parameter', [], { shape, dtype }))
  const product = makeNode(contraction.op, params.slice(0, 2), contraction.attrs)
  const whole = makeNode(spread.op, [params[2]], spread.attrs)
  const body = new Graph(params, [apply('add', [product.outputs[0], whole.outputs[0]], {})])
  return apply('composite', operands, { name: BIASED, attributes: {}, body })
}

/** Joins a product or convolution with the addition of a bias along its last dimensions or its features, where nothing else reads it. */
export function absorbBiases(graph: Graph): Steps<Graph> {
  const reads = new Map<Value, number>()
  for (const node of topologicalOrder(graph.results)) {
    for (const input of node.inputs) reads.set(input, (reads.get(input) ?? 0) + 1)
  }
  for (const result of graph.results) reads.set(result, (reads.get(result) ?? 0) + 1)
  return rewriteSteps(graph, (node, inputs) => {
    if (!isOp(node, 'add')) return null
    for (const at of [0, 1]) {
      const contraction = inputs[at].node
      if (reads.get(node.inputs[at]) !== 1 || biasDims(contraction) === null) continue
      const bias = biasOf(inputs[1 - at], contraction)
      if (bias) return [biased(contraction, bias, inputs[1 - at].node)]
    }
    return null
  })
}

/** The contraction in the body of a composite made by {@link absorbBiases}. */
export function biasedContraction(body: Graph): Node {
  const found = topologicalOrder(body.results).find((node) => node.op === 'dot_general' || node.op === 'convolution')
  if (!found) throw new Error(`${BIASED}: the body holds no contraction`)
  return found
}
