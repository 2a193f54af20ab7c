import { type AttrValue, apply, type ConvAttrs, dilated, type Padding, type Shape, type Value } from '../../ir/index.js'
import * as e from '../emit.js'

const pick = (shape: Shape, dims: readonly number[]): number[] => dims.map((dim) => shape[dim])

/** Padding of the convolution (or window sum) of the cotangent that gives the gradient of the input. */
export function inputGradPadding(
  input: Shape,
  kernel: Shape,
  output: Shape,
  attrs: Pick<ConvAttrs, 'padding' | 'window_strides' | 'lhs_dilation' | 'rhs_dilation'>,
): Padding {
  return input.map((n, i) => {
    const window = dilated(kernel[i], attrs.rhs_dilation[i])
    const low = window - attrs.padding[i][0] - 1
    const span = dilated(n, attrs.lhs_dilation[i]) + window - 1
    return [low, span - dilated(output[i], attrs.window_strides[i]) - low] as const
  })
}

/** Moves `groups` equal parts of dimension `from` to the front of dimension `to`. */
function moveGroups(x: Value, groups: number, from: number, to: number): Value {
  const split = e.reshape(x, [...x.shape.slice(0, from), groups, x.shape[from] / groups, ...x.shape.slice(from + 1)])
  const order = split.shape.map((_, dim) => dim).filter((dim) => dim !== from)
  order.splice(to, 0, from)
  const merged = x.shape.map((n, dim) => (dim === from ? n / groups : dim === to ? n * groups : n))
  return e.reshape(e.transpose(split, order), merged)
}

/** Gradient of the input: the cotangent, dilated by the strides, convolved with the flipped kernel. */
function inputGradBody(ct: Value, kernel: Value, input: Shape, attrs: ConvAttrs): Value {
  const batchGroups = attrs.batch_group_count
  const groups = Math.max(attrs.feature_group_count, batchGroups)
  const grouped =
    groups > 1 ? moveGroups(kernel, groups, attrs.kernel_output_feature, attrs.kernel_input_feature) : kernel
  const flipped = apply('reverse', [grouped], { dimensions: attrs.kernel_spatial })
  const grad = apply('convolution', [ct, flipped], {
    ...attrs,
    input_batch: attrs.output_batch,
    input_feature: attrs.output_feature,
    input_spatial: attrs.output_spatial,
    kernel_input_feature: attrs.kernel_output_feature,
    kernel_output_feature: attrs.kernel_input_feature,
    output_batch: attrs.input_batch,
    output_feature: attrs.input_feature,
    output_spatial: attrs.input_spatial,
    window_strides: attrs.lhs_dilation,
    lhs_dilation: attrs.window_strides,
    padding: inputGradPadding(
      pick(input, attrs.input_spatial),
      pick(kernel.shape, attrs.kernel_spatial),
      pick(ct.shape, attrs.output_spatial),
      attrs,
    ),
    feature_group_count: groups,
    batch_group_count: 1,
  })
  return batchGroups > 1 ? moveGroups(grad, batchGroups, attrs.input_feature, attrs.input_batch) : grad
}

/** Gradient of the kernel: the input convolved with the cotangent, batch and features exchanged. */
function weightGradBody(x: Value, ct: Value, kernel: Shape, attrs: ConvAttrs): Value {
  const padding = attrs.input_spatial.map((dim, i) => {
    const [low] = attrs.padding[i]
    const output = dilated(ct.shape[attrs.output_spatial[i]], attrs.window_strides[i])
    const window = dilated(kernel[attrs.kernel_spatial[i]], attrs.rhs_dilation[i])
    return [low, output - dilated(x.shape[dim], attrs.lhs_dilation[i]) + window - low - 1] as const
  })
  return apply('convolution', [x, ct], {
    input_batch: attrs.input_feature,
    input_feature: attrs.input_batch,
    input_spatial: attrs.input_spatial,
    kernel_input_feature: attrs.output_batch,
    kernel_output_feature: attrs.output_feature,
    kernel_spatial: attrs.output_spatial,
    output_batch: attrs.kernel_input_feature,
    output_feature: attrs.kernel_output_feature,
    output_spatial: attrs.kernel_spatial,
    window_strides: attrs.rhs_dilation,
    rhs_dilation: attrs.window_strides,
    lhs_dilation: attrs.lhs_dilation,
    padding,
    feature_group_count: attrs.batch_group_count,
    batch_group_count: attrs.feature_group_count,
  })
}

const attributesOf = (attrs: ConvAttrs, shape: Shape): Readonly<Record<string, AttrValue>> => ({ ...attrs, shape })

/**
 * Composite `conv_input_grad`(cotangent, kernel): gradient of a convolution's input.
 * Attributes: those of the forward convolution, and `shape` of the result.
 */
export const convInputGrad = (ct: Value, kernel: Value, input: Shape, attrs: ConvAttrs): Value =>
  e.composite('conv_input_grad', attributesOf(attrs, input), [ct, kernel], (g, w) => [
    inputGradBody(g, w, input, attrs),
  ])[0]

/**
 * Composite `conv_weight_grad`(input, cotangent): gradient of a convolution's kernel.
 * Attributes: those of the forward convolution, and `shape` of the result.
 */
export const convWeightGrad = (x: Value, ct: Value, kernel: Shape, attrs: ConvAttrs): Value =>
  e.composite('conv_weight_grad', attributesOf(attrs, kernel), [x, ct], (v, g) => [
    weightGradBody(v, g, kernel, attrs),
  ])[0]
