import { type AttrValue, type Node, type OpAttrs, type OpName, sizeOf } from '../../ir/index.js'
import { ACTIVATIONS, contractionOf, EPILOGUE } from '../../passes/epilogue.js'
import { CLUSTER } from '../../passes/group.js'
import { convolutionInts, lowerComposite, windowInts } from './composites.js'
import { lowerCall, lowerScan, lowerWhile } from './control.js'
import { type DimOrder, permuteWindow } from './layout.js'
import type { Lowering, LowerRule } from './lower.js'
import { sliceView, transposeView, type View } from './view.js'

type Rule = (lowering: Lowering, node: Node) => void

/** Movement ops change how memory is read; only a reshape that strides cannot say copies. */
const view: Rule = (lowering, node) => {
  const moved = lowering.movement(node)
  if (moved) return lowering.bind(node.outputs[0], moved)
  const [value] = node.inputs
  lowering.bind(node.outputs[0], { ...lowering.dense(value, node.op), ...dense(node) })
}

const dense = (node: Node): { shape: readonly number[]; strides: number[] } => {
  const { shape } = node.outputs[0]
  const strides = new Array<number>(shape.length)
  let stride = 1
  for (let d = shape.length - 1; d >= 0; d--) {
    strides[d] = stride
    stride *= shape[d]
  }
  return { shape, strides }
}

/** One kernel over the operands as they lie, with integer attributes from `ints`. */
const kernel =
  <K extends OpName>(
    name: string | ((attrs: OpAttrs[K]) => string),
    ints: (attrs: OpAttrs[K], node: Node) => number[],
    inPlace = false,
  ): LowerRule<K> =>
  (lowering, node) => {
    const inputs = node.inputs.map((input) => lowering.view(input))
    const outputs = node.outputs.map((output) => lowering.result(output))
    if (node.outputs.every((output) => sizeOf(output.shape) === 0)) return
    const chosen = typeof name === 'string' ? name : name(node.attrs)
    lowering.kernel(chosen, node.op, inputs, outputs, ints(node.attrs, node), inPlace ? [{ out: 0, in: 0 }] : [])
  }

/** One kernel that is told the dims in the order in which its first operand lies in memory: it works along them. */
const alongMemory =
  <K extends OpName>(
    name: (attrs: OpAttrs[K]) => string,
    ints: (attrs: OpAttrs[K], order: DimOrder) => number[],
  ): LowerRule<K> =>
  (lowering, node) => {
    const [output] = node.outputs
    const order = lowering.orderOf(node)
    const out = lowering.result(output, order)
    if (sizeOf(output.shape) === 0) return
    const dims = order ?? output.shape.map((_, d) => d)
    const arrange = (view: View): View => (view.shape.length === dims.length ? transposeView(view, dims) : view)
    const inputs = node.inputs.map((input) => arrange(lowering.view(input)))
    lowering.kernel(name(node.attrs), node.op, inputs, [arrange(out)], ints(node.attrs, dims))
  }

const none = (): number[] => []

/** Elementwise ops reach the backend in clusters only. */
const clustered: Rule = (_lowering, node) => {
  throw new Error(`${node.op} was not gathered into a cluster`)
}

const ascending = (dims: readonly number[]): number[] => [...dims].sort((a, b) => a - b)
const list = (items: readonly number[]): number[] => [items.length, ...items]

const concatenate: LowerRule<'concatenate'> = (lowering, node) => {
  const out = lowering.result(node.outputs[0], lowering.orderOf(node))
  const { dimension } = node.attrs
  let at = 0
  for (const input of node.inputs) {
    const extent = input.shape[dimension]
    const start = out.shape.map((_, d) => (d === dimension ? at : 0))
    const limit = out.shape.map((size, d) => (d === dimension ? at + extent : size))
    at += extent
    if (sizeOf(input.shape) === 0) continue
    lowering.copy(
      lowering.view(input),
      sliceView(out, { start, limit, strides: out.shape.map(() => 1) }),
      'concatenate',
    )
  }
}

const NOTHING_FOLLOWS = { activation: ACTIVATIONS.indexOf('none') }

