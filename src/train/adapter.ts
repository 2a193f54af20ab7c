import { permutation } from '../data/rng.js'
import { type Shape, Tensor, type TensorLike, tensor } from '../tensor/index.js'

/** Host arrays of examples: the first dimension counts them. */
export interface Column {
  readonly shape: Shape
  readonly dtype: Tensor['dtype']
  /** Elements of one example. */
  readonly stride: number
  readonly data: ArrayLike<number | bigint> & { readonly buffer: ArrayBufferLike }
}

/** Inputs or targets: one tensor-like, or a list of them for models with several. */
export type Columns = TensorLike | readonly TensorLike[]

const isColumnList = (x: Columns): x is readonly Tensor[] =>
  Array.isArray(x) &&
  x.length > 0 &&
  x.every(
    (item) =>
      item instanceof Tensor ||
      ArrayBuffer.isView(item) ||
      (Array.isArray(item) && Array.isArray(item[0]) && Array.isArray(item[0][0])),
  )

/** Tensors in place of arrays; several columns stay several. */
export function toTensors(x: Columns, what: string): Tensor[] {
  const list =
    isColumnList(x) && !(x as readonly unknown[]).every((item) => Array.isArray(item)) ? x : [x as TensorLike]
  return list.map((item, i) => {
    const value = item instanceof Tensor ? item : tensor(item as TensorLike)
    if (value.ndim === 0)
      throw new RangeError(
        `${what}${list.length > 1 ? `[${i}]` : ''}: expected examples along the first dimension, got a scalar`,
      )
    return value
  })
}

/** Reads tensors into host columns, so that batches can be cut without running programs. */
export async function toColumns(tensors: readonly Tensor[]): Promise<Column[]> {
  return Promise.all(
    tensors.map(async (value) => ({
      shape: value.shape,
      dtype: value.dtype,
      stride: value.shape.slice(1).reduce((product, extent) => product * extent, 1),
      data: (await value.data()) as Column['data'],
    })),
  )
}

type Sliceable = Float32Array

/** Rows `indices` of a column as one tensor. */
export function gatherRows(column: Column, indices: ArrayLike<number>): Tensor {
  const source = column.data as unknown as Sliceable
  const rows = new (source.constructor as new (length: number) => Sliceable)(indices.length * column.stride)
  for (let i = 0; i < indices.length; i++) {
    const start = indices[i] * column.stride
    rows.set(source.subarray(start, start + column.stride), i * column.stride)
  }
  return tensor(rows, { dtype: column.dtype, shape: [indices.length, ...column.shape.slice(1)] })
}

/** One batch as training sees it. */
export interface Batch {
  readonly x: readonly Tensor[]
  readonly y: readonly Tensor[]
  readonly sampleWeight: Tensor | null
  readonly size: number
}

/** Batches of one epoch, and how many examples and batches it has where known. */
export interface EpochSource {
  readonly examples: number | null
  readonly batches: number | null
  /** Batches from `start` (counted in batches) on. */
  epoch(epoch: number, start?: number): AsyncIterable<Batch> | Iterable<Batch>
}

/**
 * @throws RangeError when columns differ in their number of rows or there are none.
 */
export function checkRows(groups: Readonly<Record<string, readonly { readonly shape: Shape }[]>>): number {
  let rows: number | null = null
  let first = ''
  for (const [name, list] of Object.entries(groups)) {
    list.forEach((column, i) => {
      const label = list.length > 1 ? `${name}[${i}]` : name
      if (rows !== null && column.shape[0] !== rows)
        throw new RangeError(`${label} has ${column.shape[0]} rows where ${first} has ${rows}`)
      if (rows === null) {
        rows = column.shape[0]
        first = label
      }
    })
  }
  if (!rows) throw new RangeError(`there is no data: ${first || 'x'} has no rows`)
  return rows
}

export interface ArraySourceOptions {
  readonly batchSize: number
  /** Seed of the shuffle, or null to keep the order. */
  readonly shuffleSeed: number | null
}

/** Batches cut from host columns, shuffled anew each epoch by (seed, epoch). */
export class ArraySource implements EpochSource {
  readonly examples: number
  readonly batches: number

  constructor(
    private readonly x: readonly Column[],
    private readonly y: readonly Column[],
    private readonly weight: Column | null,
    private readonly options: ArraySourceOptions,
  ) {
    this.examples = checkRows({ x, y, ...(weight ? { sampleWeight: [weight] } : {}) })
    this.batches = Math.ceil(this.examples / options.batchSize)
  }

  *epoch(epoch: number, start = 0): Iterable<Batch> {
    const { batchSize, shuffleSeed } = this.options
    const order = shuffleSeed === null ? null : permutation(this.examples, shuffleSeed, epoch)
    for (let at = start * batchSize; at < this.examples; at += batchSize) {
      const size = Math.min(batchSize, this.examples - at)
      const indices = order ? order.subarray(at, at + size) : Uint32Array.from({ length: size }, (_, i) => at + i)
      yield {
        x: this.x.map((column) => gatherRows(column, indices)),
        y: this.y.map((column) => gatherRows(column, indices)),
        sampleWeight: this.weight ? gatherRows(this.weight, indices) : null,
        size,
      }
    }
  }
}
