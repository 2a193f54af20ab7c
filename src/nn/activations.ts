import {
  celu,
  elu,
  exp,
  ge,
  gelu,
  glu,
  hardshrink,
  hardtanh,
  le,
  leakyRelu,
  logSigmoid,
  logSoftmax,
  mish,
  relu,
  relu6,
  selu,
  sigmoid,
  silu,
  softmax,
  softplus,
  softshrink,
  softsign,
  square,
  type Tensor,
  tanh,
  tanhshrink,
  threshold,
  where,
} from '../tensor/index.js'

/** An elementwise (or last-dimension) function of a tensor. */
export type Activation = (x: Tensor) => Tensor

/** Keras' hard_sigmoid: relu6(x + 3) / 6. */
const hardSigmoid = (x: Tensor): Tensor => relu6(x.add(3)).div(6)

/** By Keras' name without underscores. */
const ACTIVATIONS: Record<string, Activation> = {
  linear: (x) => x,
  relu: (x) => relu(x),
  relu6: (x) => relu6(x),
  leakyrelu: (x) => leakyRelu(x, 0.2),
  sigmoid: (x) => sigmoid(x),
  tanh: (x) => tanh(x),
  softmax: (x) => softmax(x, -1),
  logsoftmax: (x) => logSoftmax(x, -1),
  softplus: (x) => softplus(x),
  softsign: (x) => softsign(x),
  elu: (x) => elu(x),
  celu: (x) => celu(x),
  selu: (x) => selu(x),
  gelu: (x) => gelu(x),
  gelunew: (x) => gelu(x, { approximate: 'tanh' }),
  silu: (x) => silu(x),
  swish: (x) => silu(x),
  mish: (x) => mish(x),
  hardsigmoid: hardSigmoid,
  hardsilu: (x) => x.mul(hardSigmoid(x)),
  hardswish: (x) => x.mul(hardSigmoid(x)),
  hardtanh: (x) => hardtanh(x),
  hardshrink: (x) => hardshrink(x),
  softshrink: (x) => softshrink(x),
  tanhshrink: (x) => tanhshrink(x),
  squareplus: (x) => x.add(square(x).add(4).sqrt()).div(2),
  sparseplus: (x) => where(le(x, -1), 0, where(ge(x, 1), x, square(x.add(1)).div(4))),
  sparsesigmoid: (x) => x.add(1).div(2).clamp(0, 1),
  threshold: (x) => threshold(x, 0, 0),
  logsigmoid: (x) => logSigmoid(x),
  exponential: (x) => exp(x),
  glu: (x) => glu(x, -1),
}

export type ActivationLike = Activation | string | null | undefined

/** @throws RangeError naming the unknown activation and the known ones. */
export function getActivation(like: ActivationLike): Activation {
  if (like === null || like === undefined) return ACTIVATIONS.linear
  if (typeof like === 'function') return like
  const activation = ACTIVATIONS[like.replaceAll('_', '').toLowerCase()]
  if (!activation) throw new RangeError(`unknown activation '${like}'; known: ${Object.keys(ACTIVATIONS).join(', ')}`)
  return activation
}

/** The name under which an activation is saved. */
export const activationName = (like: ActivationLike): string =>
  typeof like === 'string' ? like : typeof like === 'function' ? like.name || 'custom' : 'linear'
