import { add, constant, gt, maximum, mean, mul, neg, sqrt, square, sub, sum, type Tensor } from '../../tensor/index.js'

/** start + (end - start) * weight: torch.lerp for weights below one half. */
export const towards = (start: Tensor, end: Tensor, weight: Tensor): Tensor => add(start, mul(sub(end, start), weight))

/** beta * average + (1 - beta) * value. */
export const blend = (average: Tensor, value: Tensor, beta: Tensor, oneMinusBeta: Tensor): Tensor =>
  add(mul(average, beta), mul(value, oneMinusBeta))

/** The gradient with L2 decay added. */
export const withDecay = (param: Tensor, grad: Tensor, decay: Tensor, weightDecay: number): Tensor =>
  weightDecay !== 0 ? add(grad, mul(param, decay)) : grad

export const signed = (grad: Tensor, maximize: boolean): Tensor => (maximize ? neg(grad) : grad)

/**
 * Weight decay in either of torch's two forms. `decay` is {@link decayScalar}.
 */
export function decayBoth(
  param: Tensor,
  grad: Tensor,
  decay: Tensor,
  options: { readonly weightDecay: number; readonly decoupledWeightDecay: boolean },
): { param: Tensor; grad: Tensor } {
  if (options.weightDecay === 0) return { param, grad }
  return options.decoupledWeightDecay
    ? { param: mul(param, decay), grad }
    : { param, grad: withDecay(param, grad, decay, options.weightDecay) }
}

/** The factor of the parameter (decoupled), or the weight of the L2 term. */
export const decayScalar = (
  { weightDecay, decoupledWeightDecay }: { readonly weightDecay: number; readonly decoupledWeightDecay: boolean },
  lr: number,
): number => (decoupledWeightDecay ? 1 - lr * weightDecay : weightDecay)

/** Euclidean norm of all elements. */
export const norm2 = (x: Tensor): Tensor => sqrt(sum(square(x)))

/** Root of the mean square of all elements. */
export const rms = (x: Tensor): Tensor => sqrt(mean(square(x)))

/** Zeroes steps against the gradient and scales up the rest. Liang et al. 2024, "Cautious Optimizers". */
export function cautious(step: Tensor, grad: Tensor): Tensor {
  const agrees = gt(mul(step, grad), constant(0, step.dtype)).to(step.dtype)
  return mul(step, agrees.div(maximum(mean(agrees), constant(1e-3, step.dtype))))
}
