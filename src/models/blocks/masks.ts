import {
  asTensor,
  iota,
  le,
  logicalAnd,
  lt,
  ne,
  reshape,
  sub,
  type Tensor,
  type TensorLike,
  unsqueeze,
} from '../../tensor/index.js'

/** What attention may look at: bool, or floats added to the scores; null where everything is allowed. */
export type Mask = Tensor | null

const isFloatMask = (mask: Tensor): boolean =>
  mask.dtype === 'f32' || mask.dtype === 'f64' || mask.dtype === 'f16' || mask.dtype === 'bf16'

/** [B, S] as bool [B, 1, 1, S]; masks of rank 4 pass. */
export function keyMask(attentionMask: TensorLike | null | undefined): Mask {
  if (attentionMask === null || attentionMask === undefined) return null
  const mask = asTensor(attentionMask)
  if (mask.ndim === 4) return isFloatMask(mask) ? mask : ne(mask, 0)
  if (mask.ndim === 3) return unsqueeze(ne(mask, 0), 1)
  if (mask.ndim !== 2)
    throw new RangeError(
      `attention_mask must be [batch, tokens] or [batch, 1, queries, keys], got [${mask.shape.join(', ')}]`,
    )
  return reshape(ne(mask, 0), [mask.shape[0], 1, 1, mask.shape[1]])
}

/** Places of queries [T, 1] and keys [1, S] in the sequence, when `start` tokens came before. */
function places(queries: number, keys: number, start: number | Tensor): { query: Tensor; key: Tensor } {
  const query = iota([queries, 1], 0).add(start)
  return { query, key: iota([1, keys], 1) }
}

/** bool [1, 1, T, S]: each query sees itself and what came before it, at most `window` keys where one is given. */
export function causalMask(queries: number, keys: number, start: number | Tensor, window?: number | null): Tensor {
  const { query, key } = places(queries, keys, start)
  const past = le(key, query)
  const seen = window ? logicalAnd(past, lt(sub(query, key), window)) : past
  return reshape(seen, [1, 1, queries, keys])
}

/** bool [1, 1, T, T]: keys at most `reach` places away, on both sides. */
export function localMask(tokens: number, reach: number): Tensor {
  const { query, key } = places(tokens, tokens, 0)
  return reshape(le(sub(query, key).abs(), reach), [1, 1, tokens, tokens])
}

/** Both masks at once. */
export function both(a: Mask, b: Mask): Mask {
  if (!a || !b) return a ?? b
  if (!isFloatMask(a) && !isFloatMask(b)) return logicalAnd(a, b)
  return additive(a).add(additive(b))
}

/** A mask as what to add to scores: 0 where allowed, the lowest f32 elsewhere. */
export function additive(mask: Tensor): Tensor {
  if (isFloatMask(mask)) return mask
  return mask.to('f32').sub(1).mul(LOWEST)
}

/** The largest finite f32. */
export const LOWEST = 3.4028234663852886e38
