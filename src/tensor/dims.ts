import { type DType, type Shape, ShapeError, shapeText } from '../ir/index.js'

export interface Typed {
  readonly shape: Shape
  readonly dtype: DType
}

/** `f32[2, 3]`: how messages show a tensor. */
export const typeText = (x: Typed): string => `${x.dtype}${shapeText(x.shape)}`

export const fail = (op: string, message: string): ShapeError => new ShapeError(`${op}: ${message}`)

/** 0, 1, ... n - 1. */
export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

function dimRange(rank: number): string {
  return rank === 1 ? 'it has only dimension 0 (or -1)' : `use ${-rank} to ${rank - 1}`
}

/**
 * A dimension counted from the front; negative ones count from the end.
 * @throws ShapeError when there is no such dimension.
 */
export function resolveDim(op: string, dim: number, rank: number, x?: Typed): number {
  // A scalar counts as having one dimension, so that sum(x, 0) of a scalar is the scalar.
  const limit = Math.max(rank, 1)
  if (!Number.isInteger(dim) || dim < -limit || dim >= limit)
    throw fail(
      op,
      `dimension ${dim} does not exist in ${x ? typeText(x) : `a tensor of rank ${rank}`}; ${dimRange(limit)}`,
    )
  return dim < 0 ? dim + limit : dim
}

/** One dimension, several, or (undefined or null) all. */
export type Dims = number | readonly number[] | null | undefined

/** Ascending distinct dimensions; `undefined` and `null` mean all. */
export function resolveDims(op: string, dims: Dims, x: Typed): number[] {
  const rank = x.shape.length
  if (dims === undefined || dims === null) return range(rank)
  const list = (typeof dims === 'number' ? [dims] : dims).map((dim) => resolveDim(op, dim, rank, x))
  const distinct = [...new Set(list)].sort((a, b) => a - b)
  if (distinct.length !== list.length) throw fail(op, `dimensions [${list.join(', ')}] of ${typeText(x)} repeat`)
  return rank === 0 ? [] : distinct
}

/** Integers given one by one or as one list: `reshape(2, 3)` and `reshape([2, 3])`. */
export type IntList = (number | readonly number[])[]

export const toInts = (list: IntList): readonly number[] => list.flat()
