import type { DType } from '../tensor/index.js'
import type { Layer } from './layer.js'

/** A tensor of a functional model under construction: a shape (null = any extent, usually the batch) and where it comes from. */
export class SymbolicTensor {
  constructor(
    readonly shape: readonly (number | null)[],
    readonly dtype: DType,
    /** The layer that makes it; null for a model input. */
    readonly layer: Layer | null,
    readonly inputs: readonly SymbolicTensor[],
    readonly name?: string,
  ) {}
}
