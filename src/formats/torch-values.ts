/** What PyTorch's pickles are made of besides plain data: storages, and tensors that view them. */
import type { DType } from '../ir/dtype.js'
import { elementCount } from './host-array.js'
import { PickleObject } from './pickle.js'

/** A torch element type: its bytes, and ours where we have it. */
export interface TorchDType {
  readonly name: string
  readonly bytes: number
  readonly dtype: DType | undefined
}

const dtype = (name: string, bytes: number, ours?: DType): [string, TorchDType] => [name, { name, bytes, dtype: ours }]

/** By torch's name. Types without a counterpart here can be listed, not read. */
export const TORCH_DTYPES: ReadonlyMap<string, TorchDType> = new Map([
  dtype('float32', 4, 'f32'),
  dtype('float64', 8, 'f64'),
  dtype('float16', 2, 'f16'),
  dtype('bfloat16', 2, 'bf16'),
  dtype('int8', 1, 'i8'),
  dtype('int16', 2, 'i16'),
  dtype('int32', 4, 'i32'),
  dtype('int64', 8, 'i64'),
  dtype('uint8', 1, 'u8'),
  dtype('uint16', 2),
  dtype('uint32', 4, 'u32'),
  dtype('uint64', 8),
  dtype('bool', 1, 'bool'),
  dtype('complex32', 4),
  dtype('complex64', 8),
  dtype('complex128', 16),
  dtype('float8_e4m3fn', 1),
  dtype('float8_e5m2', 1),
  dtype('float8_e4m3fnuz', 1),
  dtype('float8_e5m2fnuz', 1),
  dtype('float8_e8m0fnu', 1),
])

/** Element type of each storage class. `UntypedStorage` counts bytes. */
export const STORAGE_DTYPES: ReadonlyMap<string, string> = new Map([
  ['FloatStorage', 'float32'],
  ['DoubleStorage', 'float64'],
  ['HalfStorage', 'float16'],
  ['BFloat16Storage', 'bfloat16'],
  ['CharStorage', 'int8'],
  ['ShortStorage', 'int16'],
  ['IntStorage', 'int32'],
  ['LongStorage', 'int64'],
  ['ByteStorage', 'uint8'],
  ['BoolStorage', 'bool'],
  ['ComplexFloatStorage', 'complex64'],
  ['ComplexDoubleStorage', 'complex128'],
  ['UntypedStorage', 'uint8'],
])

/** A class, function or constant that a checkpoint may name. */
export class TorchName extends PickleObject {
  constructor(readonly name: string) {
    super()
  }

  describe(): string {
    return this.name
  }
}

/** A run of elements in the file, which tensors view. The device it was saved from does not matter. */
export class TorchStorage extends PickleObject {
  constructor(
    /** Names the run of bytes; storages of one key share them. */
    readonly key: string,
    readonly dtype: TorchDType,
    /** Elements in the whole run. */
    readonly length: number,
    /** Where this storage starts in the run, in elements, and how many it has; differs from 0 and `length` in old files only. */
    readonly offset: number,
    readonly viewLength: number,
  ) {
    super()
  }

  describe(): string {
    return `a storage of ${this.length} ${this.dtype.name}`
  }
}

/** A tensor: a strided view of a storage. Its elements are read when asked for. */
export class TorchTensor extends PickleObject {
  constructor(
    readonly storage: TorchStorage,
    readonly dtype: TorchDType,
    readonly shape: readonly number[],
    /** In elements of `dtype`, as is `offset`, which counts from the start of the storage's run. */
    readonly strides: readonly number[],
    readonly offset: number,
  ) {
    super()
  }

  describe(): string {
    return `a ${this.dtype.name} tensor of shape [${this.shape}]`
  }

  get elements(): number {
    return elementCount(this.shape) ?? Number.POSITIVE_INFINITY
  }

  /** Whether the elements lie in row-major order without gaps. */
  get contiguous(): boolean {
    let expected = 1
    for (let axis = this.shape.length - 1; axis >= 0; axis--) {
      if (this.shape[axis] !== 1 && this.strides[axis] !== expected) return this.elements === 0
      expected *= this.shape[axis]
    }
    return true
  }

  /** One past the last element that the view touches, from its offset. */
  get extent(): number {
    if (this.elements === 0) return 0
    return this.shape.reduce((last, size, axis) => last + (size - 1) * this.strides[axis], 0) + 1
  }
}
