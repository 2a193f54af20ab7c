import { recur, rnnLayer } from '../../tensor/functional/index.js'
import { add, linear, matmul, mul, relu, select, type Tensor, t, zeros } from '../../tensor/index.js'
import { activationName, getActivation } from '../activations.js'
import { Recurrent, type RecurrentOptions, type Sequence, type SequenceResult, unlessStandard } from './recurrent.js'

/** h' = activation(x W + h U + b) (Elman 1990). */
export class SimpleRNN extends Recurrent {
  override readonly className: string = 'SimpleRNN'

  constructor(units: number, options: RecurrentOptions = {}) {
    super('SimpleRNN', 1, units, options)
  }

  protected override sequence(given: Sequence): SequenceResult {
    const { x, states, mask, reverse, stateNoise } = given
    const activation = getActivation(this.settings.activation)
    if (!stateNoise) {
      const name = activationName(this.settings.activation)
      const weights = { weightIh: t(this.kernel), weightHh: t(this.recurrentKernel), biasIh: this.bias }
      const { output, h } = rnnLayer(x, weights, {
        h0: states[0],
        mask,
        reverse,
        // The functions that there are kernels for.
        activation: name === 'relu' ? relu : unlessStandard(this.settings.activation, 'tanh'),
      })
      return { output, states: [h] }
    }
    const weight = this.recurrentKernel.value
    const step = ([h]: readonly Tensor[], projected: Tensor): Tensor[] => [
      activation(add(projected, matmul(mul(h, stateNoise), weight))),
    ]
    const start = states.length > 0 ? states : [zeros([x.shape[1], this.units], { dtype: x.dtype })]
    const [hs] = recur(step, start, linear(x, t(this.kernel), this.bias), mask, reverse)
    return { output: hs, states: [select(hs, 0, reverse ? 0 : x.shape[0] - 1)] }
  }
}
