import { type DType, fromBf16, fromF16, isFloat, type TypedArray } from '../../ir/index.js'

/**
 * How far a backend may be from the interpreter. `exact`: bit for bit, but for the payload of a NaN. Otherwise
 * `|got - want| <= ulps * epsilon * (|want| + scale)`, epsilon that of the dtype; results below the normal range may be flushed to zero.
 */
export type Accuracy = 'exact' | { readonly ulps: number; readonly scale: number }

const EPSILON: Partial<Record<DType, number>> = { f32: 2 ** -23, f64: 2 ** -52, f16: 2 ** -10, bf16: 2 ** -7 }
const LEAST_NORMAL: Partial<Record<DType, number>> = { f32: 2 ** -126, f64: 2 ** -1022, f16: 2 ** -14, bf16: 2 ** -126 }

function numbersOf(data: TypedArray, dtype: DType): ArrayLike<number | bigint> {
  if (dtype === 'f16') return Float64Array.from(data as Uint16Array, fromF16)
  if (dtype === 'bf16') return Float64Array.from(data as Uint16Array, fromBf16)
  return data
}

function agrees(got: number, want: number, dtype: DType, accuracy: Accuracy): boolean {
  if (Object.is(got, want)) return true
  if (accuracy === 'exact') return false
  if (got === want) return true
  const allowed = accuracy.ulps * (EPSILON[dtype] ?? 0) * (Math.abs(want) + accuracy.scale)
  return Math.abs(got - want) <= allowed + (LEAST_NORMAL[dtype] ?? 0)
}

/** The first disagreement between two arrays in words; null where they agree. */
export function disagreement(got: TypedArray, want: TypedArray, dtype: DType, accuracy: Accuracy): string | null {
  if (got.length !== want.length) return `${got.length} elements instead of ${want.length}`
  const a = numbersOf(got, dtype)
  const b = numbersOf(want, dtype)
  for (let i = 0; i < a.length; i++) {
    const same = isFloat(dtype) ? agrees(a[i] as number, b[i] as number, dtype, accuracy) : a[i] === b[i]
    if (!same) return `element ${i} of ${a.length} is ${show(a[i])}, the interpreter has ${show(b[i])}`
  }
  return null
}

const show = (x: number | bigint): string => (Object.is(x, -0) ? '-0' : String(x))
