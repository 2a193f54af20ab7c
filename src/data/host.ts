/** Host arrays from JS values: numbers give f32, booleans bool, bigints i64, unless a dtype is named. */
import { bytesOf, checkHostArray, type HostArray } from '../formats/host-array.js'
import { isRecord, show } from '../formats/strict-json.js'
import {
  allocateArray,
  arrayConstructor,
  DTYPES,
  type DType,
  dtypeBytes,
  dtypeKind,
  type TypedArray,
} from '../ir/dtype.js'
import { toBf16, toF16 } from '../ir/half.js'
import { DataError } from './source.js'

export type Scalar = number | boolean | bigint
/** Numbers, booleans or bigints nested to any depth; every level must be rectangular. */
export type Nested = Scalar | readonly Nested[]

/** The dtype that a typed array holds when none is named. (Uint16Array holds f16 or bf16 bits: it must be named.) */
const DTYPE_OF_ARRAY = new Map<unknown, DType>([
  [Float32Array, 'f32'],
  [Float64Array, 'f64'],
  [Int8Array, 'i8'],
  [Int16Array, 'i16'],
  [Uint8Array, 'u8'],
  [Int32Array, 'i32'],
  [Uint32Array, 'u32'],
  [BigInt64Array, 'i64'],
])

export const isHostArray = (value: unknown): value is HostArray =>
  isRecord(value) && typeof value.dtype === 'string' && Array.isArray(value.shape) && ArrayBuffer.isView(value.data)

export const isTypedArray = (value: unknown): value is TypedArray =>
  ArrayBuffer.isView(value) && (value instanceof Uint16Array || typedArrayDType(value) !== undefined)

/** Buffer counts as Uint8Array. */
function typedArrayDType(value: ArrayBufferView): DType | undefined {
  return DTYPE_OF_ARRAY.get(value.constructor) ?? (value instanceof Uint8Array ? 'u8' : undefined)
}

const INTEGER_RANGE: Partial<Record<DType, readonly [bigint, bigint]>> = Object.fromEntries(
  DTYPES.filter((dtype) => dtypeKind(dtype) === 'int').map((dtype) => {
    const bits = BigInt(dtypeBytes(dtype) * 8)
    return [dtype, dtype.startsWith('u') ? [0n, 2n ** bits - 1n] : [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n]]
  }),
)

const STORE: Partial<Record<DType, (value: number) => number>> = { f16: toF16, bf16: toBf16 }

/** Writes one scalar as `dtype`. @throws DataError where an integer type cannot hold the value exactly */
function storeScalar(data: TypedArray, index: number, value: Scalar, dtype: DType): void {
  const range = INTEGER_RANGE[dtype]
  if (range !== undefined) {
    if (typeof value === 'number' && !Number.isInteger(value))
      throw new DataError(`${dtype} holds integers, got ${value}`)
    const exact = BigInt(value)
    if (exact < range[0] || exact > range[1])
      throw new DataError(`${dtype} holds ${range[0]} to ${range[1]}, got ${exact}`)
    if (data instanceof BigInt64Array) data[index] = exact
    else data[index] = Number(exact)
    return
  }
  if (data instanceof BigInt64Array) return // i64 has a range: not reached
  if (dtype === 'bool') data[index] = value ? 1 : 0
  else data[index] = STORE[dtype]?.(Number(value)) ?? Number(value)
}

const SCALAR_DTYPE: Readonly<Record<string, DType>> = { number: 'f32', boolean: 'bool', bigint: 'i64' }

const isScalar = (value: unknown): value is Scalar => (typeof value) in SCALAR_DTYPE

/** Whether a value is a scalar or an array that holds nothing but arrays and scalars at its first places. */
export function isNested(value: unknown): value is Nested {
  let inner = value
  while (Array.isArray(inner)) {
    if (inner.length === 0) return true
    inner = inner[0]
  }
  return isScalar(inner)
}

/**
 * A host array from nested numbers, a typed array or another host array (returned as it is, if of `dtype`).
 * @throws DataError where rows differ in length, kinds are mixed, or an integer does not fit
 */
export function hostArray(value: Nested | TypedArray | HostArray, dtype?: DType): HostArray {
  if (isHostArray(value)) {
    checkHostArray(value, 'array')
    if (dtype === undefined || dtype === value.dtype) return value
    throw new DataError(`expected an array of ${dtype}, got one of ${value.dtype}`)
  }
  if (ArrayBuffer.isView(value)) {
    const held = dtype ?? typedArrayDType(value)
    if (held === undefined) throw new DataError(`${value.constructor.name}: name its dtype (f16 or bf16)`)
    const data = value instanceof Uint8Array ? new Uint8Array(value.buffer, value.byteOffset, value.length) : value
    if (!(data instanceof arrayConstructor(held)))
      throw new DataError(`expected an array of ${held}, got ${value.constructor.name}`)
    return { dtype: held, shape: [value.length], data }
  }
  return fromNested(value, dtype)
}

function fromNested(value: Nested, dtype: DType | undefined): HostArray {
  const shape: number[] = []
  let inner: Nested = value
  while (Array.isArray(inner)) {
    shape.push(inner.length)
    if (inner.length === 0) break
    inner = inner[0]
  }
  const kind = Array.isArray(inner) ? 'number' : typeof inner
  if (!(kind in SCALAR_DTYPE)) throw new DataError(`expected numbers, booleans or bigints, got ${show(inner)}`)
  const held = dtype ?? SCALAR_DTYPE[kind]
  const data = allocateArray(
    held,
    shape.reduce((product, size) => product * size, 1),
  )
  let next = 0
  const fill = (part: unknown, axis: number): void => {
    if (axis < shape.length) {
      if (!Array.isArray(part) || part.length !== shape[axis]) {
        const came = Array.isArray(part) ? `${part.length}` : show(part)
        throw new DataError(`not rectangular: expected ${shape[axis]} entries along axis ${axis}, got ${came}`)
      }
      for (const item of part) fill(item, axis + 1)
    } else if (!isScalar(part) || (typeof part !== kind && dtype === undefined)) {
      throw new DataError(`expected a ${kind} at every place, got ${show(part)}`)
    } else storeScalar(data, next++, part, held)
  }
  fill(value, 0)
  return { dtype: held, shape, data }
}

/** Stacks arrays of one shape and dtype along a new first axis. The caller has checked both. */
export function stack(arrays: readonly HostArray[]): HostArray {
  const { dtype, shape } = arrays[0]
  const size = arrays[0].data.length
  const data = allocateArray(dtype, arrays.length * size)
  const bytes = bytesOf(data)
  const stride = size * dtypeBytes(dtype)
  for (let i = 0; i < arrays.length; i++) bytes.set(bytesOf(arrays[i].data), i * stride)
  return { dtype, shape: [arrays.length, ...shape], data }
}

/** `array` with its first axis filled up to `length` with `value`. */
export function padFirstAxis(array: HostArray, length: number, value: Scalar): HostArray {
  const { dtype, shape } = array
  if (shape[0] === length) return array
  const inner = shape.slice(1).reduce((product, size) => product * size, 1)
  const data = allocateArray(dtype, length * inner)
  bytesOf(data).set(bytesOf(array.data))
  const filler = allocateArray(dtype, 1)
  storeScalar(filler, 0, value, dtype)
  const from = array.data.length
  if (data instanceof BigInt64Array) data.fill((filler as BigInt64Array)[0], from)
  else data.fill(filler[0] as number, from)
  return { dtype, shape: [length, ...shape.slice(1)], data }
}
