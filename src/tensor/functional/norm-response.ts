import { shapeText } from '../../ir/index.js'
import { constant, record, type TensorLike } from '../core.js'
import { range, resolveDim } from '../dims.js'
import { add, mul, sqrt, trueDivide } from '../ops/elementwise.js'
import { sum } from '../ops/reduce.js'
import { toFloat } from '../promote.js'
import type { Tensor } from '../tensor.js'
import type { Layout } from './spatial.js'

export interface LocalResponseNormOptions {
  /** Default 1e-4. */
  alpha?: number
  /** Default 0.75. */
  beta?: number
  /** Default 1. */
  k?: number
  /** Default channelsFirst. */
  layout?: Layout
}

/**
 * Divides by (k + alpha * mean of squares over `size` neighbouring channels)^beta (Krizhevsky et al. 2012). As in torch the mean counts
 * channels that are not there as zeros.
 */
export function localResponseNorm(x: TensorLike, size: number, options: LocalResponseNormOptions = {}): Tensor {
  const input = toFloat(x)
  if (input.ndim < 3)
    throw new RangeError(`localResponseNorm: expected [batch, channels, ...spatial], got ${shapeText(input.shape)}`)
  const feature = options.layout === 'channelsLast' ? input.ndim - 1 : 1
  const at = <T>(value: T, rest: T): T[] => range(input.ndim).map((dim) => (dim === feature ? value : rest))
  const ones = at(1, 1)
  const squares = record('reduce_window', [mul(input, input)], {
    kind: 'sum',
    window_dimensions: at(size, 1),
    window_strides: ones,
    padding: at<readonly [number, number]>([Math.floor(size / 2), Math.floor((size - 1) / 2)], [0, 0]),
    base_dilation: ones,
    window_dilation: ones,
  })
  const scaled = mul(squares, constant((options.alpha ?? 1e-4) / size, input.dtype))
  const base = add(scaled, constant(options.k ?? 1, input.dtype))
  const power = record('power', [base, constant(options.beta ?? 0.75, input.dtype, base.shape)], {})
  return trueDivide(input, power)
}

/**
 * Weight from direction and length: `g * v / |v|`, the norm taken over all dimensions but `dim` (Salimans & Kingma 2016).
 * @param g lengths, of the shape of `v` with extent 1 everywhere but at `dim`
 */
export function weightNorm(v: TensorLike, g: TensorLike, dim = 0): Tensor {
  const direction = toFloat(v)
  const kept = resolveDim('weightNorm', dim, direction.ndim, direction)
  const rest = range(direction.ndim).filter((other) => other !== kept)
  const length = sqrt(sum(mul(direction, direction), rest, { keepdim: true }))
  return mul(direction, trueDivide(g, length))
}
