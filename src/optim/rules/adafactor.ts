import {
  add,
  constant,
  div,
  lerp,
  maximum,
  mean,
  mul,
  rsqrt,
  sqrt,
  square,
  sub,
  type Tensor,
  unsqueeze,
} from '../../tensor/index.js'
import type { ParamInfo, SlotSpec, Slots, UpdateRule } from '../rule.js'
import { blend, rms, signed } from './common.js'

// Shazeer and Stern 2018, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost": the second moment of a matrix is kept as the means
// of its rows and columns. Tensors with more axes are stacks of matrices over their last two.

const isFactored = ({ shape }: ParamInfo): boolean => shape.length >= 2
const atLeast = (x: Tensor, bound: number): Tensor => maximum(x, constant(bound, x.dtype))

/** Divides so that the root mean square is at most `limit`. */
const clipRms = (x: Tensor, limit: number): Tensor => div(x, atLeast(div(rms(x), constant(limit, x.dtype)), 1))

export interface TorchAdafactorOptions {
  beta2Decay: number
  /** The least mean of squares (null: the dtype's epsilon), and the least scale of a parameter. */
  eps: readonly [number | null, number]
  /** Limit of the update's root mean square. */
  d: number
  weightDecay: number
  maximize: boolean
}

const EPSILON: Readonly<Record<string, number>> = { f64: 2 ** -52, f32: 2 ** -23, f16: 2 ** -10, bf16: 2 ** -7 }

/** torch.optim.Adafactor: the rate is limited by 1 / sqrt(t) and scaled by the parameter's size. */
export const torchAdafactor: UpdateRule<TorchAdafactorOptions, 'rate' | 'decay' | 'oneMinusBeta2'> = {
  name: 'adafactor',
  slots: (_options, info) =>
    isFactored(info)
      ? [
          { name: 'row_var', shape: [...info.shape.slice(0, -1), 1] },
          { name: 'col_var', shape: [...info.shape.slice(0, -2), 1, ...info.shape.slice(-1)] },
        ]
      : ['variance'],
  scalars: ({ beta2Decay, weightDecay }, t, lr) => ({
    rate: Math.min(lr, 1 / Math.sqrt(t)),
    decay: 1 - lr * weightDecay,
    oneMinusBeta2: t ** beta2Decay,
  }),
  update(param, grad, slots, s, { eps, d, weightDecay, maximize }, info) {
    const g = signed(grad, maximize)
    const eps1 = eps[0] ?? EPSILON[param.dtype]
    const alpha = mul(atLeast(rms(param), eps[1]), s.rate)
    const squares = square(g)
    const next: Record<string, Tensor> = {}
    let variance: Tensor
    if (isFactored(info)) {
      next.row_var = lerp(slots.row_var, mean(squares, -1, { keepdim: true }), s.oneMinusBeta2)
      next.col_var = lerp(slots.col_var, mean(squares, -2, { keepdim: true }), s.oneMinusBeta2)
      const total = atLeast(mean(next.row_var, -2, { keepdim: true }), eps1)
      variance = div(mul(next.row_var, next.col_var), total)
    } else {
      next.variance = lerp(slots.variance, squares, s.oneMinusBeta2)
      variance = next.variance
    }
    const update = mul(rsqrt(atLeast(variance, eps1 * eps1)), g)
    const p = weightDecay !== 0 ? mul(param, s.decay) : param
    return { param: sub(p, mul(clipRms(update, d), alpha)), slots: next }
  },
}

/** Slots of rows and columns without the axis that they average over. */
const factorSlots = ({ shape }: ParamInfo, row: string, column: string): SlotSpec[] => [
  { name: row, shape: shape.slice(0, -1) },
  { name: column, shape: [...shape.slice(0, -2), ...shape.slice(-1)] },
]

function factors(
  squares: Tensor,
  [row, column]: readonly [Tensor, Tensor],
  s: { readonly beta2: Tensor; readonly oneMinusBeta2: Tensor },
): { rows: Tensor; columns: Tensor } {
  return {
    rows: blend(row, mean(squares, -1), s.beta2, s.oneMinusBeta2),
    columns: blend(column, mean(squares, -2), s.beta2, s.oneMinusBeta2),
  }
}

/** Rows over their mean, as a column; the outer product with the columns is the second moment. */
const relativeRows = (rows: Tensor): Tensor => unsqueeze(div(rows, mean(rows, -1, { keepdim: true })), -1)

