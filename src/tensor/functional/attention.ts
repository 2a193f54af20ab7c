import { type AttrValue, type Shape, shapeText, sizeOf } from '../../ir/index.js'
import { broadcastShapes, broadcastTo } from '../broadcast.js'
import { composite } from '../control.js'
import { asTensor, constant, record, type TensorLike } from '../core.js'
import { fail, range, typeText } from '../dims.js'
import { add, eq, exp, ge, like, log, logicalAnd, lt, mul, sub, trueDivide, where } from '../ops/elementwise.js'
import { defineGradient } from '../ops/gradient-rule.js'
import { amax, sum } from '../ops/reduce.js'
import { reshape, unsqueeze } from '../ops/shape.js'
import { cast, computeType, floatType, resultType } from '../promote.js'
import { random } from '../random.js'
import type { Tensor } from '../tensor.js'
import { present } from './constants.js'

/**
 * Shapes: B batch, H query heads, G query heads a key head, K = H / G key heads, T queries, S keys, D and E features of keys and values.
 */

export interface AttentionOptions {
  /** Broadcasts to [B, H, T, S]. bool: true where attention is allowed. Floats are added to the scores. */
  mask?: TensorLike | null
  /** Query i sees keys 0 to i (+ its `queryStart`). */
  causal?: boolean
  /** Factor of the scores; default 1 / sqrt(D). */
  scale?: number | null
  /** Keys that count, i32 [B]: those from there on are hidden. */
  keyLengths?: TensorLike | null
  /** Position of the first query among the keys, i32 [B]; default 0. Moves the causal mask. */
  queryStarts?: TensorLike | null
  /** Probability of dropping a weight; default 0. Only for training. */
  dropout?: number
}

type Attributes = Readonly<Record<string, AttrValue>>

interface Parts {
  readonly q: Tensor
  readonly k: Tensor
  readonly v: Tensor
  readonly mask: Tensor | null
  readonly keyLengths: Tensor | null
  readonly queryStarts: Tensor | null
  /** bool [B, H, T, S]: weights that dropout keeps. */
  readonly keep: Tensor | null
}

function unpack(attributes: Attributes, inputs: readonly Tensor[]): Parts {
  const [q, k, v, ...rest] = inputs
  const next = (there: AttrValue): Tensor | null => (there ? (rest.shift() ?? null) : null)
  const mask = next(attributes.mask !== 'none')
  const keyLengths = next(attributes.key_lengths)
  const queryStarts = next(attributes.query_starts)
  return { q, k, v, mask, keyLengths, queryStarts, keep: next(attributes.keep) }
}

/** lhs [B, K, ...] . rhs [B, K, ...] over the named dimensions of each. */
const contract = (lhs: Tensor, rhs: Tensor, left: readonly number[], right: readonly number[]): Tensor =>
  record('dot_general', [lhs, rhs], { lhs_batch: [0, 1], rhs_batch: [0, 1], lhs_contract: left, rhs_contract: right })

/** [B, H, ...] as [B, K, G, ...]. */
const grouped = (x: Tensor, heads: number): Tensor =>
  reshape(x, [x.shape[0], heads, x.shape[1] / heads, ...x.shape.slice(2)])

const ungrouped = (x: Tensor): Tensor => reshape(x, [x.shape[0], x.shape[1] * x.shape[2], ...x.shape.slice(3)])

/** What is allowed by causality and lengths, bool and broadcastable to [B, K, G, T, S]; null where everything is. */
function visible(
  attributes: Attributes,
  { keyLengths, queryStarts }: Parts,
  queries: number,
  keys: number,
): Tensor | null {
  const shape = [1, 1, 1, queries, keys]
  const position = (dimension: number): Tensor => record('iota', [], { shape, dtype: 'i32', dimension })
  const perBatch = (x: Tensor): Tensor => reshape(x, [x.shape[0], 1, 1, 1, 1])
  const key = position(4)
  const short = keyLengths ? lt(key, perBatch(keyLengths)) : null
  if (!attributes.causal) return short
  const query = queryStarts ? add(position(3), perBatch(queryStarts)) : position(3)
  const past = ge(query, key)
  return short ? logicalAnd(past, short) : past
}

