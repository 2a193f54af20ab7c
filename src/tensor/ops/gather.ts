import { isInteger, type ScatterKind, type Shape } from '../../ir/index.js'
import { broadcastTo } from '../broadcast.js'
import { asTensor, record, type TensorLike } from '../core.js'
import { fail, range, resolveDim, typeText } from '../dims.js'
import { cast } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { iota } from './creation.js'
import { add, like as likeOf, lt, where } from './elementwise.js'
import { cat } from './join.js'
import { expand, flatten, reshape, unsqueeze } from './shape.js'

/** Reading at computed places. Indices out of range are an error at run time, by name; negative ones count from the end where said. */

/** An index operand: integers, or a list of whole numbers, which become i32. */
export function asIndex(op: string, indices: TensorLike): Tensor {
  const plain = Array.isArray(indices) || typeof indices === 'number'
  const index = plain ? asTensor(indices, 'i32') : asTensor(indices)
  if (!isInteger(index.dtype))
    throw fail(op, `indices must be integers, got ${typeText(index)}; convert with .to('i32')`)
  return index
}

/** Makes negative indices count from the end of a dimension of `extent`. */
export const wrapNegative = (index: Tensor, extent: number): Tensor =>
  where(lt(index, likeOf(0, index)), add(index, likeOf(extent, index)), index)

/** Slices of dimension 0 at `index` (any shape): [...index, ...rest]. */
export function takeAlongRows(x: Tensor, index: Tensor): Tensor {
  const rank = index.ndim
  return record('gather', [x, unsqueeze(index, rank)], {
    offset_dims: range(x.ndim - 1).map((dim) => dim + rank),
    collapsed_slice_dims: [0],
    start_index_map: [0],
    slice_sizes: [1, ...x.shape.slice(1)],
  })
}

/** Index vectors that address every element of `index` in a tensor of its rank: its own value along `dim`, else its place. */
export function elementPlaces(index: Tensor, dim: number): Tensor {
  const columns = range(index.ndim).map((i) =>
    unsqueeze(i === dim ? index : iota(index.shape, i, index.dtype), index.ndim),
  )
  return cat(columns, index.ndim)
}

/** Reads single elements at index vectors (last dimension). */
export function gatherElements(x: Tensor, places: Tensor): Tensor {
  return record('gather', [x, places], {
    offset_dims: [],
    collapsed_slice_dims: range(x.ndim),
    start_index_map: range(x.ndim),
    slice_sizes: x.shape.map(() => 1),
  })
}

/** Combines `updates` into `x` at index vectors (last dimension). */
export function scatterElements(kind: ScatterKind, x: Tensor, places: Tensor, updates: Tensor): Tensor {
  return record('scatter', [x, places, updates], {
    kind,
    update_window_dims: [],
    inserted_window_dims: range(x.ndim),
    scatter_dims_to_operand_dims: range(x.ndim),
  })
}

/** Checks torch's rule for gather and scatter: same rank, and extents within those of x except along `dim`. */
export function checkElementIndex(op: string, x: Tensor, dim: number, index: Tensor): void {
  if (index.ndim !== x.ndim)
    throw fail(op, `index ${typeText(index)} needs the rank of ${typeText(x)}; add dimensions with unsqueeze or expand`)
  const wrong = index.shape.findIndex((extent, i) => i !== dim && extent > x.shape[i])
  if (wrong >= 0)
    throw fail(
      op,
      `index ${typeText(index)} exceeds ${typeText(x)} in dimension ${wrong}, which is not the dimension ${dim} indexed`,
    )
}

/** out[i][j] = x[index[i][j]][j] for dim 0, and so on: one element of `x` for each of `index`. */
export function gather(like: TensorLike, dim: number, indices: TensorLike): Tensor {
  const x = asTensor(like)
  const index = asIndex('gather', indices)
  if (x.ndim === 0) return expand(x, index.shape)
  const at = resolveDim('gather', dim, x.ndim, x)
  checkElementIndex('gather', x, at, index)
  return gatherElements(x, elementPlaces(index, at))
}

