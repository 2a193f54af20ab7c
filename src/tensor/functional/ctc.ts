import { shapeText } from '../../ir/index.js'
import { composite, scan } from '../control.js'
import { constant, record, type TensorLike } from '../core.js'
import { fail } from '../dims.js'
import { iota } from '../ops/creation.js'
import {
  add,
  eq,
  exp,
  ge,
  gt,
  le,
  like,
  log,
  logicalAnd,
  logicalNot,
  lt,
  maximum,
  mul,
  ne,
  neg,
  sub,
  trueDivide,
  where,
} from '../ops/elementwise.js'
import { asIndex } from '../ops/gather.js'
import { defineGradient } from '../ops/gradient-rule.js'
import { sum } from '../ops/reduce.js'
import { reshape, unsqueeze } from '../ops/shape.js'
import { cast, computeType, toFloat } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { type LossOptions, reduceLoss } from './reduction.js'

/**
 * Connectionist temporal classification (Graves et al. 2006), in log space.
 * T steps, N examples, C classes, S labels at most, L = 2 S + 1 states: a blank, then each label followed by a blank.
 */

/** Stands for log 0: finite, so that no gradient of anything is NaN. */
const NEVER = -1e30
/** A path sum below this has no path in it. */
const IMPOSSIBLE = NEVER / 10

const integer = (value: number): Tensor => constant(value, 'i32')

interface Lattice {
  /** Class of each state, i32 [N, L]. */
  readonly classes: Tensor
  /** Log-probability of each state at each step, [T, N, L]. */
  readonly emissions: Tensor
  /** 0 where a state can be reached by leaving out the blank before it, else log 0; [N, L]. */
  readonly skip: Tensor
  /** Whether a state is the last blank, or the last label, of its example; [N, L]. */
  readonly final: Tensor
  /** Number of each step, i32 [T]. */
  readonly steps: Tensor
}

/** `x` moved along its last dimension by `by` states, log 0 coming in. */
function shifted(x: Tensor, by: number): Tensor {
  const edge = (n: number): number[] => [0, n]
  return record('pad', [x, constant(NEVER, x.dtype)], { low: edge(by), high: edge(-by), interior: [0, 0] })
}

/** log(sum of e^x), elementwise over several tensors. */
function logSum(xs: readonly Tensor[]): Tensor {
  const peak = xs.reduce(maximum)
  return add(peak, log(xs.map((x) => exp(sub(x, peak))).reduce(add)))
}

const indicator = (condition: Tensor, x: Tensor): Tensor => where(condition, like(0, x), like(NEVER, x))

function emissionsOf(logProbs: Tensor, classes: Tensor): Tensor {
  const [steps, batch] = logProbs.shape
  const shape = [steps, batch, classes.shape[1]]
  const spread = record('broadcast_in_dim', [classes], { shape, dims: [1, 2] })
  const parts = [iota(shape, 0), iota(shape, 1), spread].map((part) => reshape(part, ...shape, 1))
  const emissions = record('gather', [logProbs, record('concatenate', parts, { dimension: 3 })], {
    offset_dims: [],
    collapsed_slice_dims: [0, 1, 2],
    start_index_map: [0, 1, 2],
    slice_sizes: [1, 1, 1],
  })
  return maximum(emissions, like(NEVER, emissions))
}

function lattice(logProbs: Tensor, targets: Tensor, targetLengths: Tensor, blank: number): Lattice {
  const [batch, labels] = targets.shape
  const shape = [batch, 2 * labels + 1]
  const state = iota(shape, 1)
  // Blanks before, between and after the labels; labels beyond an example's length are blanks, too.
  const used = where(lt(iota(targets.shape, 1), unsqueeze(targetLengths, 1)), targets, integer(blank))
  const zeros = targets.shape.map(() => 0)
  const spaced = record('pad', [used, integer(blank)], {
    low: [0, 1],
    high: [0, labels > 0 ? 1 : 0],
    interior: labels > 0 ? [0, 1] : zeros,
  })
  const before = record('pad', [spaced, integer(blank)], { low: [0, 2], high: [0, -2], interior: zeros })
  const last = mul(unsqueeze(targetLengths, 1), integer(2))
  const emissions = emissionsOf(logProbs, spaced)
  const marker = like(0, emissions)
  return {
    classes: spaced,
    emissions,
    skip: indicator(
      logicalAnd(ge(state, integer(2)), logicalAnd(ne(spaced, integer(blank)), ne(spaced, before))),
      marker,
    ),
    final: logicalAnd(le(state, last), ge(state, sub(last, integer(1)))),
    steps: iota([logProbs.shape[0]], 0),
  }
}

