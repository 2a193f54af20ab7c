import { add, clamp, div, mul, pow, square, sub } from '../../tensor/index.js'
import type { UpdateRule } from '../rule.js'

export interface KerasFtrlOptions {
  /** At most 0; 0 keeps the rate fixed. */
  learningRatePower: number
  initialAccumulatorValue: number
  l1RegularizationStrength: number
  l2RegularizationStrength: number
  l2ShrinkageRegularizationStrength: number
  beta: number
}

/** keras.optimizers.Ftrl, "follow the regularized leader". McMahan et al. 2013. */
export const kerasFtrl: UpdateRule<KerasFtrlOptions, 'lr' | 'shrinkage' | 'l2'> = {
  name: 'Ftrl',
  slots: ({ initialAccumulatorValue }) => [{ name: 'accumulator', initial: initialAccumulatorValue }, 'linear'],
  scalars: ({ l2RegularizationStrength, l2ShrinkageRegularizationStrength, beta }, _t, lr) => ({
    lr,
    shrinkage: 2 * l2ShrinkageRegularizationStrength,
    l2: 2 * (l2RegularizationStrength + beta / (2 * lr)),
  }),
  update(param, grad, slots, s, { learningRatePower, l1RegularizationStrength, l2ShrinkageRegularizationStrength }) {
    const shrunk = l2ShrinkageRegularizationStrength !== 0 ? add(grad, mul(param, s.shrinkage)) : grad
    const accumulator = add(slots.accumulator, square(grad))
    const power = pow(accumulator, -learningRatePower)
    const sigma = div(sub(power, pow(slots.accumulator, -learningRatePower)), s.lr)
    const linear = add(slots.linear, sub(shrunk, mul(sigma, param)))
    const quadratic = add(div(power, s.lr), s.l2)
    const clipped = clamp(linear, -l1RegularizationStrength, l1RegularizationStrength)
    return { param: div(sub(clipped, linear), quadratic), slots: { accumulator, linear } }
  },
}
