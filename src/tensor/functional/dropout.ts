import type { Shape } from '../../ir/index.js'
import type { TensorLike } from '../core.js'
import { range } from '../dims.js'
import { add, like, mul, where } from '../ops/elementwise.js'
import { toFloat } from '../promote.js'
import { random } from '../random.js'
import type { Tensor } from '../tensor.js'
import type { Layout } from './spatial.js'

export interface DropoutOptions {
  /** Probability of dropping; default 0.5. */
  p?: number
  /** Without it nothing is dropped; default true. */
  training?: boolean
}

function checkRate(op: string, p: number): void {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`${op}: a probability lies in [0, 1], got ${p}`)
}

/** Whether the function changes nothing. */
const idle = (options: DropoutOptions, p: number): boolean => options.training === false || p === 0

/** What is kept is divided by 1 - p; `shape` broadcasts to x. */
function drop(x: Tensor, p: number, shape: Shape): Tensor {
  const scale = p === 1 ? 0 : 1 / (1 - p)
  return where(random.bernoulli(shape, 1 - p), mul(x, like(scale, x)), like(0, x))
}

/**
 * Sets elements to 0 with probability `p` and scales the others by 1 / (1 - p) (Srivastava et al. 2014).
 * `noiseShape` (extents of x or 1) drops along the dimensions of extent 1 together.
 */
export function dropout(x: TensorLike, options: DropoutOptions & { noiseShape?: Shape } = {}): Tensor {
  const { p = 0.5 } = options
  checkRate('dropout', p)
  const input = toFloat(x)
  return idle(options, p) ? input : drop(input, p, options.noiseShape ?? input.shape)
}

export interface ChannelDropoutOptions extends DropoutOptions {
  /** Default channelsFirst. */
  layout?: Layout
}

/** Extents of x at the batch and the channels, 1 elsewhere. */
function channelShape(op: string, x: Tensor, layout: Layout | undefined): number[] {
  if (x.ndim < 3) throw new RangeError(`${op}: expected [batch, channels, ...spatial], got [${x.shape.join(', ')}]`)
  const feature = layout === 'channelsLast' ? x.ndim - 1 : 1
  return range(x.ndim).map((dim) => (dim === 0 || dim === feature ? x.shape[dim] : 1))
}

/** Drops whole channels (Tompson et al. 2015): torch's dropout1d to 3d, Keras' SpatialDropout. `x` [batch, channels, ...spatial]. */
export function channelDropout(x: TensorLike, options: ChannelDropoutOptions = {}): Tensor {
  const { p = 0.5 } = options
  checkRate('channelDropout', p)
  const input = toFloat(x)
  return idle(options, p) ? input : drop(input, p, channelShape('channelDropout', input, options.layout))
}

/** What a SELU network saturates at. */
const SELU_FLOOR = -1.7580993408473766

function alphaDrop(x: Tensor, p: number, shape: Shape): Tensor {
  if (p === 1) return mul(x, like(0, x))
  const a = ((1 - p) * (1 + p * SELU_FLOOR ** 2)) ** -0.5
  const kept = where(random.bernoulli(shape, 1 - p), x, like(SELU_FLOOR, x))
  return add(mul(kept, like(a, x)), like(-a * SELU_FLOOR * p, x))
}

/** Dropout that keeps mean 0 and variance 1 of SELU activations (Klambauer et al. 2017). */
export function alphaDropout(x: TensorLike, options: DropoutOptions = {}): Tensor {
  const { p = 0.5 } = options
  checkRate('alphaDropout', p)
  const input = toFloat(x)
  return idle(options, p) ? input : alphaDrop(input, p, input.shape)
}

/** {@link alphaDropout} of whole channels. */
export function featureAlphaDropout(x: TensorLike, options: ChannelDropoutOptions = {}): Tensor {
  const { p = 0.5 } = options
  checkRate('featureAlphaDropout', p)
  const input = toFloat(x)
  return idle(options, p) ? input : alphaDrop(input, p, channelShape('featureAlphaDropout', input, options.layout))
}

/** Adds normal noise of standard deviation `std`. */
export function gaussianNoise(x: TensorLike, std: number, options: { training?: boolean } = {}): Tensor {
  const input = toFloat(x)
  if (options.training === false || std === 0) return input
  const noise = random.normal(input.shape, { dtype: input.dtype })
  return add(input, mul(noise, like(std, input)))
}

/** Multiplies by normal noise of mean 1 and standard deviation sqrt(p / (1 - p)). */
export function gaussianDropout(x: TensorLike, options: DropoutOptions = {}): Tensor {
  const { p = 0.5 } = options
  checkRate('gaussianDropout', p)
  if (p === 1) throw new RangeError('gaussianDropout: p must be below 1')
  const input = toFloat(x)
  if (idle(options, p)) return input
  const noise = mul(random.normal(input.shape, { dtype: input.dtype }), like(Math.sqrt(p / (1 - p)), input))
  return mul(input, add(noise, like(1, noise)))
}
