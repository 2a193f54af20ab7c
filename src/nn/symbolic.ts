import type { DType } from '../tensor/index.js'
import type { Layer } from './layer.js'

/** Extents of a tensor that may be unknown (null), usually the batch. */
export type PartialShape = readonly (number | null)[]

/** One use of a layer in a functional model; a layer used twice shares its weights. */
export interface LayerCall {
  readonly layer: Layer
  readonly inputs: readonly SymbolicTensor[]
  /** How many times the layer was used before. */
  readonly index: number
}

/** A tensor of a functional model under construction: a shape and where it comes from. */
export class SymbolicTensor {
  constructor(
    readonly shape: PartialShape,
    readonly dtype: DType,
    /** The use of a layer that makes it; null for a model input. */
    readonly source: LayerCall | null,
    /** Which of the outputs of that use it is. */
    readonly index = 0,
    readonly name?: string,
  ) {}

  /** The layer that makes it; null for a model input. */
  get layer(): Layer | null {
    return this.source?.layer ?? null
  }

  get inputs(): readonly SymbolicTensor[] {
    return this.source?.inputs ?? []
  }

  toString(): string {
    return `SymbolicTensor(${this.name ?? this.layer?.name ?? ''}: ${this.dtype}[${this.shape.map((n) => n ?? '?').join(', ')}])`
  }
}
