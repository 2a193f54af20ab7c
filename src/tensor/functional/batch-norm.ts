import { shapeText, sizeOf } from '../../ir/index.js'
import { composite } from '../control.js'
import { constant, record, type TensorLike } from '../core.js'
import { range } from '../dims.js'
import { add, mul, rsqrt, sub, trueDivide } from '../ops/elementwise.js'
import { defineGradient } from '../ops/gradient-rule.js'
import { mean, sum } from '../ops/reduce.js'
import { cast, toFloat } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { present } from './constants.js'
import { type Attributes, affine, along, epsilonOf, scaleShift, unpack, wide } from './norm.js'
import type { Layout } from './spatial.js'

export interface BatchNormOptions {
  /** Scale [channels]. */
  weight?: TensorLike | null
  /** Shift [channels]. */
  bias?: TensorLike | null
  /** Added to the variance; default 1e-5. */
  eps?: number
  /** Default channelsFirst: channels in dimension 1. */
  layout?: Layout
}

/** A batch normalised by its own statistics, with those: mean and biased variance, [channels]. */
export interface BatchNormStatistics {
  readonly output: Tensor
  readonly mean: Tensor
  readonly variance: Tensor
}

const featureOf = (x: Tensor, layout: Layout | undefined): number => (layout === 'channelsLast' ? x.ndim - 1 : 1)

const featureAttribute = (attributes: Attributes): number => attributes.feature as number

/**
 * Normalises each channel by given statistics, as in evaluation: (x - mean) / sqrt(variance + eps) * weight + bias.
 * @param runningMean [channels]
 * @param runningVar [channels]
 */
export function batchNorm(
  x: TensorLike,
  runningMean: TensorLike,
  runningVar: TensorLike,
  options: BatchNormOptions = {},
): Tensor {
  const input = toFloat(x)
  const axes = [featureOf(input, options.layout)]
  const [weight, bias, centre, variance] = [
    affine('batchNorm', options.weight, input, axes, 'weight'),
    affine('batchNorm', options.bias, input, axes, 'bias'),
    affine('batchNorm', runningMean, input, axes, 'running mean') as Tensor,
    affine('batchNorm', runningVar, input, axes, 'running variance') as Tensor,
  ]
  const inverse = rsqrt(add(wide(variance), constant(options.eps ?? 1e-5, wide(variance).dtype)))
  const value = wide(input)
  const hat = sub(value, along(wide(centre), value.shape, axes))
  const scale = weight ? mul(inverse, wide(weight)) : inverse
  return cast(scaleShift(hat, scale, bias, axes), input.dtype)
}

/** Inputs x, weight?, bias?; results y, mean, variance. */
function batchNormBody(attributes: Attributes): (inputs: Tensor[]) => Tensor[] {
  return (inputs) => {
    const { x, weight, bias } = unpack(attributes, inputs)
    const feature = featureAttribute(attributes)
    const axes = range(x.ndim).filter((dim) => dim !== feature)
    const value = wide(x)
    const centre = mean(value, axes)
    const centred = sub(value, along(centre, value.shape, [feature]))
    const variance = mean(mul(centred, centred), axes)
    const inverse = rsqrt(add(variance, constant(epsilonOf(attributes), value.dtype)))
    const y = scaleShift(mul(centred, along(inverse, value.shape, [feature])), weight, bias, [feature])
    return [cast(y, x.dtype), centre, variance]
  }
}

/** Inputs ct, x, mean, variance, weight?; results dx, dweight?, dbias?. */
function batchNormGradBody(attributes: Attributes): (inputs: Tensor[]) => Tensor[] {
  return ([ct, x, centre, variance, weight]) => {
    const feature = featureAttribute(attributes)
    const axes = range(x.ndim).filter((dim) => dim !== feature)
    const g = wide(ct)
    const spread = (v: Tensor): Tensor => along(v, g.shape, [feature])
    const inverse = rsqrt(add(variance, constant(epsilonOf(attributes), g.dtype)))
    const hat = mul(sub(wide(x), spread(centre)), spread(inverse))
    const total = sum(g, axes)
    const slope = sum(mul(g, hat), axes)
    const count = constant(sizeOf(axes.map((dim) => x.shape[dim])), g.dtype)
    const scale = attributes.weight ? mul(inverse, wide(weight)) : inverse
    const inner = sub(sub(g, spread(trueDivide(total, count))), mul(hat, spread(trueDivide(slope, count))))
    const dx = mul(inner, spread(scale))
    return present(dx, attributes.weight ? slope : null, attributes.bias ? total : null).map((grad) =>
      cast(grad, x.dtype),
    )
  }
}