/** Scores with hidden ones at -infinity, [B, K, G, T, S]. */
function scoresOf(attributes: Attributes, parts: Parts): Tensor {
  const { mask } = parts
  const wide = (x: Tensor): Tensor => cast(x, computeType(x.dtype))
  const q = wide(parts.q)
  const heads = parts.k.shape[1]
  const product = contract(grouped(mul(q, like(attributes.scale as number, q)), heads), wide(parts.k), [4], [3])
  const hidden = like(Number.NEGATIVE_INFINITY, product)
  let scores = product
  if (mask) {
    const spread = mask.shape[1] === 1 ? unsqueeze(mask, 2) : grouped(mask, heads)
    scores = attributes.mask === 'bool' ? where(spread, scores, hidden) : add(scores, wide(spread))
  }
  const seen = visible(attributes, parts, parts.q.shape[2], parts.k.shape[2])
  return seen ? where(seen, scores, hidden) : scores
}

/**
 * Logarithm of the sum of the exponentials of each row of scores, [B, K, G, T, 1]; +infinity for rows without a visible key, so that all
 * their weights are 0.
 */
function logTotals(scores: Tensor): Tensor {
  const none = like(Number.NEGATIVE_INFINITY, scores)
  if (scores.shape[4] === 0) return constant(Number.POSITIVE_INFINITY, scores.dtype, [...scores.shape.slice(0, 4), 1])
  const peak = amax(scores, 4, { keepdim: true })
  const empty = eq(peak, none)
  const shift = where(empty, like(0, peak), peak)
  const totals = add(shift, log(sum(exp(sub(scores, shift)), 4, { keepdim: true })))
  return where(empty, like(Number.POSITIVE_INFINITY, peak), totals)
}

/** Weights of scores from the log totals of their rows. Beside scores of a large mask a total has lost its digits, so rows are made to add up to 1. */
function weightsOf(scores: Tensor, totals: Tensor): Tensor {
  const weights = exp(sub(scores, totals))
  const whole = sum(weights, 4, { keepdim: true })
  return trueDivide(weights, where(eq(whole, like(0, whole)), like(1, whole), whole))
}

/** Dropout of weights or of their gradients, [B, K, G, T, S]. */
function kept(attributes: Attributes, { k, keep }: Parts, x: Tensor): Tensor {
  if (!keep) return x
  return where(grouped(keep, k.shape[1]), mul(x, like(attributes.keep_scale as number, x)), like(0, x))
}

/** Inputs q, k, v, mask?, keyLengths?, queryStarts?, keep?; results y [B, H, T, E] and the rows' log totals [B, H, T]. */
function attentionBody(attributes: Attributes): (inputs: Tensor[]) => Tensor[] {
  return (inputs) => {
    const parts = unpack(attributes, inputs)
    const scores = scoresOf(attributes, parts)
    const totals = logTotals(scores)
    const weights = kept(attributes, parts, weightsOf(scores, totals))
    const y = contract(weights, cast(parts.v, scores.dtype), [4], [2])
    return [cast(ungrouped(y), parts.q.dtype), reshape(ungrouped(totals), parts.q.shape.slice(0, 3))]
  }
}

/** Sums over the dimensions that `x` was spread along. */
function sumTo(x: Tensor, shape: Shape): Tensor {
  const dims = range(x.ndim).filter((dim) => x.shape[dim] !== shape[dim])
  return dims.length === 0 ? x : sum(x, dims, { keepdim: true })
}

/**
 * Inputs ct, log totals, delta [B, H, T] (row sums of ct * y), then those of the attention; results dq, dk, dv and, with `mask_grad`,
 * dmask.
 */
