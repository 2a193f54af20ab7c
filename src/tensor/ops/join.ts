import { asTensor, record, type TensorLike } from '../core.js'
import { fail, range, resolveDim, typeText } from '../dims.js'
import { promote } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { narrow, reshape, select, unsqueeze } from './shape.js'

/** Joining and splitting. */

/**
 * Joins tensors along `dim`; the other extents must agree. Operands promote to one dtype; empty vectors (shape [0]) are skipped.
 * @throws ShapeError when extents differ.
 */
export function cat(tensors: readonly TensorLike[], dim = 0): Tensor {
  if (tensors.length === 0) throw fail('cat', 'needs at least one tensor')
  const all = promote(tensors)
  const rank = all.reduce((most, x) => Math.max(most, x.ndim), 0)
  if (rank === 0) throw fail('cat', 'scalars cannot be joined; use stack(tensors)')
  const at = resolveDim('cat', dim, rank)
  const used = all.filter((x) => x.ndim === rank || x.size > 0 || x.ndim !== 1)
  const first = used[0] ?? all[0]
  for (const x of used) {
    const fits = x.ndim === first.ndim && x.shape.every((extent, i) => i === at || extent === first.shape[i])
    if (!fits)
      throw fail(
        'cat',
        `${typeText(first)} and ${typeText(x)} must agree in every dimension but ${at}; pad or slice one of them`,
      )
  }
  return used.length === 1 ? used[0] : record('concatenate', used, { dimension: at })
}

/** Joins tensors of one shape along a new dimension `dim`. */
export function stack(tensors: readonly TensorLike[], dim = 0): Tensor {
  if (tensors.length === 0) throw fail('stack', 'needs at least one tensor')
  const all = promote(tensors)
  const at = resolveDim('stack', dim, all[0].ndim + 1)
  const odd = all.find((x) => x.ndim !== all[0].ndim || x.shape.some((extent, i) => extent !== all[0].shape[i]))
  if (odd)
    throw fail(
      'stack',
      `${typeText(all[0])} and ${typeText(odd)} must have one shape; use cat(tensors, dim) to join unequal ones`,
    )
  return cat(
    all.map((x) => unsqueeze(x, at)),
    at,
  )
}

/** Joins along dimension 1 (vectors: 0). */
export const hstack = (tensors: readonly TensorLike[]): Tensor => {
  const all = tensors.map((x) => atLeast1d(asTensor(x)))
  return cat(all, all[0]?.ndim === 1 ? 0 : 1)
}

/** Joins along dimension 0; vectors become rows. */
export const vstack = (tensors: readonly TensorLike[]): Tensor =>
  cat(
    tensors.map((like) => {
      const x = atLeast1d(asTensor(like))
      return x.ndim === 1 ? unsqueeze(x, 0) : x
    }),
    0,
  )

const atLeast1d = (x: Tensor): Tensor => (x.ndim === 0 ? reshape(x, 1) : x)

/** Cuts dimension `dim` at the given lengths. */
function cut(x: Tensor, dim: number, lengths: readonly number[]): Tensor[] {
  let start = 0
  return lengths.map((length) => {
    const part = narrow(x, dim, start, length)
    start += length
    return part
  })
}

/** Parts of `sizes` elements along `dim` (the last may be shorter), or of the listed sizes. */
export function split(like: TensorLike, sizes: number | readonly number[], dim = 0): Tensor[] {
  const x = asTensor(like)
  const at = resolveDim('split', dim, x.ndim, x)
  const extent = x.shape[at]
  if (typeof sizes !== 'number') {
    const total = sizes.reduce((sum, size) => sum + size, 0)
    if (total !== extent)
      throw fail(
        'split',
        `sizes [${sizes.join(', ')}] sum to ${total}, dimension ${at} of ${typeText(x)} has ${extent}`,
      )
    return cut(x, at, sizes)
  }
  if (!(sizes > 0)) throw fail('split', `the size of a part must be positive, got ${sizes}`)
  const count = Math.max(1, Math.ceil(extent / sizes))
  return cut(
    x,
    at,
    range(count).map((i) => Math.min(sizes, extent - i * sizes)),
  )
}

/** At most `chunks` parts of equal length along `dim`; the last may be shorter. */
export function chunk(like: TensorLike, chunks: number, dim = 0): Tensor[] {
  const x = asTensor(like)
  if (!(chunks > 0)) throw fail('chunk', `needs a positive number of chunks, got ${chunks}`)
  const extent = x.shape[resolveDim('chunk', dim, x.ndim, x)]
  // An empty dimension gives that many empty parts, as in torch.
  if (extent === 0) return range(chunks).map(() => x)
  return split(x, Math.ceil(extent / chunks), dim)
}

/** `sections` parts whose lengths differ by at most one, or parts that end at the listed places. */
export function tensorSplit(like: TensorLike, sections: number | readonly number[], dim = 0): Tensor[] {
  const x = asTensor(like)
  const at = resolveDim('tensorSplit', dim, x.ndim, x)
  const extent = x.shape[at]
  if (typeof sections === 'number') {
    if (!(sections > 0)) throw fail('tensorSplit', `needs a positive number of sections, got ${sections}`)
    const base = Math.floor(extent / sections)
    const longer = extent % sections
    return cut(
      x,
      at,
      range(sections).map((i) => (i < longer ? base + 1 : base)),
    )
  }
  const places = [0, ...sections.map((end) => Math.min(Math.max(end < 0 ? end + extent : end, 0), extent)), extent]
  return places.slice(1).map((end, i) => narrow(x, at, places[i], Math.max(0, end - places[i])))
}

/** The slices along `dim`, without that dimension. */
export function unbind(like: TensorLike, dim = 0): Tensor[] {
  const x = asTensor(like)
  const at = resolveDim('unbind', dim, x.ndim, x)
  if (x.ndim === 0) throw fail('unbind', 'a scalar has no dimension to unbind')
  return range(x.shape[at]).map((i) => select(x, at, i))
}
