import { isFloat } from '../../ir/index.js'
import { composite } from '../control.js'
import { asTensor, constant, type TensorLike } from '../core.js'
import { type Dims, fail, resolveDim, resolveDims, typeText } from '../dims.js'
import { align, cast, computeType, resultType, toFloat } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { pow } from './arithmetic.js'
import { abs, add, eq, like as likeOf, mul, ne, sign, sub, to, trueDivide, where } from './elementwise.js'
import { defineGradient } from './gradient-rule.js'
import { clamp } from './math.js'
import { extremeWithNan, keptShape, type ReduceOptions, reduceDims, sum } from './reduce.js'
import { reshape, unsqueeze } from './shape.js'
import { sqrtFlatAtZero } from './statistics.js'

/** Norms and distances, with gradients that stay finite at 0. */

/** f(x) where x is not 0, and 0 (without a gradient) where it is. */
function awayFromZero(x: Tensor, f: (x: Tensor) => Tensor): Tensor {
  const zero = eq(x, likeOf(0, x))
  return where(zero, likeOf(0, x), f(where(zero, likeOf(1, x), x)))
}

type Norm = (x: Tensor, dims: readonly number[], keepdim: boolean) => Tensor

/** (sum |x|^p)^(1/p) for other orders: composite `vector_norm`. */
const ofOrder =
  (p: number): Norm =>
  (x, dims, keepdim) => {
    const attributes = { ord: p, dims, keepdim }
    return composite('vector_norm', attributes, [x], ([y]) => [
      pow(reduceDims('sum', pow(abs(y), p), dims, keepdim), 1 / p),
    ])[0]
  }

// As torch: x |x|^(p - 2) / norm^(p - 1), and nothing where x or the norm is 0.
defineGradient('vector_norm', ([ct], { inputs: [x], outputs: [y], attributes }) => {
  const [p, dims] = [attributes.ord as number, attributes.dims as readonly number[]]
  const spread = (z: Tensor): Tensor => reshape(z, keptShape(x, dims))
  const scaled = awayFromZero(x, (z) => (p < 2 ? mul(sign(z), pow(abs(z), p - 1)) : mul(z, pow(abs(z), p - 2))))
  const factor = awayFromZero(y, (z) => pow(z, 1 - p))
  return [ct && mul(scaled, spread(mul(ct, factor)))]
})

const SPECIAL: ReadonlyMap<number, Norm> = new Map<number, Norm>([
  [0, (x, dims, keepdim) => reduceDims('sum', to(ne(x, likeOf(0, x)), x.dtype), dims, keepdim)],
  [1, (x, dims, keepdim) => reduceDims('sum', abs(x), dims, keepdim)],
  [2, (x, dims, keepdim) => sqrtFlatAtZero(reduceDims('sum', mul(x, x), dims, keepdim))],
  [Number.POSITIVE_INFINITY, (x, dims, keepdim) => extremeWithNan('max', abs(x), dims, keepdim)],
  [Number.NEGATIVE_INFINITY, (x, dims, keepdim) => extremeWithNan('min', abs(x), dims, keepdim)],
])

/** (sum |x|^ord)^(1/ord) over `dim` (default all): ord any number, 0 (count of nonzero elements), Infinity or -Infinity. */
export function vectorNorm(like: TensorLike, ord = 2, dim?: Dims, options: ReduceOptions = {}): Tensor {
  const given = toFloat(like)
  const dims = resolveDims('vectorNorm', dim, given)
  const norm = SPECIAL.get(ord) ?? ofOrder(ord)
  return cast(norm(cast(given, computeType(given.dtype)), dims, options.keepdim ?? false), given.dtype)
}

export type MatrixOrder = 'fro' | 1 | -1 | number

