import { scan } from '../control.js'
import { asTensor, constant, record, type TensorLike } from '../core.js'
import { fail, typeText } from '../dims.js'
import { add, like, lt, toBool, where } from '../ops/elementwise.js'
import { linear } from '../ops/matmul.js'
import { narrow, reshape, transpose, unsqueeze } from '../ops/shape.js'
import { cast, toFloat } from '../promote.js'
import type { Tensor } from '../tensor.js'

/** Shapes: T steps, N sequences, I input features, H units; time comes first inside. */

/** Weights of one layer in one direction, as torch names them; G is the number of gates (LSTM 4, GRU 3, plain 1). */
export interface RecurrentWeights {
  /** [G * H, I] */
  readonly weightIh: TensorLike
  /** [G * H, H] (LSTM with projection: [4 H, P]) */
  readonly weightHh: TensorLike
  /** [G * H] */
  readonly biasIh?: TensorLike | null
  /** [G * H] */
  readonly biasHh?: TensorLike | null
}

export interface LayerOptions {
  /** Hidden state before the first step, [N, H]; default zeros. */
  h0?: TensorLike | null
  /** Reads the sequence from its end; step t of the result belongs to step t of the input all the same. */
  reverse?: boolean
  /** bool [T, N]: where false the state stays as it was. */
  mask?: TensorLike | null
}

export const concatenate = (xs: readonly Tensor[], dimension: number): Tensor =>
  xs.length === 1 ? xs[0] : record('concatenate', xs, { dimension })

/** Part `i` of `count` equal parts of the last dimension. */
export function part(x: Tensor, i: number, count: number): Tensor {
  const size = x.shape[x.ndim - 1] / count
  return narrow(x, -1, i * size, size)
}

/** x . weight^T over the last dimensions. */
export const timesTransposed = (x: Tensor, weight: Tensor): Tensor => linear(x, weight)

/** x . weight: the way back through {@link timesTransposed}. */
export const times = (x: Tensor, weight: Tensor): Tensor =>
  record('dot_general', [x, weight], { lhs_batch: [], rhs_batch: [], lhs_contract: [x.ndim - 1], rhs_contract: [0] })

/** Sum over steps and sequences of the outer products of `a` [T, N, A] and `b` [T, N, B], [A, B]. */
export const outerSum = (a: Tensor, b: Tensor): Tensor =>
  record('dot_general', [a, b], { lhs_batch: [], rhs_batch: [], lhs_contract: [0, 1], rhs_contract: [0, 1] })

/** States before each step, from those after it and the first. */
export function before(states: Tensor, first: Tensor, reverse: boolean): Tensor {
  const steps = states.shape[0]
  if (steps === 0) return states
  const start = unsqueeze(first, 0)
  return reverse
    ? concatenate([narrow(states, 0, 1, steps - 1), start], 0)
    : concatenate([start, narrow(states, 0, 0, steps - 1)], 0)
}

/** `next` where the mask of this step holds, else `old`. */
export const held = (mask: Tensor | null, next: Tensor, old: Tensor): Tensor =>
  mask ? where(unsqueeze(mask, 1), next, old) : next

/** State after the last step that was read. */
export function lastState(states: Tensor, first: Tensor, reverse: boolean): Tensor {
  const steps = states.shape[0]
  return steps === 0 ? first : reshape(narrow(states, 0, reverse ? 0 : steps - 1, 1), states.shape.slice(1))
}

/**
 * Folds `step` over time. `xs` [T, ...] and, with a mask, bool [T, N]; a state stays where the mask is false. Returns all states, [T, ...].
 */
export function recur(
  step: (state: readonly Tensor[], x: Tensor) => readonly Tensor[],
  init: readonly Tensor[],
  xs: Tensor,
  mask: Tensor | null,
  reverse: boolean,
): Tensor[] {
  const [, states] = scan(
    (state: Tensor[], item: { x: Tensor; mask: Tensor | null }) => {
      const next = step(state, item.x).map((value, i) => held(item.mask, value, state[i]))
      return [next, next] as const
    },
    [...init],
    { x: xs, mask },
    { reverse },
  )
  return states
}

export interface Layer {
  /** x . weightIh^T + biases, for all steps in one product: [T, N, G * H]. */
  readonly projected: Tensor
  readonly weightHh: Tensor
  readonly h0: Tensor
  readonly mask: Tensor | null
  readonly reverse: boolean
}

/** Checks the operands of one layer. `foldBias` adds the recurrent bias to the projection, too. */
export function prepareLayer(
  op: string,
  x: TensorLike,
  w: RecurrentWeights,
  options: LayerOptions,
  gates: number,
  foldBias: boolean,
): Layer {
  const input = toFloat(x)
  if (input.ndim !== 3) throw fail(op, `expected [steps, batch, features], got ${typeText(input)}`)
  const weightIh = cast(w.weightIh, input.dtype)
  const weightHh = cast(w.weightHh, input.dtype)
  if (weightHh.ndim !== 2 || weightHh.shape[0] % gates !== 0 || weightIh.shape[0] !== weightHh.shape[0])
    throw fail(
      op,
      `weights must be [${gates} * units, features] and [${gates} * units, state], got ${typeText(weightIh)} and ${typeText(weightHh)}`,
    )
  const biases = [w.biasIh, foldBias ? w.biasHh : null]
    .filter((bias) => bias !== null && bias !== undefined)
    .map((bias) => cast(bias, input.dtype))
  const bias = biases.length > 0 ? biases.reduce(add) : null
  const state = [input.shape[1], weightHh.shape[1]]
  const mask = options.mask === null || options.mask === undefined ? null : toBool(asTensor(options.mask))
  if (mask && (mask.ndim !== 2 || mask.shape[0] !== input.shape[0] || mask.shape[1] !== input.shape[1]))
    throw fail(op, `the mask must be [${input.shape[0]}, ${input.shape[1]}] (steps, batch), got ${typeText(mask)}`)
  return {
    projected: linear(input, weightIh, bias),
    weightHh,
    h0: initialState(op, options.h0, state, input),
    mask,
    reverse: options.reverse ?? false,
  }
}

export function initialState(
  op: string,
  given: TensorLike | null | undefined,
  shape: readonly number[],
  x: Tensor,
): Tensor {
  if (given === null || given === undefined) return constant(0, x.dtype, shape)
  const state = cast(given, x.dtype)
  if (state.ndim !== 2 || state.shape[0] !== shape[0] || state.shape[1] !== shape[1])
    throw fail(op, `the initial state must be [${shape.join(', ')}], got ${typeText(state)}`)
  return state
}

/** bool [T, N]: the first `lengths` [N] steps. */
export function lengthMask(lengths: TensorLike, steps: number): Tensor {
  const counts = cast(asTensor(lengths), 'i32')
  const shape = [steps, counts.shape[0]]
  const step = record('iota', [], { shape, dtype: 'i32', dimension: 0 })
  return lt(step, unsqueeze(counts, 0))
}

/** Swaps steps and batch where the caller keeps the batch in front. */
export const swapTime = (x: Tensor, batchFirst: boolean): Tensor => (batchFirst ? transpose(x, 0, 1) : x)

/** Zeros where the mask is false: what torch puts behind the end of a packed sequence. */
export const zeroOutside = (states: Tensor, mask: Tensor): Tensor => where(unsqueeze(mask, 2), states, like(0, states))
