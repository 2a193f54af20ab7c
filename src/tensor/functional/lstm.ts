import type { AttrValue } from '../../ir/index.js'
import { composite, scan } from '../control.js'
import { constant, type TensorLike } from '../core.js'
import { add, like, mul, sub, tanh, where } from '../ops/elementwise.js'
import { defineGradient } from '../ops/gradient-rule.js'
import { sigmoid } from '../ops/math.js'
import { unsqueeze } from '../ops/shape.js'
import { cast } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { present } from './constants.js'
import {
  before,
  concatenate,
  initialState,
  type LayerOptions,
  lastState,
  outerSum,
  part,
  prepareLayer,
  type RecurrentWeights,
  recur,
  times,
  timesTransposed,
} from './recurrent.js'

/** Gates stand in the order input, forget, cell, output: torch's and Keras'. */

export interface LstmWeights extends RecurrentWeights {
  /** [P, H]: projects the output to P features. */
  readonly weightHr?: TensorLike | null
}

export interface LstmLayerOptions extends LayerOptions {
  /** Cell state before the first step, [N, H]; default zeros. */
  c0?: TensorLike | null
  /** Of the cell input and output; default tanh. */
  activation?: (x: Tensor) => Tensor
  /** Of the gates; default sigmoid. */
  recurrentActivation?: (x: Tensor) => Tensor
}

/** All states of one layer in one direction. */
export interface LstmStates {
  /** Hidden states after each step, [T, N, H]. */
  readonly output: Tensor
  /** After the last step that was read, [N, H]. */
  readonly h: Tensor
  readonly c: Tensor
}

type Attributes = Readonly<Record<string, AttrValue>>

const GATES = 4

interface Cell {
  readonly activation: (x: Tensor) => Tensor
  readonly gate: (x: Tensor) => Tensor
  readonly weightHh: Tensor
  readonly weightHr: Tensor | null
}

const stepOf =
  ({ activation, gate, weightHh, weightHr }: Cell) =>
  ([h, c]: readonly Tensor[], x: Tensor): Tensor[] => {
    const z = add(x, timesTransposed(h, weightHh))
    const kept = mul(gate(part(z, 1, GATES)), c)
    const cell = add(kept, mul(gate(part(z, 0, GATES)), activation(part(z, 2, GATES))))
    const output = mul(gate(part(z, 3, GATES)), activation(cell))
    return [weightHr ? timesTransposed(output, weightHr) : output, cell]
  }

/** Inputs projected [T, N, 4H], weightHh, h0, c0, mask?; results hidden and cell states [T, N, H]. */
const lstmBody =
  (reverse: boolean) =>
  ([projected, weightHh, h0, c0, mask]: Tensor[]): Tensor[] =>
    recur(
      stepOf({ activation: tanh, gate: sigmoid, weightHh, weightHr: null }),
      [h0, c0],
      projected,
      mask ?? null,
      reverse,
    )

/**
 * Inputs dh, dc, hidden, cells [T, N, H], then those of the LSTM; results dprojected, dweightHh, dh0, dc0. All that needs no earlier step
 * is computed for all steps at once; the scan is left with one product of the state's size.
 */
const lstmGradBody =
  (reverse: boolean) =>
  ([dh, dc, hidden, cells, projected, weightHh, h0, c0, mask]: Tensor[]): Tensor[] => {
    const hBefore = before(hidden, h0, reverse)
    const cBefore = before(cells, c0, reverse)
    const z = add(projected, timesTransposed(hBefore, weightHh))
    const one = like(1, z)
    const slope = (y: Tensor): Tensor => mul(y, sub(one, y))
    const bend = (y: Tensor): Tensor => sub(one, mul(y, y))
    const [i, f, o] = [0, 1, 3].map((k) => sigmoid(part(z, k, GATES)))
    const g = tanh(part(z, 2, GATES))
    const squashed = tanh(cells)
    const factors = {
      dh,
      dc,
      f,
      cell: mul(o, bend(squashed)),
      gates: concatenate([mul(g, slope(i)), mul(cBefore, slope(f)), mul(i, bend(g))], 2),
      output: mul(squashed, slope(o)),
      mask: mask ?? null,
    }
    const zeros = constant(0, h0.dtype, h0.shape)
    const [[dh0, dc0], dz] = scan(
      ([laterH, laterC]: Tensor[], x: typeof factors) => {
        const ownH = add(laterH, x.dh)
        const ownC = add(laterC, x.dc)
        const cell = add(ownC, mul(ownH, x.cell))
        const gates = mul(concatenate([cell, cell, cell], 1), x.gates)
        const step = concatenate([gates, mul(ownH, x.output)], 1)
        const keep = (next: Tensor, held: Tensor): Tensor => (x.mask ? where(unsqueeze(x.mask, 1), next, held) : next)
        const zeroed = keep(step, like(0, step))
        return [[keep(times(zeroed, weightHh), ownH), keep(mul(cell, x.f), ownC)], zeroed] as const
      },
      [zeros, zeros],
      factors,
      { reverse: !reverse },
    )
    return [dz, outerSum(dz, hBefore), dh0, dc0]
  }

defineGradient('lstm', ([dh, dc], { attributes, inputs, outputs }) => {
  const zero = (x: Tensor): Tensor => constant(0, x.dtype, x.shape)
  const cts = outputs.map((output, i) => [dh, dc][i] ?? zero(output))
  const grads = composite(
    'lstm_grad',
    attributes,
    [...cts, ...outputs, ...inputs],
    lstmGradBody(attributes.reverse as boolean),
  )
  return inputs.map((_, i) => grads[i] ?? null)
})

/**
 * One LSTM layer in one direction (Hochreiter & Schmidhuber 1997). `x` [T, N, I]. Composite `lstm`, unless there is a projection or other
 * activations.
 */
export function lstmLayer(x: TensorLike, weights: LstmWeights, options: LstmLayerOptions = {}): LstmStates {
  const layer = prepareLayer('lstm', x, weights, options, GATES, true)
  const { projected, weightHh, h0, mask, reverse } = layer
  const c0 = initialState('lstm', options.c0, [h0.shape[0], weightHh.shape[0] / GATES], projected)
  const { activation = tanh, recurrentActivation = sigmoid } = options
  const weightHr = weights.weightHr ? cast(weights.weightHr, projected.dtype) : null
  const plain = !weightHr && activation === tanh && recurrentActivation === sigmoid
  const attributes: Attributes = { reverse, mask: mask !== null }
  const [output, cells] = plain
    ? composite('lstm', attributes, present(projected, weightHh, h0, c0, mask), lstmBody(reverse))
    : recur(stepOf({ activation, gate: recurrentActivation, weightHh, weightHr }), [h0, c0], projected, mask, reverse)
  return { output, h: lastState(output, h0, reverse), c: lastState(cells, c0, reverse) }
}
