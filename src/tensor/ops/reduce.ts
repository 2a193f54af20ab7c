import { isFloat, type ReduceKind, sizeOf } from '../../ir/index.js'
import { composite } from '../control.js'
import { asTensor, constant, record, type TensorLike } from '../core.js'
import { type Dims, fail, resolveDim, resolveDims, typeText } from '../dims.js'
import { cast, toFloat } from '../promote.js'
import type { Tensor } from '../tensor.js'
import {
  abs,
  add,
  eq,
  exp,
  log,
  logicalAnd,
  logicalOr,
  lt,
  mul,
  ne,
  like as scalarLike,
  stopGradient,
  sub,
  toBool,
  trueDivide,
  where,
} from './elementwise.js'
import { defineGradient } from './gradient-rule.js'
import { reshape } from './shape.js'

export interface ReduceOptions {
  /** Reduced dimensions stay with extent 1. */
  readonly keepdim?: boolean
}

export const keptShape = (x: Tensor, dims: readonly number[]): number[] =>
  x.shape.map((extent, dim) => (dims.includes(dim) ? 1 : extent))

/** Reduces the resolved dimensions `dims`. */
export function reduceDims(kind: ReduceKind, x: Tensor, dims: readonly number[], keepdim = false): Tensor {
  const reduced = dims.length === 0 ? x : record('reduce', [x], { kind, dimensions: dims })
  return keepdim ? reshape(reduced, keptShape(x, dims)) : reduced
}

/** Number of elements that one result of a reduction combines. */
export const countOf = (x: Tensor, dims: readonly number[]): number => sizeOf(dims.map((dim) => x.shape[dim]))

/** Sum over `dim` (one, several, default all). Integers and bool sum to i64. */
export function sum(like: TensorLike, dim?: Dims, options: ReduceOptions = {}): Tensor {
  const x = asTensor(like)
  const wide = isFloat(x.dtype) ? x : cast(x, 'i64')
  return reduceDims('sum', wide, resolveDims('sum', dim, x), options.keepdim)
}

/** Product over `dim`. Integers and bool multiply to i64. */
export function prod(like: TensorLike, dim?: Dims, options: ReduceOptions = {}): Tensor {
  const x = asTensor(like)
  const wide = isFloat(x.dtype) ? x : cast(x, 'i64')
  return reduceDims('prod', wide, resolveDims('prod', dim, x), options.keepdim)
}

/** Mean over `dim`; integers and bool give f32. The mean of nothing is NaN. */
export function mean(like: TensorLike, dim?: Dims, options: ReduceOptions = {}): Tensor {
  const x = toFloat(like)
  const dims = resolveDims('mean', dim, x)
  return trueDivide(reduceDims('sum', x, dims, options.keepdim), constant(countOf(x, dims), x.dtype))
}

/** An extreme whose gradient is shared by all elements equal to it, or, where it is NaN, by those that are NaN. */
export function extremeWithNan(kind: 'max' | 'min', x: Tensor, dims: readonly number[], keepdim = false): Tensor {
  const [y] = composite('nan_extreme', { kind, dims }, [x], ([z]) => [reduceDims(kind, z, dims, true)])
  return keepdim
    ? y
    : reshape(
        y,
        x.shape.filter((_, i) => !dims.includes(i)),
      )
}

defineGradient('nan_extreme', ([ct], { inputs: [x], outputs: [y], attributes }) => {
  const reached = logicalOr(eq(x, y), logicalAnd(ne(x, x), ne(y, y)))
  const count = reduceDims('sum', cast(reached, x.dtype), attributes.dims as number[], true)
  return [ct && where(reached, trueDivide(ct, count), scalarLike(0, x))]
})

function extreme(kind: 'max' | 'min', name: string, like: TensorLike, dim: Dims, options: ReduceOptions): Tensor {
  const x = asTensor(like)
  const dims = resolveDims(name, dim, x)
  if (countOf(x, dims) === 0) throw fail(name, `${typeText(x)} has no elements to compare`)
  return reduceDims(kind, x, dims, options.keepdim)
}

/** Largest element over `dim` (default all); NaN wins. Ties share the gradient. */
export const amax = (x: TensorLike, dim?: Dims, options: ReduceOptions = {}): Tensor =>
  extreme('max', 'amax', x, dim, options)

