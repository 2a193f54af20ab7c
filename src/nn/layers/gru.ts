import { gruLayer, recur } from '../../tensor/functional/index.js'
import { add, cat, linear, matmul, mul, select, sub, type Tensor, t, zeros } from '../../tensor/index.js'
import { type ActivationLike, getActivation } from '../activations.js'
import {
  block,
  Recurrent,
  type RecurrentOptions,
  type Sequence,
  type SequenceResult,
  unlessStandard,
} from './recurrent.js'

export interface GRUOptions extends RecurrentOptions {
  /** Of the gates; default sigmoid. */
  recurrentActivation?: ActivationLike
  /** Resets the product of the state (default, with two biases) or the state before it (Cho et al. 2014). */
  resetAfter?: boolean
}

/** Gated recurrent unit. Gates in the order update, reset, new; bias [2, 3 * units] (input, recurrent), or [3 * units] without resetAfter. */
export class GRU extends Recurrent {
  override readonly className: string = 'GRU'
  private readonly gate: ActivationLike
  private readonly resetAfter: boolean

  constructor(units: number, options: GRUOptions = {}) {
    const recurrentActivation = options.recurrentActivation ?? 'sigmoid'
    const resetAfter = options.resetAfter ?? true
    super('GRU', 3, units, options, { recurrentActivation, resetAfter })
    this.gate = recurrentActivation
    this.resetAfter = resetAfter
  }

  protected override get biasShape(): number[] {
    return this.resetAfter ? [2, 3 * this.units] : [3 * this.units]
  }

  /** Biases of the input and of the state. */
  private get biases(): (Tensor | null)[] {
    const bias = this.bias?.value ?? null
    return bias && this.resetAfter ? [select(bias, 0, 0), select(bias, 0, 1)] : [bias, null]
  }

  /** Keras' order of gates (update, reset, new) in torch's (reset, update, new). */
  private reordered(x: Tensor): Tensor {
    return cat(
      [1, 0, 2].map((i) => block(x, i, this.units)),
      -1,
    )
  }

  protected override sequence(given: Sequence): SequenceResult {
    if (given.stateNoise) return this.noisy(given, given.stateNoise)
    const { x, states, mask, reverse } = given
    const [biasIh, biasHh] = this.biases.map((bias) => bias && this.reordered(bias))
    const { output, h } = gruLayer(
      x,
      {
        weightIh: t(this.reordered(this.kernel.value)),
        weightHh: t(this.reordered(this.recurrentKernel.value)),
        biasIh,
        biasHh,
      },
      {
        h0: states[0],
        mask,
        reverse,
        resetAfter: this.resetAfter,
        activation: unlessStandard(this.settings.activation, 'tanh'),
        recurrentActivation: unlessStandard(this.gate, 'sigmoid'),
      },
    )
    return { output, states: [h] }
  }

  /** The same with dropout of the state. */
  private noisy({ x, states, mask, reverse }: Sequence, noise: Tensor): SequenceResult {
    const { units } = this
    const [activation, gate] = [getActivation(this.settings.activation), getActivation(this.gate)]
    const [inputBias, stateBias] = this.biases
    const weight = this.recurrentKernel.value
    const fresh = block(weight, 2, units)
    const step = ([h]: readonly Tensor[], projected: Tensor): Tensor[] => {
      const state = mul(h, noise)
      const product = stateBias ? add(matmul(state, weight), stateBias) : matmul(state, weight)
      const [z, r] = [0, 1].map((i) => gate(add(block(projected, i, units), block(product, i, units))))
      const own = this.resetAfter ? mul(r, block(product, 2, units)) : matmul(mul(r, state), fresh)
      const next = activation(add(block(projected, 2, units), own))
      return [add(mul(z, h), mul(sub(1, z), next))]
    }
    const start = states.length > 0 ? states : [zeros([x.shape[1], units], { dtype: x.dtype })]
    const [hs] = recur(step, start, linear(x, t(this.kernel), inputBias), mask, reverse)
    return { output: hs, states: [select(hs, 0, reverse ? 0 : x.shape[0] - 1)] }
  }
}
