import { asTensor, record, type TensorLike } from '../core.js'
import { narrow, reshape, transpose } from '../ops/shape.js'
import type { Tensor } from '../tensor.js'
import type { RecurrentWeights } from './recurrent.js'

/** Keras keeps recurrent kernels as [features, gates * units] and one bias; these give the form that the layers here take. */

/** LSTM: kernel [I, 4H], recurrent kernel [H, 4H], bias [4H]; the gates i, f, c, o stand as they are. Plain recurrence: 1 gate. */
export function fromKerasKernels(
  kernel: TensorLike,
  recurrentKernel: TensorLike,
  bias?: TensorLike | null,
): RecurrentWeights {
  return { weightIh: transpose(kernel), weightHh: transpose(recurrentKernel), biasIh: bias ?? null }
}

/** GRU: gates z, r, h become r, z, h; with `resetAfter` the bias [2, 3H] is that of the input and that of the state. */
export function fromKerasGru(
  kernel: TensorLike,
  recurrentKernel: TensorLike,
  bias?: TensorLike | null,
  options: { resetAfter?: boolean } = {},
): RecurrentWeights {
  const reordered = (rows: Tensor): Tensor => {
    const units = rows.shape[0] / 3
    const gates = [1, 0, 2].map((gate) => narrow(rows, 0, gate * units, units))
    return record('concatenate', gates, { dimension: 0 })
  }
  const weights = { weightIh: reordered(transpose(kernel)), weightHh: reordered(transpose(recurrentKernel)) }
  if (bias === null || bias === undefined) return weights
  const given = asTensor(bias)
  if (options.resetAfter === false || given.ndim === 1) return { ...weights, biasIh: reordered(given) }
  const row = (i: number): Tensor => reordered(reshape(narrow(given, 0, i, 1), [given.shape[1]]))
  return { ...weights, biasIh: row(0), biasHh: row(1) }
}
