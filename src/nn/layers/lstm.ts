import { lstmLayer, recur } from '../../tensor/functional/index.js'
import { add, cat, linear, matmul, mul, ones, select, type Tensor, t, zeros } from '../../tensor/index.js'
import { type ActivationLike, getActivation } from '../activations.js'
import { getInitializer, type Initializer, type InitializerLike } from '../initializers.js'
import {
  block,
  Recurrent,
  type RecurrentOptions,
  type Sequence,
  type SequenceResult,
  unlessStandard,
} from './recurrent.js'

export interface LSTMOptions extends RecurrentOptions {
  /** Of the gates; default sigmoid. */
  recurrentActivation?: ActivationLike
  /** The bias of the forget gate starts at 1 (Jozefowicz et al. 2015); default true. */
  unitForgetBias?: boolean
}

/** Long short-term memory (Hochreiter & Schmidhuber 1997). Gates in the order input, forget, cell, output; states h, c. */
export class LSTM extends Recurrent {
  override readonly className: string = 'LSTM'
  protected override readonly stateCount = 2
  private readonly gate: ActivationLike
  private readonly unitForgetBias: boolean

  constructor(units: number, options: LSTMOptions = {}) {
    const recurrentActivation = options.recurrentActivation ?? 'sigmoid'
    const unitForgetBias = options.unitForgetBias ?? true
    super('LSTM', 4, units, options, { recurrentActivation, unitForgetBias })
    this.gate = recurrentActivation
    this.unitForgetBias = unitForgetBias
  }

  protected override get biasInitializer(): InitializerLike {
    const plain = getInitializer(this.settings.biasInitializer)
    if (!this.unitForgetBias) return plain
    const { units } = this
    const initialize: Initializer = (_, dtype) =>
      cat([plain([units], dtype), ones([units], { dtype }), plain([2 * units], dtype)])
    return initialize
  }

  protected override sequence(given: Sequence): SequenceResult {
    if (given.stateNoise) return this.noisy(given, given.stateNoise)
    const { x, states, mask, reverse } = given
    const { output, h, c } = lstmLayer(
      x,
      { weightIh: t(this.kernel), weightHh: t(this.recurrentKernel), biasIh: this.bias },
      {
        h0: states[0],
        c0: states[1],
        mask,
        reverse,
        activation: unlessStandard(this.settings.activation, 'tanh'),
        recurrentActivation: unlessStandard(this.gate, 'sigmoid'),
      },
    )
    return { output, states: [h, c] }
  }

  /** The same with dropout of the state. */
  private noisy({ x, states, mask, reverse }: Sequence, noise: Tensor): SequenceResult {
    const { units } = this
    const [activation, gate] = [getActivation(this.settings.activation), getActivation(this.gate)]
    const weight = this.recurrentKernel.value
    const step = ([h, c]: readonly Tensor[], projected: Tensor): Tensor[] => {
      const z = add(projected, matmul(mul(h, noise), weight))
      const [input, forget, output] = [0, 1, 3].map((i) => gate(block(z, i, units)))
      const cell = add(mul(forget, c), mul(input, activation(block(z, 2, units))))
      return [mul(output, activation(cell)), cell]
    }
    const start = states.length > 0 ? states : [0, 1].map(() => zeros([x.shape[1], units], { dtype: x.dtype }))
    const [hs, cs] = recur(step, start, linear(x, t(this.kernel), this.bias), mask, reverse)
    const at = reverse ? 0 : x.shape[0] - 1
    return { output: hs, states: [select(hs, 0, at), select(cs, 0, at)] }
  }
}
