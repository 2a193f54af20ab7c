import {
  add,
  celu,
  cumsum,
  div,
  elu,
  exp,
  ge,
  gelu,
  glu,
  gt,
  hardshrink,
  hardtanh,
  le,
  leakyRelu,
  logSigmoid,
  logSoftmax,
  mish,
  mul,
  onesLike,
  relu,
  relu6,
  selu,
  sigmoid,
  silu,
  softmax,
  softplus,
  softshrink,
  softsign,
  sort,
  square,
  sub,
  sum,
  type Tensor,
  tanh,
  tanhshrink,
  threshold,
  where,
} from '../tensor/index.js'
import { canonicalName } from './serial.js'

/** An elementwise (or last-dimension) function of a tensor. */
export type Activation = (x: Tensor) => Tensor

/** Keras' hard_sigmoid: relu6(x + 3) / 6. */
const hardSigmoid = (x: Tensor): Tensor => relu6(x.add(3)).div(6)

/** Towards the simplex (Martins & Astudillo 2016) as Keras computes it, over the last dimension. */
function sparsemax(x: Tensor): Tensor {
  const sorted = sort(x, -1, { descending: true }).values
  const sums = cumsum(sorted, -1)
  const rank = cumsum(onesLike(sorted), -1)
  const chosen = gt(add(mul(rank, sorted), 1), sums)
  const support = sum(chosen.to(x.dtype), -1, { keepdim: true })
  // Keras adds up the sums of all ranks in the support, where Martins and Astudillo 2016 take the last: models were trained with that.
  const total = sum(where(chosen, sums, 0), -1, { keepdim: true })
  return relu(sub(x, div(sub(total, 1), support)))
}

/** By Keras' name. */
const ACTIVATIONS: Record<string, Activation> = {
  linear: (x) => x,
  relu: (x) => relu(x),
  relu6: (x) => relu6(x),
  leaky_relu: (x) => leakyRelu(x, 0.2),
  sigmoid: (x) => sigmoid(x),
  tanh: (x) => tanh(x),
  softmax: (x) => softmax(x, -1),
  log_softmax: (x) => logSoftmax(x, -1),
  softplus: (x) => softplus(x),
  softsign: (x) => softsign(x),
  elu: (x) => elu(x),
  celu: (x) => celu(x),
  selu: (x) => selu(x),
  gelu: (x) => gelu(x),
  gelu_new: (x) => gelu(x, { approximate: 'tanh' }),
  silu: (x) => silu(x),
  swish: (x) => silu(x),
  mish: (x) => mish(x),
  hard_sigmoid: hardSigmoid,
  hard_silu: (x) => x.mul(hardSigmoid(x)),
  hard_swish: (x) => x.mul(hardSigmoid(x)),
  hard_tanh: (x) => hardtanh(x),
  hard_shrink: (x) => hardshrink(x),
  soft_shrink: (x) => softshrink(x),
  tanh_shrink: (x) => tanhshrink(x),
  squareplus: (x) => x.add(square(x).add(4).sqrt()).div(2),
  sparse_plus: (x) => where(le(x, -1), 0, where(ge(x, 1), x, square(x.add(1)).div(4))),
  sparse_sigmoid: (x) => x.add(1).div(2).clamp(0, 1),
  threshold: (x) => threshold(x, 0, 0),
  log_sigmoid: (x) => logSigmoid(x),
  exponential: (x) => exp(x),
  glu: (x) => glu(x, -1),
  sparsemax,
}

const known = new Map(Object.entries(ACTIVATIONS).map(([name, fn]) => [canonicalName(name), { name, fn }]))

/** Makes an activation known by name, so that models that use it can be saved and loaded. */
export function registerActivation(name: string, fn: Activation): void {
  known.set(canonicalName(name), { name, fn })
}

/** What layers take: a function, a name, or how Keras writes a function. */
export type ActivationLike = Activation | string | { class_name: string; config: unknown } | null | undefined

function find(name: string): { name: string; fn: Activation } {
  const found = known.get(canonicalName(name))
  if (!found)
    throw new RangeError(
      `unknown activation '${name}'; known: ${[...known.values()].map((item) => item.name).join(', ')}`,
    )
  return found
}

const nameIn = (like: { class_name: string; config: unknown }): string =>
  like.class_name === 'function' && typeof like.config === 'string' ? like.config : like.class_name

/** @throws RangeError naming the unknown activation and the known ones. */
export function getActivation(like: ActivationLike): Activation {
  if (like === null || like === undefined) return ACTIVATIONS.linear
  if (typeof like === 'function') return like
  return find(typeof like === 'string' ? like : nameIn(like)).fn
}

/**
 * The name under which an activation is saved.
 * @throws RangeError for a function that is not registered.
 */
export function activationName(like: ActivationLike): string {
  if (like === null || like === undefined) return 'linear'
  if (typeof like === 'string') return find(like).name
  if (typeof like !== 'function') return find(nameIn(like)).name
  for (const { name, fn } of known.values()) if (fn === like) return name
  return find(like.name || '(anonymous function)').name
}
