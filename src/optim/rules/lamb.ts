import {
  add,
  constant,
  div,
  gt,
  logicalAnd,
  minimum,
  mul,
  sqrt,
  square,
  sub,
  type Tensor,
  where,
} from '../../tensor/index.js'
import type { UpdateRule } from '../rule.js'
import { blend, cautious, norm2, towards } from './common.js'

/** |param| / |update|, and 1 where either is zero. */
function trustRatio(param: Tensor, update: Tensor): Tensor {
  const zero = constant(0, param.dtype)
  const weight = norm2(param)
  const change = norm2(update)
  return where(logicalAnd(gt(weight, zero), gt(change, zero)), div(weight, change), constant(1, param.dtype))
}

export interface TimmLambOptions {
  biasCorrection: boolean
  betas: readonly [number, number]
  eps: number
  weightDecay: number
  /** Whether the first moment takes (1 - beta1) of a gradient, or all of it. */
  gradAveraging: boolean
  /** Limits the trust ratio to 1. */
  trustClip: boolean
  /** Uses the trust ratio for parameters without weight decay too. */
  alwaysAdapt: boolean
  caution: boolean
  decoupledDecay: boolean
  /** Decays by lr^2 / maxLrSnapshot instead of lr (Defazio 2025), where the decay is decoupled. */
  correctedWeightDecay: boolean
  /** The largest rate of the run. */
  maxLrSnapshot: number
}

/** timm.optim.Lamb, as NVIDIA's FusedLAMB; the factory clips the common norm first. You et al. 2019. */
export const timmLamb: UpdateRule<
  TimmLambOptions,
  'lr' | 'decay' | 'beta1' | 'beta3' | 'beta2' | 'oneMinusBeta2' | 'correction1' | 'rootCorrection2' | 'eps'
> = {
  name: 'lamb',
  slots: () => ['exp_avg', 'exp_avg_sq'],
  scalars(options, t, lr) {
    const { betas, eps, weightDecay, biasCorrection, gradAveraging } = options
    const [beta1, beta2] = betas
    const rate = options.correctedWeightDecay ? (lr * lr) / options.maxLrSnapshot : lr
    return {
      lr,
      decay: options.decoupledDecay ? 1 - rate * weightDecay : weightDecay,
      beta1,
      beta3: gradAveraging ? 1 - beta1 : 1,
      beta2,
      oneMinusBeta2: 1 - beta2,
      correction1: biasCorrection ? 1 - beta1 ** t : 1,
      rootCorrection2: biasCorrection ? Math.sqrt(1 - beta2 ** t) : 1,
      eps,
    }
  },
  update(param, grad, slots, s, { weightDecay, decoupledDecay, alwaysAdapt, trustClip, caution }) {
    const mean = blend(slots.exp_avg, grad, s.beta1, s.beta3)
    const second = blend(slots.exp_avg_sq, square(grad), s.beta2, s.oneMinusBeta2)
    let p = param
    let step = div(div(mean, s.correction1), add(div(sqrt(second), s.rootCorrection2), s.eps))
    if (caution) step = cautious(step, grad)
    if (weightDecay !== 0 && decoupledDecay) p = mul(param, s.decay)
    else if (weightDecay !== 0) step = add(step, mul(param, s.decay))
    if (weightDecay !== 0 || alwaysAdapt) {
      const ratio = trustRatio(p, step)
      step = mul(step, trustClip ? minimum(ratio, constant(1, ratio.dtype)) : ratio)
    }
    return { param: sub(p, mul(step, s.lr)), slots: { exp_avg: mean, exp_avg_sq: second } }
  },
}

export interface KerasLambOptions {
  beta1: number
  beta2: number
  epsilon: number
}

/** keras.optimizers.Lamb: always adapts, and knows no decay but the common one. */
export const kerasLamb: UpdateRule<
  KerasLambOptions,
  'lr' | 'oneMinusBeta1' | 'oneMinusBeta2' | 'correction1' | 'correction2' | 'epsilon'
> = {
  name: 'Lamb',
  slots: () => ['momentum', 'velocity'],
  scalars: ({ beta1, beta2, epsilon }, t, lr) => ({
    lr,
    oneMinusBeta1: 1 - beta1,
    oneMinusBeta2: 1 - beta2,
    correction1: 1 - beta1 ** t,
    correction2: 1 - beta2 ** t,
    epsilon,
  }),
  update(param, grad, slots, s) {
    const momentum = towards(slots.momentum, grad, s.oneMinusBeta1)
    const velocity = towards(slots.velocity, square(grad), s.oneMinusBeta2)
    const step = div(div(momentum, s.correction1), add(sqrt(div(velocity, s.correction2)), s.epsilon))
    return { param: sub(param, mul(step, mul(trustRatio(param, step), s.lr))), slots: { momentum, velocity } }
  },
}
