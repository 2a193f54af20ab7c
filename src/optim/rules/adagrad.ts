import { add, div, mul, sqrt, square, sub } from '../../tensor/index.js'
import type { UpdateRule } from '../rule.js'
import { signed, withDecay } from './common.js'

export interface TorchAdagradOptions {
  lrDecay: number
  weightDecay: number
  initialAccumulatorValue: number
  eps: number
  maximize: boolean
}

/** torch.optim.Adagrad: the rate falls as lr / (1 + (t - 1) * lrDecay). Duchi et al. 2011. */
export const torchAdagrad: UpdateRule<TorchAdagradOptions, 'rate' | 'decay' | 'eps'> = {
  name: 'adagrad',
  slots: ({ initialAccumulatorValue }) => [{ name: 'sum', initial: initialAccumulatorValue }],
  scalars: ({ lrDecay, weightDecay, eps }, t, lr) => ({ rate: lr / (1 + (t - 1) * lrDecay), decay: weightDecay, eps }),
  update(param, grad, slots, s, { weightDecay, maximize }) {
    const g = withDecay(param, signed(grad, maximize), s.decay, weightDecay)
    const total = add(slots.sum, square(g))
    return { param: sub(param, mul(div(g, add(sqrt(total), s.eps)), s.rate)), slots: { sum: total } }
  },
}

export interface KerasAdagradOptions {
  initialAccumulatorValue: number
  epsilon: number
}

/** keras.optimizers.Adagrad: epsilon is added inside the root. */
export const kerasAdagrad: UpdateRule<KerasAdagradOptions, 'lr' | 'epsilon'> = {
  name: 'Adagrad',
  slots: ({ initialAccumulatorValue }) => [{ name: 'accumulator', initial: initialAccumulatorValue }],
  scalars: ({ epsilon }, _t, lr) => ({ lr, epsilon }),
  update(param, grad, slots, s) {
    const accumulator = add(slots.accumulator, square(grad))
    const step = div(mul(grad, s.lr), sqrt(add(accumulator, s.epsilon)))
    return { param: sub(param, step), slots: { accumulator } }
  },
}
