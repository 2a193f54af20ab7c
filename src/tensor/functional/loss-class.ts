import { type AttrValue, isInteger, shapeText } from '../../ir/index.js'
import { composite } from '../control.js'
import { asTensor, constant, record, type TensorLike } from '../core.js'
import { range } from '../dims.js'
import { pow } from '../ops/arithmetic.js'
import { iota } from '../ops/creation.js'
import { add, eq, exp, like, logicalNot, mul, ne, neg, sub, trueDivide, where } from '../ops/elementwise.js'
import { asIndex } from '../ops/gather.js'
import { defineGradient } from '../ops/gradient-rule.js'
import { clamp } from '../ops/math.js'
import { logsumexp, mean, sum } from '../ops/reduce.js'
import { movedim, reshape, unsqueeze } from '../ops/shape.js'
import { logSoftmax } from '../ops/softmax.js'
import { cast, computeType, toFloat } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { present } from './constants.js'
import { type LossOptions, reduceLoss } from './reduction.js'

export interface ClassLossOptions extends LossOptions {
  /** Factor of each class [classes]; a mean then divides by the sum of the factors. It is taken as a constant. */
  weight?: TensorLike | null
  /** Targets of this value count for nothing; default -100. */
  ignoreIndex?: number
}

export interface CrossEntropyOptions extends ClassLossOptions {
  /** Share of the target that is spread evenly over all classes; default 0. */
  labelSmoothing?: number
}

type Attributes = Readonly<Record<string, AttrValue>>

/** Elements `index[r]` of each row of `x` [rows, classes]. */
function pick(x: Tensor, index: Tensor): Tensor {
  const [rows] = index.shape
  const row = iota([rows, 1], 0)
  const places = record('concatenate', [row, reshape(index, rows, 1)], { dimension: 1 })
  return record('gather', [x, places], {
    offset_dims: [],
    collapsed_slice_dims: [0, 1],
    start_index_map: [0, 1],
    slice_sizes: [1, 1],
  })
}

const take = (x: Tensor, index: Tensor): Tensor =>
  record('gather', [x, reshape(index, [...index.shape, 1])], {
    offset_dims: [],
    collapsed_slice_dims: [0],
    start_index_map: [0],
    slice_sizes: [1],
  })

interface Labels {
  /** Labels with 0 where they are ignored, so that a label beyond the classes is an error and nothing else is. */
  readonly index: Tensor
  readonly counts: Tensor
}

function checkedLabels(labels: Tensor, ignoreIndex: number): Labels {
  const ignored = eq(labels, constant(ignoreIndex, 'i32'))
  return { index: where(ignored, constant(0, 'i32'), labels), counts: logicalNot(ignored) }
}

/** Weight of each row: that of its class, 0 where it is ignored. */
function rowWeights({ index, counts }: Labels, weight: Tensor | null | undefined, like_: Tensor): Tensor {
  const factor = weight ? take(cast(weight, like_.dtype), index) : like(1, like_)
  return where(counts, factor, like(0, like_))
}

/** Inputs logits [rows, classes], labels i32 [rows], weight?; result losses [rows]. */
export function crossEntropyBody(attributes: Attributes): (inputs: Tensor[]) => Tensor[] {
  return ([logits, labels, weight]) => {
    const x = cast(logits, computeType(logits.dtype))
    const total = logsumexp(x, 1)
    const checked = checkedLabels(labels, attributes.ignore_index as number)
    const hit = sub(total, pick(x, checked.index))
    const smoothing = attributes.label_smoothing as number
    let losses = mul(rowWeights(checked, weight, x), hit)
    if (smoothing > 0) {
      const spread = sub(unsqueeze(total, 1), x)
      const even = sum(weight ? mul(spread, cast(weight, x.dtype)) : spread, 1)
      const share = where(checked.counts, mul(even, like(smoothing / x.shape[1], x)), like(0, x))
      losses = add(mul(losses, like(1 - smoothing, x)), share)
    }
    return [cast(losses, logits.dtype)]
  }
}

