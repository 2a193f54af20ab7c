import { isFloat } from '../../ir/index.js'
import { composite } from '../control.js'
import { asTensor, record, type TensorLike } from '../core.js'
import { align, cast, computeType, resultType } from '../promote.js'
import type { Tensor } from '../tensor.js'
import {
  abs,
  add,
  eq,
  exp,
  floor,
  fmod,
  ge,
  gt,
  le,
  like,
  log,
  logicalAnd,
  logicalNot,
  logicalOr,
  lt,
  maximum,
  mul,
  ne,
  neg,
  rsqrt,
  sqrt,
  stopGradient,
  sub,
  toBool,
  trueDivide,
  where,
} from './elementwise.js'
import { defineGradient } from './gradient-rule.js'
import { isfinite, isinf, reciprocal, signbit, square, trunc } from './math.js'

/** Two- and three-operand functions composed of primitives. */

export interface DivOptions {
  /** `trunc` rounds toward zero, `floor` toward minus infinity; integers then stay integers. */
  readonly roundingMode?: 'trunc' | 'floor' | null
}

/** x / y. Without a rounding mode integers give f32. */
export function div(x: TensorLike, y: TensorLike, options: DivOptions = {}): Tensor {
  const mode = options.roundingMode ?? null
  if (mode === null) return trueDivide(x, y)
  if (mode === 'floor') return floorDivide(x, y)
  const [a, b] = align('div', [x, y])
  return isFloat(a.dtype) ? trunc(record('divide', [a, b], {})) : record('divide', [a, b], {})
}

/** True where a remainder `mod` must be moved by `y` so that it takes the sign of y. */
const wrongSide = (mod: Tensor, y: Tensor): Tensor => {
  const zero = like(0, mod)
  return logicalAnd(ne(mod, zero), ne(lt(y, zero), lt(mod, zero)))
}

/** Quotient rounded toward minus infinity, as Python's //. No gradient. */
export function floorDivide(x: TensorLike, y: TensorLike): Tensor {
  const [a, b] = align('floorDivide', [
    stopGradient(cast(x, resultType(x, y))),
    stopGradient(cast(y, resultType(x, y))),
  ])
  const mod = fmod(a, b)
  if (!isFloat(a.dtype)) {
    const quotient = record('divide', [a, b], {})
    return where(wrongSide(mod, b), sub(quotient, like(1, a)), quotient)
  }
  // By way of the exact remainder, so that 1 // 0.1 is 9, as in Python.
  const exact = trueDivide(sub(a, mod), b)
  const shifted = where(wrongSide(mod, b), sub(exact, like(1, a)), exact)
  const down = floor(shifted)
  const nearest = where(gt(sub(shifted, down), like(0.5, a)), add(down, like(1, a)), down)
  return where(eq(b, like(0, b)), trueDivide(a, b), nearest)
}

/** Remainder with the sign of y, as Python's %. */
export function remainder(x: TensorLike, y: TensorLike): Tensor {
  const [a, b] = align('remainder', [x, y])
  const mod = fmod(a, b)
  return where(wrongSide(mod, b), add(mod, b), mod)
}

const SPECIAL_POWERS: { readonly [exponent: number]: (x: Tensor) => Tensor } = {
  1: (x) => x,
  2: square,
  3: (x) => mul(square(x), x),
}
const FLOAT_POWERS: { readonly [exponent: number]: (x: Tensor) => Tensor } = {
  '0.5': sqrt,
  '-0.5': rsqrt,
  '-1': reciprocal,
}

/** x^y. Integers stay integers when both are; gradients at 0 as in torch (none for a zero exponent). */
export function pow(x: TensorLike, y: TensorLike): Tensor {
  const dtype = resultType(x, y)
  if (typeof y === 'number') {
    const special = SPECIAL_POWERS[y] ?? (isFloat(dtype) ? FLOAT_POWERS[y] : undefined)
    if (special) return special(cast(x, dtype))
  }
  return record('power', align('pow', [x, y]), {})
}

/** sqrt(x^2 + y^2) without overflow. */
export function hypot(x: TensorLike, y: TensorLike): Tensor {
  const [a, b] = align('hypot', [x, y], computeType(resultType(x, y)))
  const size = stopGradient(maximum(abs(a), abs(b)))
  // The scale cancels, so it needs no gradient; 1 where it could not be divided by.
  const usable = logicalAnd(isfinite(size), gt(size, like(0, size)))
  const scale = where(usable, size, like(1, size))
  const root = sqrt(add(square(trueDivide(a, scale)), square(trueDivide(b, scale))))
  // An infinite leg decides, even beside NaN.
  const endless = logicalOr(isinf(a), isinf(b))
  return cast(where(endless, like(Number.POSITIVE_INFINITY, a), mul(root, scale)), resultType(x, y))
}