function attentionGradBody(attributes: Attributes): (inputs: Tensor[]) => Tensor[] {
  return ([ct, totals, delta, ...inputs]) => {
    const parts = unpack(attributes, inputs)
    const { q, k, v, mask } = parts
    const heads = k.shape[1]
    const scores = scoresOf(attributes, parts)
    const rows = (x: Tensor): Tensor => unsqueeze(grouped(x, heads), -1)
    const weights = weightsOf(scores, rows(totals))
    const g = grouped(cast(ct, scores.dtype), heads)
    const dv = contract(kept(attributes, parts, weights), g, [2, 3], [2, 3])
    const dweights = kept(attributes, parts, contract(g, cast(v, scores.dtype), [4], [3]))
    const dscores = mul(weights, sub(dweights, rows(delta)))
    const scale = like(attributes.scale as number, scores)
    const dq = mul(ungrouped(contract(dscores, cast(k, scores.dtype), [4], [2])), scale)
    const dk = mul(contract(dscores, grouped(cast(q, scores.dtype), heads), [2, 3], [2, 3]), scale)
    const dmask = attributes.mask_grad && mask ? cast(sumTo(ungrouped(dscores), mask.shape), mask.dtype) : null
    return present(cast(dq, q.dtype), cast(dk, k.dtype), cast(dv, v.dtype), dmask)
  }
}

defineGradient('sdpa', ([ct, dtotals], { attributes, inputs, outputs, needs }) => {
  const [y, totals] = outputs
  const given = ct ?? constant(0, y.dtype, y.shape)
  const product = sum(mul(cast(given, totals.dtype), cast(y, totals.dtype)), -1)
  const delta = dtotals ? sub(product, dtotals) : product
  const maskGrad = attributes.mask === 'additive' && needs[3]
  const grads = composite(
    'sdpa_grad',
    { ...attributes, mask_grad: maskGrad },
    [given, totals, delta, ...inputs],
    attentionGradBody({ ...attributes, mask_grad: maskGrad }),
  )
  return inputs.map((_, i) => grads[i] ?? null)
})

interface Prepared {
  readonly parts: Parts
  readonly attributes: Attributes
  readonly inputs: readonly Tensor[]
  readonly restore: (y: Tensor) => Tensor
}

/** [..., T, D] as [B, H, T, D]. */
const asHeads = (x: Tensor): Tensor => {
  const lead = x.shape.slice(0, -2)
  if (lead.length === 0) return reshape(x, [1, 1, ...x.shape])
  if (lead.length === 1) return unsqueeze(x, 1)
  return reshape(x, [sizeOf(lead.slice(0, -1)), lead[lead.length - 1], ...x.shape.slice(-2)])
}

function maskOf(mask: TensorLike, scores: Shape, dtype: Tensor['dtype']): Tensor {
  const given = asTensor(mask)
  const typed = given.dtype === 'bool' ? given : cast(given, dtype)
  const shape = broadcastShapes('scaledDotProductAttention', typed.shape, scores)
  if (sizeOf(shape) !== sizeOf(scores) || shape.length !== scores.length)
    throw fail('scaledDotProductAttention', `the mask ${typeText(typed)} does not broadcast to ${shapeText(scores)}`)
  if (scores.length <= 4) {
    // Keeps extents of 1: a mask of all heads or examples is read, not copied.
    const padded = [...range(scores.length - typed.ndim).map(() => 1), ...typed.shape]
    return asHeads(reshape(typed, padded))
  }
  return asHeads(broadcastTo(typed, scores))
}

