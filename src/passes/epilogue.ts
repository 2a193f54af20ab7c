import {
  type AttrValue,
  apply,
  cloneWith,
  type DType,
  Graph,
  isOp,
  makeNode,
  type Node,
  type OpName,
  type Steps,
  sameShape,
  topologicalOrder,
  type Value,
} from '../ir/index.js'
import { functionOf } from './functions.js'
import { countReads, rewriteSteps } from './rewrite.js'

/**
 * Name of the composites that {@link absorbEpilogues} makes: a contraction and what happens to its result while that is in the cache.
 * Operands: lhs, rhs, maybe a bias, behind that, of convolutions, maybe a scale: result * scale + bias. Results: the whole, and where
 * something else reads it, what the activation is applied to. The attribute `activation` is a position in {@link ACTIVATIONS}; with
 * `addend` the last operand, of the result's shape, is added at the end (sums.ts).
 */
export const EPILOGUE = 'epilogue'

/** What an epilogue may apply: `Activation` of native/kernels/gemm_micro.h. */
export const ACTIVATIONS: readonly string[] = ['none', 'relu', 'tanh', 'sigmoid', 'silu', 'gelu', 'gelu_tanh']

const DTYPES = new Set<DType>(['f32', 'f64'])

const AFFINE = new Set<OpName>(['add', 'subtract', 'multiply'])

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

/** The composite of a contraction and what follows it. */
export function withEpilogue(operands: readonly Value[], activation: string, body: Graph, addend = false): Value[] {
  const attributes: Record<string, AttrValue> = { activation: ACTIVATIONS.indexOf(activation), addend }
  return makeNode('composite', operands, { name: EPILOGUE, attributes, body }).outputs.slice()
}

/** What follows a contraction, along its features: result * scale + bias. */
interface Affine {
  readonly contraction: Node
  readonly bias: Value
  readonly scale: Value | null
}

/** The composite for an affine map of the result of a contraction. */
function affine({ contraction, bias, scale }: Affine): Value {
  const operands = [...contraction.inputs, bias, ...(scale ? [scale] : [])]
  const params = operands.map(({ shape, dtype }) => apply('parameter', [], { shape, dtype }))
  const { outputs } = makeNode(contraction.op, params.slice(0, 2), contraction.attrs)
  const attrs = { shape: outputs[0].shape, dims: biasDims(contraction) ?? [] }
  const [shift, factor] = params.slice(2).map((param) => apply('broadcast_in_dim', [param], attrs))
  const scaled = factor ? apply('multiply', [outputs[0], factor], {}) : outputs[0]
  return withEpilogue(operands, 'none', new Graph(params, [apply('add', [scaled, shift], {})]))[0]
}

/** What `node`, of one more operand `vector` along the features, makes of an affine map; null where that is none, or no gain. */
function affineStep(node: Node, at: number, before: Affine | null, contraction: Node, vector: Value): Affine | null {
  if (isOp(node, 'subtract') && at === 0 && (before || isOp(contraction, 'convolution')))
    return affineSum(before, contraction, apply('negate', [vector], {}))
  if (isOp(node, 'add') && !before) return affineSum(null, contraction, vector)
  // Sums of products of their own would round otherwise than the graph says: convolutions alone take a scale, batch norm's.
  if (!before || !isOp(contraction, 'convolution') || vector.dtype !== 'f32') return null
  if (isOp(node, 'add')) return affineSum(before, contraction, vector)
  if (!isOp(node, 'multiply')) return null
  const scale = before.scale ? apply('multiply', [before.scale, vector], {}) : vector
  return { contraction, scale, bias: apply('multiply', [before.bias, vector], {}) }
}

const affineSum = (before: Affine | null, contraction: Node, vector: Value): Affine => ({
  contraction,
  scale: before?.scale ?? null,
  bias: before ? apply('add', [before.bias, vector], {}) : vector,
})

