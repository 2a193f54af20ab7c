import { asTensor, type TensorLike } from '../core.js'
import { fail, typeText } from '../dims.js'
import { cast } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { iota, zeros } from './creation.js'
import {
  eq,
  isFloatingPoint,
  like as likeOf,
  logicalNot,
  maximum,
  mul,
  sub,
  to,
  trueDivide,
  where,
} from './elementwise.js'
import { asIndex, embedding } from './gather.js'
import { indexAdd, indexReduce } from './scatter.js'
import { searchsorted } from './search.js'
import { expand, flatten, reshape, unsqueeze } from './shape.js'

export interface EmbeddingBagOptions {
  /** Default mean. */
  readonly mode?: 'sum' | 'mean' | 'max'
  /** Where each bag starts in a vector of indices; without it the rows of a matrix of indices are the bags. */
  readonly offsets?: TensorLike
  /** Factors of the rows; only for sum. */
  readonly perSampleWeights?: TensorLike | null
  /** Entry that does not count and gets no gradient. */
  readonly paddingIdx?: number | null
}

interface Bags {
  readonly indices: Tensor
  /** Number of the bag of each index, i32. */
  readonly bag: Tensor
  readonly count: number
}

function bagsOf(index: Tensor, offsets: TensorLike | undefined): Bags {
  if (index.ndim === 2) {
    const bag = flatten(expand(unsqueeze(iota([index.shape[0]], 0), 1), index.shape))
    return { indices: flatten(index), bag, count: index.shape[0] }
  }
  if (index.ndim !== 1 || offsets === undefined)
    throw fail('embeddingBag', `needs a matrix of indices, or a vector with offsets, got ${typeText(index)}`)
  const starts = asIndex('embeddingBag', offsets)
  const after = searchsorted(starts, iota(index.shape, 0, starts.dtype), { right: true })
  return { indices: index, bag: sub(after, likeOf(1, after)), count: starts.size }
}

/** Sums, means or maxima of the rows of `weight` that each bag names; empty bags give zeros: [bags, width]. */
export function embeddingBag(indices: TensorLike, weight: TensorLike, options: EmbeddingBagOptions = {}): Tensor {
  const { mode = 'mean', offsets, perSampleWeights = null, paddingIdx = null } = options
  const table = asTensor(weight)
  if (!isFloatingPoint(table) || table.ndim !== 2)
    throw fail('embeddingBag', `weight must be a float matrix [entries, width], got ${typeText(table)}`)
  const { indices: index, bag, count } = bagsOf(asIndex('embeddingBag', indices), offsets)
  const padding = paddingIdx !== null && paddingIdx < 0 ? paddingIdx + table.shape[0] : paddingIdx
  const counts = padding === null ? eq(index, index) : logicalNot(eq(index, likeOf(padding, index)))
  const counted = to(counts, table.dtype)
  const rows = embedding(index, table, { paddingIdx: padding })
  const empty = zeros([count, table.shape[1]], { dtype: table.dtype })
  if (mode === 'max') {
    const least = where(unsqueeze(counts, 1), rows, likeOf(Number.NEGATIVE_INFINITY, rows))
    const peaks = indexReduce(empty, 0, bag, least, 'amax', { includeSelf: false })
    return where(eq(peaks, likeOf(Number.NEGATIVE_INFINITY, peaks)), likeOf(0, peaks), peaks)
  }
  const factor = perSampleWeights === null ? counted : mul(counted, flatten(cast(perSampleWeights, table.dtype)))
  const total = indexAdd(empty, 0, bag, mul(rows, unsqueeze(factor, 1)))
  if (mode === 'sum') return total
  const size = indexAdd(zeros([count], { dtype: table.dtype }), 0, bag, counted)
  return trueDivide(total, reshape(maximum(size, likeOf(1, size)), [count, 1]))
}