/** log of the sum over all paths that reach each state by each step, [T, N, L], and by the example's last step, [N, L]. */
function forward({ emissions, skip, steps, classes }: Lattice, inputLengths: Tensor): [Tensor, Tensor] {
  const start = indicator(eq(iota(classes.shape, 1), integer(0)), like(0, emissions))
  const [last, all] = scan(
    (alpha: Tensor, [step, emission]: readonly [Tensor, Tensor]) => {
      const next = add(logSum([alpha, shifted(alpha, 1), add(shifted(alpha, 2), skip)]), emission)
      const kept = where(unsqueeze(lt(step, inputLengths), 1), next, alpha)
      return [kept, kept] as const
    },
    start,
    [steps, emissions] as const,
  )
  return [all, last]
}

/** log of the sum over all paths from each state, its own emission left out, to the end; [T, N, L]. */
function backward({ emissions, skip, steps, final }: Lattice, inputLengths: Tensor): Tensor {
  const end = indicator(final, like(0, emissions))
  const [, all] = scan(
    (beta: Tensor, [step, emission]: readonly [Tensor, Tensor]) => {
      const inside = unsqueeze(lt(step, inputLengths), 1)
      const here = add(beta, emission)
      const before = logSum([here, shifted(here, -1), shifted(add(here, skip), -2)])
      return [where(inside, before, end), beta] as const
    },
    end,
    [steps, emissions] as const,
    { reverse: true },
  )
  return all
}

const total = (last: Tensor, final: Tensor): Tensor => {
  const ends = where(final, last, like(NEVER, last))
  const peak = record('reduce', [ends], { kind: 'max', dimensions: [1] })
  return add(peak, log(sum(exp(sub(ends, unsqueeze(peak, 1))), 1)))
}

/** Inputs logProbs [T, N, C], targets i32 [N, S], input lengths i32 [N], target lengths i32 [N]; result -log p [N], +inf where no path fits. */
const lossBody =
  (blank: number) =>
  ([logProbs, targets, inputLengths, targetLengths]: Tensor[]): Tensor[] => {
    const states = lattice(cast(logProbs, computeType(logProbs.dtype)), targets, targetLengths, blank)
    const [, last] = forward(states, inputLengths)
    const sums = total(last, states.final)
    const impossible = lt(sums, like(IMPOSSIBLE, sums))
    return [cast(where(impossible, like(Number.POSITIVE_INFINITY, sums), sub(like(0, sums), sums)), logProbs.dtype)]
  }

/**
 * Inputs ct [N] and those of the loss; result the gradient of logProbs: minus the probability, given the labels, that an example is in a
 * state of the class at the step. NaN, as in torch, for examples without any path, where their loss counts.
 */
const gradientBody =
  (blank: number) =>
  ([ct, logProbs, targets, inputLengths, targetLengths]: Tensor[]): Tensor[] => {
    const value = cast(logProbs, computeType(logProbs.dtype))
    const states = lattice(value, targets, targetLengths, blank)
    const [alphas, last] = forward(states, inputLengths)
    const betas = backward(states, inputLengths)
    const sums = total(last, states.final)
    const shape = states.emissions.shape
    const possible = unsqueeze(gt(sums, like(IMPOSSIBLE, sums)), 1)
    const inside = lt(unsqueeze(states.steps, 1), unsqueeze(inputLengths, 0))
    const counts = logicalAnd(unsqueeze(inside, 2), possible)
    const occupied = sub(add(alphas, betas), unsqueeze(sums, 1))
    const weights = exp(where(counts, occupied, like(NEVER, occupied)))
    const updates = neg(mul(weights, unsqueeze(cast(ct, value.dtype), 1)))
    const spread = record('broadcast_in_dim', [states.classes], { shape, dims: [1, 2] })
    const parts = [iota(shape, 0), iota(shape, 1), spread].map((part) => reshape(part, ...shape, 1))
    const grad = record(
      'scatter',
      [constant(0, value.dtype, value.shape), record('concatenate', parts, { dimension: 3 }), updates],
      {
        kind: 'add',
        update_window_dims: [],
        inserted_window_dims: [0, 1, 2],
        scatter_dims_to_operand_dims: [0, 1, 2],
      },
    )
    const lost = logicalAnd(logicalNot(possible), unsqueeze(ne(ct, like(0, ct)), 1))
    const undefinedAt = logicalAnd(unsqueeze(inside, 2), lost)
    return [cast(where(undefinedAt, like(Number.NaN, grad), grad), logProbs.dtype)]
  }

