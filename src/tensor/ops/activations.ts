import { isFloat } from '../../ir/index.js'
import { composite } from '../control.js'
import { asTensor, type TensorLike } from '../core.js'
import { fail, resolveDim, typeText } from '../dims.js'
import { cast, toFloat, type Unary, widened } from '../promote.js'
import type { Tensor } from '../tensor.js'
import {
  abs,
  add,
  eq,
  erf,
  exp,
  expm1,
  ge,
  gt,
  le,
  like,
  log1p,
  lt,
  mul,
  neg,
  sub,
  tanh,
  trueDivide,
  where,
} from './elementwise.js'
import { defineGradient } from './gradient-rule.js'
import { clamp, expMinusAbs, logOnePlusExp, sigmoid } from './math.js'
import { narrow, reshape } from './shape.js'

/** Activation functions with the values and gradients of torch's, at their kinks too. */

/** max(x, 0); the gradient at 0 is 0. */
export function relu(like_: TensorLike): Tensor {
  const given = asTensor(like_)
  // Written so that NaN passes through.
  const body = (x: Tensor): Tensor => where(le(x, like(0, x)), like(0, x), x)
  return isFloat(given.dtype) ? composite('relu', {}, [given], ([x]) => [body(x)])[0] : body(given)
}

// By the result, so that what went in need not be kept.
defineGradient('relu', ([ct], { outputs: [y] }) => [
  ct && composite('relu_grad', {}, [ct, y], ([c, z]) => [where(le(z, like(0, z)), like(0, c), c)])[0],
])

/** x limited to [min, max]; no gradient at the limits. */
export function hardtanh(like_: TensorLike, min = -1, max = 1): Tensor {
  const x = asTensor(like_)
  return clamp(x, min, max)
}

/** relu limited to 6. */
export const relu6 = (x: TensorLike): Tensor => hardtanh(x, 0, 6)

/** x for x > 0, else slope * x. */
export const leakyRelu = (like_: TensorLike, negativeSlope = 0.01): Tensor =>
  widened((x) => where(gt(x, like(0, x)), x, mul(x, negativeSlope)))(like_)

/** x for x > 0, else weight * x; `weight` has one element, or one for each entry of dimension 1. */
export function prelu(like_: TensorLike, weight: TensorLike): Tensor {
  const x = toFloat(like_)
  const w = asTensor(weight, x.dtype)
  const channels = x.ndim > 1 ? x.shape[1] : 1
  if (w.size !== 1 && w.size !== channels)
    throw fail('prelu', `weight ${typeText(w)} must hold 1 or ${channels} elements for x ${typeText(x)}`)
  const spread = w.size === 1 ? reshape(w, []) : reshape(w, [channels, ...x.shape.slice(2).map(() => 1)])
  return where(gt(x, like(0, x)), x, mul(x, spread))
}

/** scale * (x for x > 0, else alpha * (e^(rate * x) - 1)). */
function eluWith(x: Tensor, alpha: TensorLike, scale: TensorLike | null, rate: TensorLike | null): Tensor {
  const positive = gt(x, like(0, x))
  const below = where(positive, like(0, x), x)
  const value = where(positive, x, mul(expm1(rate === null ? below : mul(below, rate)), alpha))
  return scale === null ? value : mul(value, scale)
}

/** x for x > 0, else alpha * (e^x - 1). */
export const elu = (like_: TensorLike, alpha = 1): Tensor => widened((x) => eluWith(x, alpha, null, null))(like_)

/** x for x > 0, else alpha * (e^(x / alpha) - 1). */
export const celu = (like_: TensorLike, alpha = 1): Tensor => widened((x) => eluWith(x, alpha, null, 1 / alpha))(like_)

const SELU_ALPHA = 1.6732632423543772
const SELU_SCALE = 1.0507009873554805

/** Self-normalising elu (Klambauer et al. 2017). */
export const selu: Unary = widened((x) => eluWith(x, like(SELU_ALPHA, x), like(SELU_SCALE, x), null))

/** x * sigmoid(x). */
export function silu(like_: TensorLike): Tensor {
  return widened((x) => composite('silu', {}, [x], ([y]) => [mul(y, sigmoid(y))])[0])(like_)
}

defineGradient('silu', ([ct], { inputs: [x] }) => {
  const product = (c: Tensor, y: Tensor): Tensor => {
    const s = sigmoid(y)
    return mul(c, mul(s, add(like(1, y), mul(y, sub(like(1, y), s)))))
  }
  return [ct && composite('silu_grad', {}, [ct, x], ([c, y]) => [product(c, y)])[0]]
})

/** {@link silu} under its other name. */
export const swish = silu

const SQRT_HALF = Math.SQRT1_2
const SQRT_TWO_OVER_PI = Math.sqrt(2 / Math.PI)
const GELU_CUBIC = 0.044715

const erfArea = (x: Tensor): Tensor => add(like(1, x), erf(mul(x, like(SQRT_HALF, x))))

function geluExact(x: Tensor): Tensor {
  const value = mul(mul(x, erfArea(x)), like(0.5, x))
  // As torch on CPU: NaN at infinity.
  return where(eq(x, like(Number.POSITIVE_INFINITY, x)), like(Number.NaN, x), value)
}

// Phi(x) + x phi(x)
function geluSlope(x: Tensor): Tensor {
  const density = mul(exp(mul(mul(x, x), like(-0.5, x))), like(1 / Math.sqrt(2 * Math.PI), x))
  return add(mul(like(0.5, x), erfArea(x)), mul(x, density))
}

