import { ctcLoss } from '../../tensor/functional/index.js'
import {
  abs,
  add,
  constant,
  div,
  log,
  logSoftmax,
  maximum,
  mean,
  mul,
  ne,
  neg,
  oneHot,
  pow,
  sigmoid,
  softmax,
  softplus,
  sub,
  sum,
  type Tensor,
  tensor,
  transpose,
  where,
} from '../../tensor/index.js'

// Reference: keras.losses with the torch backend. Probabilities are limited to [1e-7, 1 - 1e-7].

const EPSILON = 1e-7
const c = (value: number, x: Tensor): Tensor => constant(value, x.dtype)
const limited = (p: Tensor): Tensor => p.clamp(EPSILON, 1 - EPSILON)

export interface CrossentropyOptions {
  fromLogits?: boolean
  labelSmoothing?: number
}

function smoothBinary(y: Tensor, smoothing: number): Tensor {
  return smoothing === 0 ? y : add(mul(y, c(1 - smoothing, y)), c(0.5 * smoothing, y))
}

/** Elementwise binary cross-entropy from logits, in the form that does not overflow: max(x,0) - xy + log(1 + e^-|x|). */
const binaryFromLogits = (y: Tensor, x: Tensor): Tensor =>
  add(sub(maximum(x, c(0, x)), mul(x, y)), softplus(neg(abs(x))))

function binaryFromProbabilities(y: Tensor, p: Tensor): Tensor {
  const q = limited(p)
  return neg(add(mul(y, log(q)), mul(sub(c(1, y), y), log(sub(c(1, q), q)))))
}

/** Mean binary cross-entropy over the last dimension. */
export const binaryCrossentropy =
  ({ fromLogits = false, labelSmoothing = 0 }: CrossentropyOptions = {}) =>
  (y: Tensor, p: Tensor): Tensor => {
    const target = smoothBinary(y, labelSmoothing)
    return mean(fromLogits ? binaryFromLogits(target, p) : binaryFromProbabilities(target, p), -1)
  }

function logProbabilities(p: Tensor, fromLogits: boolean): Tensor {
  if (fromLogits) return logSoftmax(p, -1)
  return log(limited(div(p, sum(p, -1, { keepdim: true }))))
}

/** Cross-entropy with one-hot (or soft) targets [..., classes] -> [...]. */
export const categoricalCrossentropy =
  ({ fromLogits = false, labelSmoothing = 0 }: CrossentropyOptions = {}) =>
  (y: Tensor, p: Tensor): Tensor => {
    const classes = p.shape.at(-1) as number
    const target = labelSmoothing === 0 ? y : add(mul(y, c(1 - labelSmoothing, y)), c(labelSmoothing / classes, y))
    return neg(sum(mul(target, logProbabilities(p, fromLogits)), -1))
  }

export interface SparseCrossentropyOptions {
  fromLogits?: boolean
  ignoreClass?: number | null
}

/** Labels as given by users ([n], [n, 1], floats) in the shape that goes with predictions [..., classes]. */
export function sparseLabels(y: Tensor, p: Tensor): Tensor {
  const rank = p.shape.length - 1
  return (y.shape.length > rank && y.shape.at(-1) === 1 ? y.reshape(y.shape.slice(0, -1)) : y).to('i32')
}

/**
 * Cross-entropy with integer targets [...] and predictions [..., classes] -> [...]. Ignored positions give 0, and the others are scaled
 * up so that a mean over all positions is the mean over those that count (Keras' masked reduction).
 */
export const sparseCategoricalCrossentropy =
  ({ fromLogits = false, ignoreClass = null }: SparseCrossentropyOptions = {}) =>
  (y: Tensor, p: Tensor): Tensor => {
    const labels = sparseLabels(y, p)
    const classes = p.shape.at(-1) as number
    const kept = ignoreClass === null ? null : ne(labels, constant(ignoreClass, 'i32'))
    const safe = kept ? where(kept, labels, constant(0, 'i32')) : labels
    const losses = neg(sum(mul(oneHot(safe, classes).to(p.dtype), logProbabilities(p, fromLogits)), -1))
    if (!kept) return losses
    const scale = div(c(kept.size, losses), add(sum(kept.to(losses.dtype)), c(1e-7, losses)))
    return where(kept, mul(losses, scale), c(0, losses))
  }

export interface FocalOptions extends CrossentropyOptions {
  gamma?: number
  alpha?: number
  applyClassBalancing?: boolean
}

