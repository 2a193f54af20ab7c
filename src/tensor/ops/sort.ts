import { makeNode } from '../../ir/index.js'
import { composite } from '../control.js'
import { asTensor, type TensorLike, wrap } from '../core.js'
import { fail, resolveDim, typeText } from '../dims.js'
import type { Tensor } from '../tensor.js'
import { iota } from './creation.js'
import { narrow, reshape, select } from './shape.js'

/** Sorting. NaN counts as greater than everything; equal elements keep their order; indices are i32. */

/** Sorts all operands along resolved dimension `dim` by the first one. */
export const sortWith = (operands: readonly Tensor[], dim: number, descending: boolean): Tensor[] =>
  makeNode(
    'sort',
    operands.map((x) => x.value),
    { dimension: dim, descending },
  ).outputs.map(wrap)

export interface SortOptions {
  readonly descending?: boolean
}

/** Elements and their indices. */
export interface Indexed {
  readonly values: Tensor
  readonly indices: Tensor
}

/** Sorted elements along `dim`, with the places they came from. */
export function sort(like: TensorLike, dim = -1, { descending = false }: SortOptions = {}): Indexed {
  const x = asTensor(like)
  if (x.ndim === 0) return { values: x, indices: reshape(iota([1], 0), []) }
  const at = resolveDim('sort', dim, x.ndim, x)
  const [values, indices] = sortWith([x, iota(x.shape, at)], at, descending)
  return { values, indices }
}

/** The places from which {@link sort} takes its elements. */
export const argsort = (x: TensorLike, dim = -1, options: SortOptions = {}): Tensor => sort(x, dim, options).indices

export interface TopKOptions {
  /** Largest (default) or smallest elements. */
  readonly largest?: boolean
}

/** The `k` largest (or smallest) elements along `dim`, in order, with their indices: composite `top_k`. */
export function topK(like: TensorLike, k: number, dim = -1, { largest = true }: TopKOptions = {}): Indexed {
  const x = asTensor(like)
  const at = resolveDim('topK', dim, x.ndim, x)
  const extent = x.shape[at] ?? 1
  if (!Number.isInteger(k) || k < 0 || k > extent)
    throw fail('topK', `k must be 0 to ${extent} for dimension ${dim} of ${typeText(x)}, got ${k}`)
  if (x.ndim === 0) return sort(x)
  const [values, indices] = composite('top_k', { k, dim: at, largest }, [x], ([operand]) =>
    sortWith([operand, iota(operand.shape, at)], at, largest).map((sorted) => narrow(sorted, at, 0, k)),
  )
  return { values, indices }
}

/** {@link topK} under torch's name. */
export const topk = topK

/** The k-th smallest element along `dim` (counted from 1), with its index. */
export function kthvalue(
  like: TensorLike,
  k: number,
  dim = -1,
  { keepdim = false }: { readonly keepdim?: boolean } = {},
): Indexed {
  const x = asTensor(like)
  const at = resolveDim('kthvalue', dim, x.ndim, x)
  const extent = x.shape[at] ?? 1
  if (!Number.isInteger(k) || k < 1 || k > extent)
    throw fail('kthvalue', `k must be 1 to ${extent} for dimension ${dim} of ${typeText(x)}, got ${k}`)
  const { values, indices } = sort(x, dim)
  const pick = (sorted: Tensor): Tensor => (keepdim ? narrow(sorted, at, k - 1, 1) : select(sorted, at, k - 1))
  return x.ndim === 0 ? { values, indices } : { values: pick(values), indices: pick(indices) }
}