/** What reaches x through the statistics, which are results of their own. */
function statisticsGrad(
  x: Tensor,
  centre: Tensor,
  feature: number,
  dmean: Tensor | null,
  dvariance: Tensor | null,
): Tensor | null {
  if (!dmean && !dvariance) return null
  const count = constant(x.size / x.shape[feature], centre.dtype)
  const spread = (v: Tensor): Tensor => along(v, x.shape, [feature])
  const fromMean = dmean ? spread(trueDivide(dmean, count)) : null
  if (!dvariance) return fromMean
  const twice = mul(trueDivide(dvariance, count), constant(2, centre.dtype))
  const fromVariance = mul(sub(wide(x), spread(centre)), spread(twice))
  return fromMean ? add(fromMean, fromVariance) : fromVariance
}

defineGradient('batch_norm_train', ([ct, dmean, dvariance], { attributes, inputs, outputs }) => {
  const { x, weight } = unpack(attributes, inputs)
  const [, centre, variance] = outputs
  const feature = featureAttribute(attributes)
  const through = statisticsGrad(x, centre, feature, dmean, dvariance)
  if (!ct) return inputs.map((_, i) => (i === 0 && through ? cast(through, x.dtype) : null))
  const [dx, ...rest] = composite(
    'batch_norm_grad',
    attributes,
    present(ct, x, centre, variance, weight),
    batchNormGradBody(attributes),
  )
  return [through ? add(dx, cast(through, x.dtype)) : dx, ...rest]
})

/**
 * Normalises each channel by the mean and biased variance of the batch, as in training (Ioffe & Szegedy 2015).
 * Composite `batch_norm_train`. Running statistics: {@link runningStatistics}.
 */
export function batchNormTrain(x: TensorLike, options: BatchNormOptions = {}): BatchNormStatistics {
  const input = toFloat(x)
  const feature = featureOf(input, options.layout)
  if (input.ndim < 2)
    throw new RangeError(`batchNorm: expected [batch, channels, ...spatial], got ${shapeText(input.shape)}`)
  const weight = affine('batchNorm', options.weight, input, [feature], 'weight')
  const bias = affine('batchNorm', options.bias, input, [feature], 'bias')
  const attributes = { feature, epsilon: options.eps ?? 1e-5, weight: weight !== null, bias: bias !== null }
  const [output, centre, variance] = composite(
    'batch_norm_train',
    attributes,
    present(input, weight, bias),
    batchNormBody(attributes),
  )
  return { output, mean: centre, variance }
}

export interface RunningOptions {
  /** torch: the share of the new statistics (default 0.1). keras: the share of the old ones (default 0.99). */
  momentum?: number
  /** torch keeps the unbiased variance, keras the biased one. */
  convention: 'torch' | 'keras'
  /** Elements that each channel's statistics were taken over. Needed by torch. */
  count: number
}

/** The running mean and variance after a batch with statistics `batch` (biased variance). No gradient flows. */
export function runningStatistics(
  running: { readonly mean: TensorLike; readonly variance: TensorLike },
  batch: { readonly mean: Tensor; readonly variance: Tensor },
  options: RunningOptions,
): { mean: Tensor; variance: Tensor } {
  const torch = options.convention === 'torch'
  if (torch && options.count === 0) return { mean: toFloat(running.mean), variance: toFloat(running.variance) }
  const fresh = torch ? (options.momentum ?? 0.1) : 1 - (options.momentum ?? 0.99)
  const unbias = torch ? options.count / Math.max(options.count - 1, 0) : 1
  const blend = (old: TensorLike, next: Tensor, factor: number): Tensor => {
    const before = toFloat(old)
    const now = cast(record('stop_gradient', [next], {}), before.dtype)
    const scaled = mul(now, constant(fresh * factor, before.dtype))
    return add(mul(record('stop_gradient', [before], {}), constant(1 - fresh, before.dtype)), scaled)
  }
  return { mean: blend(running.mean, batch.mean, 1), variance: blend(running.variance, batch.variance, unbias) }
}
