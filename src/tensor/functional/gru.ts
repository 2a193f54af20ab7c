import { composite, scan } from '../control.js'
import { constant, type TensorLike } from '../core.js'
import { add, like, mul, sub, tanh, where } from '../ops/elementwise.js'
import { defineGradient } from '../ops/gradient-rule.js'
import { sigmoid } from '../ops/math.js'
import { sum } from '../ops/reduce.js'
import { narrow, unsqueeze } from '../ops/shape.js'
import { cast } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { present } from './constants.js'
import {
  before,
  concatenate,
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

/** Gates stand in torch's order: reset, update, new. */

export interface GruLayerOptions extends LayerOptions {
  /** Applies the reset gate to the product of the state (default, torch and Keras), or to the state before it (Cho et al. 2014). */
  resetAfter?: boolean
  /** Of the new state; default tanh. */
  activation?: (x: Tensor) => Tensor
  /** Of the gates; default sigmoid. */
  recurrentActivation?: (x: Tensor) => Tensor
}

/** All states of one layer in one direction. */
export interface HiddenStates {
  /** Hidden states after each step, [T, N, H]. */
  readonly output: Tensor
  /** After the last step that was read, [N, H]. */
  readonly h: Tensor
}

const GATES = 3

interface Cell {
  readonly activation: (x: Tensor) => Tensor
  readonly gate: (x: Tensor) => Tensor
  readonly weightHh: Tensor
  /** [3H] */
  readonly bias: Tensor
}

const blend = (z: Tensor, h: Tensor, fresh: Tensor): Tensor => add(mul(z, h), mul(sub(like(1, z), z), fresh))

const stepAfter =
  ({ activation, gate, weightHh, bias }: Cell) =>
  ([h]: readonly Tensor[], x: Tensor): Tensor[] => {
    const product = add(timesTransposed(h, weightHh), bias)
    const [r, z] = [0, 1].map((k) => gate(add(part(x, k, GATES), part(product, k, GATES))))
    return [blend(z, h, activation(add(part(x, 2, GATES), mul(r, part(product, 2, GATES)))))]
  }

const stepBefore = ({
  activation,
  gate,
  weightHh,
  bias,
}: Cell): ((state: readonly Tensor[], x: Tensor) => Tensor[]) => {
  const units = weightHh.shape[1]
  const weights = [narrow(weightHh, 0, 0, 2 * units), narrow(weightHh, 0, 2 * units, units)]
  return ([h], given) => {
    const x = add(given, bias)
    const product = timesTransposed(h, weights[0])
    const [r, z] = [0, 1].map((k) => gate(add(part(x, k, GATES), part(product, k, 2))))
    return [blend(z, h, activation(add(part(x, 2, GATES), timesTransposed(mul(r, h), weights[1]))))]
  }
}

/** Inputs projected [T, N, 3H], weightHh, bias, h0, mask?; result the hidden states [T, N, H]. */
const gruBody =
  (reverse: boolean) =>
  ([projected, weightHh, bias, h0, mask]: Tensor[]): Tensor[] =>
    recur(stepAfter({ activation: tanh, gate: sigmoid, weightHh, bias }), [h0], projected, mask ?? null, reverse)

/** Inputs dh, hidden [T, N, H], then those of the GRU; results dprojected, dweightHh, dbias, dh0. */
const gruGradBody =
  (reverse: boolean) =>
  ([dh, hidden, projected, weightHh, bias, h0, mask]: Tensor[]): Tensor[] => {
    const hBefore = before(hidden, h0, reverse)
    const product = add(timesTransposed(hBefore, weightHh), bias)
    const [r, z] = [0, 1].map((k) => sigmoid(add(part(projected, k, GATES), part(product, k, GATES))))
    const recurrent = part(product, 2, GATES)
    const n = tanh(add(part(projected, 2, GATES), mul(r, recurrent)))
    const one = like(1, z)
    const slope = (y: Tensor): Tensor => mul(y, sub(one, y))
    const fresh = mul(sub(one, z), sub(one, mul(n, n)))
    const reset = mul(mul(fresh, recurrent), slope(r))
    const update = mul(sub(hBefore, n), slope(z))
    const gates = concatenate([reset, update, mul(fresh, r)], 2)
    const zeros = constant(0, h0.dtype, h0.shape)
    const [dh0, own] = scan(
      (later: Tensor, x: { dh: Tensor; gates: Tensor; z: Tensor; mask: Tensor | null }) => {
        const state = add(later, x.dh)
        const step = mul(concatenate([state, state, state], 1), x.gates)
        const earlier = add(mul(state, x.z), times(step, weightHh))
        const keep = (next: Tensor, held: Tensor): Tensor => (x.mask ? where(unsqueeze(x.mask, 1), next, held) : next)
        return [keep(earlier, state), keep(state, like(0, state))] as const
      },
      zeros,
      { dh, gates, z, mask: mask ?? null },
      { reverse: !reverse },
    )
    const spread = concatenate([own, own, own], 2)
    const dproduct = mul(spread, gates)
    const dprojected = mul(spread, concatenate([reset, update, fresh], 2))
    return [dprojected, outerSum(dproduct, hBefore), sum(dproduct, [0, 1]), dh0]
  }

defineGradient('gru', ([dh], { attributes, inputs, outputs }) => {
  if (!dh) return inputs.map(() => null)
  const grads = composite(
    'gru_grad',
    attributes,
    [dh, ...outputs, ...inputs],
    gruGradBody(attributes.reverse as boolean),
  )
  return inputs.map((_, i) => grads[i] ?? null)
})

/** One GRU layer in one direction (Cho et al. 2014). `x` [T, N, I]. Composite `gru`, unless `resetAfter` is false or activations differ. */
export function gruLayer(x: TensorLike, weights: RecurrentWeights, options: GruLayerOptions = {}): HiddenStates {
  const { projected, weightHh, h0, mask, reverse } = prepareLayer('gru', x, weights, options, GATES, false)
  const { activation = tanh, recurrentActivation = sigmoid, resetAfter = true } = options
  const bias = weights.biasHh
    ? cast(weights.biasHh, projected.dtype)
    : constant(0, projected.dtype, [weightHh.shape[0]])
  const cell = { activation, gate: recurrentActivation, weightHh, bias }
  const plain = resetAfter && activation === tanh && recurrentActivation === sigmoid
  const [output] = plain
    ? composite('gru', { reverse, mask: mask !== null }, present(projected, weightHh, bias, h0, mask), gruBody(reverse))
    : recur(resetAfter ? stepAfter(cell) : stepBefore(cell), [h0], projected, mask, reverse)
  return { output, h: lastState(output, h0, reverse) }
}