/** log(e^x + e^y) without overflow. */
export function logaddexp(x: TensorLike, y: TensorLike): Tensor {
  const dtype = resultType(x, y)
  const [a, b] = align('logaddexp', [x, y], computeType(dtype))
  const peak = stopGradient(maximum(a, b))
  const shift = where(isfinite(peak), peak, like(0, peak))
  return cast(add(log(add(exp(sub(a, shift)), exp(sub(b, shift)))), shift), isFloat(dtype) ? dtype : a.dtype)
}

/** |x| with the sign bit of y (the sign of -0 counts). */
export function copysign(x: TensorLike, y: TensorLike): Tensor {
  const dtype = resultType(x, y)
  const [a, b] = align('copysign', [x, y], isFloat(dtype) ? dtype : 'f32')
  return composite('copysign', {}, [a, b], ([magnitude, sign]) => {
    const size = abs(magnitude)
    return [where(signbit(sign), neg(size), size)]
  })[0]
}

// As torch: the quotient of result and operand, so NaN and infinities have no derivative.
defineGradient('copysign', ([ct], { inputs: [x], outputs: [y] }) => {
  const zero = like(0, x)
  return [ct && where(eq(x, zero), zero, mul(ct, trueDivide(y, x))), null]
})

/** x + weight * (y - x), exact at both ends. */
export function lerp(x: TensorLike, y: TensorLike, weight: TensorLike): Tensor {
  const operands = align('lerp', [x, y, weight])
  return composite('lerp', {}, operands, ([a, b, w]) => {
    const step = sub(b, a)
    const near = lt(abs(w), like(0.5, w))
    return [where(near, add(a, mul(w, step)), sub(b, mul(step, sub(like(1, w), w))))]
  })[0]
}

// The two branches have one derivative, which is finite where the other branch overflows.
defineGradient('lerp', ([ct], { inputs: [a, b, w] }) =>
  ct ? [mul(ct, sub(like(1, w), w)), mul(ct, w), mul(ct, sub(b, a))] : [null, null, null],
)

/** t + value * x * y. */
export function addcmul(t: TensorLike, x: TensorLike, y: TensorLike, value: TensorLike = 1): Tensor {
  return add(t, mul(value, mul(x, y)))
}

/** t + value * x / y. */
export function addcdiv(t: TensorLike, x: TensorLike, y: TensorLike, value: TensorLike = 1): Tensor {
  return add(t, mul(value, trueDivide(x, y)))
}

/** x * log(y), 0 where x is 0 (unless y is NaN). */
export function xlogy(x: TensorLike, y: TensorLike): Tensor {
  const dtype = resultType(x, y)
  const [a, b] = align('xlogy', [x, y], isFloat(dtype) ? dtype : 'f32')
  return composite('xlogy', {}, [a, b], ([p, q]) => {
    const isNan = ne(q, q)
    return [where(logicalAnd(eq(p, like(0, p)), logicalNot(isNan)), like(0, p), mul(p, log(q)))]
  })[0]
}

// As torch: x has no derivative where it is 0 and log(y) is none, and that of y is the quotient alone, so 0 / 0 is NaN.
defineGradient('xlogy', ([ct], { inputs: [a, b] }) => {
  if (!ct) return [null, null]
  const flat = logicalAnd(eq(a, like(0, a)), le(b, like(0, b)))
  return [where(flat, like(0, ct), xlogy(ct, b)), trueDivide(mul(ct, a), b)]
})

/** 0 where x < 0, 1 where x > 0, `values` where x is 0. No gradient. */
export function heaviside(x: TensorLike, values: TensorLike): Tensor {
  const [a, v] = align('heaviside', [x, values])
  const zero = like(0, a)
  return stopGradient(where(eq(a, zero), v, cast(gt(a, zero), a.dtype)))
}

/** `x` with `value` where `mask` holds; keeps the dtype of x. */
export function maskedFill(like_: TensorLike, mask: TensorLike, value: TensorLike): Tensor {
  const x = asTensor(like_)
  return where(toBool(asTensor(mask)), cast(value, x.dtype), x)
}

/** Whether |x - y| <= atol + rtol * |y|, elementwise; equal infinities are close. */
export function isclose(
  x: TensorLike,
  y: TensorLike,
  options: { readonly rtol?: number; readonly atol?: number; readonly equalNan?: boolean } = {},
): Tensor {
  const { rtol = 1e-5, atol = 1e-8, equalNan = false } = options
  const dtype = resultType(x, y)
  const [a, b] = align('isclose', [x, y], isFloat(dtype) ? dtype : 'f64')
  const within = logicalAnd(isfinite(b), ge(add(mul(abs(b), rtol), atol), abs(sub(a, b))))
  const close = where(eq(a, b), eq(b, b), within)
  return equalNan ? where(logicalAnd(ne(a, a), ne(b, b)), eq(like(0, a), like(0, a)), close) : close
}