/** Inputs ct [rows], logits, labels, weight?; result the gradient of the logits: probabilities minus smoothed targets, by row weight. */
export function crossEntropyGradBody(attributes: Attributes): (inputs: Tensor[]) => Tensor[] {
  return ([ct, logits, labels, weight]) => {
    const x = cast(logits, computeType(logits.dtype))
    const classes = x.shape[1]
    const g = cast(ct, x.dtype)
    const p = exp(sub(x, logsumexp(x, 1, { keepdim: true })))
    const checked = checkedLabels(labels, attributes.ignore_index as number)
    const smoothing = attributes.label_smoothing as number
    // Where nothing counts, the mean's factor is not finite.
    const rows = where(checked.counts, mul(g, rowWeights(checked, weight, x)), like(0, x))
    const column = iota(x.shape, 1)
    const hot = eq(column, unsqueeze(checked.index, 1))
    const sharp = mul(unsqueeze(mul(rows, like(1 - smoothing, x)), 1), sub(p, cast(hot, x.dtype)))
    if (smoothing === 0) return [cast(sharp, logits.dtype)]
    const w = weight ? cast(weight, x.dtype) : null
    const pull = w ? sub(mul(p, sum(w)), w) : sub(mul(p, like(classes, x)), like(1, x))
    const share = where(checked.counts, mul(g, like(smoothing / classes, x)), like(0, x))
    return [cast(add(sharp, mul(unsqueeze(share, 1), pull)), logits.dtype)]
  }
}

defineGradient('softmax_cross_entropy', ([ct], { attributes, inputs }) => {
  const grads = composite(
    'softmax_cross_entropy_grad',
    attributes,
    present(ct, ...inputs),
    crossEntropyGradBody(attributes),
  )
  return inputs.map((_, i) => grads[i] ?? null)
})

interface Targets {
  /** i32 [rows] */
  readonly labels: Tensor
  /** Shape of the targets. */
  readonly shape: readonly number[]
}

interface Rows extends Targets {
  /** [rows, classes] */
  readonly x: Tensor
}

/** Classes stand in dimension 1 of `x` [batch, classes, ...], or in dimension 0 of a single example. */
function classRows(op: string, x: Tensor, given: TensorLike): Rows {
  const target = asIndex(op, given)
  const dim = x.ndim === 1 ? 0 : 1
  const shape = x.shape.filter((_, i) => i !== dim)
  if (x.ndim === 0 || shape.length !== target.ndim || shape.some((n, i) => n !== target.shape[i])) {
    throw new RangeError(
      `${op}: for scores ${shapeText(x.shape)} (classes in dimension ${dim}) class indices must have shape ${shapeText(shape)}, got ${shapeText(target.shape)}`,
    )
  }
  const rows = reshape(movedim(x, dim, -1), target.size, x.shape[dim])
  return { x: rows, labels: reshape(cast(target, 'i32'), target.size), shape }
}

function classWeight(op: string, weight: TensorLike | null | undefined, x: Tensor): Tensor | null {
  if (weight === null || weight === undefined) return null
  const value = cast(weight, x.dtype)
  if (value.ndim !== 1 || value.shape[0] !== x.shape[x.ndim - 1])
    throw new RangeError(`${op}: weight must have shape [${x.shape[x.ndim - 1]}], got ${shapeText(value.shape)}`)
  return value
}

/** Applies the reduction; a mean divides by the sum of the row weights (NaN when nothing counts). */
export function reduceRows(
  op: string,
  losses: Tensor,
  rows: Targets,
  weight: Tensor | null,
  options: ClassLossOptions,
): Tensor {
  if (options.reduction !== 'mean' && options.reduction !== undefined)
    return reduceLoss(op, reshape(losses, rows.shape), options.reduction)
  const checked = checkedLabels(rows.labels, options.ignoreIndex ?? -100)
  return trueDivide(sum(losses), sum(rowWeights(checked, weight, losses)))
}

