import { asTensor, constant, type TensorLike } from '../core.js'
import { fail, typeText } from '../dims.js'
import { promote } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { zeros } from './creation.js'
import { add, ge, gt, logicalAnd, logicalNot, lt, minimum, rightShift, where } from './elementwise.js'
import { gather, takeAlongRows } from './gather.js'
import { expand, flatten, reshape } from './shape.js'

export interface SearchOptions {
  /** After equal elements instead of before them. */
  readonly right?: boolean
}

/**
 * Places (i32) at which `values` would be inserted to keep the last dimension of `sorted` in order. `sorted` is a vector, or has the
 * other extents of `values`. NaN goes to the end.
 */
export function searchsorted(sorted: TensorLike, values: TensorLike, { right = false }: SearchOptions = {}): Tensor {
  const [table, x] = promote([sorted, values])
  const n = table.shape[table.ndim - 1]
  const matches =
    table.ndim === 1 || (table.ndim === x.ndim && table.shape.slice(0, -1).every((e, i) => e === x.shape[i]))
  if (table.ndim === 0 || !matches)
    throw fail(
      'searchsorted',
      `sorted ${typeText(table)} must be a vector or agree with values ${typeText(x)} but for the last dimension`,
    )
  const read = (place: Tensor): Tensor =>
    table.ndim === 1 ? reshape(takeAlongRows(table, flatten(place)), x.shape) : gather(table, table.ndim - 1, place)
  let low = zeros(x.shape, { dtype: 'i32' })
  if (n === 0) return low
  let high = expand(constant(n, 'i32'), x.shape)
  // Halves the interval as often as its longest length needs; a settled element stays put.
  for (let length = n; length > 0; length >>= 1) {
    const open = lt(low, high)
    const middle = rightShift(add(low, high), constant(1, 'i32'))
    const element = read(minimum(middle, constant(n - 1, 'i32')))
    const after = logicalNot(right ? gt(element, x) : ge(element, x))
    const next = where(logicalAnd(open, after), add(middle, constant(1, 'i32')), low)
    high = where(logicalAnd(open, logicalNot(after)), middle, high)
    low = next
  }
  return low
}

/** Number of the interval between `boundaries` (ascending) in which each element lies. */
export const bucketize = (x: TensorLike, boundaries: TensorLike, options: SearchOptions = {}): Tensor => {
  const edges = asTensor(boundaries)
  if (edges.ndim !== 1) throw fail('bucketize', `boundaries must be a vector, got ${typeText(edges)}`)
  return searchsorted(edges, x, options)
}
