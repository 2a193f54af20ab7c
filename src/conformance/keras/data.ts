import { type DType, sizeOf } from '../../ir/index.js'
import { type NestedArray, type Tensor, tensor } from '../../tensor/index.js'
import type { Tolerance, Values } from '../compare.js'
import { fromJson } from '../ops/values.js'

/** Values and gradients of single layers, losses and metrics. */
export const VALUES: Tolerance = { atol: 1e-5, rtol: 1e-4 }
/** What training gave: the history, and the weights after it. */
export const TRAINED: Tolerance = { atol: 2e-4, rtol: 1e-3 }

const isWhole = (data: NestedArray<number>): boolean =>
  Array.isArray(data) ? data.every(isWhole) : Number.isInteger(data)

/** Nested lists of a JSON file; a plain list of whole numbers is class indices. */
export function tensorOf(data: unknown): Tensor {
  const nested = fromJson(data) as NestedArray<number>
  const labels = Array.isArray(nested) && !Array.isArray(nested[0]) && isWhole(nested)
  return tensor(nested, { dtype: labels ? 'i32' : 'f32' })
}

/** Nested lists of a JSON file as expected values. */
export function valuesOfJson(data: unknown, shape?: readonly number[], dtype: DType = 'f32'): Values {
  const flat = [fromJson(data)].flat(Number.POSITIVE_INFINITY as 8) as number[]
  return { dtype, shape: shape ?? (Array.isArray(data) ? [flat.length] : []), data: flat }
}

/** Values under another shape with as many elements. */
export const reshaped = (values: Values, shape: readonly number[]): Values =>
  sizeOf(shape) === values.data.length ? { ...values, shape } : values
