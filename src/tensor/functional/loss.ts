import { composite } from '../control.js'
import type { TensorLike } from '../core.js'
import { logSigmoid } from '../ops/activations.js'
import { pow, xlogy } from '../ops/arithmetic.js'
import {
  abs,
  add,
  exp,
  gt,
  le,
  like,
  log,
  log1p,
  lt,
  maximum,
  mul,
  neg,
  stopGradient,
  sub,
  trueDivide,
  where,
} from '../ops/elementwise.js'
import { defineGradient } from '../ops/gradient-rule.js'
import { clamp, sigmoid, square } from '../ops/math.js'
import { mean, sum } from '../ops/reduce.js'
import { unsqueeze } from '../ops/shape.js'
import { align, floatType, resultType, toFloat } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { type LossOptions, type Reduction, reduceLoss } from './reduction.js'

/** Losses of predictions against targets of the same shape. Shapes broadcast; targets may carry gradients, too. */

const floats = (op: string, ...args: readonly TensorLike[]): Tensor[] => align(op, args, floatType(resultType(...args)))

/** (x - target)^2. */
export function mseLoss(x: TensorLike, target: TensorLike, options: LossOptions = {}): Tensor {
  const [a, b] = floats('mseLoss', x, target)
  return reduceLoss('mseLoss', square(sub(a, b)), options.reduction)
}

/** |x - target|. */
export function l1Loss(x: TensorLike, target: TensorLike, options: LossOptions = {}): Tensor {
  const [a, b] = floats('l1Loss', x, target)
  return reduceLoss('l1Loss', abs(sub(a, b)), options.reduction)
}

/** Squared below `beta` (default 1), absolute above: d^2 / (2 beta) or |d| - beta / 2 (Girshick 2015). */
export function smoothL1Loss(x: TensorLike, target: TensorLike, options: LossOptions & { beta?: number } = {}): Tensor {
  const { beta = 1, reduction } = options
  if (!(beta >= 0)) throw new RangeError(`smoothL1Loss: beta must not be negative, got ${beta}`)
  if (beta === 0) return l1Loss(x, target, options)
  const [a, b] = floats('smoothL1Loss', x, target)
  const difference = sub(a, b)
  const size = abs(difference)
  const near = trueDivide(square(difference), like(2 * beta, a))
  return reduceLoss('smoothL1Loss', where(lt(size, like(beta, a)), near, sub(size, like(beta / 2, a))), reduction)
}

/** Squared below `delta` (default 1), linear above: d^2 / 2 or delta * (|d| - delta / 2) (Huber 1964). */
export function huberLoss(x: TensorLike, target: TensorLike, options: LossOptions & { delta?: number } = {}): Tensor {
  const { delta = 1, reduction } = options
  if (!(delta > 0)) throw new RangeError(`huberLoss: delta must be positive, got ${delta}`)
  const [a, b] = floats('huberLoss', x, target)
  const difference = sub(a, b)
  const size = abs(difference)
  const near = mul(square(difference), like(0.5, a))
  const far = mul(sub(size, like(delta / 2, a)), like(delta, a))
  return reduceLoss('huberLoss', where(le(size, like(delta, a)), near, far), reduction)
}

function weighted(op: string, losses: Tensor, weight: TensorLike | null | undefined): Tensor {
  if (weight === null || weight === undefined) return losses
  const [a, b] = align(op, [losses, weight], losses.dtype)
  return mul(a, b)
}

const LOG_FLOOR = -100

/** As torch: logarithms are cut off at -100, so that predictions of exactly 0 and 1 stay finite. */
function binaryCrossEntropyBody([p, t]: Tensor[]): Tensor[] {
  const floor = like(LOG_FLOOR, p)
  const off = mul(sub(t, like(1, t)), maximum(log1p(neg(p)), floor))
  return [sub(off, mul(t, maximum(log(p), floor)))]
}

defineGradient('binary_cross_entropy', ([ct], { inputs: [p, t] }) => {
  if (!ct) return [null, null]
  const one = like(1, p)
  const slope = trueDivide(sub(p, t), maximum(mul(sub(one, p), p), like(1e-12, p)))
  const odds = clamp(sub(log1p(neg(p)), log(p)), like(LOG_FLOOR, p), like(-LOG_FLOOR, p))
  return [mul(ct, slope), mul(ct, odds)]
})

export interface WeightedLossOptions extends LossOptions {
  /** Factor of each element; broadcasts. */
  weight?: TensorLike | null
}

/** -(t log x + (1 - t) log(1 - x)) of probabilities `x`. Composite `binary_cross_entropy`. */
export function binaryCrossEntropy(x: TensorLike, target: TensorLike, options: WeightedLossOptions = {}): Tensor {
  const inputs = floats('binaryCrossEntropy', x, target)
  const [losses] = composite('binary_cross_entropy', {}, inputs, binaryCrossEntropyBody)
  return reduceLoss('binaryCrossEntropy', weighted('binaryCrossEntropy', losses, options.weight), options.reduction)
}

/** {@link binaryCrossEntropy} of logits, stable for large ones. `posWeight` multiplies the positive part; it broadcasts. */
export function binaryCrossEntropyWithLogits(
  x: TensorLike,
  target: TensorLike,
  options: WeightedLossOptions & { posWeight?: TensorLike | null } = {},
): Tensor {
  const op = 'binaryCrossEntropyWithLogits'
  const [logits, t] = floats(op, x, target)
  const missing = mul(sub(like(1, t), t), logits)
  let gain = like(1, t)
  if (options.posWeight !== null && options.posWeight !== undefined) {
    const [p] = align(op, [options.posWeight, t], t.dtype)
    gain = add(mul(sub(p, like(1, t)), t), like(1, t))
  }
  const losses = sub(missing, mul(gain, logSigmoid(logits)))
  return reduceLoss(op, weighted(op, losses, options.weight), options.reduction)
}

