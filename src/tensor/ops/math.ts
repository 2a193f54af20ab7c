import { isFloat } from '../../ir/index.js'
import { composite } from '../control.js'
import { asTensor, record, type TensorLike } from '../core.js'
import { align, cast, resultType, toFloat, type Unary, widened } from '../promote.js'
import type { Tensor } from '../tensor.js'
import {
  abs,
  add,
  atan2,
  bitcast,
  ceil,
  eq,
  exp,
  expm1,
  floor,
  ge,
  gt,
  le,
  like,
  log,
  log1p,
  logicalAnd,
  logicalOr,
  lt,
  maximum,
  minimum,
  mul,
  ne,
  neg,
  rsqrt,
  sin,
  sqrt,
  stopGradient,
  sub,
  trueDivide,
  where,
} from './elementwise.js'
import { defineGradient } from './gradient-rule.js'

/** Elementwise functions composed of primitives, accurate over their whole domain, with torch's gradients. */

/** x * x. */
export const square = (like_: TensorLike): Tensor => {
  const given = asTensor(like_)
  if (!isFloat(given.dtype)) return mul(given, given)
  return composite('square', {}, [given], ([x]) => [mul(x, x)])[0]
}

// 2x first, as in torch: the two agree where it overflows.
defineGradient('square', ([ct], { inputs: [x] }) => [ct && mul(ct, mul(like(2, x), x))])

/** 1 / x. */
export const reciprocal = (x: TensorLike): Tensor => {
  const tensor = toFloat(x)
  return trueDivide(like(1, tensor), tensor)
}

/** Rounds toward zero. */
export const trunc = (like_: TensorLike): Tensor => {
  const x = asTensor(like_)
  return isFloat(x.dtype) ? where(lt(x, like(0, x)), ceil(x), floor(x)) : x
}

/** x - trunc(x), with the sign of x. */
export const frac = (like_: TensorLike): Tensor => {
  const x = asTensor(like_)
  return sub(x, trunc(x))
}

/** Rounds to the nearest integer (ties to even), or to `decimals` places. */
export function round(like_: TensorLike, decimals = 0): Tensor {
  const x = asTensor(like_)
  if (!isFloat(x.dtype)) return x
  if (decimals === 0) return record('round_nearest_even', [x], {})
  const scale = like(10 ** Math.abs(decimals), x)
  const scaled = decimals > 0 ? mul(x, scale) : trueDivide(x, scale)
  const rounded = record('round_nearest_even', [scaled], {})
  return decimals > 0 ? trueDivide(rounded, scale) : mul(rounded, scale)
}

/** 2^x. */
export const exp2: Unary = widened((x) => record('power', align('exp2', [like(2, x), x]), {}))
/** Logarithm to base 2. */
export const log2: Unary = widened((x) => trueDivide(log(x), like(Math.LN2, x)))
/** Logarithm to base 10. */
export const log10: Unary = widened((x) => trueDivide(log(x), like(Math.LN10, x)))

export const atan = (x: TensorLike): Tensor => {
  const tensor = toFloat(x)
  return atan2(tensor, like(1, tensor))
}

// 1 - x^2 without cancellation near |x| = 1.
const complement = (x: Tensor): Tensor => mul(sub(like(1, x), x), add(like(1, x), x))

/** A composite of one operand whose derivative is given, where that of the body is not finite at the ends of the domain. */
function withDerivative(name: string, f: (x: Tensor) => Tensor, derivative: (x: Tensor) => Tensor): Unary {
  const body = widened(f)
  const slope = widened(derivative)
  defineGradient(name, ([ct], { inputs: [x] }) => [ct && mul(ct, slope(x))])
  return (like_) => composite(name, {}, [toFloat(like_)], ([x]) => [body(x)])[0]
}

export const asin: Unary = withDerivative(
  'asin',
  (x) => atan2(x, sqrt(complement(x))),
  (x) => rsqrt(complement(x)),
)

export const acos: Unary = withDerivative(
  'acos',
  (x) => atan2(sqrt(complement(x)), x),
  (x) => neg(rsqrt(complement(x))),
)

