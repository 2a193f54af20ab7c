import { type AttrValue, type DType, sameShape, shapeText } from '../../ir/index.js'
import { composite } from '../control.js'
import { constant, record, type TensorLike } from '../core.js'
import { range, resolveDims } from '../dims.js'
import { add, mul, rsqrt, sub } from '../ops/elementwise.js'
import { defineGradient } from '../ops/gradient-rule.js'
import { mean, sum } from '../ops/reduce.js'
import { reshape } from '../ops/shape.js'
import { cast, toFloat } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { EPSILON, present } from './constants.js'
import type { Layout } from './spatial.js'

export interface NormOptions {
  /** Scale, of the shape of the normalised dimensions. */
  weight?: TensorLike | null
  /** Shift, of the shape of the normalised dimensions. */
  bias?: TensorLike | null
  /** Added to the variance; default 1e-5. */
  eps?: number
}

type Attributes = Readonly<Record<string, AttrValue>>

const axesOf = (attributes: Attributes): number[] => [...(attributes.axes as readonly number[])]
const epsilonOf = (attributes: Attributes): number => attributes.epsilon as number

/** Halves compute in f32: their statistics would not hold in their own precision. */
export const wide = (x: Tensor): Tensor => cast(x, x.dtype === 'f64' ? 'f64' : 'f32')

/** `x` spread over `shape`, its dimensions standing at `axes`. */
const along = (x: Tensor, shape: readonly number[], axes: readonly number[]): Tensor =>
  sameShape(x.shape, shape) ? x : record('broadcast_in_dim', [x], { shape, dims: axes })

const others = (rank: number, axes: readonly number[]): number[] => range(rank).filter((dim) => !axes.includes(dim))

function affine(
  op: string,
  given: TensorLike | null | undefined,
  x: Tensor,
  axes: readonly number[],
  what: string,
): Tensor | null {
  if (given === null || given === undefined) return null
  const value = cast(given, x.dtype)
  const expected = axes.map((axis) => x.shape[axis])
  if (!sameShape(value.shape, expected))
    throw new RangeError(`${op}: the ${what} must have shape ${shapeText(expected)}, got ${shapeText(value.shape)}`)
  return value
}

interface Scaled {
  readonly x: Tensor
  readonly weight: Tensor | null
  readonly bias: Tensor | null
}

function unpack(attributes: Attributes, inputs: readonly Tensor[]): Scaled {
  const [x, ...rest] = inputs
  const weight = attributes.weight ? rest.shift() : null
  return { x, weight: weight ?? null, bias: attributes.bias ? (rest.shift() ?? null) : null }
}

const scaleShift = (y: Tensor, weight: Tensor | null, bias: Tensor | null, axes: readonly number[]): Tensor => {
  const scaled = weight ? mul(y, along(wide(weight), y.shape, axes)) : y
  return bias ? add(scaled, along(wide(bias), y.shape, axes)) : scaled
}

/** (x - mean) / sqrt(variance + eps) over `axes`, and that root's inverse. */
function standardise(x: Tensor, axes: readonly number[], eps: number): { hat: Tensor; inverse: Tensor } {
  const centred = sub(x, mean(x, axes, { keepdim: true }))
  const variance = mean(mul(centred, centred), axes, { keepdim: true })
  const inverse = rsqrt(add(variance, constant(eps, x.dtype)))
  return { hat: mul(centred, inverse), inverse }
}

function layerNormBody(attributes: Attributes): (inputs: Tensor[]) => Tensor[] {
  return (inputs) => {
    const { x, weight, bias } = unpack(attributes, inputs)
    const { hat } = standardise(wide(x), axesOf(attributes), epsilonOf(attributes))
    return [cast(scaleShift(hat, weight, bias, axesOf(attributes)), x.dtype)]
  }
}

