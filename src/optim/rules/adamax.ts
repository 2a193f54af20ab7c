import { abs, add, div, maximum, mul, sub } from '../../tensor/index.js'
import type { UpdateRule } from '../rule.js'
import { signed, towards, withDecay } from './common.js'

export interface TorchAdamaxOptions {
  betas: readonly [number, number]
  eps: number
  weightDecay: number
  maximize: boolean
}

/** torch.optim.Adamax: epsilon is added to |g| before the maximum. Kingma and Ba 2014, section 7.1. */
export const torchAdamax: UpdateRule<TorchAdamaxOptions, 'rate' | 'oneMinusBeta1' | 'beta2' | 'eps' | 'decay'> = {
  name: 'adamax',
  slots: () => ['exp_avg', 'exp_inf'],
  scalars: ({ betas: [beta1, beta2], eps, weightDecay }, t, lr) => ({
    rate: lr / (1 - beta1 ** t),
    oneMinusBeta1: 1 - beta1,
    beta2,
    eps,
    decay: weightDecay,
  }),
  update(param, grad, slots, s, { weightDecay, maximize }) {
    const g = withDecay(param, signed(grad, maximize), s.decay, weightDecay)
    const mean = towards(slots.exp_avg, g, s.oneMinusBeta1)
    const largest = maximum(mul(slots.exp_inf, s.beta2), add(abs(g), s.eps))
    return { param: sub(param, mul(div(mean, largest), s.rate)), slots: { exp_avg: mean, exp_inf: largest } }
  },
}

export interface KerasAdamaxOptions {
  beta1: number
  beta2: number
  epsilon: number
}

/** keras.optimizers.Adamax: epsilon is added to the norm where it divides, so none is kept in it. */
export const kerasAdamax: UpdateRule<KerasAdamaxOptions, 'rate' | 'oneMinusBeta1' | 'beta2' | 'epsilon'> = {
  name: 'Adamax',
  slots: () => ['momentum', 'norm'],
  scalars: ({ beta1, beta2, epsilon }, t, lr) => ({
    rate: lr / (1 - beta1 ** t),
    oneMinusBeta1: 1 - beta1,
    beta2,
    epsilon,
  }),
  update(param, grad, slots, s) {
    const momentum = towards(slots.momentum, grad, s.oneMinusBeta1)
    const norm = maximum(mul(slots.norm, s.beta2), abs(grad))
    return { param: sub(param, div(mul(momentum, s.rate), add(norm, s.epsilon))), slots: { momentum, norm } }
  },
}