/** (e^x - s e^-x) / 2 without early overflow: e^(x/2) is squared last. */
function halfExponentials(x: Tensor, combine: (a: Tensor, b: Tensor) => Tensor): Tensor {
  const half = (y: Tensor): Tensor => {
    const root = exp(mul(y, like(0.5, x)))
    return mul(mul(root, like(0.5, x)), root)
  }
  return combine(half(x), half(neg(x)))
}

export const cosh: Unary = widened((x) => halfExponentials(x, add))

export const sinh: Unary = widened((x) => {
  const small = lt(abs(x), like(1, x))
  const m = expm1(where(small, x, like(0, x)))
  const near = mul(like(0.5, x), add(m, trueDivide(m, add(m, like(1, x)))))
  return where(small, near, halfExponentials(x, sub))
})

/** Beyond this, log(x + sqrt(x^2 +- 1)) is log(2x) in every float dtype, and x^2 may overflow. */
const LARGE = 1e9

export const asinh: Unary = widened((x) => {
  const negative = lt(x, like(0, x))
  const size = where(negative, neg(x), x)
  const large = gt(size, like(LARGE, x))
  const a = where(large, like(0, x), size)
  const squared = mul(a, a)
  const root = sqrt(add(squared, like(1, x)))
  const near = log1p(add(a, trueDivide(squared, add(root, like(1, x)))))
  const far = add(log(where(large, size, like(1, x))), like(Math.LN2, x))
  const value = where(large, far, near)
  return where(negative, neg(value), value)
})

export const acosh: Unary = withDerivative(
  'acosh',
  (x) => {
    const large = gt(x, like(LARGE, x))
    const excess = sub(where(large, like(1, x), x), like(1, x))
    // Two roots, since the product under one may overflow, and is positive again below -1.
    const near = log1p(add(excess, mul(sqrt(excess), sqrt(add(excess, like(2, x))))))
    const far = add(log(where(large, x, like(1, x))), like(Math.LN2, x))
    return where(large, far, near)
  },
  (x) => rsqrt(mul(sub(x, like(1, x)), add(x, like(1, x)))),
)

export const atanh: Unary = widened((x) => mul(like(0.5, x), sub(log1p(x), log1p(neg(x)))))

/** e^-|x|, whose gradient at 0 is that of e^-x. */
export function expMinusAbs(x: Tensor): Tensor {
  return exp(where(ge(x, like(0, x)), neg(x), x))
}

/** 1 / (1 + e^-x). */
export function sigmoid(like_: TensorLike): Tensor {
  const body = (x: Tensor): Tensor => {
    const e = expMinusAbs(x)
    const one = like(1, x)
    return trueDivide(where(ge(x, like(0, x)), one, e), add(one, e))
  }
  return widened((x) => composite('sigmoid', {}, [x], ([y]) => [body(y)])[0])(like_)
}

defineGradient('sigmoid', ([ct], { outputs: [y] }) => [ct && mul(ct, mul(y, sub(like(1, y), y)))])

/** log(1 + e^x) without overflow. */
export function logOnePlusExp(x: Tensor): Tensor {
  return add(where(ge(x, like(0, x)), x, like(0, x)), log1p(expMinusAbs(x)))
}

/** log(x / (1 - x)); with `eps`, x is clamped to [eps, 1 - eps] first. */
export function logit(like_: TensorLike, eps?: number | null): Tensor {
  return widened((x) => {
    const p = eps === undefined || eps === null ? x : clamp(x, eps, 1 - eps)
    return log(trueDivide(p, sub(like(1, x), p)))
  })(like_)
}

/** sin(pi x) / (pi x), 1 at 0. */
export const sinc: Unary = widened((x) => {
  const zero = eq(x, like(0, x))
  const angle = mul(where(zero, like(1, x), x), like(Math.PI, x))
  return where(zero, like(1, x), trueDivide(sin(angle), angle))
})

/** True where the sign bit is set (of integers: where negative). */
export function signbit(like_: TensorLike): Tensor {
  const x = asTensor(like_)
  if (!isFloat(x.dtype)) return lt(x, 0)
  const bits = ({ f32: 'i32', f64: 'i64', f16: 'i16', bf16: 'i16' } as const)[x.dtype as 'f32']
  const integer = bitcast(x, bits)
  return lt(integer, like(0, integer))
}

export const isnan = (like_: TensorLike): Tensor => {
  const x = asTensor(like_)
  return ne(x, x)
}

