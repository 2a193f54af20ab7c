import { mul, sign, sub } from '../../tensor/index.js'
import type { UpdateRule } from '../rule.js'
import { blend, cautious, signed, towards } from './common.js'

export interface TimmLionOptions {
  betas: readonly [number, number]
  weightDecay: number
  caution: boolean
  /** Decays by lr^2 / maxLrSnapshot instead of lr (Defazio 2025). */
  correctedWeightDecay: boolean
  /** The largest rate of the run. */
  maxLrSnapshot: number
  maximize: boolean
}

/** timm.optim.Lion, decay decoupled. Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms". */
export const timmLion: UpdateRule<TimmLionOptions, 'lr' | 'decay' | 'beta1' | 'oneMinusBeta1' | 'oneMinusBeta2'> = {
  name: 'lion',
  slots: () => ['exp_avg'],
  scalars: ({ betas: [beta1, beta2], weightDecay, correctedWeightDecay, maxLrSnapshot }, _t, lr) => ({
    lr,
    decay: 1 - (correctedWeightDecay ? (lr * lr) / maxLrSnapshot : lr) * weightDecay,
    beta1,
    oneMinusBeta1: 1 - beta1,
    oneMinusBeta2: 1 - beta2,
  }),
  update(param, grad, slots, s, { weightDecay, caution, maximize }) {
    const g = signed(grad, maximize)
    const p = weightDecay !== 0 ? mul(param, s.decay) : param
    const direction = sign(blend(slots.exp_avg, g, s.beta1, s.oneMinusBeta1))
    const step = caution ? cautious(direction, g) : direction
    return { param: sub(p, mul(step, s.lr)), slots: { exp_avg: towards(slots.exp_avg, g, s.oneMinusBeta2) } }
  },
}

export interface KerasLionOptions {
  beta1: number
  beta2: number
}

/** keras.optimizers.Lion. */
export const kerasLion: UpdateRule<KerasLionOptions, 'lr' | 'beta1' | 'oneMinusBeta1' | 'beta2' | 'oneMinusBeta2'> = {
  name: 'Lion',
  slots: () => ['momentum'],
  scalars: ({ beta1, beta2 }, _t, lr) => ({ lr, beta1, oneMinusBeta1: 1 - beta1, beta2, oneMinusBeta2: 1 - beta2 }),
  update(param, grad, slots, s) {
    const direction = sign(blend(slots.momentum, grad, s.beta1, s.oneMinusBeta1))
    const momentum = blend(slots.momentum, grad, s.beta2, s.oneMinusBeta2)
    return { param: sub(param, mul(direction, s.lr)), slots: { momentum } }
  },
}