/** Inputs ct, x, weight?; results dx, dweight?, dbias?. */
function layerNormGradBody(attributes: Attributes): (inputs: Tensor[]) => Tensor[] {
  return ([ct, x, weight]) => {
    const axes = axesOf(attributes)
    const rest = others(x.ndim, axes)
    const g = wide(ct)
    const { hat, inverse } = standardise(wide(x), axes, epsilonOf(attributes))
    const scaled = attributes.weight ? mul(g, along(wide(weight), g.shape, axes)) : g
    const slope = mean(mul(scaled, hat), axes, { keepdim: true })
    const dx = mul(inverse, sub(sub(scaled, mean(scaled, axes, { keepdim: true })), mul(hat, slope)))
    const dweight = attributes.weight ? sum(mul(g, hat), rest) : null
    const dbias = attributes.bias ? sum(g, rest) : null
    return present(dx, dweight, dbias).map((grad) => cast(grad, x.dtype))
  }
}

defineGradient('layer_norm', ([ct], { attributes, inputs }) => {
  const { x, weight } = unpack(attributes, inputs)
  return composite('layer_norm_grad', attributes, present(ct, x, weight), layerNormGradBody(attributes))
})

function rmsNormBody(attributes: Attributes): (inputs: Tensor[]) => Tensor[] {
  return (inputs) => {
    const { x, weight } = unpack(attributes, inputs)
    const axes = axesOf(attributes)
    const value = wide(x)
    const inverse = rsqrt(
      add(mean(mul(value, value), axes, { keepdim: true }), constant(epsilonOf(attributes), value.dtype)),
    )
    return [cast(scaleShift(mul(value, inverse), weight, null, axes), x.dtype)]
  }
}

/** Inputs ct, x, weight?; results dx, dweight?. */
function rmsNormGradBody(attributes: Attributes): (inputs: Tensor[]) => Tensor[] {
  return ([ct, x, weight]) => {
    const axes = axesOf(attributes)
    const g = wide(ct)
    const value = wide(x)
    const inverse = rsqrt(
      add(mean(mul(value, value), axes, { keepdim: true }), constant(epsilonOf(attributes), value.dtype)),
    )
    const hat = mul(value, inverse)
    const scaled = attributes.weight ? mul(g, along(wide(weight), g.shape, axes)) : g
    const dx = mul(inverse, sub(scaled, mul(hat, mean(mul(scaled, hat), axes, { keepdim: true }))))
    const dweight = attributes.weight ? sum(mul(g, hat), others(x.ndim, axes)) : null
    return present(dx, dweight).map((grad) => cast(grad, x.dtype))
  }
}

defineGradient('rms_norm', ([ct], { attributes, inputs }) => {
  const { x, weight } = unpack(attributes, inputs)
  return composite('rms_norm_grad', attributes, present(ct, x, weight), rmsNormGradBody(attributes))
})

/** The trailing dimensions that a torch-like normalised shape names, checked. */
function trailingAxes(op: string, x: Tensor, normalizedShape: number | readonly number[]): number[] {
  const shape = typeof normalizedShape === 'number' ? [normalizedShape] : normalizedShape
  const from = x.ndim - shape.length
  if (shape.length === 0 || from < 0 || !sameShape(x.shape.slice(from), shape))
    throw new RangeError(
      `${op}: expected an input whose last dimensions are ${shapeText(shape)}, got ${x.dtype}${shapeText(x.shape)}`,
    )
  return range(shape.length).map((i) => from + i)
}

/**
 * Normalises the dimensions `axes` to mean 0 and (biased) variance 1, then scales and shifts.
 * `weight` and `bias` have the shape of those dimensions. Composite `layer_norm`.
 */
export function layerNormAxes(x: TensorLike, axes: number | readonly number[], options: NormOptions = {}): Tensor {
  const input = toFloat(x)
  const dims = resolveDims('layerNorm', axes, input)
  const weight = affine('layerNorm', options.weight, input, dims, 'weight')
  const bias = affine('layerNorm', options.bias, input, dims, 'bias')
  const attributes = { axes: dims, epsilon: options.eps ?? 1e-5, weight: weight !== null, bias: bias !== null }
  return composite('layer_norm', attributes, present(input, weight, bias), layerNormBody(attributes))[0]
}

/**
 * Layer normalisation over the last dimensions, which must be `normalizedShape` (Ba, Kiros & Hinton 2016).
 * @throws RangeError when the input does not end in that shape.
 */
export function layerNorm(
  x: TensorLike,
  normalizedShape: number | readonly number[],
  options: NormOptions = {},
): Tensor {
  const input = toFloat(x)
  return layerNormAxes(input, trailingAxes('layerNorm', input, normalizedShape), options)
}

