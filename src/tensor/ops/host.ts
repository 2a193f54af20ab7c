import type { TypedArray } from '../../ir/index.js'
import { broadcastShapes, broadcastTo } from '../broadcast.js'
import { asTensor, constant, storageOf, type TensorLike, tensor } from '../core.js'
import { fail, typeText } from '../dims.js'
import type { Tensor } from '../tensor.js'
import { iota } from './creation.js'
import { logicalAnd, lt, sub, to, toBool, where } from './elementwise.js'
import { asIndex, scatterElements, takeAlongRows } from './gather.js'
import { stack } from './join.js'
import { cumsum } from './prefix.js'
import { sum } from './reduce.js'
import { countIndices } from './scatter.js'
import { expand, flatten, narrow, reshape, unsqueeze } from './shape.js'

/**
 * Functions whose result's shape depends on the data: they read their operands, so they are asynchronous and cannot run inside jit.
 * The variants that take an upper bound can.
 */

const nonzeroPlaces = (data: TypedArray): number[] => {
  const places: number[] = []
  for (let i = 0; i < data.length; i++) if (data[i]) places.push(i)
  return places
}

/** NaN counts as nonzero, which its truth as a JS number denies: read through bool. */
const truths = async (x: TensorLike): Promise<TypedArray> => (await toBool(asTensor(x)).data()) as TypedArray

/** Index vectors (i32) of the nonzero elements in row-major order: [count, rank]. */
export async function nonzero(like: TensorLike): Promise<Tensor> {
  const x = asTensor(like)
  const places = nonzeroPlaces(await truths(x))
  const out = new Int32Array(places.length * x.ndim)
  places.forEach((place, row) => {
    let rest = place
    for (let dim = x.ndim - 1; dim >= 0; dim--) {
      out[row * x.ndim + dim] = rest % x.shape[dim]
      rest = Math.floor(rest / x.shape[dim])
    }
  })
  return tensor(out, { shape: [places.length, x.ndim] })
}

/** {@link nonzero} under numpy's name. */
export const argwhere = nonzero

export interface Bounded {
  /** [maxOutput, rank]; rows beyond `count` are zeros. */
  readonly indices: Tensor
  /** Number of nonzero elements, which may exceed maxOutput (i64 scalar). */
  readonly count: Tensor
}

/** {@link nonzero} for compiled functions: the first `maxOutput` index vectors and the count. */
export function nonzeroUpTo(like: TensorLike, maxOutput: number): Bounded {
  const x = asTensor(like)
  const flags = toBool(flatten(x))
  const order = to(sub(cumsum(flags, 0), constant(1, 'i64')), 'i32')
  const fits = logicalAnd(flags, lt(order, constant(maxOutput, 'i32')))
  const slot = where(fits, order, constant(maxOutput, 'i32'))
  const columns = x.shape.map((_, dim) => {
    const start = expand(constant(0, 'i32'), [maxOutput + 1])
    const filled = scatterElements('set', start, unsqueeze(slot, 1), flatten(iota(x.shape, dim)))
    return narrow(filled, 0, 0, maxOutput)
  })
  const indices = columns.length > 0 ? stack(columns, 1) : reshape(narrow(slot, 0, 0, 0), [maxOutput, 0])
  return { indices, count: sum(flags) }
}

/** Elements of `x` where `mask` holds (the two broadcast), as a vector. Gradients flow to x. */
export async function maskedSelect(like: TensorLike, mask: TensorLike): Promise<Tensor> {
  const [x, m] = [asTensor(like), asTensor(mask)]
  const shape = broadcastShapes('maskedSelect', x.shape, m.shape)
  const places = nonzeroPlaces(await truths(broadcastTo(m, shape)))
  return takeAlongRows(flatten(broadcastTo(x, shape)), tensor(Int32Array.from(places)))
}

export interface Unique {
  /** Distinct elements, ascending; NaNs are distinct from one another and last. */
  readonly values: Tensor
  /** For each element of x its place among `values` (i32, shape of x). */
  readonly inverse: Tensor
  /** Occurrences of each value (i32). */
  readonly counts: Tensor
}

/** Distinct elements of a tensor. */
export async function unique(like: TensorLike): Promise<Unique> {
  const x = asTensor(like)
  const data = (await x.data()) as ArrayLike<number | bigint>
  const order = Array.from({ length: data.length }, (_, i) => i)
  const rank = (v: number | bigint): number => (Number.isNaN(v) ? 1 : 0)
  order.sort((i, j) => rank(data[i]) - rank(data[j]) || (data[i] < data[j] ? -1 : data[i] > data[j] ? 1 : i - j))
  const values: (number | bigint)[] = []
  const counts: number[] = []
  const inverse = new Int32Array(data.length)
  for (const i of order) {
    if (values.length === 0 || values[values.length - 1] !== data[i]) {
      values.push(data[i])
      counts.push(0)
    }
    counts[counts.length - 1]++
    inverse[i] = values.length - 1
  }
  const stored = storageOf(values, x.dtype)
  return {
    values: x.dtype === 'bool' ? to(tensor(Array.from(stored, Boolean)), 'bool') : tensor(stored, { dtype: x.dtype }),
    inverse: tensor(inverse, { shape: x.shape }),
    counts: tensor(Int32Array.from(counts)),
  }
}

export interface BincountOptions {
  readonly weights?: TensorLike
  /** Least length of the result. */
  readonly minLength?: number
}

/** How often each non-negative integer occurs (i64), or the sums of their weights. */
export async function bincount(like: TensorLike, { weights, minLength = 0 }: BincountOptions = {}): Promise<Tensor> {
  const x = asIndex('bincount', like)
  const data = await x.data()
  let length = minLength
  for (const value of data) {
    if (value < 0) throw fail('bincount', `counts non-negative integers, ${typeText(x)} holds ${value}`)
    length = Math.max(length, Number(value) + 1)
  }
  return countIndices(x, length, weights)
}
