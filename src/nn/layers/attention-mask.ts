import { constant, logicalAnd, ones, type Tensor, tril, unsqueeze, where } from '../../tensor/index.js'
import type { CallContext } from '../layer.js'

const LARGE_NEGATIVE = -0.7 * 3.4028234663852886e38

/**
 * [batch or 1, 1, queries, keys] of bool masks that broadcast to [batch, queries, keys]: 0 where all allow attention (and, where `causal`, the key is
 * no later than the query), else Keras' large negative number, so that a query that may see nothing averages over everything. Null without masks;
 * causality alone is then the kernel's.
 */
export function additiveMask(
  masks: readonly (Tensor | undefined)[],
  [query, value]: readonly Tensor[],
  causal: boolean,
): Tensor | null {
  const shown = masks.filter((mask) => mask !== undefined)
  if (shown.length === 0) return null
  const { dtype } = query
  if (causal) shown.push(tril(ones([query.shape[1], value.shape[1]], { dtype })).to('bool'))
  const all = shown.reduce((a, b) => logicalAnd(a, b))
  const added = where(all, constant(0, dtype), constant(dtype === 'f16' ? -0.7 * 65504 : LARGE_NEGATIVE, dtype))
  return added.ndim === 3 ? unsqueeze(added, 1) : added
}

/** What hides keys from queries: the masks of the inputs and a given one [batch, queries, keys], each with room for what it lacks. */
export function inputMasks(
  [query, value, key]: readonly Tensor[],
  given: Tensor | undefined,
  { masks }: CallContext,
): (Tensor | undefined)[] {
  const ofKeys = [masks.get(value), key === value ? undefined : masks.get(key)]
  return [
    masks.has(query) ? unsqueeze(masks.get(query) as Tensor, 2) : undefined,
    ...ofKeys.map((mask) => mask && unsqueeze(mask, 1)),
    given?.to('bool'),
  ]
}