export interface RmsNormOptions {
  /** Scale, of the shape of the normalised dimensions. */
  weight?: TensorLike | null
  /** Added to the mean square; default the epsilon of the dtype, as torch's. */
  eps?: number | null
}

const rmsEpsilon = (dtype: DType, eps: number | null | undefined): number => eps ?? EPSILON[dtype] ?? 0

/** Divides by the root mean square over `axes`, then scales. Composite `rms_norm`. */
export function rmsNormAxes(x: TensorLike, axes: number | readonly number[], options: RmsNormOptions = {}): Tensor {
  const input = toFloat(x)
  const dims = resolveDims('rmsNorm', axes, input)
  const weight = affine('rmsNorm', options.weight, input, dims, 'weight')
  const attributes = { axes: dims, epsilon: rmsEpsilon(input.dtype, options.eps), weight: weight !== null, bias: false }
  return composite('rms_norm', attributes, present(input, weight), rmsNormBody(attributes))[0]
}

/** Root mean square normalisation over the last dimensions, which must be `normalizedShape` (Zhang & Sennrich 2019). */
export function rmsNorm(
  x: TensorLike,
  normalizedShape: number | readonly number[],
  options: RmsNormOptions = {},
): Tensor {
  const input = toFloat(x)
  return rmsNormAxes(input, trailingAxes('rmsNorm', input, normalizedShape), options)
}

export interface GroupNormOptions {
  /** [channels] */
  weight?: TensorLike | null
  /** [channels] */
  bias?: TensorLike | null
  /** Default 1e-5. */
  eps?: number
  /** Default channelsFirst. */
  layout?: Layout
}

/** Inputs x, weight?, bias?; attributes groups, feature, epsilon, weight, bias. */
function groupNormBody(attributes: Attributes): (inputs: Tensor[]) => Tensor[] {
  return (inputs) => {
    const { x, weight, bias } = unpack(attributes, inputs)
    const feature = attributes.feature as number
    const groups = attributes.groups as number
    const { shape } = x
    const split = reshape(x, [...shape.slice(0, feature), groups, shape[feature] / groups, ...shape.slice(feature + 1)])
    const axes = range(split.ndim).filter((dim) => dim !== 0 && dim !== feature)
    const hat = reshape(layerNormAxes(split, axes, { eps: epsilonOf(attributes) }), shape)
    return [cast(scaleShift(wide(hat), weight, bias, [feature]), x.dtype)]
  }
}

/**
 * Normalises each group of channels of each sample over the group and all spatial dimensions (Wu & He 2018). Composite `group_norm`.
 * @throws RangeError when the channels do not divide into `groups`.
 */
export function groupNorm(x: TensorLike, groups: number, options: GroupNormOptions = {}): Tensor {
  const input = toFloat(x)
  const feature = options.layout === 'channelsLast' ? input.ndim - 1 : 1
  if (input.ndim < 2 || !(groups >= 1) || input.shape[feature] % groups !== 0)
    throw new RangeError(
      `groupNorm: channels of ${shapeText(input.shape)} (dimension ${feature}) do not divide into ${groups} groups`,
    )
  const weight = affine('groupNorm', options.weight, input, [feature], 'weight')
  const bias = affine('groupNorm', options.bias, input, [feature], 'bias')
  const epsilon = options.eps ?? 1e-5
  const attributes = { groups, feature, epsilon, weight: weight !== null, bias: bias !== null }
  return composite('group_norm', attributes, present(input, weight, bias), groupNormBody(attributes))[0]
}

/** Normalises each channel of each sample over its spatial dimensions (Ulyanov et al. 2016). */
export function instanceNorm(x: TensorLike, options: GroupNormOptions = {}): Tensor {
  const input = toFloat(x)
  if (input.ndim < 3)
    throw new RangeError(`instanceNorm: expected [batch, channels, ...spatial], got ${shapeText(input.shape)}`)
  return groupNorm(input, input.shape[options.layout === 'channelsLast' ? input.ndim - 1 : 1], options)
}

export { type Attributes, affine, along, axesOf, epsilonOf, others, scaleShift, unpack }
