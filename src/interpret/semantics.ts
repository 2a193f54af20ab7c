/**
 * Edge semantics, the one table that every backend keeps (the interpreter by the functions below, native kernels by their own).
 *
 * | case                                    | result                                                                    |
 * |-----------------------------------------|---------------------------------------------------------------------------|
 * | integer add, subtract, multiply, negate, abs, reductions, dot | wrap modulo 2^width (`abs` and `negate` of the least value give it back) |
 * | integer x / 0                           | all bits set: -1 signed, the greatest value unsigned                      |
 * | integer least / -1                      | the least value; its remainder is 0                                       |
 * | integer division                        | truncates toward zero; the remainder takes the sign of the dividend       |
 * | integer x rem 0                         | x                                                                         |
 * | integer power, negative exponent        | 1 for base 1, +-1 for base -1, else 0                                     |
 * | shift by the width or more (or negative, read as unsigned) | 0; `shift_right_arithmetic` fills with the sign        |
 * | float to integer                        | truncates; NaN gives 0; out of range saturates                            |
 * | float or integer to bool                | `x != 0` (NaN is true)                                                    |
 * | integer to narrower integer             | keeps the low bits                                                        |
 * | f64, integers to f16, bf16              | rounded to f32 first                                                      |
 * | float maximum, minimum, reduce max, min, reduce_window, scatter max, min | NaN if any operand is NaN; -0 is less than +0 in `maximum`, `minimum` |
 * | float remainder                         | C `fmod`; power: C `pow` (`pow(1, NaN)` = `pow(NaN, 0)` = 1)              |
 * | sign                                    | NaN for NaN, keeps -0                                                     |
 * | round_nearest_even                      | ties to even; keeps -0                                                    |
 * | compare                                 | IEEE: only NE is true of NaN; -0 equals +0                                |
 * | f16, bf16                               | each op computes in f32 or wider and rounds its result once               |
 * | reduce of nothing                       | sum 0, prod 1, max -inf or the least value, min +inf or the greatest, and: all bits set, or: 0 |
 * | bool sum, prod, max, min, dot           | or, and, or, and, or of ands                                              |
 * | argmax, argmin                          | first index on ties; the first NaN wins                                   |
 * | sort                                    | stable both ways; NaN counts as greater than everything (ascending last, descending first); -0 equals +0; the first operand is the key |
 * | gather, scatter start outside [0, extent - window] | error naming op, dimension, index and limit; nothing is clamped |
 * | dynamic_slice, dynamic_update_slice     | starts are clamped so that the window fits                                |
 * | scatter                                 | updates apply in row-major order of the index vectors: `set` keeps the last, `add` adds in that order |
 * | convolution, dot                        | padding is a zero that takes part (0 * inf = NaN)                         |
 * | bitcast to bool                         | non-zero bytes become 1                                                   |
 * | lgamma                                  | log of |gamma|; +inf at 0 and the negative integers                       |
 * | digamma                                 | -+inf at +-0; NaN at the negative integers                                |
 */

import type { DType } from '../ir/index.js'

export interface IntegerRange {
  readonly bits: number
  readonly least: number
  readonly greatest: number
}

type SmallInteger = 'i8' | 'i16' | 'u8' | 'i32' | 'u32'

const RANGES: { readonly [D in SmallInteger]: IntegerRange } = {
  i8: { bits: 8, least: -128, greatest: 127 },
  i16: { bits: 16, least: -32768, greatest: 32767 },
  u8: { bits: 8, least: 0, greatest: 255 },
  i32: { bits: 32, least: -2147483648, greatest: 2147483647 },
  u32: { bits: 32, least: 0, greatest: 4294967295 },
}

export const LEAST_I64 = -(2n ** 63n)
export const GREATEST_I64 = 2n ** 63n - 1n

/** Range of an integer dtype other than i64. */
export const rangeOf = (dtype: DType): IntegerRange => RANGES[dtype as SmallInteger]

// The results below are stored into typed arrays, which keep the low bits: -1 becomes the greatest value of an unsigned type.
export const divideInt = (x: number, y: number): number => (y === 0 ? -1 : Math.trunc(x / y))
export const divideBig = (x: bigint, y: bigint): bigint => (y === 0n ? -1n : x / y)
export const remainderInt = (x: number, y: number): number => (y === 0 ? x : x % y)
export const remainderBig = (x: bigint, y: bigint): bigint => (y === 0n ? x : x % y)

export function maximumBig(x: bigint, y: bigint): bigint {
  if (x > y) return x
  return y
}

export function minimumBig(x: bigint, y: bigint): bigint {
  if (x < y) return x
  return y
}

/** x^y modulo 2^32. */
export function powerInt(x: number, y: number): number {
  if (y < 0) return x === 1 ? 1 : x === -1 ? (y % 2 === 0 ? 1 : -1) : 0
  let result = 1
  for (let base = x, rest = y; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = Math.imul(result, base)
    base = Math.imul(base, base)
  }
  return result
}

export function powerBig(x: bigint, y: bigint): bigint {
  if (y < 0n) return x === 1n ? 1n : x === -1n ? (y % 2n === 0n ? 1n : -1n) : 0n
  let result = 1n
  for (let base = x, rest = y; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = BigInt.asIntN(64, result * base)
    base = BigInt.asIntN(64, base * base)
  }
  return result
}

/** C's `pow`: JavaScript's gives NaN for 1^NaN, 1^inf and (-1)^inf. */
export function powerFloat(x: number, y: number): number {
  if (x === 1) return 1
  if (x === -1 && (y === Infinity || y === -Infinity)) return 1
  return x ** y
}

export function roundNearestEven(x: number): number {
  const up = Math.round(x)
  return up - x === 0.5 && up % 2 !== 0 ? up - 1 : up
}

/** Float to an integer dtype of at most 32 bits. */
export function saturate(x: number, range: IntegerRange): number {
  if (Number.isNaN(x)) return 0
  if (x <= range.least) return range.least
  if (x >= range.greatest) return range.greatest
  return Math.trunc(x)
}

export function saturateBig(x: number): bigint {
  if (Number.isNaN(x)) return 0n
  if (x >= 2 ** 63) return GREATEST_I64
  if (x <= -(2 ** 63)) return LEAST_I64
  return BigInt(Math.trunc(x))
}

/** i64 to the nearest f32 in one rounding: beyond 2^53 the low bits are folded into a sticky bit before the first rounding. */
export function bigToF32(x: bigint): number {
  const size = x < 0n ? -x : x
  if (size < 2n ** 53n) return Math.fround(Number(x))
  const folded = (size >> 11n) | ((size & 2047n) === 0n ? 0n : 1n)
  return Math.fround((x < 0n ? -1 : 1) * Number(folded) * 2048)
}
