import {
  abs,
  add,
  amax,
  clamp,
  constant,
  div,
  mapGradients,
  maximum,
  minimum,
  mul,
  pow,
  sqrt,
  square,
  stack,
  sum,
  type Tensor,
} from '../tensor/index.js'

function normOf(x: Tensor, p: number): Tensor {
  if (p === Number.POSITIVE_INFINITY) return amax(abs(x))
  if (p === 2) return sqrt(sum(square(x)))
  return pow(sum(pow(abs(x), p)), 1 / p)
}

/** p-norm over all tensors together (the norm of their norms). A scalar. */
export function globalNorm(tensors: readonly Tensor[], p = 2): Tensor {
  if (tensors.length === 0) throw new RangeError('globalNorm needs at least one tensor')
  if (p === 2) return sqrt(tensors.map((x) => sum(square(x))).reduce(add))
  return normOf(stack(tensors.map((x) => normOf(x, p))), p)
}

/**
 * Scales all gradients so that their common p-norm is at most `maxNorm`. Returns them with the norm before scaling.
 * Reference: torch.nn.utils.clip_grad_norm_ (the coefficient is maxNorm / (norm + 1e-6), at most 1).
 */
export function clipGradNorm(
  grads: readonly Tensor[],
  maxNorm: number,
  { normType = 2 } = {},
): { grads: Tensor[]; totalNorm: Tensor } {
  const totalNorm = globalNorm(grads, normType)
  const coefficient = minimum(
    div(constant(maxNorm, totalNorm.dtype), add(totalNorm, constant(1e-6, totalNorm.dtype))),
    constant(1, totalNorm.dtype),
  )
  return { grads: mapGradients(grads, (grad) => mul(grad, coefficient)), totalNorm }
}

/** Limits every element to [-clipValue, clipValue]. Reference: torch.nn.utils.clip_grad_value_. */
export const clipGradValue = (grads: readonly Tensor[], clipValue: number): Tensor[] =>
  mapGradients(grads, (grad) => clamp(grad, -clipValue, clipValue))

/** Keras' `clipnorm`: each gradient on its own is scaled to a 2-norm of at most `limit`. */
export const clipEachNorm = (grads: readonly Tensor[], limit: number): Tensor[] =>
  mapGradients(grads, (grad) => {
    const norm = normOf(grad, 2)
    const bound = constant(limit, grad.dtype)
    return div(mul(grad, bound), maximum(norm, bound))
  })

/** Keras' `global_clipnorm`: all gradients are scaled by limit / max(norm, limit). */
export function clipGlobalNorm(grads: readonly Tensor[], limit: number): Tensor[] {
  const norm = globalNorm(grads)
  const bound = constant(limit, norm.dtype)
  const scale = div(bound, maximum(norm, bound))
  return mapGradients(grads, (grad) => mul(grad, scale))
}
