import type { AttrValue } from '../../ir/index.js'
import { composite, scan } from '../control.js'
import { asTensor, constant, type TensorLike } from '../core.js'
import { fail, typeText } from '../dims.js'
import { relu } from '../ops/activations.js'
import { add, gt, like, mul, sub, tanh, where } from '../ops/elementwise.js'
import { defineGradient } from '../ops/gradient-rule.js'
import { reshape, select, unsqueeze } from '../ops/shape.js'
import { toFloat } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { present } from './constants.js'
import { dropout } from './dropout.js'
import { gruLayer, type HiddenStates } from './gru.js'
import { type LstmWeights, lstmLayer } from './lstm.js'
import {
  before,
  concatenate,
  held,
  type LayerOptions,
  lastState,
  lengthMask,
  outerSum,
  prepareLayer,
  type RecurrentWeights,
  recur,
  swapTime,
  times,
  timesTransposed,
  zeroOutside,
} from './recurrent.js'

export interface RnnLayerOptions extends LayerOptions {
  /** Default tanh. */
  activation?: (x: Tensor) => Tensor
}

type Attributes = Readonly<Record<string, AttrValue>>

const stepOf =
  (activation: (x: Tensor) => Tensor, weightHh: Tensor) =>
  ([h]: readonly Tensor[], z: Tensor): Tensor[] => [activation(add(z, timesTransposed(h, weightHh)))]

/** Inputs projected [T, N, H], weightHh, h0, mask?; result the hidden states [T, N, H]. */
const rnnBody =
  ({ reverse, relu: rectified }: Attributes) =>
  ([projected, weightHh, h0, mask]: Tensor[]): Tensor[] =>
    recur(stepOf(rectified ? relu : tanh, weightHh), [h0], projected, mask ?? null, reverse as boolean)

/** Inputs dh, hidden [T, N, H], weightHh, mask?; results dprojected, dh0. */
const rnnGradBody =
  ({ reverse, relu: rectified }: Attributes) =>
  ([dh, hidden, weightHh, mask]: Tensor[]): Tensor[] => {
    const one = like(1, hidden)
    const slopes = rectified ? where(gt(hidden, like(0, hidden)), one, like(0, hidden)) : sub(one, mul(hidden, hidden))
    const [dh0, dz] = scan(
      (later: Tensor, x: { dh: Tensor; slopes: Tensor; mask: Tensor | null }) => {
        const own = add(later, x.dh)
        const zero = like(0, own)
        const step = held(x.mask, mul(own, x.slopes), zero)
        const back = times(step, weightHh)
        return [x.mask ? add(back, held(x.mask, zero, own)) : back, step] as const
      },
      constant(0, dh.dtype, dh.shape.slice(1)),
      { dh, slopes, mask: mask ?? null },
      { reverse: !reverse },
    )
    return [dz, dh0]
  }

defineGradient('rnn', ([dh], { attributes, inputs, outputs: [hidden] }) => {
  if (!dh) return inputs.map(() => null)
  const [, weightHh, h0, mask] = inputs
  const [dz, dh0] = composite('rnn_grad', attributes, present(dh, hidden, weightHh, mask), rnnGradBody(attributes))
  return [dz, outerSum(dz, before(hidden, h0, attributes.reverse as boolean)), dh0, null].slice(0, inputs.length)
})

/** One plain recurrent layer in one direction: h' = activation(W x + b + U h + c) (Elman 1990). `x` [T, N, I]. Composite `rnn` with tanh and relu. */
export function rnnLayer(x: TensorLike, weights: RecurrentWeights, options: RnnLayerOptions = {}): HiddenStates {
  const { projected, weightHh, h0, mask, reverse } = prepareLayer('rnn', x, weights, options, 1, true)
  const { activation = tanh } = options
  const attributes: Attributes = { reverse, mask: mask !== null, relu: activation === relu }
  const [output] =
    activation === tanh || activation === relu
      ? composite('rnn', attributes, present(projected, weightHh, h0, mask), rnnBody(attributes))
      : recur(stepOf(activation, weightHh), [h0], projected, mask, reverse)
  return { output, h: lastState(output, h0, reverse) }
}

export interface StackOptions {
  /** Reads each sequence both ways; weights alternate forward, backward. */
  bidirectional?: boolean
  /** `x` is [N, T, I] instead of [T, N, I]; default false. */
  batchFirst?: boolean
  /** [layers * directions, N, H]; default zeros. */
  h0?: TensorLike | null
  /** Steps that count in each sequence, [N]; outputs behind them are 0, final states are those at them (torch's packed sequences). */
  lengths?: TensorLike | null
  /** Probability of dropping what one layer gives the next; default 0. Needs `training`. */
  dropout?: number
  training?: boolean
}

