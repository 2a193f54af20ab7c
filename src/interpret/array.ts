import { allocateArray, type DType, fromBf16, fromF16, type TypedArray, toBf16, toF16 } from '../ir/index.js'

export type NumberArray = Float32Array | Float64Array | Int8Array | Int16Array | Uint8Array | Int32Array | Uint32Array

/**
 * Elements as the interpreter holds them between ops: the storage form, but f16 and bf16 widened to f32 (every element still is
 * one that the narrow type represents).
 */
export type HostArray = NumberArray | BigInt64Array

const isNarrow = (dtype: DType): boolean => dtype === 'f16' || dtype === 'bf16'

export const allocateHost = (dtype: DType, length: number): HostArray =>
  isNarrow(dtype) ? new Float32Array(length) : (allocateArray(dtype, length) as HostArray)

/** Storage form to {@link HostArray}; shares memory where nothing changes. */
export function decode(data: TypedArray, dtype: DType): HostArray {
  if (!isNarrow(dtype)) return data as HostArray
  const bits = data as Uint16Array
  const out = new Float32Array(bits.length)
  if (dtype === 'f16') for (let i = 0; i < out.length; i++) out[i] = fromF16(bits[i])
  else for (let i = 0; i < out.length; i++) out[i] = fromBf16(bits[i])
  return out
}

/** {@link HostArray} to the storage form; shares memory where nothing changes. */
export function encode(data: HostArray, dtype: DType): TypedArray {
  if (!isNarrow(dtype)) return data
  const values = data as Float32Array
  const out = new Uint16Array(values.length)
  if (dtype === 'f16') for (let i = 0; i < out.length; i++) out[i] = toF16(values[i])
  else for (let i = 0; i < out.length; i++) out[i] = toBf16(values[i])
  return out
}

/** Rounds freshly computed elements to what `dtype` holds, in place. */
export function roundToStorage(data: HostArray, dtype: DType): HostArray {
  if (!isNarrow(dtype)) return data
  const values = data as Float32Array
  if (dtype === 'f16') for (let i = 0; i < values.length; i++) values[i] = fromF16(toF16(values[i]))
  else for (let i = 0; i < values.length; i++) values[i] = fromBf16(toBf16(values[i]))
  return values
}

/**
 * Views an array as one of numbers where the code only moves elements between arrays of one element type, which bigints survive too.
 */
export const asMovable = (data: HostArray): NumberArray => data as NumberArray

/** Index operands of any integer dtype as numbers. */
export function toIndices(data: HostArray): ArrayLike<number> {
  return data instanceof BigInt64Array ? Float64Array.from(data, Number) : data
}
