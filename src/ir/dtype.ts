/**
 * Element types. The order is shared with `native/kernels/kernel.h`.
 * Storage: f16 and bf16 hold their bits in a Uint16Array, bool holds 0/1 in a Uint8Array.
 */
export const DTYPES = ['f32', 'f64', 'f16', 'bf16', 'i8', 'i16', 'u8', 'i32', 'u32', 'i64', 'bool'] as const

export type DType = (typeof DTYPES)[number]

export type TypedArray =
  | Float32Array
  | Float64Array
  | Uint16Array
  | Int8Array
  | Int16Array
  | Uint8Array
  | Int32Array
  | Uint32Array
  | BigInt64Array

export interface TypedArrayConstructor {
  new (length: number): TypedArray
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): TypedArray
  readonly BYTES_PER_ELEMENT: number
}

export type DTypeKind = 'float' | 'int' | 'bool'

interface DTypeInfo {
  readonly kind: DTypeKind
  readonly signed: boolean
  readonly bytes: number
  readonly array: TypedArrayConstructor
}

const INFO: { readonly [D in DType]: DTypeInfo } = {
  f32: { kind: 'float', signed: true, bytes: 4, array: Float32Array },
  f64: { kind: 'float', signed: true, bytes: 8, array: Float64Array },
  f16: { kind: 'float', signed: true, bytes: 2, array: Uint16Array },
  bf16: { kind: 'float', signed: true, bytes: 2, array: Uint16Array },
  i8: { kind: 'int', signed: true, bytes: 1, array: Int8Array },
  i16: { kind: 'int', signed: true, bytes: 2, array: Int16Array },
  u8: { kind: 'int', signed: false, bytes: 1, array: Uint8Array },
  i32: { kind: 'int', signed: true, bytes: 4, array: Int32Array },
  u32: { kind: 'int', signed: false, bytes: 4, array: Uint32Array },
  i64: { kind: 'int', signed: true, bytes: 8, array: BigInt64Array },
  bool: { kind: 'bool', signed: false, bytes: 1, array: Uint8Array },
}

export const isDType = (name: string): name is DType => Object.hasOwn(INFO, name)
export const dtypeKind = (dtype: DType): DTypeKind => INFO[dtype].kind
export const isFloat = (dtype: DType): boolean => INFO[dtype].kind === 'float'
export const isInteger = (dtype: DType): boolean => INFO[dtype].kind === 'int'
export const isSigned = (dtype: DType): boolean => INFO[dtype].signed
export const dtypeBytes = (dtype: DType): number => INFO[dtype].bytes
/** Position in {@link DTYPES}: the code native kernels use. */
export const dtypeCode = (dtype: DType): number => DTYPES.indexOf(dtype)
export const arrayConstructor = (dtype: DType): TypedArrayConstructor => INFO[dtype].array
export const allocateArray = (dtype: DType, length: number): TypedArray => new INFO[dtype].array(length)
