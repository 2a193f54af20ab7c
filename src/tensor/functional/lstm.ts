import type { AttrValue } from '../../ir/index.js'
import { composite, scan } from '../control.js'
import { constant, type TensorLike } from '../core.js'
import { add, like, mul, sub, tanh } from '../ops/elementwise.js'
import { defineGradient } from '../ops/gradient-rule.js'
import { sigmoid } from '../ops/math.js'
import { cast } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { present } from './constants.js'
import {
  before,
  concatenate,
  held,
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

/** Inputs projected [T, N, 4H], weightHh, h0, c0, mask?; results hidden and cell states [T, N, H] and the gates [T, N, 4H]. */
const lstmBody =
  (reverse: boolean) =>
  ([projected, weightHh, h0, c0, mask]: Tensor[]): Tensor[] => {
    const [, states] = scan(
      ([h, c]: Tensor[], item: { x: Tensor; mask: Tensor | null }) => {
        const z = add(item.x, timesTransposed(h, weightHh))
        const [i, f, o] = [0, 1, 3].map((k) => sigmoid(part(z, k, GATES)))
        const g = tanh(part(z, 2, GATES))
        const cell = add(mul(f, c), mul(i, g))
        const next = [held(item.mask, mul(o, tanh(cell)), h), held(item.mask, cell, c)]
        return [next, [...next, concatenate([i, f, g, o], 1)]] as [Tensor[], Tensor[]]
      },
      [h0, c0],
      { x: projected, mask: mask ?? null },
      { reverse },
    )
    return states
  }

/**
 * Inputs dh, dc, cells [T, N, H], gates [T, N, 4H], weightHh, c0, mask?, dgates?; results dprojected, dh0, dc0. All that needs no earlier
 * step is computed for all steps at once; the scan is left with one product of the state's size.
 */
const lstmGradBody =
  ({ reverse, mask: masked, dgates: direct }: Attributes) =>
  ([dh, dc, cells, gates, weightHh, c0, ...more]: Tensor[]): Tensor[] => {
    const mask = masked ? more[0] : null
    const [i, f, g, o] = [0, 1, 2, 3].map((k) => part(gates, k, GATES))
    const one = like(1, i)
    const slope = (y: Tensor): Tensor => mul(y, sub(one, y))
    const bend = (y: Tensor): Tensor => sub(one, mul(y, y))
    const squashed = tanh(cells)
    const slopes = direct ? concatenate([slope(i), slope(f), bend(g), slope(o)], 2) : null
    const factors = {
      dh,
      dc,
      f,
      cell: mul(o, bend(squashed)),
      gates: concatenate([mul(g, slope(i)), mul(before(cells, c0, reverse as boolean), slope(f)), mul(i, bend(g))], 2),
      output: mul(squashed, slope(o)),
      mask,
      direct: slopes && mul(more[more.length - 1], slopes),
    }
    const zeros = constant(0, c0.dtype, c0.shape)
    const [[dh0, dc0], dz] = scan(
      ([laterH, laterC]: Tensor[], x: typeof factors) => {
        const ownH = add(laterH, x.dh)
        const ownC = add(laterC, x.dc)
        const cell = add(ownC, mul(ownH, x.cell))
        const flow = concatenate([mul(concatenate([cell, cell, cell], 1), x.gates), mul(ownH, x.output)], 1)
        const read = held(x.mask, flow, like(0, flow))
        const step = x.direct ? add(read, x.direct) : read
        const back = times(step, weightHh)
        const earlier = x.mask ? add(back, held(x.mask, like(0, ownH), ownH)) : back
        return [[earlier, held(x.mask, mul(cell, x.f), ownC)], step] as const
      },
      [zeros, zeros],
      factors,
      { reverse: !reverse },
    )
    return [dz, dh0, dc0]
  }

defineGradient('lstm', ([dh, dc, dgates], { attributes, inputs, outputs }) => {
  const [, weightHh, h0, c0, mask] = inputs
  const [hidden, cells, gates] = outputs
  const zero = (x: Tensor): Tensor => constant(0, x.dtype, x.shape)
  const own = { ...attributes, dgates: dgates !== null }
  const operands = present(dh ?? zero(hidden), dc ?? zero(cells), cells, gates, weightHh, c0, mask, dgates)
  const [dprojected, dh0, dc0] = composite('lstm_grad', own, operands, lstmGradBody(own))
  return [dprojected, outerSum(dprojected, before(hidden, h0, attributes.reverse as boolean)), dh0, dc0, null].slice(
    0,
    inputs.length,
  )
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
