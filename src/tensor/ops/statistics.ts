import { isFloat } from '../../ir/index.js'
import { composite } from '../control.js'
import { asTensor, constant, type TensorLike } from '../core.js'
import { type Dims, fail, range, resolveDim, resolveDims, typeText } from '../dims.js'
import { cast, computeType, toFloat } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { lerp } from './arithmetic.js'
import {
  add,
  ceil,
  eq,
  floor,
  like as likeOf,
  logicalNot,
  mul,
  ne,
  sqrt,
  sub,
  to,
  trueDivide,
  where,
} from './elementwise.js'
import { gather, take } from './gather.js'
import { defineGradient } from './gradient-rule.js'
import { clamp, round } from './math.js'
import { matmul } from './matmul.js'
import {
  all,
  amax,
  amin,
  any,
  argmax,
  argmin,
  countOf,
  extremeWithNan,
  mean,
  type ReduceOptions,
  reduceDims,
} from './reduce.js'
import { expand, movedim, narrow, permute, reshape, select, squeeze, transpose, unsqueeze } from './shape.js'
import { type Indexed, sort } from './sort.js'

/** Extremes with their places, spread, order statistics, covariance. */

function extremeAlong(
  name: string,
  pick: typeof argmax,
  like: TensorLike,
  dim: number,
  options: ReduceOptions,
): Indexed {
  const x = asTensor(like)
  if (x.ndim === 0) return { values: x, indices: constant(0, 'i32') }
  const at = resolveDim(name, dim, x.ndim, x)
  const kept = pick(x, at, { keepdim: true })
  const values = gather(x, at, kept)
  return options.keepdim ? { values, indices: kept } : { values: squeeze(values, at), indices: squeeze(kept, at) }
}

/** Largest elements along `dim` with their indices (the first of equals); only that element gets the gradient. */
export const maxAlong = (x: TensorLike, dim: number, options: ReduceOptions = {}): Indexed =>
  extremeAlong('maxAlong', argmax, x, dim, options)

/** Smallest elements along `dim` with their indices (the first of equals); only that element gets the gradient. */
export const minAlong = (x: TensorLike, dim: number, options: ReduceOptions = {}): Indexed =>
  extremeAlong('minAlong', argmin, x, dim, options)

const whole =
  (kind: 'max' | 'min') =>
  (like: TensorLike, dim?: Dims, options: ReduceOptions = {}): Tensor => {
    const x = asTensor(like)
    if (!isFloat(x.dtype)) return kind === 'max' ? amax(x, dim, options) : amin(x, dim, options)
    const dims = resolveDims(kind, dim, x)
    if (countOf(x, dims) === 0) throw fail(kind, `${typeText(x)} has no elements to compare`)
    return extremeWithNan(kind, x, dims, options.keepdim)
  }

/** Largest element over `dim` (default all), as numpy's max; see {@link maxAlong} for the indices. */
export const max = whole('max')
/** Smallest element over `dim` (default all), as numpy's min; see {@link minAlong} for the indices. */
export const min = whole('min')

/** Smallest and largest elements over `dim`. */
export const aminmax = (x: TensorLike, dim?: Dims, options: ReduceOptions = {}): { min: Tensor; max: Tensor } => ({
  min: amin(x, dim, options),
  max: amax(x, dim, options),
})

export interface VarOptions extends ReduceOptions {
  /** Subtracted from the number of elements; default 1 (the unbiased estimate). */
  readonly correction?: number
}

interface Moments {
  readonly variance: Tensor
  readonly mean: Tensor
}

function moments(name: string, like: TensorLike, dim: Dims, { correction = 1, keepdim = false }: VarOptions): Moments {
  const given = toFloat(like)
  const x = cast(given, computeType(given.dtype))
  const dims = resolveDims(name, dim, x)
  const shape = x.shape.map((extent, i) => (dims.includes(i) ? 1 : extent))
  const [spread, centre] = composite('variance', { dims, correction }, [x], ([y]) => {
    const average = mean(y, dims, { keepdim: true })
    const centred = sub(y, average)
    const divisor = Math.max(0, countOf(y, dims) - correction)
    return [trueDivide(reduceDims('sum', mul(centred, centred), dims, true), constant(divisor, y.dtype)), average]
  })
  const out = keepdim ? shape : shape.filter((_, i) => !dims.includes(i))
  return { variance: cast(reshape(spread, out), given.dtype), mean: cast(reshape(centre, out), given.dtype) }
}

// As torch: by the distance from the mean alone, whose share is 0 but for rounding and infinities; with the divisor that the formula has, even a
// negative one.
defineGradient('variance', ([spread, centre], { inputs: [x], attributes }) => {
  const dims = attributes.dims as number[]
  const count = countOf(x, dims)
  const parts: Tensor[] = []
  if (spread) {
    const factor = constant(2 / (count - (attributes.correction as number)), x.dtype)
    parts.push(mul(mul(spread, factor), sub(x, mean(x, dims, { keepdim: true }))))
  }
  if (centre) parts.push(expand(trueDivide(centre, constant(count, x.dtype)), x.shape))
  return [parts.length > 0 ? parts.reduce((a, b) => add(a, b)) : null]
})

/** Variance over `dim`. */
export const variance = (x: TensorLike, dim?: Dims, options: VarOptions = {}): Tensor =>
  moments('var', x, dim, options).variance

/** Variance and mean over `dim`. */
export const varMean = (x: TensorLike, dim?: Dims, options: VarOptions = {}): Moments =>
  moments('varMean', x, dim, options)

/** sqrt(x) whose gradient at 0 is 0. */
export function sqrtFlatAtZero(x: Tensor): Tensor {
  const zero = eq(x, likeOf(0, x))
  return where(zero, likeOf(0, x), sqrt(where(zero, likeOf(1, x), x)))
}

