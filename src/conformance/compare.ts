import {
  type DType,
  fromBf16,
  fromF16,
  isFloat,
  type Shape,
  sameShape,
  shapeText,
  type TypedArray,
} from '../ir/index.js'
import type { Difference } from './report.js'

/** An array with its elements as numbers (i64 as exact integers where they fit a number). */
export interface Values {
  readonly dtype: DType
  readonly shape: Shape
  readonly data: ArrayLike<number | bigint>
}

/** `|got - want| <= atol + rtol * |want|`, or a number of units in the last place of the expected dtype. */
export type Tolerance = { readonly atol: number; readonly rtol: number } | { readonly ulps: number }

export const EXACT: Tolerance = { atol: 0, rtol: 0 }

/** Storage of a tensor or file as values: f16 and bf16 bits become numbers. */
export function valuesOf(dtype: DType, shape: Shape, data: TypedArray): Values {
  if (dtype === 'f16') return { dtype, shape, data: Float64Array.from(data as Uint16Array, fromF16) }
  if (dtype === 'bf16') return { dtype, shape, data: Float64Array.from(data as Uint16Array, fromBf16) }
  return { dtype, shape, data }
}

interface FloatFormat {
  /** Bits of the significand after the leading one. */
  readonly bits: number
  readonly minExponent: number
}

const FORMATS: Partial<Record<DType, FloatFormat>> = {
  f64: { bits: 52, minExponent: -1022 },
  f32: { bits: 23, minExponent: -126 },
  f16: { bits: 10, minExponent: -14 },
  bf16: { bits: 7, minExponent: -126 },
}

/** Distance from `value` to the next larger magnitude in `dtype`. */
export function ulpOf(value: number, dtype: DType): number {
  const format = FORMATS[dtype]
  if (!format) return 0
  const exponent = value === 0 ? format.minExponent : Math.floor(Math.log2(Math.abs(value)))
  return 2 ** (Math.max(exponent, format.minExponent) - format.bits)
}

function allowed(want: number, dtype: DType, tolerance: Tolerance): number {
  if (!isFloat(dtype)) return 0
  if ('ulps' in tolerance) return tolerance.ulps * ulpOf(want, dtype)
  return tolerance.atol + tolerance.rtol * Math.abs(want)
}

const kindOf = (dtype: DType): string => (isFloat(dtype) ? 'float' : dtype === 'bool' ? 'bool' : 'int')

function compareKinds(got: Values, want: Values, where: string): string | null {
  const [ours, theirs] = [kindOf(got.dtype), kindOf(want.dtype)]
  // Integers of another width compare by value; floats must be of the same precision.
  if (ours !== theirs || (theirs === 'float' && got.dtype !== want.dtype))
    return `${where}: dtype ${got.dtype}, expected ${want.dtype}`
  if (!sameShape(got.shape, want.shape))
    return `${where}: shape ${shapeText(got.shape)}, expected ${shapeText(want.shape)}`
  return null
}

export interface Comparison {
  readonly worst: Difference | null
  /** Null where everything is within tolerance. */
  readonly reason: string | null
}

/** Compares element by element: NaN equals NaN, infinities equal themselves, integers and bools must be equal. */
export function compareValues(got: Values, want: Values, tolerance: Tolerance, where: string): Comparison {
  const kinds = compareKinds(got, want, where)
  if (kinds) return { worst: null, reason: kinds }
  let worst: Difference | null = null
  let wrong = 0
  let first = ''
  for (let i = 0; i < want.data.length; i++) {
    const [a, b] = [Number(got.data[i]), Number(want.data[i])]
    const same = got.data[i] === want.data[i] || Object.is(a, b) || a === b
    const error = same ? 0 : Math.abs(a - b)
    const limit = allowed(b, want.dtype, tolerance)
    const ratio = error === 0 ? 0 : limit > 0 && Number.isFinite(error) ? error / limit : Number.POSITIVE_INFINITY
    if (!worst || ratio > worst.ratio)
      worst = { where, error: Number.isNaN(error) ? Number.POSITIVE_INFINITY : error, ratio }
    if (ratio > 1) {
      if (wrong++ === 0) first = `${where}[${i}] is ${a}, expected ${b}`
    }
  }
  if (wrong === 0) return { worst, reason: null }
  const more = wrong > 1 ? ` (${wrong} of ${want.data.length} differ, by up to ${worst?.error.toPrecision(3)})` : ''
  return { worst, reason: `${first}${more}` }
}

/** Joins comparisons of one case: the worst difference and the first reason. */
export function joinComparisons(parts: readonly Comparison[]): Comparison {
  let worst: Difference | null = null
  for (const part of parts) if (part.worst && (!worst || part.worst.ratio > worst.ratio)) worst = part.worst
  return { worst, reason: parts.find((part) => part.reason !== null)?.reason ?? null }
}
