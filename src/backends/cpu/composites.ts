import { type AttrValue, type ConvAttrs, isFloat, type Node, sizeOf, type WindowAttrs } from '../../ir/index.js'
import { functionOf } from '../../passes/functions.js'
import { type DimOrder, permuteWindow } from './layout.js'
import type { Lowering } from './lower.js'
import type { InPlace } from './program.js'
import { transposeView, type View } from './view.js'

type Attributes = Readonly<Record<string, AttrValue>>
type CompositeNode = Node<'composite'>

/** How a composite runs as one kernel over its operands as they lie. */
export interface CompositeRule {
  /** The kernel, if it does not bear the composite's name. */
  readonly kernel?: (attributes: Attributes) => string
  readonly ints: (attributes: Attributes) => number[]
  readonly floats?: (attributes: Attributes) => number[]
  /** Operands that the kernel takes; others run by the body. */
  readonly accepts?: (node: CompositeNode) => boolean
  /** Operands that the kernel walks in memory order, all (true) or those of these indices: others are copied first. */
  readonly dense?: boolean | readonly number[]
  /** For kernels that work along their dims: the attributes for operands that lie in another order, as the first result then does. */
  readonly along?: (attributes: Attributes, order: DimOrder) => Attributes
  /** Results that may lie over operands, where the kernel is `dense`. */
  readonly inPlace?: readonly InPlace[]
}

const floating = ({ inputs }: CompositeNode): boolean => isFloat(inputs[0].dtype)
const list = (value: AttrValue): readonly number[] => value as readonly number[]
const number = (value: AttrValue): number => value as number
const flag = (value: AttrValue | undefined): number => (value ? 1 : 0)

/** See native/kernels/conv_shape.h. */
export const convolutionInts = (attrs: ConvAttrs): number[] => [
  attrs.input_spatial.length,
  attrs.input_batch,
  attrs.input_feature,
  ...attrs.input_spatial,
  attrs.kernel_input_feature,
  attrs.kernel_output_feature,
  ...attrs.kernel_spatial,
  attrs.output_batch,
  attrs.output_feature,
  ...attrs.output_spatial,
  ...attrs.window_strides,
  ...attrs.padding.map(([low]) => low),
  ...attrs.padding.map(([, high]) => high),
  ...attrs.lhs_dilation,
  ...attrs.rhs_dilation,
  attrs.feature_group_count,
  attrs.batch_group_count,
  0,
]

/** See native/kernels/window.h. */
export const windowInts = (attrs: WindowAttrs): number[] => [
  ...attrs.window_dimensions,
  ...attrs.window_strides,
  ...attrs.padding.map(([low]) => low),
  ...attrs.padding.map(([, high]) => high),
  ...attrs.base_dilation,
  ...attrs.window_dilation,
]

const alongDim: CompositeRule = { ints: ({ dim }) => [number(dim)], accepts: floating }
const convGrad: CompositeRule = {
  ints: (attributes) => convolutionInts(attributes as unknown as ConvAttrs),
  accepts: (node) => list(node.attrs.attributes.input_spatial).length <= 3,
}
const norm: CompositeRule = {
  ints: ({ weight, bias, axes }) => [flag(weight), flag(bias), ...list(axes)],
  floats: ({ epsilon }) => [number(epsilon)],
  accepts: floating,
}
const batchNorm: CompositeRule = {
  ints: ({ feature, weight, bias }) => [number(feature), flag(weight), flag(bias)],
  floats: ({ epsilon }) => [number(epsilon)],
  accepts: floating,
}
const crossEntropy: CompositeRule = {
  ints: ({ ignore_index, weight }) => [number(ignore_index), flag(weight)],
  floats: ({ label_smoothing }) => [number(label_smoothing)],
  accepts: floating,
}
/** See native/kernels/recurrent.h. Halves, and gradients of gradients, run by the body. */
const recurrent = (dense: readonly number[], inPlace: readonly InPlace[] = []): CompositeRule => ({
  ints: ({ reverse, mask, relu }) => [flag(reverse), flag(mask), flag(relu)],
  accepts: ({ inputs, attrs }) => ['f32', 'f64'].includes(inputs[0].dtype) && !attrs.attributes.dgates,
  dense,
  inPlace,
})
/** See native/kernels/linear_cross_entropy.h. */
const linearCrossEntropy: CompositeRule = {
  ints: ({ ignore_index, bias }) => [number(ignore_index), flag(bias)],
  accepts: ({ inputs }) => inputs[0].dtype === 'f32',
}
const MASK_KINDS: readonly AttrValue[] = ['none', 'bool', 'additive']
/** See native/kernels/attention_blocks.h. */
const attention: CompositeRule = {
  ints: ({ causal, mask, key_lengths, query_starts, keep }) => [
    flag(causal),
    MASK_KINDS.indexOf(mask),
    flag(key_lengths),
    flag(query_starts),
    flag(keep),
  ],
  floats: ({ scale, keep_scale }) => [number(scale), number(keep_scale)],
  accepts: ({ inputs, attrs }) => inputs[0].dtype === 'f32' && !attrs.attributes.mask_grad,
}
const cumulative: CompositeRule = { ints: ({ dim }) => [number(dim)] }