/** Standard deviation over `dim`; its gradient is 0 where all elements are equal. */
export const std = (x: TensorLike, dim?: Dims, options: VarOptions = {}): Tensor =>
  sqrtFlatAtZero(variance(x, dim, options))

/**
 * The lower median along `dim` with its index; NaN if there is one. Without `dim`, of all elements (indices then count in the
 * flattened tensor).
 */
export function median(like: TensorLike, dim?: number | null, { keepdim = false }: ReduceOptions = {}): Indexed {
  const given = asTensor(like)
  const flat = dim === undefined || dim === null || given.ndim === 0
  const x = flat ? reshape(given, given.size) : given
  const at = flat ? 0 : resolveDim('median', dim, x.ndim, x)
  if (x.shape[at] === 0) throw fail('median', `dimension ${at} of ${typeText(x)} is empty`)
  const sorted = sort(x, at)
  const middle = unsqueeze(select(sorted.indices, at, (x.shape[at] - 1) >> 1), at)
  const isNan = ne(x, x)
  const indices = isFloat(x.dtype)
    ? where(any(isNan, at, { keepdim: true }), argmax(to(isNan, 'u8'), at, { keepdim: true }), middle)
    : middle
  const values = gather(x, at, indices)
  const shape = flat && keepdim ? given.shape.map(() => 1) : values.shape.filter((_, i) => keepdim || i !== at)
  return { values: reshape(values, shape), indices: reshape(indices, shape) }
}

export interface QuantileOptions extends ReduceOptions {
  readonly interpolation?: 'linear' | 'lower' | 'higher' | 'nearest' | 'midpoint'
}

/** x with `dims` flattened into one last dimension. */
function lastDim(x: Tensor, dims: readonly number[]): Tensor {
  const rest = range(x.ndim).filter((dim) => !dims.includes(dim))
  return reshape(permute(x, [...rest, ...dims]), [...rest.map((dim) => x.shape[dim]), countOf(x, dims)])
}

/**
 * Quantiles `q` (a number, or a vector that becomes the first dimension of the result) over `dim` (default all); NaN if there is one.
 */
export function quantile(like: TensorLike, q: TensorLike, dim?: number | null, options: QuantileOptions = {}): Tensor {
  const { keepdim = false, interpolation = 'linear' } = options
  const x = toFloat(like)
  const dims = resolveDims('quantile', dim, x)
  const rows = lastDim(x, dims)
  const n = rows.shape[rows.ndim - 1]
  if (n === 0) throw fail('quantile', `${typeText(x)} has no elements`)
  const level = cast(q, x.dtype)
  if (level.ndim > 1) throw fail('quantile', `q is a number or a vector, got ${typeText(level)}`)
  const sorted = sort(rows, -1).values
  const rank = clamp(mul(reshape(level, level.size), likeOf(n - 1, x)), 0, n - 1)
  // NaN stands last, and takes every rank of its row.
  const last = narrow(sorted, rows.ndim - 1, n - 1, 1)
  const isNan = ne(last, last)
  const at = (place: Tensor): Tensor => where(isNan, last, take(sorted, to(place, 'i32'), rows.ndim - 1))
  const lower = floor(rank)
  const pick = {
    linear: () => lerp(at(lower), at(ceil(rank)), where(isNan, likeOf(0, rank), sub(rank, lower))),
    lower: () => at(lower),
    higher: () => at(ceil(rank)),
    nearest: () => at(round(rank)),
    midpoint: () => lerp(at(lower), at(ceil(rank)), likeOf(0.5, x)),
  }[interpolation]
  if (!pick) throw fail('quantile', `unknown interpolation '${interpolation}'`)
  const values = movedim(pick(), -1, 0)
  const rest = keepdim ? x.shape.map((extent, i) => (dims.includes(i) ? 1 : extent)) : rows.shape.slice(0, -1)
  return reshape(values, level.ndim === 0 ? rest : [level.size, ...rest])
}

/** Covariance matrix of variables in rows and observations in columns; of one variable (a row, or a vector) a scalar. */
export function cov(like: TensorLike, { correction = 1 }: { readonly correction?: number } = {}): Tensor {
  const x = toFloat(like)
  if (x.ndim > 2) throw fail('cov', `takes a matrix [variables, observations] or a vector, got ${typeText(x)}`)
  const rows = x.ndim === 2 ? x : reshape(x, [1, x.size])
  const centred = sub(rows, mean(rows, 1, { keepdim: true }))
  const products = matmul(centred, transpose(centred))
  const result = trueDivide(products, likeOf(Math.max(0, rows.shape[1] - correction), x))
  return rows.shape[0] === 1 ? reshape(result, []) : result
}

/** Pearson correlation coefficients of variables in rows. */
export function corrcoef(like: TensorLike): Tensor {
  const x = toFloat(like)
  const c = cov(x)
  if (c.ndim === 0) return trueDivide(c, c)
  const n = x.shape[0]
  const variances = reshape(
    take(
      reshape(c, n * n),
      range(n).map((i) => i * (n + 1)),
      0,
    ),
    n,
  )
  const deviation = sqrt(variances)
  const scaled = trueDivide(trueDivide(c, expand(reshape(deviation, [n, 1]), [n, n])), deviation)
  return clamp(scaled, -1, 1)
}

/** Whether two tensors have one shape and equal elements (a bool scalar). */
export function equal(x: TensorLike, y: TensorLike): Tensor {
  const [a, b] = [asTensor(x), asTensor(y)]
  const same = a.ndim === b.ndim && a.shape.every((extent, i) => extent === b.shape[i])
  return same ? all(eq(a, b)) : logicalNot(constant(1, 'bool'))
}