/** Smallest element over `dim` (default all); NaN wins. Ties share the gradient. */
export const amin = (x: TensorLike, dim?: Dims, options: ReduceOptions = {}): Tensor =>
  extreme('min', 'amin', x, dim, options)

function argExtreme(
  kind: 'argmax' | 'argmin',
  like: TensorLike,
  dim: number | null | undefined,
  options: ReduceOptions,
): Tensor {
  const given = asTensor(like)
  const x = dim === undefined || dim === null ? reshape(given, given.size) : given
  if (x.ndim === 0) return constant(0, 'i32')
  const at = resolveDim(kind, dim ?? 0, x.ndim, x)
  if (x.shape[at] === 0) throw fail(kind, `dimension ${at} of ${typeText(x)} is empty`)
  const result = record('reduce', [x], { kind, dimensions: [at] })
  if (!options.keepdim) return result
  return reshape(result, given === x ? keptShape(x, [at]) : given.shape.map(() => 1))
}

/** Index (i32) of the largest element along `dim`, or in the flattened tensor; the first of equals, the first NaN. */
export const argmax = (x: TensorLike, dim?: number | null, options: ReduceOptions = {}): Tensor =>
  argExtreme('argmax', x, dim, options)

/** Index (i32) of the smallest element along `dim`, or in the flattened tensor; the first of equals, the first NaN. */
export const argmin = (x: TensorLike, dim?: number | null, options: ReduceOptions = {}): Tensor =>
  argExtreme('argmin', x, dim, options)

/** Whether any element is nonzero. */
export function any(like: TensorLike, dim?: Dims, options: ReduceOptions = {}): Tensor {
  const x = toBool(asTensor(like))
  return reduceDims('or', x, resolveDims('any', dim, x), options.keepdim)
}

/** Whether all elements are nonzero. */
export function all(like: TensorLike, dim?: Dims, options: ReduceOptions = {}): Tensor {
  const x = toBool(asTensor(like))
  return reduceDims('and', x, resolveDims('all', dim, x), options.keepdim)
}

/** Number of nonzero elements (i64). */
export const countNonzero = (x: TensorLike, dim?: Dims, options: ReduceOptions = {}): Tensor =>
  sum(toBool(asTensor(x)), dim, options)

/** log(sum(exp(x))) without overflow. */
export function logsumexp(like: TensorLike, dim?: Dims, options: ReduceOptions = {}): Tensor {
  const x = toFloat(like)
  const dims = resolveDims('logsumexp', dim, x)
  if (countOf(x, dims) === 0) return log(reduceDims('sum', x, dims, options.keepdim))
  const peak = stopGradient(reduceDims('max', x, dims, true))
  // An infinite peak would give inf - inf.
  const shift = where(lt(abs(peak), Number.POSITIVE_INFINITY), peak, scalarLike(0, x))
  const total = log(reduceDims('sum', exp(sub(x, shift)), dims, true))
  const result = add(total, shift)
  return options.keepdim
    ? result
    : reshape(
        result,
        x.shape.filter((_, i) => !dims.includes(i)),
      )
}

// As torch, 0 times an infinite cotangent is NaN at NaN.
defineGradient('nan_as_zero', ([ct], { inputs: [x] }) => [ct && mul(ct, cast(eq(x, x), ct.dtype))])

/** Sum over `dim` that counts NaN as 0. */
export function nansum(like: TensorLike, dim?: Dims, options: ReduceOptions = {}): Tensor {
  const x = asTensor(like)
  const numbers = isFloat(x.dtype)
    ? composite('nan_as_zero', {}, [x], ([y]) => [where(ne(y, y), scalarLike(0, y), y)])[0]
    : x
  return sum(numbers, dim, options)
}

/** Mean over `dim` of the elements that are not NaN. */
export function nanmean(like: TensorLike, dim?: Dims, options: ReduceOptions = {}): Tensor {
  const x = toFloat(like)
  const count = sum(where(ne(x, x), scalarLike(0, x), scalarLike(1, x)), dim, options)
  return trueDivide(nansum(x, dim, options), count)
}