// (1 + tanh(u)) / 2 is sigmoid(2 u), which keeps the digits of small results. Here 2 u.
const geluInner = (x: Tensor): Tensor =>
  mul(like(2 * SQRT_TWO_OVER_PI, x), add(x, mul(like(GELU_CUBIC, x), mul(x, mul(x, x)))))

const geluByTanh = (x: Tensor): Tensor => mul(x, sigmoid(geluInner(x)))

function geluByTanhSlope(x: Tensor): Tensor {
  const s = sigmoid(geluInner(x))
  const slope = mul(like(2 * SQRT_TWO_OVER_PI, x), add(like(1, x), mul(like(3 * GELU_CUBIC, x), mul(x, x))))
  return add(s, mul(x, mul(mul(s, sub(like(1, x), s)), slope)))
}

/** x * Phi(x), exact by erf or by the tanh approximation (Hendrycks and Gimpel 2016). */
export function gelu(like_: TensorLike, options: { readonly approximate?: 'none' | 'tanh' } = {}): Tensor {
  const approximate = options.approximate ?? 'none'
  if (approximate !== 'none' && approximate !== 'tanh')
    throw fail('gelu', `approximate is 'none' or 'tanh', got '${String(approximate)}'`)
  const body = approximate === 'tanh' ? geluByTanh : geluExact
  return widened((x) => composite('gelu', { approximate }, [x], ([y]) => [body(y)])[0])(like_)
}

defineGradient('gelu', ([ct], { inputs: [x], attributes }) => {
  const slope = attributes.approximate === 'tanh' ? geluByTanhSlope : geluSlope
  const { approximate } = attributes
  return [ct && composite('gelu_grad', { approximate }, [ct, x], ([c, y]) => [mul(c, slope(y))])[0]]
})

/** x * sigmoid(1.702 x). */
export const quickGelu: Unary = widened((x) => mul(x, sigmoid(mul(x, like(1.702, x)))))

/** log(1 + e^(beta x)) / beta; the identity where beta * x > threshold. */
export function softplus(
  like_: TensorLike,
  options: { readonly beta?: number; readonly threshold?: number } = {},
): Tensor {
  const { beta = 1, threshold = 20 } = options
  return widened((x) => {
    const scaled = beta === 1 ? x : mul(x, beta)
    const smooth = logOnePlusExp(scaled)
    return where(gt(scaled, threshold), x, beta === 1 ? smooth : trueDivide(smooth, beta))
  })(like_)
}

/** log(sigmoid(x)). */
export const logSigmoid: Unary = widened((x) => sub(where(ge(x, like(0, x)), like(0, x), x), log1p(expMinusAbs(x))))

/** x * tanh(log(1 + e^x)). */
export const mish: Unary = widened((x) => mul(x, tanh(logOnePlusExp(x))))

/** Piecewise linear sigmoid: clamp(x / 6 + 1 / 2, 0, 1). */
export const hardsigmoid: Unary = widened((x) => trueDivide(relu6(add(x, like(3, x))), like(6, x)))

/** x * hardsigmoid(x). */
export function hardswish(like_: TensorLike): Tensor {
  const body = widened((x) => trueDivide(mul(x, clamp(add(x, like(3, x)), 0, 6)), like(6, x)))
  return composite('hardswish', {}, [toFloat(like_)], ([x]) => [body(x)])[0]
}

defineGradient('hardswish', ([ct], { inputs: [x] }) => {
  const slope = widened((y) => {
    const middle = add(trueDivide(y, like(3, y)), like(0.5, y))
    return where(le(y, like(-3, y)), like(0, y), where(ge(y, like(3, y)), like(1, y), middle))
  })
  return [ct && mul(ct, slope(x))]
})

/** x / (1 + |x|). */
export const softsign: Unary = widened((x) => trueDivide(x, add(like(1, x), abs(x))))

/** x - tanh(x). */
export const tanhshrink: Unary = widened((x) => sub(x, tanh(x)))

/** x where |x| > lambda, else 0. */
export function hardshrink(like_: TensorLike, lambda = 0.5): Tensor {
  const x = toFloat(like_)
  const bound = cast(lambda, x.dtype)
  // 0 as a product, so that NaN passes through.
  return where(gt(abs(x), bound), x, mul(x, like(0, x)))
}

/** x moved toward 0 by lambda; 0 where |x| <= lambda. */
export function softshrink(like_: TensorLike, lambda = 0.5): Tensor {
  const x = toFloat(like_)
  const bound = cast(lambda, x.dtype)
  const shrunk = where(gt(x, bound), sub(x, bound), where(lt(x, neg(bound)), add(x, bound), mul(x, like(0, x))))
  return shrunk
}

/** x where x > threshold, else value. */
export function threshold(like_: TensorLike, limit: number, value: number): Tensor {
  const x = asTensor(like_)
  return where(le(x, cast(limit, x.dtype)), cast(value, x.dtype), x)
}

/** First half of dimension `dim` times the sigmoid of the second half. */
export function glu(like_: TensorLike, dim = -1): Tensor {
  const x = toFloat(like_)
  const at = resolveDim('glu', dim, x.ndim, x)
  const extent = x.shape[at] ?? 1
  if (extent % 2 !== 0) throw fail('glu', `dimension ${dim} of ${typeText(x)} must have an even extent`)
  const half = extent / 2
  return mul(narrow(x, at, 0, half), sigmoid(narrow(x, at, half, half)))
}