/**
 * Kullback-Leibler divergence t (log t - x) of log-probabilities `x` from `target`; `logTarget`: the target is logarithmic, too.
 * `mean` divides by the number of elements, `batchmean` by the first extent (the divergence proper).
 */
export function klDiv(
  x: TensorLike,
  target: TensorLike,
  options: { reduction?: Reduction | 'batchmean'; logTarget?: boolean } = {},
): Tensor {
  const [a, t] = floats('klDiv', x, target)
  const losses = options.logTarget ? mul(exp(t), sub(t, a)) : sub(xlogy(t, t), mul(t, a))
  if (options.reduction !== 'batchmean') return reduceLoss('klDiv', losses, options.reduction)
  return trueDivide(sum(losses), like(a.shape[0] ?? 1, losses))
}

/**
 * Negative log-likelihood of a Gaussian of mean `x` and variance `variance` (which may lack the last dimension, or have extent 1 there).
 * Variances below `eps` (default 1e-6) count as `eps` but keep their gradient. `full` adds the constant log(2 pi) / 2.
 */
export function gaussianNllLoss(
  x: TensorLike,
  target: TensorLike,
  variance: TensorLike,
  options: LossOptions & { full?: boolean; eps?: number } = {},
): Tensor {
  const [a, t] = floats('gaussianNllLoss', x, target)
  let spread = toFloat(variance)
  if (spread.ndim === a.ndim - 1 && spread.shape.every((n, i) => n === a.shape[i])) spread = unsqueeze(spread, -1)
  const [, v] = align('gaussianNllLoss', [a, spread], a.dtype)
  const held = add(v, stopGradient(sub(maximum(v, like(options.eps ?? 1e-6, v)), v)))
  const losses = mul(add(log(held), trueDivide(square(sub(a, t)), held)), like(0.5, a))
  const shifted = options.full ? add(losses, like(0.5 * Math.log(2 * Math.PI), a)) : losses
  return reduceLoss('gaussianNllLoss', shifted, options.reduction)
}

/**
 * Negative log-likelihood of counts under a Poisson rate e^x (or x, with `logInput: false`). `full` adds Stirling's term for targets
 * above 1.
 */
export function poissonNllLoss(
  x: TensorLike,
  target: TensorLike,
  options: LossOptions & { logInput?: boolean; full?: boolean; eps?: number } = {},
): Tensor {
  const [a, t] = floats('poissonNllLoss', x, target)
  const eps = like(options.eps ?? 1e-8, a)
  let losses = (options.logInput ?? true) ? sub(exp(a), mul(t, a)) : sub(a, mul(t, log(add(a, eps))))
  if (options.full) {
    const safe = maximum(t, like(1, t))
    const half = mul(log(mul(safe, like(2 * Math.PI, t))), like(0.5, t))
    const stirling = add(sub(mul(safe, log(safe)), safe), half)
    losses = add(losses, where(gt(t, like(1, t)), stirling, like(0, t)))
  }
  return reduceLoss('poissonNllLoss', losses, options.reduction)
}

/** log(1 + e^(-t x)) for targets of 1 and -1. */
export function softMarginLoss(x: TensorLike, target: TensorLike, options: LossOptions = {}): Tensor {
  const [a, t] = floats('softMarginLoss', x, target)
  return reduceLoss('softMarginLoss', neg(logSigmoid(mul(a, t))), options.reduction)
}

/** Binary cross entropy of logits, averaged over the last dimension: several labels an example. `weight` [classes]. */
export function multilabelSoftMarginLoss(x: TensorLike, target: TensorLike, options: WeightedLossOptions = {}): Tensor {
  const [a, t] = floats('multilabelSoftMarginLoss', x, target)
  const on = mul(t, logSigmoid(a))
  const off = mul(sub(like(1, t), t), logSigmoid(neg(a)))
  const losses = weighted('multilabelSoftMarginLoss', neg(add(on, off)), options.weight)
  return reduceLoss('multilabelSoftMarginLoss', mean(losses, -1), options.reduction)
}

/**
 * Focal loss of logits against 0/1 targets (Lin et al. 2017): cross entropy times (1 - p_t)^gamma, classes weighted by `alpha` (negative:
 * not). Here, as in torchvision, the default reduction is `none`.
 */
export function sigmoidFocalLoss(
  x: TensorLike,
  target: TensorLike,
  options: LossOptions & { alpha?: number; gamma?: number } = {},
): Tensor {
  const { alpha = 0.25, gamma = 2, reduction = 'none' } = options
  const [a, t] = floats('sigmoidFocalLoss', x, target)
  const one = like(1, t)
  const p = sigmoid(a)
  const entropy = binaryCrossEntropyWithLogits(a, t, { reduction: 'none' })
  const right = add(mul(p, t), mul(sub(one, p), sub(one, t)))
  const losses = mul(entropy, pow(sub(one, right), gamma))
  if (alpha < 0) return reduceLoss('sigmoidFocalLoss', losses, reduction)
  const balance = add(mul(t, like(alpha, t)), mul(sub(one, t), like(1 - alpha, t)))
  return reduceLoss('sigmoidFocalLoss', mul(balance, losses), reduction)
}
