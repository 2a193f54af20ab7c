import * as F from '../../tensor/functional/index.js'
import {
  add,
  clamp,
  div,
  erf,
  mul,
  relu,
  sigmoid,
  softplus,
  sqrt,
  square,
  sub,
  type Tensor,
  tanh,
} from '../../tensor/index.js'

export type ActivationFn = (x: Tensor) => Tensor

const tanhGelu: ActivationFn = (x) => F.gelu(x, { approximate: 'tanh' })
const gelu: ActivationFn = (x) => F.gelu(x)

/** Ma et al. 2022, "Mega": a normal distribution's cumulative function that stands in for relu squared. */
// biome-ignore lint/suspicious/noApproximativeNumericConstant: as the reference has it
const laplace: ActivationFn = (x) => mul(add(erf(div(sub(x, 0.707107), 0.282095 * Math.SQRT2)), 1), 0.5)

/** Activations by the names that configs give. */
const ACTIVATIONS: Readonly<Record<string, ActivationFn>> = {
  gelu,
  gelu_10: (x) => clamp(F.gelu(x), -10, 10),
  gelu_accurate: tanhGelu,
  gelu_fast: tanhGelu,
  gelu_new: tanhGelu,
  gelu_python: gelu,
  gelu_python_tanh: tanhGelu,
  gelu_pytorch_tanh: tanhGelu,
  hardswish: (x) => F.hardswish(x),
  laplace,
  leaky_relu: (x) => F.leakyRelu(x),
  linear: (x) => x,
  mish: (x) => F.mish(x),
  quick_gelu: (x) => F.quickGelu(x),
  relu: (x) => relu(x),
  relu2: (x) => square(relu(x)),
  relu6: (x) => F.relu6(x),
  sigmoid: (x) => sigmoid(x),
  silu: (x) => F.silu(x),
  sqrtsoftplus: (x) => sqrt(softplus(x)),
  swish: (x) => F.silu(x),
  tanh: (x) => tanh(x),
}

/** @throws RangeError listing the names there are */
export function activation(name: string): ActivationFn {
  if (!Object.hasOwn(ACTIVATIONS, name))
    throw new RangeError(`unknown activation '${name}'; there are ${Object.keys(ACTIVATIONS).join(', ')}`)
  return ACTIVATIONS[name]
}
