import type { Value } from '../../ir/index.js'
import * as e from '../emit.js'
import { operandRules, unaryRule } from '../rule.js'
import { trigamma } from './trigamma.js'

const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI)

export const unaryRules = {
  negate: unaryRule<'negate'>((ct) => e.negate(ct)),
  // No gradient at 0 and NaN.
  abs: unaryRule<'abs'>((ct, x) => {
    const negative = e.select(e.compare('LT', x, e.zeros(x)), e.negate(ct), e.zeros(ct))
    return e.select(e.compare('GT', x, e.zeros(x)), ct, negative)
  }),
  exponential: unaryRule<'exponential'>((ct, _x, y) => e.multiply(ct, y)),
  exponential_minus_one: unaryRule<'exponential_minus_one'>((ct, _x, y) => e.multiply(ct, e.add(y, e.like(y, 1)))),
  log: unaryRule<'log'>((ct, x) => e.divide(ct, x)),
  log_plus_one: unaryRule<'log_plus_one'>((ct, x) => e.divide(ct, e.add(x, e.like(x, 1)))),
  sqrt: unaryRule<'sqrt'>((ct, _x, y) => e.divide(ct, e.scale(y, 2))),
  rsqrt: unaryRule<'rsqrt'>((ct, _x, y) => e.multiply(e.scale(ct, -0.5), e.multiply(y, e.square(y)))),
  sine: unaryRule<'sine'>((ct, x) => e.multiply(ct, e.unary('cosine', x))),
  cosine: unaryRule<'cosine'>((ct, x) => e.negate(e.multiply(ct, e.unary('sine', x)))),
  tangent: unaryRule<'tangent'>((ct, _x, y) => e.multiply(ct, e.add(e.square(y), e.like(y, 1)))),
  tanh: unaryRule<'tanh'>((ct, _x, y) => e.multiply(ct, e.subtract(e.like(y, 1), e.square(y)))),
  erf: unaryRule<'erf'>((ct, x) =>
    e.multiply(e.scale(ct, TWO_OVER_SQRT_PI), e.unary('exponential', e.negate(e.square(x)))),
  ),
  erfc: unaryRule<'erfc'>((ct, x) =>
    e.multiply(e.scale(ct, -TWO_OVER_SQRT_PI), e.unary('exponential', e.negate(e.square(x)))),
  ),
  erf_inv: unaryRule<'erf_inv'>((ct, _x, y) =>
    e.multiply(e.scale(ct, 1 / TWO_OVER_SQRT_PI), e.unary('exponential', e.square(y))),
  ),
  lgamma: unaryRule<'lgamma'>((ct, x) => e.multiply(ct, e.unary('digamma', x))),
  digamma: unaryRule<'digamma'>((ct, x) => e.multiply(ct, trigamma(x))),
  convert: unaryRule<'convert'>((ct, x) => e.convert(ct, x.dtype)),
}

/** Rounds toward zero. */
const truncate = (x: Value): Value => e.select(e.compare('LT', x, e.zeros(x)), e.unary('ceil', x), e.unary('floor', x))

/** The share of `ct` that goes to `winner` where it is not on the losing side of `loses`; ties are halved. */
const share = (loses: 'LT' | 'GT', ct: Value, winner: Value, other: Value): Value =>
  e.select(e.compare(loses, winner, other), e.zeros(ct), e.select(e.compare('EQ', winner, other), e.scale(ct, 0.5), ct))

/** numerator / (a^2 + b^2); 0 at the origin, where atan2 has no derivative. */
function overSquares(numerator: Value, a: Value, b: Value): Value {
  const squares = e.add(e.square(a), e.square(b))
  const atOrigin = e.compare('EQ', squares, e.zeros(squares))
  return e.select(atOrigin, e.zeros(squares), e.divide(numerator, squares))
}

export const binaryRules = {
  add: operandRules<'add'>(
    (ct) => ct,
    (ct) => ct,
  ),
  subtract: operandRules<'subtract'>(
    (ct) => ct,
    (ct) => e.negate(ct),
  ),
  multiply: operandRules<'multiply'>(
    (ct, [, b]) => e.multiply(ct, b),
    (ct, [a]) => e.multiply(ct, a),
  ),
  divide: operandRules<'divide'>(
    (ct, [, b]) => e.divide(ct, b),
    (ct, [, b], y) => e.negate(e.multiply(ct, e.divide(y, b))),
  ),
  remainder: operandRules<'remainder'>(
    (ct) => ct,
    (ct, [a, b]) => e.negate(e.multiply(ct, truncate(e.divide(a, b)))),
  ),
  // As torch: no gradient for the base where the exponent is 0, none for the exponent where the base is 0 and the exponent is not negative.
  power: operandRules<'power'>(
    (ct, [a, b]) =>
      e.select(
        e.compare('EQ', b, e.zeros(b)),
        e.zeros(ct),
        e.multiply(ct, e.multiply(b, e.power(a, e.subtract(b, e.like(b, 1))))),
      ),
    (ct, [a, b], y) => {
      const blocked = e.both(e.compare('EQ', a, e.zeros(a)), e.compare('GE', b, e.zeros(b)))
      return e.select(blocked, e.zeros(ct), e.multiply(ct, e.multiply(y, e.unary('log', a))))
    },
  ),
  maximum: operandRules<'maximum'>(
    (ct, [a, b]) => share('LT', ct, a, b),
    (ct, [a, b]) => share('LT', ct, b, a),
  ),
  minimum: operandRules<'minimum'>(
    (ct, [a, b]) => share('GT', ct, a, b),
    (ct, [a, b]) => share('GT', ct, b, a),
  ),
  atan2: operandRules<'atan2'>(
    (ct, [a, b]) => e.multiply(ct, overSquares(b, a, b)),
    (ct, [a, b]) => e.negate(e.multiply(ct, overSquares(a, a, b))),
  ),
  select: operandRules<'select'>(
    (ct) => ct,
    (ct, [predicate]) => e.select(predicate, ct, e.zeros(ct)),
    (ct, [predicate]) => e.select(predicate, e.zeros(ct), ct),
  ),
}
