import { add, div, maximum, mul, sqrt, square, sub, type Tensor } from '../../tensor/index.js'
import type { UpdateRule } from '../rule.js'

export interface KerasSGDOptions {
  momentum: number
  nesterov: boolean
}

/** keras.optimizers.SGD: the velocity carries the learning rate. */
export const kerasSGD: UpdateRule<KerasSGDOptions, 'lr' | 'momentum'> = {
  name: 'SGD',
  slots: ({ momentum }) => (momentum !== 0 ? ['momentum'] : []),
  scalars: ({ momentum }, _t, lr) => ({ lr, momentum }),
  update(param, grad, slots, s, { momentum, nesterov }) {
    const step = mul(grad, s.lr)
    if (momentum === 0) return { param: sub(param, step), slots }
    const velocity = sub(mul(slots.momentum, s.momentum), step)
    const move = nesterov ? sub(mul(velocity, s.momentum), step) : velocity
    return { param: add(param, move), slots: { momentum: velocity } }
  },
}

export interface KerasAdamOptions {
  beta1: number
  beta2: number
  epsilon: number
  amsgrad: boolean
}

/** keras.optimizers.Adam: epsilon is added to the uncorrected root (the "epsilon hat" form of Kingma and Ba 2014, section 2). */
export const kerasAdam: UpdateRule<KerasAdamOptions, 'alpha' | 'oneMinusBeta1' | 'oneMinusBeta2' | 'epsilon'> = {
  name: 'Adam',
  slots: ({ amsgrad }) => ['momentum', 'velocity', ...(amsgrad ? ['velocity_hat'] : [])],
  scalars: ({ beta1, beta2, epsilon }, t, lr) => ({
    alpha: (lr * Math.sqrt(1 - beta2 ** t)) / (1 - beta1 ** t),
    oneMinusBeta1: 1 - beta1,
    oneMinusBeta2: 1 - beta2,
    epsilon,
  }),
  update(param, grad, slots, s, { amsgrad }) {
    const mean = add(slots.momentum, mul(sub(grad, slots.momentum), s.oneMinusBeta1))
    const second = add(slots.velocity, mul(sub(square(grad), slots.velocity), s.oneMinusBeta2))
    const largest = amsgrad ? maximum(slots.velocity_hat, second) : second
    const next: Record<string, Tensor> = { momentum: mean, velocity: second }
    if (amsgrad) next.velocity_hat = largest
    return { param: sub(param, div(mul(mean, s.alpha), add(sqrt(largest), s.epsilon))), slots: next }
  },
}

export interface KerasRMSpropOptions {
  rho: number
  momentum: number
  epsilon: number
  centered: boolean
}

/** keras.optimizers.RMSprop: epsilon is added inside the root. */
export const kerasRMSprop: UpdateRule<KerasRMSpropOptions, 'lr' | 'rho' | 'oneMinusRho' | 'epsilon' | 'momentum'> = {
  name: 'RMSprop',
  slots: ({ centered, momentum }) => [
    'velocity',
    ...(momentum > 0 ? ['momentum'] : []),
    ...(centered ? ['average_gradient'] : []),
  ],
  scalars: ({ rho, epsilon, momentum }, _t, lr) => ({ lr, rho, oneMinusRho: 1 - rho, epsilon, momentum }),
  update(param, grad, slots, s, { momentum, centered }) {
    const velocity = add(mul(slots.velocity, s.rho), mul(square(grad), s.oneMinusRho))
    const next: Record<string, Tensor> = { velocity }
    let variance = velocity
    if (centered) {
      next.average_gradient = add(mul(slots.average_gradient, s.rho), mul(grad, s.oneMinusRho))
      variance = sub(velocity, square(next.average_gradient))
    }
    const increment = div(mul(grad, s.lr), sqrt(add(variance, s.epsilon)))
    if (momentum <= 0) return { param: sub(param, increment), slots: next }
    next.momentum = add(mul(slots.momentum, s.momentum), increment)
    return { param: sub(param, next.momentum), slots: next }
  },
}