export interface LstmOptions extends StackOptions {
  /** [layers * directions, N, H]; default zeros. */
  c0?: TensorLike | null
}

/** `output` [T, N, directions * H] (or batch first) of the last layer; `h` [layers * directions, N, H]. */
export interface RecurrentResult {
  readonly output: Tensor
  readonly h: Tensor
}

export interface LstmResult extends RecurrentResult {
  readonly c: Tensor
}

/** Runs number `index` of all layers and directions; returns its outputs and final states. */
type RunLayer = (
  x: Tensor,
  index: number,
  options: { reverse: boolean; mask: Tensor | null; single: boolean },
) => { output: Tensor; finals: Tensor[] }

function runStack(
  op: string,
  x: TensorLike,
  count: number,
  options: StackOptions,
  run: RunLayer,
): { output: Tensor; finals: Tensor[] } {
  const directions = options.bidirectional ? 2 : 1
  if (count === 0 || count % directions !== 0)
    throw fail(op, `${count} sets of weights do not make layers of ${directions} direction(s)`)
  const given = toFloat(x)
  const single = given.ndim === 2
  if (!single && given.ndim !== 3)
    throw fail(
      op,
      `expected ${options.batchFirst ? '[batch, steps, features]' : '[steps, batch, features]'}, got ${typeText(given)}`,
    )
  const batchFirst = (options.batchFirst ?? false) && !single
  let value = single ? unsqueeze(given, 1) : swapTime(given, batchFirst)
  const mask =
    options.lengths === null || options.lengths === undefined ? null : lengthMask(options.lengths, value.shape[0])
  const finals: Tensor[][] = []
  for (let layer = 0; layer < count / directions; layer++) {
    if (layer > 0 && options.dropout && options.training) value = dropout(value, { p: options.dropout })
    const ways = Array.from({ length: directions }, (_, way) => {
      const { output, finals: last } = run(value, layer * directions + way, { reverse: way === 1, mask, single })
      finals.push(last)
      return mask ? zeroOutside(output, mask) : output
    })
    value = concatenate(ways, 2)
  }
  // The state [1, H] of a single sequence is an entry [H] of the stack.
  const entry = (state: Tensor): Tensor => (single ? state : unsqueeze(state, 0))
  const stacked = finals[0].map((_, k) =>
    concatenate(
      finals.map((last) => entry(last[k])),
      0,
    ),
  )
  const output = single ? reshape(value, [value.shape[0], value.shape[2]]) : swapTime(value, batchFirst)
  return { output, finals: stacked }
}

/** Entry `index` of stacked initial states, [N, H]. */
function stateOf(states: TensorLike | null | undefined, index: number, single: boolean): Tensor | null {
  if (states === null || states === undefined) return null
  const state = select(asTensor(states), 0, index)
  return single ? unsqueeze(state, 0) : state
}

/** A stack of LSTM layers, as torch's `nn.LSTM`. `weights`: one set a layer and direction. */
export function lstm(x: TensorLike, weights: readonly LstmWeights[], options: LstmOptions = {}): LstmResult {
  const { output, finals } = runStack('lstm', x, weights.length, options, (value, index, { reverse, mask, single }) => {
    const states = { h0: stateOf(options.h0, index, single), c0: stateOf(options.c0, index, single) }
    const { output: y, h, c } = lstmLayer(value, weights[index], { ...states, reverse, mask })
    return { output: y, finals: [h, c] }
  })
  return { output, h: finals[0], c: finals[1] }
}

/** A stack of GRU layers, as torch's `nn.GRU`. */
export function gru(x: TensorLike, weights: readonly RecurrentWeights[], options: StackOptions = {}): RecurrentResult {
  const { output, finals } = runStack('gru', x, weights.length, options, (value, index, { reverse, mask, single }) => {
    const { output: y, h } = gruLayer(value, weights[index], { h0: stateOf(options.h0, index, single), reverse, mask })
    return { output: y, finals: [h] }
  })
  return { output, h: finals[0] }
}

/** A stack of plain recurrent layers, as torch's `nn.RNN`. */
export function rnn(
  x: TensorLike,
  weights: readonly RecurrentWeights[],
  options: StackOptions & { nonlinearity?: 'tanh' | 'relu' } = {},
): RecurrentResult {
  const activation = options.nonlinearity === 'relu' ? relu : tanh
  const { output, finals } = runStack('rnn', x, weights.length, options, (value, index, { reverse, mask, single }) => {
    const h0 = stateOf(options.h0, index, single)
    const { output: y, h } = rnnLayer(value, weights[index], { h0, activation, reverse, mask })
    return { output: y, finals: [h] }
  })
  return { output, h: finals[0] }
}