export const isinf = (like_: TensorLike): Tensor => {
  const x = asTensor(like_)
  return isFloat(x.dtype) ? eq(abs(x), like(Number.POSITIVE_INFINITY, x)) : ne(x, x)
}

export const isfinite = (like_: TensorLike): Tensor => {
  const x = asTensor(like_)
  return isFloat(x.dtype) ? lt(abs(x), like(Number.POSITIVE_INFINITY, x)) : eq(x, x)
}

const LARGEST = { f32: 3.4028234663852886e38, f64: Number.MAX_VALUE, f16: 65504, bf16: 3.3895313892515355e38 } as const

export interface NanToNumOptions {
  readonly nan?: number
  readonly posinf?: number | null
  readonly neginf?: number | null
}

/** Replaces NaN (default 0) and infinities (default the largest and least numbers of the dtype). */
export function nanToNum(like_: TensorLike, options: NanToNumOptions = {}): Tensor {
  const x = asTensor(like_)
  if (!isFloat(x.dtype)) return x
  const largest = LARGEST[x.dtype as keyof typeof LARGEST]
  const value = (given: number | null | undefined, otherwise: number): Tensor => cast(given ?? otherwise, x.dtype)
  const noNan = where(isnan(x), value(options.nan, 0), x)
  const noHigh = where(eq(x, like(Number.POSITIVE_INFINITY, x)), value(options.posinf, largest), noNan)
  return where(eq(x, like(Number.NEGATIVE_INFINITY, x)), value(options.neginf, -largest), noHigh)
}

/** x limited to numbers; the gradient is 1 strictly between them and 0 elsewhere, at NaN too. */
function clampToNumbers(x: Tensor, min: number | null, max: number | null): Tensor {
  const tests: Tensor[] = []
  let limited = x
  if (min !== null) {
    const low = cast(min, x.dtype)
    tests.push(gt(x, low))
    limited = maximum(limited, low)
  }
  if (max !== null) {
    const high = cast(max, x.dtype)
    tests.push(lt(x, high))
    limited = minimum(limited, high)
  }
  if (tests.length === 0) return x
  const inside = tests.reduce((a, b) => logicalAnd(a, b))
  return isFloat(x.dtype) ? where(inside, x, stopGradient(limited)) : limited
}

const isNumber = (bound: TensorLike | null | undefined): bound is number | null | undefined =>
  bound === undefined || bound === null || typeof bound === 'number'

/**
 * Limits x to [min, max]; a bound may be missing (undefined or null), a number or a tensor. Where min > max the result is max.
 * As in torch, x gets no gradient at a bound that is a number, and shares it with one that is a tensor.
 */
export function clamp(x: TensorLike, min?: TensorLike | null, max?: TensorLike | null): Tensor {
  const bounds = [min, max].filter((bound) => bound !== undefined && bound !== null)
  const value = cast(x, resultType(x, ...bounds))
  if (isNumber(min) && isNumber(max)) return clampToNumbers(value, min ?? null, max ?? null)
  if (max === undefined || max === null) return maximum(value, min as TensorLike)
  if (min === undefined || min === null) return minimum(value, max)
  return composite('clamp', {}, align('clamp', [value, min, max]), ([x, low, high]) => [
    minimum(maximum(x, low), high),
  ])[0]
}

// As torch: where bounds cross all goes to the upper one, where they meet at x to x; NaN has the gradient of x.
defineGradient('clamp', ([ct], { inputs: [x, low, high] }) => {
  if (!ct) return [null, null, null]
  const zero = like(0, ct)
  const [under, over, ordered] = [lt(x, low), gt(x, high), le(low, high)]
  const below = logicalAnd(under, ordered)
  const above = logicalOr(logicalAnd(over, ordered), gt(low, high))
  const apart = lt(low, high)
  const [atLow, atHigh] = [eq(x, low), eq(x, high)].map((tie) => logicalAnd(tie, apart))
  const half = mul(ct, like(0.5, ct))
  const to = (all: Tensor, tie: Tensor): Tensor => where(all, ct, where(tie, half, zero))
  const own = where(logicalOr(atLow, atHigh), half, ct)
  return [where(logicalOr(under, over), zero, own), to(below, atLow), to(above, atHigh)]
})

/** {@link clamp} under numpy's name. */
export const clip = clamp
