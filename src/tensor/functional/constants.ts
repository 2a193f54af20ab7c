import { type DType, isFloat } from '../../ir/index.js'
import type { Tensor } from '../tensor.js'

const LEAST: { readonly [D in DType]?: number } = { i8: -128, i16: -32768, i32: -2147483648, i64: -(2 ** 63) }

/** The least value of a dtype: what a maximum starts from. */
export const leastOf = (dtype: DType): number => (isFloat(dtype) ? Number.NEGATIVE_INFINITY : (LEAST[dtype] ?? 0))

/** Distance from 1 to the next number: torch's `finfo(dtype).eps`. */
export const EPSILON: { readonly [D in DType]?: number } = {
  f64: 2 ** -52,
  f32: 2 ** -23,
  f16: 2 ** -10,
  bf16: 2 ** -7,
}

/** The tensors that are there. */
export const present = (...tensors: readonly (Tensor | null | undefined)[]): Tensor[] =>
  tensors.filter((tensor): tensor is Tensor => tensor !== null && tensor !== undefined)
