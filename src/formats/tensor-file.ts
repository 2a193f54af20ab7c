import type { DType } from '../ir/dtype.js'
import type { HostArray } from './host-array.js'

/** What a checkpoint says about one tensor before any of it is read. */
export interface TensorEntry {
  readonly name: string
  /** The type's name in the file, such as `BF16` or `bfloat16`. */
  readonly storedDType: string
  /** Our element type; undefined where tensors of that type can be listed but not read. */
  readonly dtype: DType | undefined
  readonly shape: readonly number[]
  /** Size of its elements. */
  readonly bytes: number
}

export interface ReadTensorOptions {
  readonly signal?: AbortSignal
  /**
   * Lets the array share the pages of the file where format, alignment and system allow it, instead of reading it. Writing into the array
   * leaves the file alone, but the file must not be cut short or overwritten in its place while the array is in use. Default false.
   */
  readonly map?: boolean
}

/** Named tensors on disk, each read when asked for. */
export interface TensorFile {
  /** Path of the file, or of the index that names its shards. */
  readonly path: string
  /** Every tensor's type and shape. */
  readonly entries: ReadonlyMap<string, TensorEntry>
  readonly metadata: Readonly<Record<string, string>>
  /** Reads one tensor. @throws FormatError where there is none of that name or its type cannot be read */
  read(name: string, options?: ReadTensorOptions): Promise<HostArray>
  close(): Promise<void>
}