/** A product or convolution with what follows it: see {@link EPILOGUE}. */
function contraction(
  lowering: Lowering,
  node: Node,
  { op, attrs }: Node,
  { activation, addend }: Readonly<Record<string, AttrValue>>,
): void {
  const order = lowering.orderOf(node)
  const outputs = node.outputs.map((output) => lowering.result(output, order))
  if (sizeOf(outputs[0].shape) === 0) return
  const ints =
    op === 'convolution' ? convolutionInts(attrs as OpAttrs['convolution']) : dotInts(attrs as OpAttrs['dot_general'])
  const last = addend ? node.inputs.length - 1 : -1
  const inputs = node.inputs.map((input, i) => (i === last ? lowering.dense(input, op) : lowering.view(input)))
  const following = addend ? [activation as number, 1] : [activation as number]
  lowering.kernel(op, op, inputs, outputs, [...ints.slice(0, -1), ...following])
}

/** See native/kernels/dot_general.h; no activation. */
const dotInts = (attrs: OpAttrs['dot_general']): number[] => [
  attrs.lhs_batch.length,
  attrs.lhs_contract.length,
  ...attrs.lhs_batch,
  ...attrs.rhs_batch,
  ...attrs.lhs_contract,
  ...attrs.rhs_contract,
  0,
]

const composite: LowerRule<'composite'> = (lowering, node) => {
  const { name, body, attributes } = node.attrs
  if (name === CLUSTER) return lowering.cluster(node, body)
  if (name === EPILOGUE) return contraction(lowering, node, contractionOf(body), attributes)
  lowerComposite(lowering, node, name, attributes)
}

/** What every op becomes. */
export const RULES: { readonly [K in OpName]: LowerRule<K> } = {
  parameter: () => {},
  constant: (lowering, node) => {
    const { data, dtype, shape } = node.attrs
    lowering.bind(node.outputs[0], lowering.builder.constant(data, dtype, shape))
  },
  iota: kernel('iota', ({ dimension }) => [dimension]),

  negate: clustered,
  abs: clustered,
  sign: clustered,
  floor: clustered,
  ceil: clustered,
  round_nearest_even: clustered,
  exponential: clustered,
  exponential_minus_one: clustered,
  log: clustered,
  log_plus_one: clustered,
  sqrt: clustered,
  rsqrt: clustered,
  sine: clustered,
  cosine: clustered,
  tangent: clustered,
  tanh: clustered,
  erf: clustered,
  erfc: clustered,
  erf_inv: clustered,
  lgamma: clustered,
  digamma: clustered,
  not: clustered,
  convert: clustered,
  bitcast_convert: clustered,
  add: clustered,
  subtract: clustered,
  multiply: clustered,
  divide: clustered,
  remainder: clustered,
  power: clustered,
  maximum: clustered,
  minimum: clustered,
  atan2: clustered,
  and: clustered,
  or: clustered,
  xor: clustered,
  shift_left: clustered,
  shift_right_logical: clustered,
  shift_right_arithmetic: clustered,
  compare: clustered,
  select: clustered,

  reshape: view,
  transpose: view,
  broadcast_in_dim: view,
  slice: view,
  reverse: view,
  pad: alongMemory(
    () => 'pad',
    ({ low, high, interior }, order) => [low, high, interior].flatMap((list) => order.map((dim) => list[dim])),
  ),
  concatenate,

  gather: kernel('gather', (attrs) => [
    ...list(attrs.offset_dims),
    ...list(attrs.collapsed_slice_dims),
    ...list(attrs.start_index_map),
    ...attrs.slice_sizes,
  ]),
  scatter: kernel(
    ({ kind }) => `scatter_${kind}`,
    (attrs) => [
      ...list(attrs.update_window_dims),
      ...list(attrs.inserted_window_dims),
      ...list(attrs.scatter_dims_to_operand_dims),
    ],
    true,
  ),
  dynamic_slice: kernel('dynamic_slice', none),
  dynamic_update_slice: kernel('dynamic_update_slice', none, true),
  sort: kernel('sort', ({ dimension, descending }) => [dimension, descending ? 1 : 0]),

  dot_general: kernel('dot_general', dotInts),
  convolution: (lowering, node) => contraction(lowering, node, node, NOTHING_FOLLOWS),
  reduce: kernel(
    ({ kind }) => `reduce_${kind}`,
    ({ dimensions }) => ascending(dimensions),
  ),
  reduce_window: alongMemory(
    ({ kind }) => `reduce_window_${kind}`,
    (attrs, order) => windowInts(permuteWindow(attrs, order)),
  ),

  while: lowerWhile,
  scan: lowerScan,
  call: lowerCall,

  stop_gradient: view,
  optimization_barrier: (lowering, node) => {
    node.outputs.forEach((output, i) => {
      lowering.bind(output, lowering.view(node.inputs[i]))
    })
  },
  composite,
}
