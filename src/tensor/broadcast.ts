import { type Shape, sameShape, shapeText } from '../ir/index.js'
import { asTensor, record, type TensorLike } from './core.js'
import { fail, range } from './dims.js'
import type { Tensor } from './tensor.js'

/**
 * The shape that all `shapes` broadcast to, by numpy's rule: aligned at the last dimension, extents equal or 1.
 * @throws ShapeError naming the extents that clash.
 */
export function broadcastShapes(op: string, ...shapes: readonly Shape[]): number[] {
  const rank = shapes.reduce((most, shape) => Math.max(most, shape.length), 0)
  return range(rank).map((dim) => {
    let extent = 1
    for (const shape of shapes) {
      const own = shape[dim - rank + shape.length] ?? 1
      if (own === 1 || own === extent) continue
      if (extent !== 1) throw clash(op, shapes, dim - rank, extent, own)
      extent = own
    }
    return extent
  })
}

function clash(op: string, shapes: readonly Shape[], dim: number, a: number, b: number): Error {
  return fail(
    op,
    `shapes ${shapes.map(shapeText).join(' and ')} do not broadcast: extents ${a} and ${b} meet in dimension ${dim}. ` +
      'Extents must be equal or 1, counted from the end; add dimensions with unsqueeze(dim), reorder with permute(...)',
  )
}

/**
 * Spreads `x` over `shape` by numpy's rule.
 * @throws ShapeError when it does not fit.
 */
export function broadcastTo(like: TensorLike, shape: Shape, op = 'broadcastTo'): Tensor {
  const x = asTensor(like)
  if (sameShape(x.shape, shape)) return x
  const shift = shape.length - x.shape.length
  if (shift < 0 || x.shape.some((extent, i) => extent !== 1 && extent !== shape[i + shift])) {
    throw fail(
      op,
      `${shapeText(x.shape)} does not broadcast to ${shapeText(shape)}: its extents must be 1 or equal, counted from the end`,
    )
  }
  return record('broadcast_in_dim', [x], { shape, dims: range(x.shape.length).map((dim) => dim + shift) })
}

/** All tensors spread over their common shape. */
export function broadcastTensors(...xs: readonly TensorLike[]): Tensor[] {
  const tensors = xs.map((x) => asTensor(x))
  const shape = broadcastShapes('broadcastTensors', ...tensors.map((x) => x.shape))
  return tensors.map((x) => broadcastTo(x, shape))
}
