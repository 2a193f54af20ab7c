import type { ScatterKind } from '../../ir/index.js'
import { broadcastShapes, broadcastTo } from '../broadcast.js'
import { asTensor, record, type TensorLike } from '../core.js'
import { range } from '../dims.js'
import { cast } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { iota } from './creation.js'
import { scatterElements, wrapNegative } from './gather.js'
import { type Cut, type Index, type RangeIndex, resolveInt, resolveItems, resolveRange } from './index-spec.js'
import { cat } from './join.js'
import { flatten, reshape, sliceDims, unsqueeze } from './shape.js'

/** Slicing and indexing in numpy's way. */

interface Placed {
  /** Dimension of the sliced tensor that the index tensor addresses. */
  readonly dim: number
  readonly index: Tensor
}

/** Applies numbers, ranges and new dimensions; index tensors are left for later. */
function sliceBasic(x: Tensor, indices: readonly Index[]): { sliced: Tensor; placed: Placed[] } {
  const items = resolveItems(x, indices)
  const cuts: Cut[] = []
  const shape: number[] = []
  const placed: Placed[] = []
  for (const item of items) {
    if (item.kind === 'new') {
      shape.push(1)
      continue
    }
    const dim = cuts.length
    const extent = x.shape[dim]
    if (item.kind === 'int') cuts.push(resolveInt(x, item.at, dim))
    else {
      const cut = resolveRange(item.kind === 'range' ? item.parts : [], extent)
      cuts.push(cut)
      if (item.kind === 'tensor') placed.push({ dim: shape.length, index: wrapNegative(item.index, extent) })
      shape.push(Math.ceil((cut.limit - cut.start) / cut.stride))
    }
  }
  const cutOut = sliceDims(
    x,
    cuts.map((cut) => cut.start),
    cuts.map((cut) => cut.limit),
    cuts.map((cut) => cut.stride),
  )
  const dimensions = range(x.ndim).filter((dim) => cuts[dim].reversed)
  const ordered = dimensions.length > 0 ? record('reverse', [cutOut], { dimensions }) : cutOut
  return { sliced: reshape(ordered, shape), placed }
}

/** Reads at index tensors, which broadcast together: their dimensions replace the indexed ones (in front, if those are apart). */
function gatherPlaced(x: Tensor, placed: readonly Placed[]): Tensor {
  const batch = broadcastShapes('at', ...placed.map(({ index }) => index.shape))
  const vectors = cat(
    placed.map(({ index }) => unsqueeze(broadcastTo(index, batch), batch.length)),
    batch.length,
  )
  const dims = placed.map(({ dim }) => dim)
  const adjacent = dims.every((dim, i) => i === 0 || dim === dims[i - 1] + 1)
  const insert = adjacent ? dims[0] : 0
  const rest = range(x.ndim - dims.length)
  return record('gather', [x, vectors], {
    offset_dims: rest.map((dim) => (dim < insert ? dim : dim + batch.length)),
    collapsed_slice_dims: dims,
    start_index_map: dims,
    slice_sizes: x.shape.map((extent, dim) => (dims.includes(dim) ? 1 : extent)),
  })
}

/**
 * Reads a part of `x`, as numpy's x[...]: `x.at(0)`, `x.at([1, 3], null)`, `x.at('1:, ..., ::2')`, `x.at(rows, [null, 2])`.
 * Numbers drop their dimension, `[start, end, step]` and text are ranges, `null` adds a dimension, integer tensors pick places,
 * bool tensors (whose contents must be known) pick where they are true. The result is a new tensor.
 * @throws ShapeError for too many indices, numbers out of range, or masks that are not known yet.
 */
export function at(like: TensorLike, ...indices: Index[]): Tensor {
  const { sliced, placed } = sliceBasic(asTensor(like), indices)
  return placed.length === 0 ? sliced : gatherPlaced(sliced, placed)
}

/** One range for each leading dimension: `x.slice([1, 3], [null, null, 2])`. */
export const slice = (x: TensorLike, ...ranges: (RangeIndex | string)[]): Tensor => at(x, ...ranges)

/**
 * `x` with `values` (which broadcast) at the places that {@link at} would read: numpy's x[...] = values as a function.
 * `kind` add, multiply, max and min combine with what is there; otherwise the last of repeated places wins.
 */
export function setAt(
  like: TensorLike,
  indices: readonly Index[],
  values: TensorLike,
  kind: ScatterKind = 'set',
): Tensor {
  const x = asTensor(like)
  const places = at(reshape(iota([x.size], 0), x.shape), ...indices)
  const updates = broadcastTo(cast(values, x.dtype), places.shape, 'setAt')
  const written = scatterElements(kind, flatten(x), unsqueeze(flatten(places), 1), flatten(updates))
  return reshape(written, x.shape)
}

/** `x` with `values` at index tensors, one for each leading dimension; with `accumulate` they are added. */
export function indexPut(
  like: TensorLike,
  indices: readonly TensorLike[],
  values: TensorLike,
  { accumulate = false }: { readonly accumulate?: boolean } = {},
): Tensor {
  const x = asTensor(like)
  const items = indices.map((index) => asTensor(index, Array.isArray(index) ? 'i32' : undefined))
  return setAt(x, items, values, accumulate ? 'add' : 'set')
}
