import {
  abs,
  add,
  all,
  constant,
  div,
  eq,
  le,
  log,
  logicalOr,
  maximum,
  mean,
  mul,
  softplus,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  where,
} from '../../tensor/index.js'

// Losses between equal shapes: [..., d] and [..., d] -> [...]. Reference: keras.losses. Keras' epsilon is 1e-7.

const EPSILON = 1e-7
const c = (value: number, x: Tensor): Tensor => constant(value, x.dtype)

/** mean (y - p)^2. */
export const meanSquaredError = (y: Tensor, p: Tensor): Tensor => mean(square(sub(p, y)), -1)

/** mean |y - p|. */
export const meanAbsoluteError = (y: Tensor, p: Tensor): Tensor => mean(abs(sub(p, y)), -1)

/** 100 * mean |y - p| / max(|y|, epsilon). */
export const meanAbsolutePercentageError = (y: Tensor, p: Tensor): Tensor =>
  mul(mean(abs(div(sub(y, p), maximum(abs(y), c(EPSILON, y)))), -1), c(100, y))

/** mean (log(1+y) - log(1+p))^2, arguments at least epsilon. */
export const meanSquaredLogarithmicError = (y: Tensor, p: Tensor): Tensor => {
  const logOf = (x: Tensor): Tensor => log(add(maximum(x, c(EPSILON, x)), c(1, x)))
  return mean(square(sub(logOf(p), logOf(y))), -1)
}

/** Quadratic up to delta, then linear (Huber 1964). */
export const huber =
  (delta = 1) =>
  (y: Tensor, p: Tensor): Tensor => {
    const error = sub(p, y)
    const size = abs(error)
    const quadratic = mul(square(error), c(0.5, p))
    const linear = sub(mul(size, c(delta, p)), c(0.5 * delta * delta, p))
    return mean(where(le(size, c(delta, p)), quadratic, linear), -1)
  }

/** mean log cosh(p - y), in the form that does not overflow. */
export const logCosh = (y: Tensor, p: Tensor): Tensor => {
  const x = sub(p, y)
  return mean(sub(add(x, softplus(mul(x, c(-2, x)))), c(Math.log(2), x)), -1)
}

const unit = (x: Tensor): Tensor => div(x, sqrt(maximum(sum(square(x), -1, { keepdim: true }), c(1e-12, x))))

/** Cosine of the angle between y and p, in [-1, 1]. */
export const cosineSimilarity = (y: Tensor, p: Tensor): Tensor => sum(mul(unit(y), unit(p)), -1)

/** sum y log(y / p), arguments limited to [epsilon, 1]. */
export const klDivergence = (y: Tensor, p: Tensor): Tensor => {
  const limit = (x: Tensor): Tensor => x.clamp(EPSILON, 1)
  const [a, b] = [limit(y), limit(p)]
  return sum(mul(a, log(div(a, b))), -1)
}

/** mean p - y log(p + epsilon). */
export const poisson = (y: Tensor, p: Tensor): Tensor => mean(sub(p, mul(y, log(add(p, c(EPSILON, p))))), -1)

// Hinge losses take labels -1/1, or 0/1: a batch of zeros and ones alone is converted.
const signed = (y: Tensor): Tensor => {
  const binary = all(logicalOr(eq(y, c(0, y)), eq(y, c(1, y))))
  return where(binary, sub(mul(c(2, y), y), c(1, y)), y)
}
const margin = (y: Tensor, p: Tensor): Tensor => maximum(sub(c(1, p), mul(signed(y), p)), c(0, p))

/** mean max(1 - y p, 0). */
export const hinge = (y: Tensor, p: Tensor): Tensor => mean(margin(y, p), -1)

/** mean max(1 - y p, 0)^2. */
export const squaredHinge = (y: Tensor, p: Tensor): Tensor => mean(square(margin(y, p)), -1)

/** max(max((1 - y) p) - sum(y p) + 1, 0). */
export const categoricalHinge = (y: Tensor, p: Tensor): Tensor => {
  const positive = sum(mul(y, p), -1)
  const negative = p.mul(sub(c(1, y), y)).amax(-1)
  return maximum(add(sub(negative, positive), c(1, p)), c(0, p))
}
