import { add, constant, div, gt, mul, sqrt, square, sub, where } from '../../tensor/index.js'
import type { UpdateRule } from '../rule.js'
import { blend, decayBoth, decayScalar, signed, towards } from './common.js'

export interface TorchRAdamOptions {
  betas: readonly [number, number]
  eps: number
  weightDecay: number
  decoupledWeightDecay: boolean
  maximize: boolean
}

/** The variance rectification at update t, or 0 while the variance cannot be estimated. */
function rectification(beta2: number, t: number): number {
  const most = 2 / (1 - beta2) - 1
  const length = most - (2 * t * beta2 ** t) / (1 - beta2 ** t)
  if (length <= 5) return 0
  return Math.sqrt(((length - 4) * (length - 2) * most) / ((most - 4) * (most - 2) * length))
}

/** torch.optim.RAdam: SGD with momentum until the second moment rests on enough gradients. Liu et al. 2019. */
export const torchRAdam: UpdateRule<
  TorchRAdamOptions,
  'rate' | 'adaptive' | 'oneMinusBeta1' | 'beta2' | 'oneMinusBeta2' | 'eps' | 'decay'
> = {
  name: 'radam',
  slots: () => ['exp_avg', 'exp_avg_sq'],
  scalars(options, t, lr) {
    const { betas, eps } = options
    const [beta1, beta2] = betas
    return {
      rate: lr / (1 - beta1 ** t),
      adaptive: rectification(beta2, t) * Math.sqrt(1 - beta2 ** t),
      oneMinusBeta1: 1 - beta1,
      beta2,
      oneMinusBeta2: 1 - beta2,
      eps,
      decay: decayScalar(options, lr),
    }
  },
  update(param, grad, slots, s, options) {
    const { param: p, grad: g } = decayBoth(param, signed(grad, options.maximize), s.decay, options)
    const mean = towards(slots.exp_avg, g, s.oneMinusBeta1)
    const second = blend(slots.exp_avg_sq, square(g), s.beta2, s.oneMinusBeta2)
    const step = mul(mean, s.rate)
    const rectified = mul(step, div(s.adaptive, add(sqrt(second), s.eps)))
    const ready = gt(s.adaptive, constant(0, s.adaptive.dtype))
    return { param: sub(p, where(ready, rectified, step)), slots: { exp_avg: mean, exp_avg_sq: second } }
  },
}
