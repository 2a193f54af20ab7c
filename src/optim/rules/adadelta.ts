import { add, div, mul, sqrt, square, sub } from '../../tensor/index.js'
import type { UpdateRule } from '../rule.js'
import { blend, signed, withDecay } from './common.js'

export interface TorchAdadeltaOptions {
  rho: number
  eps: number
  weightDecay: number
  maximize: boolean
}

/** torch.optim.Adadelta. Zeiler 2012. */
export const torchAdadelta: UpdateRule<TorchAdadeltaOptions, 'lr' | 'rho' | 'oneMinusRho' | 'eps' | 'decay'> = {
  name: 'adadelta',
  slots: () => ['square_avg', 'acc_delta'],
  scalars: ({ rho, eps, weightDecay }, _t, lr) => ({ lr, rho, oneMinusRho: 1 - rho, eps, decay: weightDecay }),
  update(param, grad, slots, s, { weightDecay, maximize }) {
    const g = withDecay(param, signed(grad, maximize), s.decay, weightDecay)
    const squares = blend(slots.square_avg, square(g), s.rho, s.oneMinusRho)
    const delta = mul(div(sqrt(add(slots.acc_delta, s.eps)), sqrt(add(squares, s.eps))), g)
    const deltas = blend(slots.acc_delta, square(delta), s.rho, s.oneMinusRho)
    return { param: sub(param, mul(delta, s.lr)), slots: { square_avg: squares, acc_delta: deltas } }
  },
}

export interface KerasAdadeltaOptions {
  rho: number
  epsilon: number
}

/** keras.optimizers.Adadelta. */
export const kerasAdadelta: UpdateRule<KerasAdadeltaOptions, 'lr' | 'rho' | 'oneMinusRho' | 'epsilon'> = {
  name: 'Adadelta',
  slots: () => ['accumulated_grad', 'accumulated_delta_var'],
  scalars: ({ rho, epsilon }, _t, lr) => ({ lr, rho, oneMinusRho: 1 - rho, epsilon }),
  update(param, grad, slots, s) {
    const squares = blend(slots.accumulated_grad, square(grad), s.rho, s.oneMinusRho)
    const delta = div(mul(sqrt(add(slots.accumulated_delta_var, s.epsilon)), grad), sqrt(add(squares, s.epsilon)))
    const deltas = blend(slots.accumulated_delta_var, square(delta), s.rho, s.oneMinusRho)
    return {
      param: sub(param, mul(delta, s.lr)),
      slots: { accumulated_grad: squares, accumulated_delta_var: deltas },
    }
  },
}