/** {@link gather} whose operands broadcast in the other dimensions and whose negative indices count from the end (numpy). */
export function takeAlongDim(like: TensorLike, indices: TensorLike, dim?: number): Tensor {
  const given = asTensor(like)
  const givenIndex = asIndex('takeAlongDim', indices)
  if (dim === undefined) return gather(flatten(given), 0, wrapNegative(flatten(givenIndex), given.size))
  const at = resolveDim('takeAlongDim', dim, given.ndim, given)
  if (givenIndex.ndim !== given.ndim)
    throw fail('takeAlongDim', `index ${typeText(givenIndex)} needs the rank of ${typeText(given)}`)
  const spread = (x: Tensor, other: Tensor): Tensor => {
    const shape = x.shape.map((extent, i) => (i === at || extent !== 1 ? extent : other.shape[i]))
    return broadcastTo(x, shape, 'takeAlongDim')
  }
  return gather(spread(given, givenIndex), at, wrapNegative(spread(givenIndex, given), given.shape[at]))
}

/** Slices of dimension `dim` at the places of `indices`, which may have any rank; negative ones count from the end. */
export function take(like: TensorLike, indices: TensorLike, dim: number): Tensor {
  const x = asTensor(like)
  const at = resolveDim('take', dim, x.ndim, x)
  const index = wrapNegative(asIndex('take', indices), x.shape[at] ?? 1)
  const rank = index.ndim
  return record('gather', [x, unsqueeze(index, rank)], {
    offset_dims: range(x.ndim - 1).map((i) => (i < at ? i : i + rank)),
    collapsed_slice_dims: [at],
    start_index_map: [at],
    slice_sizes: x.shape.map((extent, i) => (i === at ? 1 : extent)),
  })
}

/** Elements of the flattened `x` (torch's take). */
export function takeFlat(like: TensorLike, indices: TensorLike): Tensor {
  const x = asTensor(like)
  return takeAlongRows(flatten(x), wrapNegative(asIndex('takeFlat', indices), x.size))
}

/** Slices of dimension `dim` at a vector of indices. */
export function indexSelect(like: TensorLike, dim: number, indices: TensorLike): Tensor {
  const index = asIndex('indexSelect', indices)
  if (index.ndim > 1)
    throw fail('indexSelect', `takes a vector of indices, got ${typeText(index)}; use take(x, indices, dim)`)
  const vector = index.ndim === 0 ? reshape(index, 1) : index
  const x = asTensor(like)
  // A scalar counts as one slice.
  if (x.ndim === 0) return reshape(take(reshape(x, 1), vector, dim), [])
  return take(x, vector, dim)
}

/**
 * Rows of `weight` [entries, ...] at integer `indices` of any shape: [...indices, ...]. The row `paddingIdx` gets no gradient.
 */
export function embedding(
  indices: TensorLike,
  weight: TensorLike,
  { paddingIdx }: { readonly paddingIdx?: number | null } = {},
): Tensor {
  const table = asTensor(weight)
  const index = asIndex('embedding', indices)
  if (table.ndim === 0) throw fail('embedding', 'weight needs at least one dimension: [entries, width]')
  const rows = takeAlongRows(table, index)
  if (paddingIdx === undefined || paddingIdx === null) return rows
  const frozen = paddingIdx < 0 ? paddingIdx + table.shape[0] : paddingIdx
  const isPadding = record('compare', [index, cast(broadcastTo(likeOf(frozen, index), index.shape), index.dtype)], {
    direction: 'EQ',
  })
  const mask = reshape(isPadding, [...index.shape, ...table.shape.slice(1).map(() => 1)])
  return where(mask, record('stop_gradient', [rows], {}), rows)
}

/** Vectors with 1 at the place of each index: [..., classes] (i32 unless `dtype` is given). */
export function oneHot(
  indices: TensorLike,
  classes: number,
  { dtype = 'i32' }: { readonly dtype?: Tensor['dtype'] } = {},
): Tensor {
  const index = asIndex('oneHot', indices)
  if (!Number.isInteger(classes) || classes < 1)
    throw fail('oneHot', `the number of classes must be a positive integer, got ${classes}`)
  const shape: Shape = [...index.shape, classes]
  const places = iota(shape, index.ndim, index.dtype)
  return cast(record('compare', [expand(unsqueeze(index, index.ndim), shape), places], { direction: 'EQ' }), dtype)
}