/** Composites that run as one kernel. Every other runs by its body. */
export const NATIVE_COMPOSITES: Readonly<Record<string, CompositeRule>> = {
  softmax: alongDim,
  log_softmax: alongDim,
  softmax_grad: alongDim,
  log_softmax_grad: alongDim,
  layer_norm: norm,
  rms_norm: norm,
  layer_norm_grad: norm,
  rms_norm_grad: norm,
  // Split in two by passes/batch-norm.ts before it is lowered.
  batch_norm_train: batchNorm,
  batch_norm_statistics: { ints: ({ feature }) => [number(feature)] },
  batch_norm_grad: batchNorm,
  softmax_cross_entropy: crossEntropy,
  softmax_cross_entropy_grad: { ...crossEntropy, accepts: (node) => node.outputs.length === 1 && floating(node) },
  linear_cross_entropy: linearCrossEntropy,
  linear_cross_entropy_grad: linearCrossEntropy,
  sdpa: attention,
  sdpa_grad: attention,
  conv_input_grad: convGrad,
  conv_weight_grad: convGrad,
  max_pool_grad: {
    kernel: ({ kind }) => `${kind}_pool_grad`,
    ints: (attributes) => windowInts(attributes as unknown as WindowAttrs),
    along: (attributes, order) => permuteWindow(attributes as unknown as WindowAttrs, order) as unknown as Attributes,
    accepts: floating,
  },
  lstm: recurrent([0], [{ out: 2, in: 0 }]),
  lstm_grad: recurrent([2, 3], [{ out: 0, in: 3 }]),
  gru: recurrent([0], [{ out: 1, in: 0 }]),
  gru_grad: recurrent(
    [1, 2, 3],
    [
      { out: 0, in: 2 },
      { out: 1, in: 3 },
    ],
  ),
  rnn: recurrent([0], [{ out: 0, in: 0 }]),
  rnn_grad: recurrent([1]),
  linear_int8: {
    ints: () => [],
    accepts: ({ inputs: [x, weight] }) => x.dtype === 'f32' && weight.dtype === 'i8',
    dense: true,
  },
  cumsum: cumulative,
  cumprod: cumulative,
  logcumsumexp: alongDim,
  cummax: cumulative,
  cummin: cumulative,
  top_k: { ints: ({ dim, k, largest }) => [number(dim), number(k), flag(largest)] },
  random_bits: { ints: () => [] },
  adam: {
    ints: ({ decay }) => [number(decay)],
    accepts: ({ inputs }) =>
      ['f32', 'f64'].includes(inputs[0].dtype) && inputs.every(({ dtype }) => dtype === inputs[0].dtype),
    dense: true,
    inPlace: [
      { out: 0, in: 0 },
      { out: 1, in: 2 },
      { out: 2, in: 3 },
    ],
  },
}

/** Whether the backend runs this composite as one kernel, or as one instruction of a cluster. */
export function runsNatively(name: string, node: CompositeNode): boolean {
  if (functionOf(node) !== null) return node.inputs[0].dtype === 'f32'
  const rule = Object.hasOwn(NATIVE_COMPOSITES, name) ? NATIVE_COMPOSITES[name] : undefined
  return rule !== undefined && (rule.accepts?.(node) ?? true)
}

export function lowerComposite(lowering: Lowering, node: Node, name: string, attributes: Attributes): void {
  const rule = NATIVE_COMPOSITES[name]
  const { dense = false } = rule
  const walks = (i: number): boolean => (typeof dense === 'boolean' ? dense : dense.includes(i))
  const order = lowering.orderOf(node)
  const arrange = (view: View): View => (order && rule.along ? transposeView(view, order) : view)
  const inputs = node.inputs.map((input, i) => (walks(i) ? lowering.dense(input, name) : arrange(lowering.view(input))))
  const outputs = node.outputs.map((output, i) => arrange(lowering.result(output, i === 0 ? order : null)))
  if (node.outputs.every((output) => sizeOf(output.shape) === 0)) return
  lowering.builder.emit({
    kernel: rule.kernel?.(attributes) ?? name,
    op: name,
    in: inputs,
    out: outputs,
    ints: rule.ints(order && rule.along ? rule.along(attributes, order) : attributes),
    floats: rule.floats?.(attributes) ?? [],
    inPlace: rule.inPlace ?? [],
  })
}
