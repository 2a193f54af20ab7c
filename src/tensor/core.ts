import {
  allocateArray,
  apply,
  type DType,
  type OpAttrs,
  type OpName,
  type Shape,
  scalarData,
  sizeOf,
  splat,
  type TypedArray,
  toBf16,
  toF16,
  topologicalOrder,
  type Value,
} from '../ir/index.js'
import { currentTrace, isRealised, leafValue, submitSync, wrapArray } from '../runtime/index.js'
import { Parameter } from './parameter.js'
import { type NestedArray, Tensor } from './tensor.js'

/** What functions accept where a tensor is meant: numbers and nested arrays become tensors. */
export type TensorLike =
  | Tensor
  | Parameter
  | number
  | boolean
  | bigint
  | TypedArray
  | NestedArray<number>
  | NestedArray<boolean>
  | NestedArray<bigint>

// Pending nodes that one value may need before they are flushed by themselves, so that `total = total.add(loss)` never grows.
const PENDING_BUDGET = 20_000
let checkedAt = 0

/**
 * Wraps a value; flushes a pending graph that has grown past its budget. What is pending is counted once in a while only: a flush
 * lets go of inputs that a later `grad` would need, so smaller graphs are left alone however many of them there are.
 */
export function wrap(value: Value): Tensor {
  if (value.node.id - checkedAt > PENDING_BUDGET && !currentTrace()) {
    checkedAt = value.node.id
    if (topologicalOrder([value], isRealised).length > PENDING_BUDGET) submitSync([value])
  }
  return new Tensor(value)
}

/** Records an op of one result. */
export const record = <K extends OpName>(op: K, inputs: readonly Tensor[], attrs: OpAttrs[K]): Tensor =>
  wrap(
    apply(
      op,
      inputs.map((input) => input.value),
      attrs,
    ),
  )

/** A scalar that stays part of the program (epsilon, 0.5 of gelu, ...). */
export const constant = (value: number, dtype: DType, shape: Shape = []): Tensor =>
  new Tensor(splat(value, shape, dtype))

/** A scalar given by the user: an input of the program in lazy code, so that a new learning rate does not recompile; static inside jit. */
export function scalar(value: number | bigint, dtype: DType): Tensor {
  if (currentTrace()) return new Tensor(splat(value, [], dtype))
  return new Tensor(leafValue(wrapArray(scalarData(value, dtype), dtype, [])))
}

const ARRAY_DTYPES: readonly (readonly [new (n: number) => TypedArray, DType])[] = [
  [Float32Array, 'f32'],
  [Float64Array, 'f64'],
  [Int8Array, 'i8'],
  [Int16Array, 'i16'],
  [Uint8Array, 'u8'],
  [Int32Array, 'i32'],
  [Uint32Array, 'u32'],
  [BigInt64Array, 'i64'],
]

function dtypeOfArray(array: ArrayBufferView): DType {
  for (const [ArrayType, dtype] of ARRAY_DTYPES) if (array instanceof ArrayType) return dtype
  throw new TypeError(
    `${array.constructor.name} has no dtype of its own; give one: tensor(data, { dtype: 'f16' }) for Uint16Array bits`,
  )
}

type Scalar = number | boolean | bigint

function shapeOfNested(data: NestedArray<Scalar>): number[] {
  const shape: number[] = []
  for (let level: NestedArray<Scalar> = data; Array.isArray(level); level = level[0]) {
    shape.push(level.length)
    if (level.length === 0) break
  }
  return shape
}

function flattenNested(data: NestedArray<Scalar>, shape: Shape): Scalar[] {
  const flat: Scalar[] = []
  const visit = (item: NestedArray<Scalar>, dim: number, path: string): void => {
    if (dim === shape.length) {
      if (Array.isArray(item)) throw new TypeError(`ragged array: expected a number at ${path}, got an array`)
      flat.push(item as Scalar)
      return
    }
    const list = item as readonly NestedArray<Scalar>[]
    if (!Array.isArray(item) || list.length !== shape[dim]) {
      throw new TypeError(
        `ragged array: expected ${shape[dim]} items at ${path || 'the top'}, got ${Array.isArray(item) ? list.length : typeof item}`,
      )
    }
    for (const [i, child] of list.entries()) visit(child, dim + 1, `${path}[${i}]`)
  }
  visit(data, 0, '')
  return flat
}

