import type { ModelConfig } from '../models/index.js'
import type { Model } from '../nn/index.js'
import type { CharVocab } from '../text/char-vocab.js'
import type { EpochSource } from '../train/index.js'

export const PARTS = ['train', 'validation', 'test'] as const
export type Part = (typeof PARTS)[number]

/** A recipe with its data read and its model made: what is left is training. */
export interface Job {
  readonly model: Model
  /** What `config.json` will hold. */
  readonly config: ModelConfig
  readonly vocab: CharVocab | null
  readonly train: EpochSource
  /** Parts in their order, for evaluation; null where a recipe has none. */
  readonly parts: Readonly<Record<Part, EpochSource | null>>
  /** Examples of each part. */
  readonly sizes: Readonly<Record<Part, number>>
  /** What examples are called. */
  readonly unit: 'images' | 'texts' | 'characters'
  /** Remarks on the data, such as rows that were left out. */
  readonly remarks: readonly string[]
}