/** Gives contractions the bias, and convolutions the affine map, that follows along their features. */
function absorbAffine(graph: Graph): Steps<Graph> {
  const reads = countReads(graph)
  const maps = new Map<Node, Affine>()
  return rewriteSteps(graph, (node, inputs) => {
    if (!AFFINE.has(node.op)) return null
    for (const at of [0, 1]) {
      const before = maps.get(inputs[at].node) ?? null
      const contraction = before?.contraction ?? inputs[at].node
      if (reads.get(node.inputs[at]) !== 1 || biasDims(contraction) === null) continue
      const vector = biasOf(inputs[1 - at], contraction)
      const next = vector && affineStep(node, at, before, contraction, vector)
      if (!next) continue
      const result = affine(next)
      maps.set(result.node, next)
      return [result]
    }
    return null
  })
}

/** The activation that a node applies to its operand, or null. */
function activationOf(node: Node): string | null {
  if (node.inputs[0]?.dtype !== 'f32') return null
  const name = node.op === 'tanh' ? 'tanh' : functionOf(node)
  return name !== null && ACTIVATIONS.includes(name) ? name : null
}

export const isEpilogue = (node: Node): node is Node<'composite'> =>
  isOp(node, 'composite') && node.attrs.name === EPILOGUE

/** What may follow a product or convolution, biased or not, in its own kernel; convolutions know relu alone, without keeping the product. */
function mayFollow(activation: string, contraction: Node, kept: boolean): boolean {
  const { op } = isEpilogue(contraction) ? contractionOf(contraction.attrs.body) : contraction
  return op === 'dot_general' || (op === 'convolution' && activation === 'relu' && !kept)
}

/** The contraction, with what follows it already, on other operands. */
export function onOperands(contraction: Node, operands: readonly Value[]): Value {
  if (!isEpilogue(contraction)) return makeNode(contraction.op, operands, contraction.attrs).outputs[0]
  const { body } = contraction.attrs
  return cloneWith(body.results, new Map(body.params.map((param, i) => [param, operands[i]])))[0]
}

/** The contraction on `operands`, followed by `activation`; two results where the product is `kept`. */
function activated(contraction: Node, operands: readonly Value[], activation: Node, kept: boolean): Value[] {
  const params = operands.map(({ shape, dtype }) => apply('parameter', [], { shape, dtype }))
  const product = onOperands(contraction, params)
  const result = makeNode(activation.op, [product], activation.attrs).outputs[0]
  return withEpilogue(operands, activationOf(activation) ?? '', new Graph(params, kept ? [result, product] : [result]))
}

/** Has products apply the activation that reads them. */
function absorbActivations(graph: Graph): Steps<Graph> {
  const readers = new Map<Node, number>()
  const activations = new Map<Node, Node>()
  for (const node of topologicalOrder(graph.results)) {
    for (const { node: input } of node.inputs) readers.set(input, (readers.get(input) ?? 0) + 1)
    const [operand] = node.inputs
    if (activationOf(node) && !activations.has(operand.node)) activations.set(operand.node, node)
  }
  for (const { node } of graph.results) readers.set(node, (readers.get(node) ?? 0) + 1)
  const results = new Map<Node, Value>()
  return rewriteSteps(graph, (node, inputs) => {
    const done = results.get(node)
    if (done) return [done]
    const activation = activations.get(node)
    if (!activation || !(isEpilogue(node) || biasDims(node) !== null)) return null
    const kept = (readers.get(node) ?? 0) > 1
    if (!mayFollow(activationOf(activation) ?? '', node, kept)) return null
    const [result, product] = activated(node, inputs, activation, kept)
    results.set(activation, result)
    // Where nothing else reads the product nothing asks for it again.
    return [product ?? result]
  })
}

/**
 * Joins products and convolutions with the addition of a bias along their last dimensions or features, where nothing else reads the sum
 * without it, and with the activation that follows. Convolutions in f32 take in the whole of a batch norm by given statistics: (y - mean) *
 * scale + shift becomes y * scale + (shift - mean * scale), equal up to the rounding of mean * scale.
 */
export function* absorbEpilogues(graph: Graph): Steps<Graph> {
  return yield* absorbActivations(yield* absorbAffine(graph))
}

/** The contraction in the body of a composite made by {@link absorbEpilogues}. */
export function contractionOf(body: Graph): Node {
  const found = topologicalOrder(body.results).find((node) => node.op === 'dot_general' || node.op === 'convolution')
  if (!found) throw new Error(`${EPILOGUE}: the body holds no contraction`)
  return found
}
