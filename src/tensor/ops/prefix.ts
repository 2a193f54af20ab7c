import { isFloat } from '../../ir/index.js'
import { composite } from '../control.js'
import { asTensor, type TensorLike } from '../core.js'
import { resolveDim } from '../dims.js'
import { cast, toFloat, widened } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { logaddexp } from './arithmetic.js'
import { iota } from './creation.js'
import { add, eq, ge, le, like, logicalAnd, logicalOr, mul, ne, where } from './elementwise.js'
import { defineGradient } from './gradient-rule.js'
import { cat } from './join.js'
import { flip } from './rearrange.js'
import { narrow, reshape } from './shape.js'
import type { Indexed } from './sort.js'

/** Cumulative functions: element i combines elements 0 to i along a dimension. */

type Combine = (left: readonly Tensor[], right: readonly Tensor[]) => readonly Tensor[]

/** Inclusive prefixes of an associative `combine`, in steps of doubling length: the graph grows with the logarithm of the extent. */
function prefixes(operands: readonly Tensor[], dim: number, combine: Combine): readonly Tensor[] {
  const extent = operands[0].shape[dim]
  let current = operands
  for (let step = 1; step < extent; step *= 2) {
    const part = (start: number, length: number): Tensor[] => current.map((x) => narrow(x, dim, start, length))
    const head = part(0, step)
    const combined = combine(part(0, extent - step), part(step, extent - step))
    current = combined.map((x, i) => cat([head[i], x], dim))
  }
  return current
}

/** Integers and bool accumulate in i64. */
const wideInteger = (x: Tensor): Tensor => (isFloat(x.dtype) ? x : cast(x, 'i64'))

function cumulative(name: string, x: Tensor, dim: number, combine: Combine): Tensor {
  if (x.ndim === 0) return x
  const at = resolveDim(name, dim, x.ndim, x)
  const one = (y: Tensor): Tensor => prefixes([y], at, combine)[0]
  const body = isFloat(x.dtype) ? widened(one) : one
  return composite(name, { dim: at }, [x], ([y]) => [body(y)])[0]
}

/** Sums of the elements up to each place along `dim`. Integers and bool give i64. */
export const cumsum = (x: TensorLike, dim: number): Tensor =>
  cumulative('cumsum', wideInteger(asTensor(x)), dim, ([a], [b]) => [add(a, b)])

defineGradient('cumsum', ([ct], { attributes }) => {
  const dim = attributes.dim as number
  return [ct && flip(cumsum(flip(ct, dim), dim), dim)]
})

/** Products of the elements up to each place along `dim`. Integers and bool give i64. */
export const cumprod = (x: TensorLike, dim: number): Tensor =>
  cumulative('cumprod', wideInteger(asTensor(x)), dim, ([a], [b]) => [mul(a, b)])

/** log(sum(exp(x))) of the elements up to each place along `dim`. */
export const logcumsumexp = (x: TensorLike, dim: number): Tensor =>
  cumulative('logcumsumexp', toFloat(x), dim, ([a], [b]) => {
    // Two sums of nothing stay one, and pass no gradient.
    const [none, zero] = [like(Number.NEGATIVE_INFINITY, a), like(0, a)]
    const empty = logicalAnd(eq(a, none), eq(b, none))
    return [where(empty, none, logaddexp(where(empty, zero, a), where(empty, zero, b)))]
  })

function cumulativeExtreme(name: 'cummax' | 'cummin', like: TensorLike, dim: number): Indexed {
  const x = asTensor(like)
  if (x.ndim === 0) return { values: x, indices: reshape(iota([1], 0), []) }
  const at = resolveDim(name, dim, x.ndim, x)
  const better = name === 'cummax' ? ge : le
  const [values, indices] = composite(name, { dim: at }, [x], ([y]) =>
    prefixes([y, iota(y.shape, at)], at, ([a, i], [b, j]) => {
      // The later of equals wins, and NaN from then on.
      const later = logicalOr(better(b, a), ne(b, b))
      return [where(later, b, a), where(later, j, i)]
    }),
  )
  return { values, indices }
}

/** Largest element up to each place along `dim`, with its index (the last of equals); NaN stays. */
export const cummax = (x: TensorLike, dim: number): Indexed => cumulativeExtreme('cummax', x, dim)

/** Smallest element up to each place along `dim`, with its index (the last of equals); NaN stays. */
export const cummin = (x: TensorLike, dim: number): Indexed => cumulativeExtreme('cummin', x, dim)