defineGradient('ctc_loss', ([ct], { attributes, inputs }) => {
  if (!ct) return inputs.map(() => null)
  const blank = attributes.blank as number
  return [composite('ctc_loss_grad', attributes, [ct, ...inputs], gradientBody(blank))[0], null, null, null]
})

/** Labels one after the other, [sum of lengths], as rows [N, S]. S is the number of all labels: the longest row is not known here. */
function unpackTargets(targets: Tensor, lengths: Tensor): Tensor {
  const [batch] = lengths.shape
  const [count] = targets.shape
  if (count === 0) return reshape(targets, batch, 0)
  const square = [batch, batch]
  const earlier = lt(iota(square, 1), iota(square, 0))
  const lengthRows = record('broadcast_in_dim', [lengths], { shape: square, dims: [1] })
  const offsets = record('reduce', [where(earlier, lengthRows, integer(0))], { kind: 'sum', dimensions: [1] })
  const shape = [batch, count]
  const column = iota(shape, 1)
  const inside = lt(column, unsqueeze(lengths, 1))
  const place = where(inside, add(column, unsqueeze(offsets, 1)), integer(0))
  return record('gather', [targets, reshape(place, ...shape, 1)], {
    offset_dims: [],
    collapsed_slice_dims: [0],
    start_index_map: [0],
    slice_sizes: [1],
  })
}

export interface CtcLossOptions extends LossOptions {
  /** Class of the blank; default 0. */
  blank?: number
  /** Infinite losses (labels that do not fit the steps) count as 0, without gradient; default false. */
  zeroInfinity?: boolean
}

/**
 * CTC loss of log-probabilities. `mean` divides each loss by its number of labels first. Composite `ctc_loss`.
 * @param logProbs [T, N, C], or [T, C] for one example; log-softmax over the classes
 * @param targets class indices [N, S], or all one after the other [sum of target lengths]
 * @param inputLengths [N] steps of each example (a number for one example)
 * @param targetLengths [N] labels of each example
 * @throws ShapeError when shapes do not fit, IndexError for a label outside the classes.
 */
export function ctcLoss(
  logProbs: TensorLike,
  targets: TensorLike,
  inputLengths: TensorLike,
  targetLengths: TensorLike,
  options: CtcLossOptions = {},
): Tensor {
  const { blank = 0 } = options
  const given = toFloat(logProbs)
  const single = given.ndim === 2
  const value = single ? unsqueeze(given, 1) : given
  if (value.ndim !== 3)
    throw fail('ctcLoss', `log-probabilities must be [T, N, C] or [T, C], got ${shapeText(given.shape)}`)
  const [, batch, classes] = value.shape
  if (!(Number.isInteger(blank) && blank >= 0 && blank < classes))
    throw fail('ctcLoss', `blank ${blank} is not one of ${classes} classes`)
  const lengthsOf = (lengths: TensorLike, what: string): Tensor => {
    const list = reshape(cast(asIndex('ctcLoss', lengths), 'i32'), -1)
    if (list.shape[0] !== batch) throw fail('ctcLoss', `${what} must be [${batch}], got ${shapeText(list.shape)}`)
    return list
  }
  const steps = lengthsOf(inputLengths, 'inputLengths')
  const counts = lengthsOf(targetLengths, 'targetLengths')
  const labels = cast(asIndex('ctcLoss', targets), 'i32')
  const rows = labels.ndim === 2 ? labels : single ? reshape(labels, 1, -1) : unpackTargets(labels, counts)
  if (rows.shape[0] !== batch)
    throw fail('ctcLoss', `targets must be [${batch}, S] or one list, got ${shapeText(labels.shape)}`)
  let losses = composite('ctc_loss', { blank }, [value, rows, steps, counts], lossBody(blank))[0]
  if (options.zeroInfinity) {
    const infinite = eq(losses, like(Number.POSITIVE_INFINITY, losses))
    losses = where(infinite, like(0, losses), losses)
  }
  if ((options.reduction ?? 'mean') === 'mean') {
    losses = trueDivide(losses, cast(maximum(counts, integer(1)), losses.dtype))
  }
  return reduceLoss('ctcLoss', single ? reshape(losses, []) : losses, options.reduction)
}
