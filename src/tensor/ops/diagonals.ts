import { broadcastTensors } from '../broadcast.js'
import { asTensor, type TensorLike } from '../core.js'
import { fail, resolveDim, typeText } from '../dims.js'
import { promote } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { iota } from './creation.js'
import { diagonalOf } from './einsum.js'
import { eq, like as likeOf, mul, sub, where } from './elementwise.js'
import { pad } from './pad.js'
import { roll } from './rearrange.js'
import { sum } from './reduce.js'
import { expand, movedim, narrow, unsqueeze } from './shape.js'

/** Diagonals of matrices, and small matrix functions built on them. */

/** Diagonal number `offset` of the matrices in two dimensions; it becomes the last dimension. */
export function diagonal(like: TensorLike, offset = 0, dim1 = 0, dim2 = 1): Tensor {
  const x = asTensor(like)
  if (x.ndim < 2) throw fail('diagonal', `needs at least two dimensions, got ${typeText(x)}`)
  const [rows, columns] = [resolveDim('diagonal', dim1, x.ndim, x), resolveDim('diagonal', dim2, x.ndim, x)]
  if (rows === columns) throw fail('diagonal', `dim1 and dim2 are both dimension ${rows}`)
  const [down, right] = [Math.max(0, -offset), Math.max(0, offset)]
  const n = Math.max(0, Math.min(x.shape[rows] - down, x.shape[columns] - right))
  const start = (extent: number, from: number): number => Math.min(extent, from)
  const cut = narrow(narrow(x, rows, start(x.shape[rows], down), n), columns, start(x.shape[columns], right), n)
  return diagonalOf(cut, rows, columns)
}

/** Matrices with the last dimension of x on diagonal number `offset`, in dimensions `dim1` and `dim2` of the result. */
export function diagEmbed(like: TensorLike, offset = 0, dim1 = -2, dim2 = -1): Tensor {
  const x = asTensor(like)
  if (x.ndim === 0) throw fail('diagEmbed', 'needs at least one dimension')
  const rank = x.ndim + 1
  const [rows, columns] = [resolveDim('diagEmbed', dim1, rank), resolveDim('diagEmbed', dim2, rank)]
  if (rows === columns) throw fail('diagEmbed', `dim1 and dim2 are both dimension ${rows}`)
  const extra = Math.abs(offset)
  const n = x.shape[x.ndim - 1] + extra
  const long = pad(x, [0, extra])
  // Above the main diagonal element i stands in row i, below it in column i.
  const shape = [...x.shape.slice(0, -1), n, n]
  const spread = expand(unsqueeze(long, offset >= 0 ? x.ndim : x.ndim - 1), shape)
  const distance = sub(iota([n, n], 1), iota([n, n], 0))
  const matrix = where(eq(distance, likeOf(offset, distance)), spread, likeOf(0, x))
  return movedim(matrix, [rank - 2, rank - 1], [rows, columns])
}

/** The diagonal of a matrix, or the square matrix with a vector on diagonal number `offset`. */
export function diag(like: TensorLike, offset = 0): Tensor {
  const x = asTensor(like)
  if (x.ndim === 1) return diagEmbed(x, offset)
  if (x.ndim === 2) return diagonal(x, offset)
  throw fail('diag', `takes a vector or a matrix, got ${typeText(x)}; use diagonal or diagEmbed`)
}

/** Sum of the main diagonal of a matrix. */
export function trace(like: TensorLike): Tensor {
  const x = asTensor(like)
  if (x.ndim !== 2) throw fail('trace', `takes a matrix, got ${typeText(x)}`)
  return sum(diagonal(x))
}

/** Vector product of 3-vectors along `dim`. */
export function cross(left: TensorLike, right: TensorLike, dim = -1): Tensor {
  const [x, y] = broadcastTensors(...promote([left, right]))
  const at = resolveDim('cross', dim, x.ndim, x)
  if (x.shape[at] !== 3) throw fail('cross', `dimension ${dim} of ${typeText(x)} must have extent 3`)
  const turn = (z: Tensor, by: number): Tensor => roll(z, by, at)
  return sub(mul(turn(x, -1), turn(y, -2)), mul(turn(x, -2), turn(y, -1)))
}