const NATURAL: Record<string, DType> = { number: 'f32', boolean: 'bool', bigint: 'i64' }

type Store = (array: TypedArray, values: ArrayLike<Scalar>) => void
const storeNumbers: Store = (array, values) => {
  for (let i = 0; i < values.length; i++) (array as Float64Array)[i] = Number(values[i])
}
const STORE: { [D in DType]?: Store } = {
  f16: (array, values) => {
    for (let i = 0; i < values.length; i++) array[i] = toF16(Number(values[i]))
  },
  bf16: (array, values) => {
    for (let i = 0; i < values.length; i++) array[i] = toBf16(Number(values[i]))
  },
  bool: (array, values) => {
    for (let i = 0; i < values.length; i++) array[i] = Number(values[i]) !== 0 ? 1 : 0
  },
  i64: (array, values) => {
    for (let i = 0; i < values.length; i++) (array as BigInt64Array)[i] = BigInt(values[i])
  },
}

/** Numbers in the storage form of `dtype`. */
export function storageOf(values: ArrayLike<Scalar>, dtype: DType): TypedArray {
  const array = allocateArray(dtype, values.length)
  const store = STORE[dtype] ?? storeNumbers
  store(array, values)
  return array
}

export interface TensorOptions {
  dtype?: DType
  shape?: Shape
}

/**
 * A tensor from numbers, nested arrays or a typed array (copied).
 * Without `dtype`, numbers give f32, booleans bool, bigints i64, typed arrays their own; a Uint16Array needs `dtype` f16 or bf16 (bits).
 * @throws TypeError for ragged arrays, RangeError when `shape` does not hold the data.
 */
export function tensor(data: TensorLike, options: TensorOptions = {}): Tensor {
  if (data instanceof Tensor || data instanceof Parameter)
    throw new TypeError('tensor() takes numbers, not a tensor; use .to(dtype) to convert')
  if (ArrayBuffer.isView(data)) {
    const array = data as TypedArray
    const own = array instanceof Uint16Array ? options.dtype : dtypeOfArray(array)
    const dtype = options.dtype ?? own ?? dtypeOfArray(array)
    const stored = own === dtype ? array.slice() : storageOf(array, dtype)
    return new Tensor(leafValue(wrapArray(stored, dtype, options.shape ?? [array.length])))
  }
  const nested = data as NestedArray<Scalar>
  const shape = shapeOfNested(nested)
  const flat = flattenNested(nested, shape)
  const dtype = options.dtype ?? (flat.length > 0 ? NATURAL[typeof flat[0]] : 'f32')
  if (dtype === undefined) throw new TypeError(`tensors hold numbers, booleans or bigints, got ${typeof flat[0]}`)
  if (options.shape && sizeOf(options.shape) !== flat.length) {
    throw new RangeError(`${flat.length} elements do not fill shape [${options.shape.join(', ')}]`)
  }
  return new Tensor(leafValue(wrapArray(storageOf(flat, dtype), dtype, options.shape ?? shape)))
}

/** The tensor that `x` stands for. Numbers take `dtype` (default f32). */
export function asTensor(x: TensorLike, dtype?: DType): Tensor {
  if (x instanceof Tensor) return x
  if (x instanceof Parameter) return x.value
  if (typeof x === 'number') return scalar(x, dtype ?? 'f32')
  if (typeof x === 'boolean') return scalar(x ? 1 : 0, dtype ?? 'bool')
  if (typeof x === 'bigint') return scalar(x, dtype ?? 'i64')
  return tensor(x, { dtype })
}
