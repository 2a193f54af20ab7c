import {
  add,
  asTensor,
  constant,
  indexSelect,
  mul,
  sub,
  type Tensor,
  type TensorLike,
  tensor,
} from '../../tensor/index.js'
import { type Random, shuffled } from './units.js'

// Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization"; of sentence embeddings, Guo, Mao and Zhang 2019.

/** A standard normal number (Box and Muller 1958). */
const normal = (random: Random): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

/** A number of Gamma(shape, 1) (Marsaglia and Tsang 2000). */
function gamma(shape: number, random: Random): number {
  if (shape < 1) return gamma(shape + 1, random) * (1 - random()) ** (1 / shape)
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = normal(random)
    const v = (1 + c * x) ** 3
    if (v > 0 && Math.log(1 - random()) < (x * x) / 2 + d - d * v + d * Math.log(v)) return d * v
  }
}

/** A number of Beta(a, b). */
export function beta(a: number, b: number, random: Random): number {
  const [x, y] = [gamma(a, random), gamma(b, random)]
  // Both underflow for tiny shapes, of which one takes all.
  return x + y > 0 ? x / (x + y) : Number(random() < a / (a + b))
}

/** Which example each example of a batch is mixed with, and how much of itself it keeps. */
export interface MixPlan {
  /** [n], i32. */
  readonly partner: Tensor
  /** One share for all, in [0.5, 1]. */
  readonly share: number
}

/**
 * Draws how a batch is mixed: the share of Beta(alpha, alpha), turned so that each example keeps the greater part.
 * @throws RangeError unless alpha is positive.
 */
export function mixPlan(size: number, alpha: number, random: Random): MixPlan {
  if (!(alpha > 0)) throw new RangeError(`mixup: alpha must be positive, got ${alpha}`)
  const share = beta(alpha, alpha, random)
  return { partner: tensor(Int32Array.from(shuffled(random, size))), share: Math.max(share, 1 - share) }
}

/** share * x + (1 - share) * x[partner], along the first dimension: of embeddings, and of one-hot or soft targets. Differentiable. */
export function mix(x: TensorLike, { partner, share }: MixPlan): Tensor {
  const own = asTensor(x)
  if (own.ndim < 1 || own.shape[0] !== partner.shape[0])
    throw new RangeError(
      `mixup: expected ${partner.shape[0]} examples, got a tensor of shape [${own.shape.join(', ')}]`,
    )
  const weight = constant(share, own.dtype)
  const other = indexSelect(own, 0, partner)
  return add(mul(own, weight), mul(other, sub(constant(1, own.dtype), weight)))
}

/** The loss against both targets, weighed as the inputs were: for targets that are class numbers. */
export function mixedLoss(loss: (targets: Tensor) => Tensor, targets: TensorLike, { partner, share }: MixPlan): Tensor {
  const own = asTensor(targets)
  const [first, second] = [loss(own), loss(indexSelect(own, 0, partner))]
  return add(mul(first, constant(share, first.dtype)), mul(second, constant(1 - share, second.dtype)))
}
