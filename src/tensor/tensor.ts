import {
  type DType,
  fromBf16,
  fromF16,
  type Shape,
  shapeText,
  sizeOf,
  type TypedArray,
  type Value,
} from '../ir/index.js'
import { bufferOf, realise } from '../runtime/index.js'
import { formatTensor } from './format.js'

export type NestedArray<T> = T | readonly NestedArray<T>[]

/** Element arrays as users see them: f16 and bf16 widened to f32. */
export type DataArray = TypedArray

/**
 * An immutable n-dimensional array. Operations record nodes and compute nothing; reading (`data`, `item`, `toArray`, `evaluate`) runs
 * what is needed as one compiled program. Memory is freed by the garbage collector; `dispose()` and `using` are optional.
 */
export class Tensor {
  constructor(
    /** The IR value behind this tensor. */
    readonly value: Value,
  ) {}

  get shape(): Shape {
    return this.value.shape
  }

  get dtype(): DType {
    return this.value.dtype
  }

  /** Number of dimensions. */
  get ndim(): number {
    return this.value.shape.length
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.value.shape)
  }

  /** A copy of the elements in the dtype's storage form (f16 and bf16 as bits), as files hold them. */
  async raw(): Promise<TypedArray> {
    const [buffer] = await realise([this.value])
    return buffer.array.slice()
  }

  /** A copy of the elements in row-major order; f16 and bf16 come as Float32Array, bool as 0/1 in a Uint8Array, i64 as BigInt64Array. */
  async data(): Promise<DataArray> {
    const [buffer] = await realise([this.value])
    const array = buffer.array
    if (this.dtype === 'f16') return Float32Array.from(array as Uint16Array, fromF16)
    if (this.dtype === 'bf16') return Float32Array.from(array as Uint16Array, fromBf16)
    return array.slice()
  }

  /**
   * The only element, as a number (bool: true or false).
   * @throws RangeError when there is not exactly one element, or an i64 is beyond what a number holds exactly.
   */
  async item(): Promise<number> {
    if (this.size !== 1)
      throw new RangeError(`item() needs exactly one element, this tensor is ${this.dtype}${shapeText(this.shape)}`)
    return toNumber((await this.data())[0])
  }

  /** Nested arrays of numbers (booleans for bool). A scalar gives the number itself. */
  async toArray(): Promise<NestedArray<number | boolean>> {
    return nest(await this.data(), this.shape, this.dtype === 'bool')
  }

  /** Readable text; shows elements only once the tensor was read (printing never computes). */
  toString(): string {
    const buffer = bufferOf(this.value)
    const array = buffer && !buffer.ready && !buffer.released ? buffer.array : null
    return formatTensor(this.dtype, this.shape, array)
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }

  /** Frees the memory now instead of at garbage collection. Reading it afterwards throws. */
  dispose(): void {
    bufferOf(this.value)?.release()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}

export function toNumber(value: number | bigint): number {
  if (typeof value === 'number') return value
  const number = Number(value)
  if (!Number.isSafeInteger(number))
    throw new RangeError(`${value} is beyond the integers a number holds exactly; read it with data()`)
  return number
}

function nest(data: DataArray, shape: Shape, asBoolean: boolean): NestedArray<number | boolean> {
  let at = 0
  const build = (dim: number): NestedArray<number | boolean> => {
    if (dim === shape.length) {
      const number = toNumber(data[at++])
      return asBoolean ? number !== 0 : number
    }
    return Array.from({ length: shape[dim] }, () => build(dim + 1))
  }
  return build(0)
}
