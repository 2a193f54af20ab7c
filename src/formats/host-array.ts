import { arrayConstructor, type DType, dtypeBytes, type TypedArray } from '../ir/dtype.js'

/**
 * A dense array in host memory, row-major. `data.length` equals the product of `shape`.
 * f16 and bf16 hold their bits in a Uint16Array, bool holds 0/1 in a Uint8Array, i64 is a BigInt64Array.
 */
export interface HostArray {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly data: TypedArray
}

/** Product of `shape`, or undefined where a size is not a count or the product is not exactly representable. */
export function elementCount(shape: readonly number[]): number | undefined {
  for (const size of shape) if (!Number.isSafeInteger(size) || size < 0) return undefined
  // A zero anywhere empties the array, however large the other sizes are.
  if (shape.includes(0)) return 0
  let count = 1
  for (const size of shape) {
    count *= size
    if (count > Number.MAX_SAFE_INTEGER) return undefined
  }
  return count
}

/** Checks that `data` is the right kind of array for `dtype` and as long as `shape` says; `where` names it in errors. */
export function checkHostArray(array: HostArray, where: string): void {
  const count = elementCount(array.shape)
  if (count === undefined) throw new TypeError(`${where}: [${array.shape}] is not a shape of non-negative integers`)
  const expected = arrayConstructor(array.dtype)
  if (!(array.data instanceof expected)) {
    throw new TypeError(`${where}: ${array.dtype} is held in ${expected.name}, got ${array.data?.constructor?.name}`)
  }
  if (array.data.length !== count) {
    throw new RangeError(`${where}: shape [${array.shape}] has ${count} elements, its data has ${array.data.length}`)
  }
}

/** The bytes of a typed array, without copying. */
export const bytesOf = (data: TypedArray): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)

const HOST_IS_LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** Reverses the bytes of every `size`-byte element in place. */
function swapBytes(bytes: Uint8Array, size: number): void {
  for (let start = 0; start < bytes.length; start += size) bytes.subarray(start, start + size).reverse()
}

/**
 * Reads raw element bytes as an array of `dtype`. Shares memory with `bytes` where alignment and byte order allow it,
 * and copies otherwise.
 */
export function arrayFromBytes(bytes: Uint8Array, dtype: DType, order: 'little' | 'big' = 'little'): TypedArray {
  const size = dtypeBytes(dtype)
  const swap = size > 1 && (order === 'little') !== HOST_IS_LITTLE
  const usable = !swap && bytes.byteOffset % size === 0
  const source = usable ? bytes : new Uint8Array(bytes) // not slice(): that of a Buffer shares its memory
  if (swap) swapBytes(source, size)
  return new (arrayConstructor(dtype))(source.buffer, source.byteOffset, source.byteLength / size)
}

/** Little-endian bytes of an array: shared with it on little-endian hosts. */
export function littleEndianBytes(data: TypedArray): Uint8Array {
  const bytes = bytesOf(data)
  if (HOST_IS_LITTLE || data.BYTES_PER_ELEMENT === 1) return bytes
  const copy = bytes.slice()
  swapBytes(copy, data.BYTES_PER_ELEMENT)
  return copy
}
