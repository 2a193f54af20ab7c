import { type Shape, sizeOf } from '../ir/index.js'
import { asMovable, type HostArray } from './array.js'

/** Where the elements of a shape lie in an array: element (i, j, ...) at `offset + i * strides[0] + j * strides[1] + ...`. */
export interface Layout {
  readonly offset: number
  readonly strides: readonly number[]
}

const SET_FROM = 24

/** Copies the elements of `shape` between two arrays of one element type. */
export function copyStrided(shape: Shape, to: HostArray, toLayout: Layout, from: HostArray, fromLayout: Layout): void {
  if (sizeOf(shape) === 0) return
  const rank = shape.length
  const target = asMovable(to)
  const source = asMovable(from)
  if (rank === 0) {
    target[toLayout.offset] = source[fromLayout.offset]
    return
  }
  const inner = shape[rank - 1]
  const toStep = toLayout.strides[rank - 1]
  const fromStep = fromLayout.strides[rank - 1]
  const dense = toStep === 1 && fromStep === 1 && inner >= SET_FROM
  const index = new Array<number>(rank).fill(0)
  let t = toLayout.offset
  let f = fromLayout.offset
  for (;;) {
    if (dense) target.set(source.subarray(f, f + inner), t)
    else for (let i = 0, a = t, b = f; i < inner; i++, a += toStep, b += fromStep) target[a] = source[b]
    let dim = rank - 2
    for (; dim >= 0; dim--) {
      t += toLayout.strides[dim]
      f += fromLayout.strides[dim]
      if (++index[dim] < shape[dim]) break
      t -= toLayout.strides[dim] * shape[dim]
      f -= fromLayout.strides[dim] * shape[dim]
      index[dim] = 0
    }
    if (dim < 0) return
  }
}

/** The place of every element of `shape`, in row-major order. */
export function offsetsOf(shape: Shape, strides: readonly number[], offset = 0): Int32Array {
  const size = sizeOf(shape)
  const out = new Int32Array(size)
  if (size === 0) return out
  out[0] = offset
  // Grows the filled part dimension by dimension, innermost first.
  let filled = 1
  for (let dim = shape.length - 1; dim >= 0; dim--) {
    for (let i = 1; i < shape[dim]; i++) {
      const shift = i * strides[dim]
      for (let j = 0; j < filled; j++) out[i * filled + j] = out[j] + shift
    }
    filled *= shape[dim]
  }
  return out
}