export interface TransformersAdafactorOptions {
  /** Added to the squared gradient, and the least scale of a parameter. */
  eps: readonly [number, number]
  clipThreshold: number
  decayRate: number
  /** Decay of the mean of updates; null keeps none. */
  beta1: number | null
  weightDecay: number
  /** Scales the rate by the parameter's root mean square. */
  scaleParameter: boolean
}

type TransformersScalars = 'lr' | 'beta1' | 'oneMinusBeta1' | 'beta2' | 'oneMinusBeta2' | 'decay'

/** transformers' Adafactor, as fairseq's. The relative step is {@link relativeStep}. */
export const transformersAdafactor: UpdateRule<TransformersAdafactorOptions, TransformersScalars> = {
  name: 'adafactor',
  slots: ({ beta1 }, info) => [
    ...(beta1 !== null ? ['exp_avg'] : []),
    ...(isFactored(info) ? factorSlots(info, 'exp_avg_sq_row', 'exp_avg_sq_col') : ['exp_avg_sq']),
  ],
  scalars: ({ beta1, decayRate, weightDecay }, t, lr) => ({
    lr,
    beta1: beta1 ?? 0,
    oneMinusBeta1: 1 - (beta1 ?? 0),
    beta2: 1 - t ** decayRate,
    oneMinusBeta2: t ** decayRate,
    decay: weightDecay,
  }),
  update(param, grad, slots, s, { eps, clipThreshold, beta1, weightDecay, scaleParameter }, info) {
    const rate = scaleParameter ? mul(atLeast(rms(param), eps[1]), s.lr) : s.lr
    const squares = add(square(grad), constant(eps[0], grad.dtype))
    const next: Record<string, Tensor> = {}
    let inverse: Tensor
    if (isFactored(info)) {
      const { rows, columns } = factors(squares, [slots.exp_avg_sq_row, slots.exp_avg_sq_col], s)
      next.exp_avg_sq_row = rows
      next.exp_avg_sq_col = columns
      inverse = mul(rsqrt(relativeRows(rows)), unsqueeze(rsqrt(columns), -2))
    } else {
      next.exp_avg_sq = blend(slots.exp_avg_sq, squares, s.beta2, s.oneMinusBeta2)
      inverse = rsqrt(next.exp_avg_sq)
    }
    let update = mul(clipRms(mul(inverse, grad), clipThreshold), rate)
    if (beta1 !== null) {
      update = blend(slots.exp_avg, update, s.beta1, s.oneMinusBeta1)
      next.exp_avg = update
    }
    const p = weightDecay !== 0 ? sub(param, mul(param, mul(s.decay, rate))) : param
    return { param: sub(p, update), slots: next }
  },
}

/** Rate of update t in the paper's "relative step" mode: min(1e-2, 1 / sqrt(t)), with warm-up min(1e-6 * t, 1 / sqrt(t)). */
export const relativeStep = (t: number, warmup: boolean): number => Math.min(warmup ? 1e-6 * t : 1e-2, 1 / Math.sqrt(t))

export interface KerasAdafactorOptions {
  beta2Decay: number
  /** Added to the squared gradient. */
  epsilon1: number
  /** The least scale of a parameter. */
  epsilon2: number
  clipThreshold: number
  /** Kept for Keras' configurations: the rate is limited by 1 / sqrt(t) either way. */
  relativeStep: boolean
}

/** keras.optimizers.Adafactor. A factored second moment is not stored whole. */
export const kerasAdafactor: UpdateRule<KerasAdafactorOptions, 'rate' | 'beta2' | 'oneMinusBeta2'> = {
  name: 'Adafactor',
  slots: (_options, info) => (isFactored(info) ? factorSlots(info, 'row', 'column') : ['velocity']),
  scalars: ({ beta2Decay }, t, lr) => ({
    rate: Math.min(lr, 1 / Math.sqrt(t)),
    beta2: 1 - t ** beta2Decay,
    oneMinusBeta2: t ** beta2Decay,
  }),
  update(param, grad, slots, s, { epsilon1, epsilon2, clipThreshold }, info) {
    const alpha = mul(atLeast(rms(param), epsilon2), s.rate)
    const squares = add(square(grad), constant(epsilon1, grad.dtype))
    let next: Slots
    let variance: Tensor
    if (isFactored(info)) {
      const { rows, columns } = factors(squares, [slots.row, slots.column], s)
      next = { row: rows, column: columns }
      variance = mul(relativeRows(rows), unsqueeze(columns, -2))
    } else {
      variance = blend(slots.velocity, squares, s.beta2, s.oneMinusBeta2)
      next = { velocity: variance }
    }
    const update = clipRms(div(grad, sqrt(variance)), clipThreshold)
    return { param: sub(param, mul(update, alpha)), slots: next }
  },
}
