import { asTensor, type TensorLike } from '../core.js'
import { fail, typeText } from '../dims.js'
import { add, like, logicalAnd, logicalNot, where } from '../ops/elementwise.js'
import { linear } from '../ops/matmul.js'
import { mean } from '../ops/reduce.js'
import { narrow, permute, reshape, transpose } from '../ops/shape.js'
import { cast, toFloat } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { attentionWeights, scaledDotProductAttention } from './attention.js'

export interface MultiHeadAttentionOptions {
  numHeads: number
  /** [3 * embed, embed]: query, key and value projections one below the other. Else give the three. */
  inProjWeight?: TensorLike | null
  qProjWeight?: TensorLike | null
  /** [embed, key features] */
  kProjWeight?: TensorLike | null
  /** [embed, value features] */
  vProjWeight?: TensorLike | null
  /** [3 * embed] */
  inProjBias?: TensorLike | null
  /** [embed, embed] */
  outProjWeight: TensorLike
  outProjBias?: TensorLike | null
  /** bool [batch, keys], true where a key is to be ignored; floats are added to the scores. */
  keyPaddingMask?: TensorLike | null
  /** bool [queries, keys] or [batch * heads, queries, keys], true where attention is NOT allowed (torch's convention here); floats are added. */
  attnMask?: TensorLike | null
  causal?: boolean
  /** Probability of dropping weights, for training; default 0. */
  dropout?: number
  /** Returns the attention weights, too. */
  needWeights?: boolean
  /** Their mean over the heads instead of each; default true. */
  averageWeights?: boolean
}

export interface MultiHeadAttention {
  /** [batch, queries, embed] */
  readonly output: Tensor
  /** [batch, queries, keys], or [batch, heads, queries, keys]; null unless asked for. */
  readonly weights: Tensor | null
}

/** A torch mask (bool: true hides) as numbers to add. */
const additive = (mask: Tensor, x: Tensor): Tensor =>
  mask.dtype === 'bool' ? where(mask, like(Number.NEGATIVE_INFINITY, x), like(0, x)) : cast(mask, x.dtype)

function combinedMask(options: MultiHeadAttentionOptions, batch: number, x: Tensor): Tensor | null {
  const { keyPaddingMask, attnMask, numHeads } = options
  const padding = keyPaddingMask ? asTensor(keyPaddingMask) : null
  const given = attnMask ? asTensor(attnMask) : null
  const keys = padding ? reshape(padding, [batch, 1, 1, -1]) : null
  const pairs = given && given.ndim === 3 ? reshape(given, [batch, numHeads, ...given.shape.slice(1)]) : given
  const bools = [keys, pairs].filter((mask) => mask !== null)
  if (bools.length === 0) return null
  if (bools.every((mask) => mask.dtype === 'bool')) return bools.map((mask) => logicalNot(mask)).reduce(logicalAnd)
  return bools.map((mask) => additive(mask, x)).reduce(add)
}

function projections(options: MultiHeadAttentionOptions, q: Tensor, k: Tensor, v: Tensor): Tensor[] {
  const { inProjWeight, inProjBias } = options
  const bias = inProjBias ? cast(inProjBias, q.dtype) : null
  const packed = inProjWeight ? cast(inProjWeight, q.dtype) : null
  const single = [options.qProjWeight, options.kProjWeight, options.vProjWeight]
  const embed = packed ? packed.shape[0] / 3 : asTensor(options.outProjWeight).shape[1]
  const weightOf = (i: number): Tensor => {
    if (packed) return narrow(packed, 0, i * embed, embed)
    const weight = single[i]
    if (weight === null || weight === undefined)
      throw fail('multiHeadAttention', 'give inProjWeight, or qProjWeight, kProjWeight and vProjWeight')
    return cast(weight, q.dtype)
  }
  return [q, k, v].map((x, i) => linear(x, weightOf(i), bias ? narrow(bias, 0, i * embed, embed) : null))
}

/**
 * Multi-head attention with its projections (Vaswani et al. 2017), as torch's. `query` [batch, T, embed], `key` [batch, S, features],
 * `value` [batch, S, features]; without the batch dimension for one example.
 */
export function multiHeadAttention(
  query: TensorLike,
  key: TensorLike,
  value: TensorLike,
  options: MultiHeadAttentionOptions,
): MultiHeadAttention {
  const single = asTensor(query).ndim === 2
  const [q, k, v] = [query, key, value].map((x) => {
    const tensor = toFloat(x)
    return single ? reshape(tensor, [1, ...tensor.shape]) : tensor
  })
  if (q.ndim !== 3 || k.ndim !== 3 || v.ndim !== 3)
    throw fail(
      'multiHeadAttention',
      `expected [batch, length, features], got ${typeText(q)}, ${typeText(k)}, ${typeText(v)}`,
    )
  const { numHeads } = options
  const batch = q.shape[0]
  const projected = projections(options, q, k, v)
  const embed = projected[0].shape[2]
  if (embed % numHeads !== 0) throw fail('multiHeadAttention', `${embed} features do not divide into ${numHeads} heads`)
  const [a, b, c] = projected.map((x) => transpose(reshape(x, [batch, -1, numHeads, x.shape[2] / numHeads]), 1, 2))
  const mask = combinedMask(options, batch, q)
  const attention = { mask, causal: options.causal ?? false }
  const y = scaledDotProductAttention(a, b, c, { ...attention, dropout: options.dropout ?? 0 })
  const merged = reshape(permute(y, 0, 2, 1, 3), [batch, q.shape[1], -1])
  const outBias = options.outProjBias ? cast(options.outProjBias, q.dtype) : null
  const output = linear(merged, cast(options.outProjWeight, q.dtype), outBias)
  const own = (x: Tensor): Tensor => (single ? reshape(x, x.shape.slice(1)) : x)
  if (!options.needWeights) return { output: own(output), weights: null }
  const weights = attentionWeights(a, b, attention)
  return { output: own(output), weights: own((options.averageWeights ?? true) ? mean(weights, 1) : weights) }
}