function prepare(query: TensorLike, key: TensorLike, value: TensorLike, options: AttentionOptions): Prepared {
  const op = 'scaledDotProductAttention'
  const dtype = floatType(resultType(query, key, value))
  const [q, k, v] = [query, key, value].map((x) => cast(x, dtype))
  const text = `${typeText(q)}, ${typeText(k)}, ${typeText(v)}`
  if (q.ndim < 2 || k.ndim !== q.ndim || v.ndim !== q.ndim)
    throw fail(op, `query, key and value must have one rank of at least 2, got ${text}`)
  const lead = q.shape.slice(0, -2)
  const [a, b, c] = [asHeads(q), asHeads(k), asHeads(v)]
  const fits = a.shape[3] === b.shape[3] && b.shape[2] === c.shape[2] && b.shape[1] === c.shape[1]
  if (!fits || a.shape[0] !== b.shape[0] || a.shape[0] !== c.shape[0] || a.shape[1] % b.shape[1] !== 0)
    throw fail(
      op,
      `expected [batch, heads, queries, d], [batch, key heads, keys, d] and [batch, key heads, keys, e], got ${text}`,
    )
  const mask =
    options.mask === null || options.mask === undefined
      ? null
      : maskOf(options.mask, [...lead, a.shape[2], b.shape[2]], dtype)
  const perBatch = (x: TensorLike | null | undefined, what: string): Tensor | null => {
    if (x === null || x === undefined) return null
    const list = cast(asTensor(x), 'i32')
    if (list.ndim !== 1 || list.shape[0] !== a.shape[0])
      throw fail(op, `${what} must be [${a.shape[0]}], got ${typeText(list)}`)
    return list
  }
  const rate = options.dropout ?? 0
  if (!(rate >= 0 && rate <= 1)) throw fail(op, `dropout is a probability, got ${rate}`)
  const parts: Parts = {
    q: a,
    k: b,
    v: c,
    mask,
    keyLengths: perBatch(options.keyLengths, 'keyLengths'),
    queryStarts: options.causal ? perBatch(options.queryStarts, 'queryStarts') : null,
    keep: rate > 0 ? random.bernoulli([...a.shape.slice(0, 3), b.shape[2]], 1 - rate) : null,
  }
  const attributes = {
    scale: options.scale ?? 1 / Math.sqrt(a.shape[3]),
    causal: options.causal ?? false,
    mask: mask === null ? 'none' : mask.dtype === 'bool' ? 'bool' : 'additive',
    key_lengths: parts.keyLengths !== null,
    query_starts: parts.queryStarts !== null,
    keep: parts.keep !== null,
    keep_scale: rate < 1 ? 1 / (1 - rate) : 0,
  }
  const inputs = present(a, b, c, mask, parts.keyLengths, parts.queryStarts, parts.keep)
  return { parts, attributes, inputs, restore: (y) => reshape(y, [...lead, ...y.shape.slice(2)]) }
}

/**
 * Attention weights softmax(q k^T * scale + mask), [..., heads, T, S], after dropout; 0 in rows without a visible key.
 * @see scaledDotProductAttention
 */
export function attentionWeights(query: TensorLike, key: TensorLike, options: AttentionOptions = {}): Tensor {
  const { parts, attributes, restore } = prepare(query, key, key, options)
  const scores = scoresOf(attributes, parts)
  const weights = ungrouped(kept(attributes, parts, exp(sub(scores, logTotals(scores)))))
  return restore(cast(weights, parts.q.dtype))
}

/**
 * softmax(q k^T * scale + mask) v (Vaswani et al. 2017). `query` [..., heads, T, D], `key` [..., key heads, S, D], `value`
 * [..., key heads, S, E] give [..., heads, T, E]; heads may be a multiple of the key heads (grouped queries). Rows without a visible key
 * give 0. Composite `sdpa`.
 * @throws ShapeError when shapes do not fit.
 */
export function scaledDotProductAttention(
  query: TensorLike,
  key: TensorLike,
  value: TensorLike,
  options: AttentionOptions = {},
): Tensor {
  const { attributes, inputs, restore } = prepare(query, key, value, options)
  return restore(composite('sdpa', attributes, inputs, attentionBody(attributes))[0])
}
