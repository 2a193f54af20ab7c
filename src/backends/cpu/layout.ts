import { type ConvAttrs, type DType, isOp, type Node, type OpAttrs, type Shape, type Value } from '../../ir/index.js'
import { contractionOf, EPILOGUE } from '../../passes/epilogue.js'
import { CLUSTER } from '../../passes/group.js'
import type { Storage, View } from './view.js'

/** Dimensions as memory holds them, outermost first. */
export type DimOrder = readonly number[]

/** Results with fewer features stay as they are: vectors over features would be mostly empty. */
const MIN_FEATURES = 16

/** Attributes of a convolution, or of the gradient of one, and which operands and dims of the result are data. */
interface Convolving {
  readonly attrs: ConvAttrs
  /** Operands that are data rather than kernels. */
  readonly data: readonly number[]
  /** Batch, spatial dimensions and features of a result that is data. */
  readonly result: DimOrder | null
}

const inputOrder = (attrs: ConvAttrs): DimOrder => [attrs.input_batch, ...attrs.input_spatial, attrs.input_feature]
const outputOrder = (attrs: ConvAttrs): DimOrder => [attrs.output_batch, ...attrs.output_spatial, attrs.output_feature]

const CONV_COMPOSITES: Readonly<Record<string, (node: Node<'composite'>) => Convolving | null>> = {
  [EPILOGUE]: (node) => convolving(contractionOf(node.attrs.body)),
  conv_input_grad: ({ attrs: { attributes } }) => {
    const attrs = attributes as unknown as ConvAttrs
    return { attrs, data: [0], result: inputOrder(attrs) }
  },
  conv_weight_grad: ({ attrs: { attributes } }) => ({
    attrs: attributes as unknown as ConvAttrs,
    data: [0, 1],
    result: null,
  }),
}

function convolving(node: Node): Convolving | null {
  if (isOp(node, 'convolution')) return { attrs: node.attrs, data: [0], result: outputOrder(node.attrs) }
  if (!isOp(node, 'composite') || !Object.hasOwn(CONV_COMPOSITES, node.attrs.name)) return null
  return CONV_COMPOSITES[node.attrs.name](node as unknown as Node<'composite'>)
}

/** Composites that take over how an operand lies in memory, with the operands that decide. */
const FOLLOWING: Readonly<Record<string, readonly number[]>> = {
  batch_norm_grad: [0, 1],
  max_pool_grad: [0, 1],
}

/** Operands whose order in memory the first result of `node` takes over; null for nodes that write in the order of their dims. */
export function followedOperands(node: Node): readonly Value[] | null {
  if (isOp(node, 'reduce_window') || isOp(node, 'pad')) return [node.inputs[0]]
  if (isOp(node, 'concatenate')) return node.inputs
  if (!isOp(node, 'composite')) return null
  if (node.attrs.name === CLUSTER) return node.inputs
  const operands = Object.hasOwn(FOLLOWING, node.attrs.name) ? FOLLOWING[node.attrs.name] : null
  return operands?.map((i) => node.inputs[i]) ?? null
}

/**
 * Values that a convolution or a gradient of one will read, be it after elementwise work, batch norm or pooling: they are worth
 * holding with features innermost. `order` must be topological.
 */
export function valuesForConvolutions(order: readonly Node[]): ReadonlySet<Value> {
  const wanted = new Set<Value>()
  for (const node of [...order].reverse()) {
    const conv = convolving(node)
    if (conv) for (const i of conv.data) wanted.add(node.inputs[i])
    const followed = node.outputs.some((output) => wanted.has(output)) ? followedOperands(node) : null
    for (const operand of followed ?? []) wanted.add(operand)
  }
  return wanted
}

/**
 * The order in which a convolution, or the gradient of one, should write a result that other convolutions read: positions outside,
 * features inside, in which the kernels read and write whole vectors of features. Groups of features do so where their input does
 * (`isOrdered`). Null where the order of the dims serves.
 */
export function convolutionOrder(node: Node, isOrdered: (value: Value) => boolean): DimOrder | null {
  const conv = convolving(node)
  const [{ dtype, shape }] = node.outputs
  if (!conv?.result || dtype !== 'f32' || isAscending(conv.result)) return null
  const { feature_group_count, batch_group_count } = conv.attrs
  if (shape[conv.result[conv.result.length - 1]] < MIN_FEATURES || batch_group_count !== 1) return null
  return feature_group_count === 1 || isOrdered(node.inputs[conv.data[0]]) ? conv.result : null
}

export const isAscending = (order: DimOrder): boolean => order.every((dim, i) => dim === i)

/** A whole storage whose dims lie in `order`. */
export function orderedView(storage: Storage, dtype: DType, shape: Shape, order: DimOrder): View {
  const strides = new Array<number>(shape.length)
  let stride = 1
  for (const dim of [...order].reverse()) {
    strides[dim] = stride
    stride *= shape[dim]
  }
  return { storage, dtype, shape, strides, offset: 0 }
}

/** The order in which the dims of a view lie in memory; dims of one stride stay in their own order. */
export const memoryOrder = ({ strides }: View): DimOrder =>
  strides.map((_, d) => d).sort((a, b) => Math.abs(strides[b]) - Math.abs(strides[a]) || a - b)

/** Attributes of a window with dims in another order. */
export function permuteWindow<A extends Omit<OpAttrs['reduce_window'], 'kind'>>(attrs: A, order: DimOrder): A {
  const permute = <T>(list: readonly T[]): T[] => order.map((dim) => list[dim])
  return {
    ...attrs,
    window_dimensions: permute(attrs.window_dimensions),
    window_strides: permute(attrs.window_strides),
    padding: permute(attrs.padding),
    base_dilation: permute(attrs.base_dilation),
    window_dilation: permute(attrs.window_dilation),
  }
}
