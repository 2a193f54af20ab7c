import { add, composite, div, maximum, mul, sqrt, square, sub, type Tensor } from '../../tensor/index.js'
import type { Slots, UpdateRule } from '../rule.js'
import { signed, towards, withDecay } from './common.js'

export interface TorchSGDOptions {
  momentum: number
  dampening: number
  weightDecay: number
  nesterov: boolean
  maximize: boolean
}

/** torch.optim.SGD: the first step sets the momentum buffer to the gradient itself, undampened. */
export const torchSGD: UpdateRule<TorchSGDOptions, 'lr' | 'decay' | 'momentum' | 'fresh'> = {
  name: 'sgd',
  slots: ({ momentum }) => (momentum !== 0 ? ['momentum_buffer'] : []),
  scalars: ({ momentum, dampening, weightDecay }, t, lr) => ({
    lr,
    decay: weightDecay,
    momentum,
    fresh: t === 1 ? 1 : 1 - dampening,
  }),
  update(param, grad, slots, s, { momentum, nesterov, weightDecay, maximize }) {
    const g = withDecay(param, signed(grad, maximize), s.decay, weightDecay)
    if (momentum === 0) return { param: sub(param, mul(g, s.lr)), slots }
    const buffer = add(mul(slots.momentum_buffer, s.momentum), mul(g, s.fresh))
    const direction = nesterov ? add(g, mul(buffer, s.momentum)) : buffer
    return { param: sub(param, mul(direction, s.lr)), slots: { momentum_buffer: buffer } }
  },
}

export interface TorchAdamOptions {
  betas: readonly [number, number]
  eps: number
  weightDecay: number
  amsgrad: boolean
  maximize: boolean
  decoupledWeightDecay: boolean
}

/** Where weight decay acts: not at all, added to the gradient, or as a factor of the parameter. See native/kernels/adam.h. */
const ADAM_DECAY = { none: 0, gradient: 1, factor: 2 } as const

/** Parameter, mean, second moment and, where one comes in as the last operand, the largest second moment after a step. */
function adamStep(operands: readonly Tensor[], decay: number): Tensor[] {
  const [param, grad, mean, second, decayScalar, w1, beta2, w2, step, inverseRoot, eps, largest] = operands
  const g = decay === ADAM_DECAY.gradient ? add(grad, mul(param, decayScalar)) : grad
  const p = decay === ADAM_DECAY.factor ? mul(param, decayScalar) : param
  const nextMean = towards(mean, g, w1)
  const nextSecond = add(mul(second, beta2), mul(square(g), w2))
  const most = largest ? maximum(largest, nextSecond) : nextSecond
  const denominator = add(mul(sqrt(most), inverseRoot), eps)
  const next = sub(p, mul(div(nextMean, denominator), step))
  return [next, nextMean, nextSecond, ...(largest ? [most] : [])]
}

/** torch.optim.Adam and AdamW (decoupledWeightDecay). Kingma and Ba 2014, Loshchilov and Hutter 2017, Reddi et al. 2018. */
export const torchAdam: UpdateRule<
  TorchAdamOptions,
  'decay' | 'oneMinusBeta1' | 'beta2' | 'oneMinusBeta2' | 'stepSize' | 'inverseRootCorrection2' | 'eps'
> = {
  name: 'adam',
  slots: ({ amsgrad }) => ['exp_avg', 'exp_avg_sq', ...(amsgrad ? ['max_exp_avg_sq'] : [])],
  scalars: ({ betas: [beta1, beta2], eps, weightDecay, decoupledWeightDecay }, t, lr) => ({
    decay: decoupledWeightDecay ? 1 - lr * weightDecay : weightDecay,
    oneMinusBeta1: 1 - beta1,
    beta2,
    oneMinusBeta2: 1 - beta2,
    stepSize: lr / (1 - beta1 ** t),
    inverseRootCorrection2: 1 / Math.sqrt(1 - beta2 ** t),
    eps,
  }),
  update(param, grad, slots, s, { weightDecay, amsgrad, maximize, decoupledWeightDecay }) {
    const decay = weightDecay === 0 ? ADAM_DECAY.none : decoupledWeightDecay ? ADAM_DECAY.factor : ADAM_DECAY.gradient
    const { exp_avg, exp_avg_sq, max_exp_avg_sq } = slots
    const scalars = [s.decay, s.oneMinusBeta1, s.beta2, s.oneMinusBeta2, s.stepSize, s.inverseRootCorrection2, s.eps]
    const inputs = [param, signed(grad, maximize), exp_avg, exp_avg_sq, ...scalars]
    const [next, mean, second, largest] = amsgrad
      ? adamStep([...inputs, max_exp_avg_sq], decay)
      : composite('adam', { decay }, inputs, (operands) => adamStep(operands, decay))
    const moments = { exp_avg: mean, exp_avg_sq: second }
    return { param: next, slots: amsgrad ? { ...moments, max_exp_avg_sq: largest } : moments }
  },
}

export interface TorchRMSpropOptions {
  alpha: number
  eps: number
  weightDecay: number
  momentum: number
  centered: boolean
  maximize: boolean
}

/** torch.optim.RMSprop: epsilon is added outside of the root. Graves 2013 for the centered form. */
export const torchRMSprop: UpdateRule<
  TorchRMSpropOptions,
  'lr' | 'decay' | 'alpha' | 'oneMinusAlpha' | 'eps' | 'momentum'
> = {
  name: 'rmsprop',
  slots: ({ centered, momentum }) => [
    'square_avg',
    ...(centered ? ['grad_avg'] : []),
    ...(momentum > 0 ? ['momentum_buffer'] : []),
  ],
  scalars: ({ alpha, eps, weightDecay, momentum }, _t, lr) => ({
    lr,
    decay: weightDecay,
    alpha,
    oneMinusAlpha: 1 - alpha,
    eps,
    momentum,
  }),
  update(param, grad, slots, s, { weightDecay, momentum, centered, maximize }) {
    const g = withDecay(param, signed(grad, maximize), s.decay, weightDecay)
    const squares = add(mul(slots.square_avg, s.alpha), mul(square(g), s.oneMinusAlpha))
    const next: Record<string, Tensor> = { square_avg: squares }
    let variance = squares
    if (centered) {
      next.grad_avg = towards(slots.grad_avg, g, s.oneMinusAlpha)
      variance = sub(squares, square(next.grad_avg))
    }
    const scaled = div(g, add(sqrt(variance), s.eps))
    return applyMomentum(param, scaled, slots, next, s, momentum)
  },
}

function applyMomentum(
  param: Tensor,
  scaled: Tensor,
  slots: Slots,
  next: Record<string, Tensor>,
  s: { lr: Tensor; momentum: Tensor },
  momentum: number,
): { param: Tensor; slots: Slots } {
  if (momentum <= 0) return { param: sub(param, mul(scaled, s.lr)), slots: next }
  next.momentum_buffer = add(mul(slots.momentum_buffer, s.momentum), scaled)
  return { param: sub(param, mul(next.momentum_buffer, s.lr)), slots: next }
}
