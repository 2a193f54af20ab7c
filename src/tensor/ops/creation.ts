import { type DType, isFloat, type Shape, splat, type TypedArray } from '../../ir/index.js'
import { asTensor, record, storageOf, type TensorLike } from '../core.js'
import { fail, range } from '../dims.js'
import { cast } from '../promote.js'
import { Tensor } from '../tensor.js'
import { pow } from './arithmetic.js'
import { add, ge, le, mul, sub, where } from './elementwise.js'
import { expand, reshape } from './shape.js'

export interface CreateOptions {
  /** Default f32 (for `full` and `arange`: by the value). */
  readonly dtype?: DType
}

const filled = (value: number | bigint, shape: Shape, dtype: DType): Tensor => new Tensor(splat(value, shape, dtype))

/** Zeros of `shape`. */
export const zeros = (shape: Shape, { dtype = 'f32' }: CreateOptions = {}): Tensor => filled(0, shape, dtype)

/** Ones of `shape`. */
export const ones = (shape: Shape, { dtype = 'f32' }: CreateOptions = {}): Tensor => filled(1, shape, dtype)

/** `shape` filled with `value`: numbers give f32, booleans bool, bigints i64, unless `dtype` is given. */
export function full(shape: Shape, value: TensorLike, options: CreateOptions = {}): Tensor {
  if (typeof value === 'number' && isFloat(options.dtype ?? 'f32')) return filled(value, shape, options.dtype ?? 'f32')
  const x = asTensor(value, options.dtype)
  return expand(options.dtype ? cast(x, options.dtype) : x, shape)
}

export const zerosLike = (like: TensorLike, options: CreateOptions = {}): Tensor => {
  const x = asTensor(like)
  return zeros(x.shape, { dtype: options.dtype ?? x.dtype })
}

export const onesLike = (like: TensorLike, options: CreateOptions = {}): Tensor => {
  const x = asTensor(like)
  return ones(x.shape, { dtype: options.dtype ?? x.dtype })
}

export const fullLike = (like: TensorLike, value: TensorLike, options: CreateOptions = {}): Tensor => {
  const x = asTensor(like)
  return full(x.shape, value, { dtype: options.dtype ?? x.dtype })
}

/** 0, 1, 2, ... along dimension `dim` of `shape`. */
export const iota = (shape: Shape, dim: number, dtype: DType = 'i32'): Tensor =>
  record('iota', [], { shape, dtype, dimension: dim })

/** A table of numbers that is part of the program. */
export const table = (values: ArrayLike<number>, shape: Shape, dtype: DType): Tensor =>
  record('constant', [], { shape, dtype, data: storageOf(values, dtype) as TypedArray })

/**
 * start, start + step, ... before end; `arange(end)` counts from 0.
 * Without `dtype`, whole numbers give i32 and others f32.
 */
export function arange(start: number, end?: number, step = 1, options: CreateOptions = {}): Tensor {
  const [from, to] = end === undefined ? [0, start] : [start, end]
  if (step === 0 || ![from, to, step].every(Number.isFinite))
    throw fail('arange', `start ${from}, end ${to} and step ${step} must be finite and the step not 0`)
  const dtype = options.dtype ?? ([from, to, step].every(Number.isInteger) ? 'i32' : 'f32')
  const length = Math.max(0, Math.ceil((to - from) / step))
  if (isFloat(dtype) && !(Number.isInteger(from) && Number.isInteger(step)))
    return table(
      range(length).map((i) => from + i * step),
      [length],
      dtype,
    )
  const count = iota([length], 0, dtype)
  const scaled = step === 1 ? count : mul(count, filled(step, [], dtype))
  return from === 0 ? scaled : add(scaled, filled(from, [], dtype))
}

/** `steps` numbers from start to end, both included. */
export function linspace(start: number, end: number, steps: number, { dtype = 'f32' }: CreateOptions = {}): Tensor {
  if (!Number.isInteger(steps) || steps < 0) throw fail('linspace', `steps must be 0 or more, got ${steps}`)
  const exact = steps > 1 ? (end - start) / (steps - 1) : 0
  // As torch: the step is rounded to the dtype, and each half counts from its own end, so that the last number is exactly `end`.
  const step = dtype === 'f32' ? Math.fround(exact) : exact
  const half = steps === 1 ? 1 : Math.floor(steps / 2)
  const values = range(steps).map((i) => (i < half ? start + i * step : end - (steps - 1 - i) * step))
  return table(values, [steps], dtype)
}

/** base^x for `steps` values of x from start to end. */
export function logspace(
  start: number,
  end: number,
  steps: number,
  { base = 10, dtype = 'f32' }: CreateOptions & { readonly base?: number } = {},
): Tensor {
  const exponents = linspace(start, end, steps, { dtype: 'f64' })
  return cast(pow(filled(base, [], 'f64'), exponents), dtype)
}

/** Ones on the main diagonal of an n x m matrix, zeros elsewhere. */
export function eye(n: number, m = n, { dtype = 'f32' }: CreateOptions = {}): Tensor {
  const diagonal = record('compare', [iota([n, m], 0), iota([n, m], 1)], { direction: 'EQ' })
  return cast(diagonal, dtype)
}

/** True where column - row compares with `diagonal`, for the last two extents of x. */
function triangle(op: string, x: Tensor, keep: (offset: Tensor) => Tensor): Tensor {
  if (x.ndim < 2) throw fail(op, `needs a matrix or a batch of matrices, got rank ${x.ndim}`)
  const shape = x.shape.slice(-2)
  const mask = keep(sub(iota(shape, 1), iota(shape, 0)))
  return where(mask, x, filled(0, [], x.dtype))
}

/** Lower triangle of matrices: what lies above diagonal number `diagonal` becomes 0. */
export const tril = (x: TensorLike, diagonal = 0): Tensor =>
  triangle('tril', asTensor(x), (offset) => le(offset, filled(diagonal, [], 'i32')))

/** Upper triangle of matrices: what lies below diagonal number `diagonal` becomes 0. */
export const triu = (x: TensorLike, diagonal = 0): Tensor =>
  triangle('triu', asTensor(x), (offset) => ge(offset, filled(diagonal, [], 'i32')))

/**
 * Coordinate grids of vectors: result k varies along dimension k only (`ij`), or with the first two dimensions swapped (`xy`).
 */
export function meshgrid(
  vectors: readonly TensorLike[],
  { indexing = 'ij' }: { readonly indexing?: 'ij' | 'xy' } = {},
): Tensor[] {
  const given = vectors.map((vector) => asTensor(vector))
  const swap = indexing === 'xy' && given.length > 1
  const order = range(given.length).map((i) => (swap && i < 2 ? 1 - i : i))
  const shape = order.map((i) => given[i].size)
  return given.map((vector, i) => {
    if (vector.ndim > 1) throw fail('meshgrid', `takes vectors, operand ${i} has rank ${vector.ndim}`)
    const spread = shape.map((_, dim) => (dim === order[i] ? vector.size : 1))
    return expand(reshape(vector, spread), shape)
  })
}
