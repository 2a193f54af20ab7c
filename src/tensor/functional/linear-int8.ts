/**
 * Products with weights in 8 bits and activations brought to 7 bits as they come ("dynamic quantisation"): weights symmetric with one scale
 * for each output, activations with a scale and a zero point for each row, so that the answer for a text does not depend on its batch.
 * Seven bits let processors multiply and add pairs of bytes without saturation, so that sums are exact everywhere.
 */
import { shapeText } from '../../ir/index.js'
import { composite } from '../control.js'
import { asTensor, constant, record, type TensorLike } from '../core.js'
import { abs, add, eq, lt, maximum, minimum, mul, neg, sub, trueDivide, where } from '../ops/elementwise.js'
import { defineGradient } from '../ops/gradient-rule.js'
import { linear, matmul } from '../ops/matmul.js'
import { amax, amin, sum } from '../ops/reduce.js'
import { reshape } from '../ops/shape.js'
import { cast } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { present } from './constants.js'

/** Longest sum of products of 8-bit integers that fits 32 bits. */
const MOST_INPUTS = 131_072

/** The largest quantised magnitude, and the steps of an activation's range: -128 stays unused. */
const LARGEST = 127

export interface QuantizedRows {
  /** i8, in [-127, 127]. */
  readonly values: Tensor
  /** f32 [..., 1]: a row is `values * scales`. Not finite where the row holds NaN or infinities, whose values are then 0. */
  readonly scales: Tensor
}

const number = (value: number): Tensor => constant(value, 'f32')
const round = (x: Tensor): Tensor => record('round_nearest_even', [x], {})

/** x * LARGEST / range in whole numbers, ties to even, where that is finite; else 0. */
function whole(x: Tensor, range: Tensor): Tensor {
  const inverse = trueDivide(number(LARGEST), range)
  const scaled = mul(x, where(lt(inverse, number(Number.POSITIVE_INFINITY)), inverse, number(0)))
  // Infinity times 0 is NaN.
  return round(where(eq(scaled, scaled), scaled, number(0)))
}

/** Rows [..., n] of a weight as 8-bit integers with a scale each: the largest magnitude becomes 127, halves round to even. */
export function quantizeRows(like: TensorLike): QuantizedRows {
  const x = cast(asTensor(like), 'f32')
  const top = amax(abs(x), -1, { keepdim: true })
  return { values: cast(whole(x, top), 'i8'), scales: trueDivide(top, number(LARGEST)) }
}

/** Rows of activations: the range from the least to the largest value (and 0) in 127 steps, counted from the step that stands for 0. */
function quantizeActivations(x: Tensor): QuantizedRows {
  const low = minimum(amin(x, -1, { keepdim: true }), number(0))
  const range = sub(maximum(amax(x, -1, { keepdim: true }), number(0)), low)
  const most = sub(number(LARGEST), whole(neg(low), range))
  return { values: cast(minimum(whole(x, range), most), 'i8'), scales: trueDivide(range, number(LARGEST)) }
}

const body = ([x, weight, scale, bias]: Tensor[]): Tensor[] => {
  const { values, scales } = quantizeActivations(x)
  const sums = linear(cast(values, 'i32'), cast(weight, 'i32'))
  const y = mul(mul(cast(sums, 'f32'), scales), scale)
  return [bias ? add(y, bias) : y]
}

/** The gradient passes straight through the rounding: that of a product with the weight which the integers stand for. */
defineGradient('linear_int8', ([ct], { inputs: [x, weight, scale, bias], needs }) => {
  if (!ct) return [null, null, null, null].slice(0, bias ? 4 : 3)
  const rows = (t: Tensor): Tensor => reshape(t, [-1, t.shape[t.ndim - 1]])
  const values = cast(weight, 'f32')
  const dx = needs[0] ? matmul(mul(ct, scale), values) : null
  const dscale = needs[2] ? sum(mul(rows(ct), rows(linear(x, values))), 0) : null
  return bias ? [dx, null, dscale, needs[3] ? sum(rows(ct), 0) : null] : [dx, null, dscale]
})

/**
 * x @ weight^T + bias with the rows of x quantised on the way: x [..., in] of floats, weight i8 [out, in], scales f32 [out] or [out, 1]
 * (what {@link quantizeRows} gives for a weight), bias [out]. The result has the dtype of x. Sums are exact; the result is
 * `(sum * scale of the row) * scale of the output + bias` in f32, the same bits on every backend.
 * @throws RangeError where shapes do not fit, TypeError where the weight is not i8
 */
export function linearInt8(
  like: TensorLike,
  weightLike: TensorLike,
  scalesLike: TensorLike,
  biasLike?: TensorLike | null,
): Tensor {
  const [x, weight] = [asTensor(like), asTensor(weightLike)]
  if (weight.dtype !== 'i8') throw new TypeError(`linearInt8: the weight must be i8, got ${weight.dtype}`)
  const [outputs, inputs] = weight.shape
  if (weight.ndim !== 2 || x.ndim === 0 || x.shape[x.ndim - 1] !== inputs)
    throw new RangeError(
      `linearInt8: x ${shapeText(x.shape)} must end in the inputs of weight ${shapeText(weight.shape)} [outputs, inputs]`,
    )
  if (inputs < 1 || inputs > MOST_INPUTS)
    throw new RangeError(`linearInt8: from 1 to ${MOST_INPUTS} inputs add up in 32 bits, got ${inputs}`)
  const scales = reshape(cast(scalesLike, 'f32'), [outputs])
  const bias = biasLike === null || biasLike === undefined ? null : cast(biasLike, 'f32')
  const [y] = composite('linear_int8', { bias: bias !== null }, present(cast(x, 'f32'), weight, scales, bias), body)
  return cast(y, x.dtype)
}