function probabilityCrossEntropy(x: Tensor, target: Tensor, options: CrossEntropyOptions): Tensor {
  const dim = x.ndim === 1 ? 0 : 1
  if (x.ndim !== target.ndim || x.shape.some((n, i) => n !== target.shape[i]))
    throw new RangeError(
      `crossEntropy: class probabilities must have the shape of the scores ${shapeText(x.shape)}, got ${shapeText(target.shape)}`,
    )
  const smoothing = options.labelSmoothing ?? 0
  const classes = x.shape[dim]
  const t = cast(target, x.dtype)
  const smooth = smoothing > 0 ? add(mul(t, like(1 - smoothing, t)), like(smoothing / classes, t)) : t
  const logp = logSoftmax(x, dim)
  const weight = options.weight === null || options.weight === undefined ? null : cast(options.weight, x.dtype)
  const scaled = weight ? mul(logp, reshape(weight, [classes, ...range(x.ndim - dim - 1).map(() => 1)])) : logp
  const losses = neg(sum(mul(scaled, smooth), dim))
  return reduceLoss('crossEntropy', losses, options.reduction)
}

/**
 * Cross entropy of scores against classes. `x` [batch, classes, ...] or [classes]; `target` holds class indices [batch, ...], or
 * (floats, the shape of x) class probabilities. Composite `softmax_cross_entropy` for indices.
 * @throws RangeError when shapes do not fit, IndexError for a label outside the classes.
 */
export function crossEntropy(x: TensorLike, target: TensorLike, options: CrossEntropyOptions = {}): Tensor {
  const scores = toFloat(x)
  const t = asTensor(target)
  const { labelSmoothing = 0, ignoreIndex = -100 } = options
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw new RangeError(`crossEntropy: labelSmoothing must lie in [0, 1], got ${labelSmoothing}`)
  if (!isInteger(t.dtype) && t.ndim === scores.ndim) return probabilityCrossEntropy(scores, t, options)
  const rows = classRows('crossEntropy', scores, target)
  const weight = classWeight('crossEntropy', options.weight, rows.x)
  const attributes = { ignore_index: ignoreIndex, label_smoothing: labelSmoothing, weight: weight !== null }
  const inputs = present(rows.x, rows.labels, weight)
  const [losses] = composite('softmax_cross_entropy', attributes, inputs, crossEntropyBody(attributes))
  return reduceRows('crossEntropy', losses, rows, weight, options)
}

/** Negative log-likelihood -x[target] of log-probabilities `x` [batch, classes, ...] or [classes]; `target` class indices. */
export function nllLoss(x: TensorLike, target: TensorLike, options: ClassLossOptions = {}): Tensor {
  const rows = classRows('nllLoss', toFloat(x), target)
  const weight = classWeight('nllLoss', options.weight, rows.x)
  const checked = checkedLabels(rows.labels, options.ignoreIndex ?? -100)
  const losses = mul(neg(pick(rows.x, checked.index)), rowWeights(checked, weight, rows.x))
  return reduceRows('nllLoss', where(checked.counts, losses, like(0, losses)), rows, weight, options)
}

export interface MultiMarginOptions extends LossOptions {
  /** 1 or 2; default 1. */
  p?: number
  /** Default 1. */
  margin?: number
  /** Factor of each class [classes]. */
  weight?: TensorLike | null
}

/** Mean over the other classes of max(0, margin - x[target] + x[i])^p. `x` [batch, classes] or [classes], `target` class indices. */
export function multiMarginLoss(x: TensorLike, target: TensorLike, options: MultiMarginOptions = {}): Tensor {
  const { p = 1, margin = 1 } = options
  const rows = classRows('multiMarginLoss', toFloat(x), target)
  const weight = classWeight('multiMarginLoss', options.weight, rows.x)
  const own = unsqueeze(pick(rows.x, rows.labels), 1)
  const gap = clamp(add(sub(rows.x, own), like(margin, rows.x)), like(0, rows.x))
  const column = iota(rows.x.shape, 1)
  const other = ne(column, unsqueeze(rows.labels, 1))
  const losses = mean(where(other, pow(gap, p), like(0, gap)), 1)
  const scaled = weight ? mul(losses, take(weight, rows.labels)) : losses
  return reduceLoss('multiMarginLoss', reshape(scaled, rows.shape), options.reduction)
}

export { pick as pickColumns }
