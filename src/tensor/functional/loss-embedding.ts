import type { TensorLike } from '../core.js'
import { add, eq, like, minimum, mul, ne, neg, sqrt, sub, trueDivide, where } from '../ops/elementwise.js'
import { clamp, square } from '../ops/math.js'
import { pairwiseDistance } from '../ops/norms.js'
import { sum } from '../ops/reduce.js'
import { align, floatType, resultType } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { type LossOptions, reduceLoss } from './reduction.js'

/** Losses on distances between embeddings, and on rankings. */

const floats = (op: string, ...args: readonly TensorLike[]): Tensor[] => align(op, args, floatType(resultType(...args)))

export interface MarginOptions extends LossOptions {
  margin?: number
}

/** max(0, v); the gradient passes at 0, as through torch's clamp. */
const hinge = (v: Tensor): Tensor => clamp(v, like(0, v))

/** x where the target is 1, max(0, margin - x) where it is -1 (margin: default 1). */
export function hingeEmbeddingLoss(x: TensorLike, target: TensorLike, options: MarginOptions = {}): Tensor {
  const [a, t] = floats('hingeEmbeddingLoss', x, target)
  const zero = like(0, a)
  const apart = where(ne(t, like(1, t)), hinge(sub(like(options.margin ?? 1, a), a)), zero)
  const together = where(ne(t, like(-1, t)), a, zero)
  return reduceLoss('hingeEmbeddingLoss', add(apart, together), options.reduction)
}

/**
 * 1 - cos(x, y) where the target is 1, max(0, cos(x, y) - margin) where it is -1 (margin: default 0).
 * `x`, `y` [batch?, features], `target` [batch?].
 */
export function cosineEmbeddingLoss(
  x: TensorLike,
  y: TensorLike,
  target: TensorLike,
  options: MarginOptions = {},
): Tensor {
  const [a, b] = floats('cosineEmbeddingLoss', x, y)
  // torch adds its epsilon to the squared lengths.
  const squared = (v: Tensor): Tensor => add(sum(square(v), -1), like(1e-12, v))
  const cosine = trueDivide(sum(mul(a, b), -1), sqrt(mul(squared(a), squared(b))))
  const [c, t] = align('cosineEmbeddingLoss', [cosine, target], cosine.dtype)
  const zero = like(0, c)
  const together = where(eq(t, like(1, t)), sub(like(1, c), c), zero)
  const apart = where(eq(t, like(-1, t)), hinge(sub(c, like(options.margin ?? 0, c))), zero)
  return reduceLoss('cosineEmbeddingLoss', add(together, apart), options.reduction)
}

/** max(0, margin - target * (x - y)): the target 1 wants x above y, -1 the other way round (margin: default 0). */
export function marginRankingLoss(
  x: TensorLike,
  y: TensorLike,
  target: TensorLike,
  options: MarginOptions = {},
): Tensor {
  const [a, b, t] = floats('marginRankingLoss', x, y, target)
  const gap = add(mul(neg(t), sub(a, b)), like(options.margin ?? 0, a))
  return reduceLoss('marginRankingLoss', hinge(gap), options.reduction)
}

export interface TripletMarginOptions extends MarginOptions {
  /** Norm of the distance; default 2. */
  p?: number
  /** Added to each difference; default 1e-6. */
  eps?: number
  /** Takes the positive's distance to the negative where that is smaller. */
  swap?: boolean
}

/** max(0, d(anchor, positive) - d(anchor, negative) + margin), distances over the last dimension (margin: default 1). */
export function tripletMarginLoss(
  anchor: TensorLike,
  positive: TensorLike,
  negative: TensorLike,
  options: TripletMarginOptions = {},
): Tensor {
  const { margin = 1, p = 2, eps = 1e-6 } = options
  const [a, good, bad] = floats('tripletMarginLoss', anchor, positive, negative)
  const near = pairwiseDistance(a, good, { p, eps })
  const direct = pairwiseDistance(a, bad, { p, eps })
  const far = options.swap ? minimum(direct, pairwiseDistance(good, bad, { p, eps })) : direct
  return reduceLoss('tripletMarginLoss', hinge(add(sub(near, far), like(margin, near))), options.reduction)
}