/** Norm of the matrices in two dimensions: 'fro' (Frobenius), 1 / -1 (largest / least column sum), Infinity / -Infinity (row sum). */
export function matrixNorm(
  like: TensorLike,
  ord: MatrixOrder = 'fro',
  dims: readonly [number, number] = [-2, -1],
  { keepdim = false }: ReduceOptions = {},
): Tensor {
  const x = toFloat(like)
  if (x.ndim < 2) throw fail('matrixNorm', `needs a matrix, got ${typeText(x)}`)
  const [rows, columns] = dims.map((dim) => resolveDim('matrixNorm', dim, x.ndim, x))
  if (ord === 'fro') return vectorNorm(x, 2, [rows, columns], { keepdim })
  if (Math.abs(ord) !== 1 && Math.abs(ord) !== Number.POSITIVE_INFINITY)
    throw fail('matrixNorm', `the order is 'fro', 1, -1, Infinity or -Infinity, got ${ord}`)
  const [summed, compared] = Math.abs(ord) === 1 ? [rows, columns] : [columns, rows]
  const sums = reduceDims('sum', abs(x), [summed], true)
  const extreme = reduceDims(ord > 0 ? 'max' : 'min', sums, [compared], true)
  return keepdim
    ? extreme
    : reshape(
        extreme,
        x.shape.filter((_, dim) => dim !== rows && dim !== columns),
      )
}

/** {@link vectorNorm} of all elements, or over `dim`. */
export const norm = (x: TensorLike, ord = 2, dim?: Dims, options: ReduceOptions = {}): Tensor =>
  vectorNorm(x, ord, dim, options)

export interface NormalizeOptions {
  /** Order of the norm; default 2. */
  readonly p?: number
  /** Default 1. */
  readonly dim?: Dims
  /** Least divisor; default 1e-12. */
  readonly eps?: number
}

/** x / max(norm of x along `dim`, eps). */
export function normalize(like: TensorLike, { p = 2, dim = 1, eps = 1e-12 }: NormalizeOptions = {}): Tensor {
  const x = toFloat(like)
  return trueDivide(x, clamp(vectorNorm(x, p, dim, { keepdim: true }), eps))
}

/** Cosine of the angle between x and y along `dim`; norms are at least `eps`. */
export function cosineSimilarity(
  left: TensorLike,
  right: TensorLike,
  { dim = 1, eps = 1e-8 }: { readonly dim?: number; readonly eps?: number } = {},
): Tensor {
  const dtype = resultType(left, right)
  const [x, y] = align('cosineSimilarity', [left, right], isFloat(dtype) ? dtype : 'f32')
  const at = resolveDim('cosineSimilarity', dim, x.ndim, x)
  const unit = (z: Tensor): Tensor => trueDivide(z, clamp(vectorNorm(z, 2, at, { keepdim: true }), eps))
  return sum(mul(unit(x), unit(y)), at)
}

/** Norm of x - y + eps along the last dimension. */
export function pairwiseDistance(
  left: TensorLike,
  right: TensorLike,
  {
    p = 2,
    eps = 1e-6,
    keepdim = false,
  }: { readonly p?: number; readonly eps?: number; readonly keepdim?: boolean } = {},
): Tensor {
  const difference = sub(toFloat(left), toFloat(right))
  return vectorNorm(add(difference, eps), p, -1, { keepdim })
}

/** Distances of all rows of x [..., P, M] to all rows of y [..., R, M]: [..., P, R]. */
export function cdist(left: TensorLike, right: TensorLike, p = 2): Tensor {
  const [x, y] = [toFloat(left), toFloat(right)]
  if (x.ndim < 2 || y.ndim < 2 || x.shape[x.ndim - 1] !== y.shape[y.ndim - 1])
    throw fail('cdist', `needs [..., P, M] and [..., R, M], got ${typeText(x)} and ${typeText(y)}`)
  return vectorNorm(sub(unsqueeze(x, x.ndim - 1), unsqueeze(y, y.ndim - 2)), p, -1)
}

/** Gradient-norm helper: the 2-norm of all tensors together. */
export function globalNorm(tensors: readonly TensorLike[]): Tensor {
  const total = tensors
    .map((x) => toFloat(asTensor(x)))
    .map((x) => reduceDims('sum', mul(x, x), resolveDims('globalNorm', null, x)))
    .reduce<Tensor>((a, b) => add(a, b), constant(0, 'f32'))
  return sqrtFlatAtZero(total)
}
