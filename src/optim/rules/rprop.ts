import { add, clamp, constant, gt, lt, mul, sign, sub, where } from '../../tensor/index.js'
import type { UpdateRule } from '../rule.js'
import { signed } from './common.js'

export interface TorchRpropOptions {
  /** Factors of the step size where the gradient's sign turned, and where it stayed. */
  etas: readonly [number, number]
  /** Smallest and largest step. */
  stepSizes: readonly [number, number]
  maximize: boolean
}

/** torch.optim.Rprop: every element has its own step size, `lr` at first. Riedmiller and Braun 1993. */
export const torchRprop: UpdateRule<TorchRpropOptions, 'first' | 'shrink' | 'grow'> = {
  name: 'rprop',
  slots: () => ['prev', 'step_size'],
  // The steps start at the rate of the first update; later rates do not matter.
  scalars: ({ etas }, t, lr) => ({ first: t === 1 ? lr : 0, shrink: etas[0], grow: etas[1] }),
  update(param, grad, slots, s, { stepSizes, maximize }) {
    const g = signed(grad, maximize)
    const zero = constant(0, g.dtype)
    const agreement = mul(g, slots.prev)
    const turned = lt(agreement, zero)
    const factor = where(turned, s.shrink, where(gt(agreement, zero), s.grow, constant(1, g.dtype)))
    const step = clamp(mul(add(slots.step_size, s.first), factor), stepSizes[0], stepSizes[1])
    const used = where(turned, zero, g)
    return { param: sub(param, mul(sign(used), step)), slots: { prev: used, step_size: step } }
  },
}