/** Binary focal loss (Lin et al. 2017): (1 - p_t)^gamma * cross-entropy, optionally balanced by alpha. */
export const binaryFocalCrossentropy =
  ({
    fromLogits = false,
    labelSmoothing = 0,
    gamma = 2,
    alpha = 0.25,
    applyClassBalancing = false,
  }: FocalOptions = {}) =>
  (y: Tensor, raw: Tensor): Tensor => {
    const target = smoothBinary(y, labelSmoothing)
    const p = fromLogits ? sigmoid(raw) : raw
    const one = c(1, p)
    const bce = binaryFromProbabilities(target, p)
    const pt = add(mul(target, p), mul(sub(one, target), sub(one, p)))
    let loss = mul(pow(sub(one, pt), gamma), bce)
    if (applyClassBalancing) loss = mul(loss, add(mul(target, c(alpha, p)), mul(sub(one, target), c(1 - alpha, p))))
    return mean(loss, -1)
  }

/** Categorical focal loss (Lin et al. 2017). */
export const categoricalFocalCrossentropy =
  ({ fromLogits = false, labelSmoothing = 0, gamma = 2, alpha = 0.25 }: FocalOptions = {}) =>
  (y: Tensor, raw: Tensor): Tensor => {
    const classes = raw.shape.at(-1) as number
    const target = labelSmoothing === 0 ? y : add(mul(y, c(1 - labelSmoothing, y)), c(labelSmoothing / classes, y))
    const p = fromLogits ? softmax(raw, -1) : div(raw, sum(raw, -1, { keepdim: true }))
    const q = limited(p)
    const weight = mul(pow(sub(c(1, q), q), gamma), c(alpha, q))
    return sum(mul(neg(mul(target, log(q))), weight), -1)
  }

/** (1 - p^q) / q for the probability p of the integer target (Zhang & Sabuncu 2018): near q = 0 cross-entropy, at q = 1 absolute error. */
export const categoricalGeneralizedCrossEntropy =
  ({ q = 0.5 } = {}) =>
  (y: Tensor, p: Tensor): Tensor => {
    const chosen = sum(mul(oneHot(sparseLabels(y, p), p.shape.at(-1) as number).to(p.dtype), p), -1)
    return div(sub(c(1, p), pow(chosen, q)), c(q, p))
  }

/** Dimensions that one number is taken over; null for all. */
export interface OverlapOptions {
  axis?: readonly number[] | null
}

const total = (x: Tensor, axis: readonly number[] | null | undefined): Tensor => (axis ? sum(x, axis) : sum(x))

/** 1 - Dice coefficient: one number for the batch, or for each position outside of `axis`. */
export const dice =
  ({ axis = null }: OverlapOptions = {}) =>
  (y: Tensor, p: Tensor): Tensor => {
    const both = add(add(total(y, axis), total(p, axis)), c(EPSILON, p))
    return sub(c(1, p), div(mul(total(mul(y, p), axis), c(2, p)), both))
  }

/**
 * 1 - Tversky index (Salehi et al. 2017). As in Keras (its code, not its words) alpha weighs what the predictions miss of the targets, beta what
 * they have besides. Numbers as in {@link dice}.
 */
export const tversky =
  ({ alpha = 0.5, beta = 0.5, axis = null }: OverlapOptions & { alpha?: number; beta?: number } = {}) =>
  (y: Tensor, p: Tensor): Tensor => {
    const one = c(1, p)
    const hit = total(mul(y, p), axis)
    const missed = mul(total(mul(sub(one, p), y), axis), c(alpha, p))
    const besides = mul(total(mul(p, sub(one, y)), axis), c(beta, p))
    return sub(one, div(hit, add(add(add(hit, missed), besides), c(EPSILON, p))))
  }

/** Connectionist temporal classification (Graves et al. 2006): labels [batch, length], padded with 0 (the blank), and logits [batch, steps, classes]. */
export function ctc(y: Tensor, logits: Tensor): Tensor {
  if (y.ndim !== 2 || logits.ndim !== 3)
    throw new RangeError(
      `ctc: expected labels [batch, length] and logits [batch, steps, classes], got [${y.shape.join(', ')}] and [${logits.shape.join(', ')}]`,
    )
  const [batch, steps] = logits.shape
  const counts = sum(ne(y, c(0, y)).to('i32'), -1)
  const lengths = tensor(new Int32Array(batch).fill(steps), { shape: [batch] })
  return ctcLoss(logSoftmax(transpose(logits, 0, 1), -1), y.to('i32'), lengths, counts, { reduction: 'none' })
}
