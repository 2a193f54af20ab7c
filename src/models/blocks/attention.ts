import { attentionWeights, dropout, scaledDotProductAttention } from '../../tensor/functional/index.js'
import {
  any,
  logicalNot,
  logicalOr,
  matmul,
  mean,
  permute,
  reshape,
  stopGradient,
  type Tensor,
  transpose,
  where,
} from '../../tensor/index.js'
import type { Mask } from './masks.js'

export interface AttendOptions {
  readonly mask?: Mask
  /** Factor of the scores; default 1 / sqrt(D). */
  readonly scale?: number
  /** Probability of dropping a weight; 0 outside of training. */
  readonly dropout?: number
  /** Also gives the weights. */
  readonly weights?: boolean
}

export interface Attended {
  /** [B, T, heads * D] */
  readonly output: Tensor
  /** [B, heads, T, S] */
  readonly weights: Tensor | null
}

/** [B, T, heads * D] as [B, heads, T, D]. */
export function splitHeads(x: Tensor, heads: number): Tensor {
  const [batch, tokens, width] = x.shape
  return permute(reshape(x, [batch, tokens, heads, width / heads]), [0, 2, 1, 3])
}

/** [B, heads, T, D] as [B, T, heads * D]. */
export function joinHeads(x: Tensor): Tensor {
  const [batch, heads, tokens, width] = x.shape
  return reshape(permute(x, [0, 2, 1, 3]), [batch, tokens, heads * width])
}

/** Repeats each key head for the query heads that share it. */
export function repeatHeads(x: Tensor, times: number): Tensor {
  return times === 1 ? x : x.repeatInterleave(times, 1)
}

/** softmax(q k^T scale + mask) v of q [B, heads, T, D], k and v [B, key heads, S, D], heads joined. */
export function attend(q: Tensor, k: Tensor, v: Tensor, options: AttendOptions = {}): Attended {
  const { mask = null, scale = 1 / Math.sqrt(q.shape[3]) } = options
  if (!options.weights) {
    const output = scaledDotProductAttention(q, k, v, { mask, scale, dropout: options.dropout })
    return { output: joinHeads(output), weights: null }
  }
  const weights = attentionWeights(q, k, { mask, scale })
  const kept = options.dropout ? dropout(weights, { p: options.dropout }) : weights
  return { output: joinHeads(matmul(kept, repeatHeads(v, q.shape[1] / k.shape[1]))), weights: kept }
}

/**
 * {@link attend}, but queries that a bool mask lets see nothing (padding among padding) look at every key alike, which is what the
 * references' masks of lowest numbers amount to. There the scores are lost to rounding while gradients still pass through them: a term
 * of value 0 stands for those.
 */
export function attendSeeing(q: Tensor, k: Tensor, v: Tensor, options: AttendOptions = {}): Attended {
  const { mask } = options
  if (mask?.dtype !== 'bool') return attend(q, k, v, options)
  const sees = any(mask, -1, { keepdim: true })
  const all = logicalOr(mask, logicalNot(sees))
  const { output, weights } = attend(where(sees, q, 0), k, v, { ...options, mask: all })
  const { scale = 1 / Math.sqrt(q.shape[3]) } = options
  const spread = stopGradient(v.sub(mean(v, 2, { keepdim: true })).mul(scale / k.shape[2]))
  const through = matmul(q, repeatHeads(matmul(transpose(k), spread), q.shape[1] / k.shape[1]))
  const lost = where(sees, 0, through.sub(stopGradient(through)))
  return { output: output.add(joinHeads(lost)), weights }
}
