import type { AttrValue } from '../../ir/index.js'
import { composite, scan } from '../control.js'
import { constant, type TensorLike } from '../core.js'
import { add, like, mul, sub, tanh } from '../ops/elementwise.js'
import { defineGradient } from '../ops/gradient-rule.js'
import { sigmoid } from '../ops/math.js'
import { sum } from '../ops/reduce.js'
import { narrow } from '../ops/shape.js'
import { cast } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { present } from './constants.js'
import {
  before,
  concatenate,
  held,
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

type Attributes = Readonly<Record<string, AttrValue>>

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

/**
 * Inputs projected [T, N, 3H], weightHh, bias, h0, mask?; results the hidden states [T, N, H], the gates [T, N, 3H], and the recurrent part of
 * the new gate, [T, N, H].
 */
const gruBody =
  (reverse: boolean) =>
  ([projected, weightHh, bias, h0, mask]: Tensor[]): Tensor[] => {
    const [, states] = scan(
      (h: Tensor, item: { x: Tensor; mask: Tensor | null }) => {
        const product = add(timesTransposed(h, weightHh), bias)
        const [r, z] = [0, 1].map((k) => sigmoid(add(part(item.x, k, GATES), part(product, k, GATES))))
        const recurrent = part(product, 2, GATES)
        const n = tanh(add(part(item.x, 2, GATES), mul(r, recurrent)))
        const next = held(item.mask, blend(z, h, n), h)
        return [next, [next, concatenate([r, z, n], 1), recurrent]] as [Tensor, Tensor[]]
      },
      h0,
      { x: projected, mask: mask ?? null },
      { reverse },
    )
    return states
  }

/**
 * Inputs dh, hidden [T, N, H], gates [T, N, 3H], recurrent [T, N, H], weightHh, h0, mask?, dgates?, drecurrent?; results dprojected [T, N, 3H],
 * drecurrent [T, N, H], dh0. The gradient of the product with the state is dprojected with drecurrent for its new gate.
 */
const gruGradBody =
  ({ reverse, mask: masked, dgates: direct }: Attributes) =>
  ([dh, hidden, gates, recurrent, weightHh, h0, ...more]: Tensor[]): Tensor[] => {
    const mask = masked ? more[0] : null
    const [r, z, n] = [0, 1, 2].map((k) => part(gates, k, GATES))
    const hBefore = before(hidden, h0, reverse as boolean)
    const one = like(1, z)
    const slope = (y: Tensor): Tensor => mul(y, sub(one, y))
    const bend = sub(one, mul(n, n))
    const fresh = mul(sub(one, z), bend)
    const factors = {
      dh,
      z,
      // Of the reset, update and new gate; of the recurrent part.
      gates: concatenate(
        [mul(mul(fresh, recurrent), slope(r)), mul(sub(hBefore, n), slope(z)), fresh, mul(fresh, r)],
        2,
      ),
      mask,
      direct: direct ? directGru(more.slice(-2), { r, n: bend, z, recurrent }, slope) : null,
    }
    const units = h0.shape[1]
    const [dh0, d] = scan(
      (later: Tensor, x: typeof factors) => {
        const state = add(later, x.dh)
        const flow = mul(concatenate([state, state, state, state], 1), x.gates)
        const read = held(x.mask, flow, like(0, flow))
        const step = x.direct ? add(read, x.direct) : read
        const product = concatenate([narrow(step, 1, 0, 2 * units), narrow(step, 1, 3 * units, units)], 1)
        return [add(held(x.mask, mul(state, x.z), state), times(product, weightHh)), step] as const
      },
      constant(0, h0.dtype, h0.shape),
      factors,
      { reverse: !reverse },
    )
    return [narrow(d, 2, 0, GATES * units), narrow(d, 2, GATES * units, units), dh0]
  }

/** What cotangents of the gates and of the recurrent part add to the gradients of a step (gradients of gradients ask for it). */
function directGru(
  [dgates, drecurrent]: Tensor[],
  { r, z, n, recurrent }: { r: Tensor; z: Tensor; n: Tensor; recurrent: Tensor },
  slope: (y: Tensor) => Tensor,
): Tensor {
  const own = [0, 1, 2].map((k) => part(dgates, k, GATES))
  const fresh = mul(own[2], n)
  const reset = mul(add(own[0], mul(fresh, recurrent)), slope(r))
  return concatenate([reset, mul(own[1], slope(z)), fresh, add(drecurrent, mul(fresh, r))], 2)
}

defineGradient('gru', ([dh, dgates, drecurrent], { attributes, inputs, outputs }) => {
  const [, weightHh, , h0, mask] = inputs
  const [hidden, gates, recurrent] = outputs
  const zero = (x: Tensor): Tensor => constant(0, x.dtype, x.shape)
  const direct = dgates || drecurrent ? [dgates ?? zero(gates), drecurrent ?? zero(recurrent)] : []
  const own = { ...attributes, dgates: direct.length > 0 }
  const operands = present(dh ?? zero(hidden), hidden, gates, recurrent, weightHh, h0, mask, ...direct)
  const [dprojected, dfresh, dh0] = composite('gru_grad', own, operands, gruGradBody(own))
  const hBefore = before(hidden, h0, attributes.reverse as boolean)
  const dproducts = [narrow(dprojected, 2, 0, 2 * h0.shape[1]), dfresh]
  const dweightHh = concatenate(
    dproducts.map((part) => outerSum(part, hBefore)),
    0,
  )
  const dbias = concatenate(
    dproducts.map((part) => sum(part, [0, 1])),
    0,
  )
  return [dprojected, dweightHh, dbias, dh0, null].slice(0, inputs.length)
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
