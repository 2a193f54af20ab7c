import type { Model } from '../nn/index.js'
import type { Optimizer } from '../optim/index.js'
import type { Callback, CompileOptions, EpochSource } from '../train/index.js'

export const PARTS = ['train', 'validation', 'test'] as const
export type Part = (typeof PARTS)[number]

/** How a model is written to disk, and what its card says of it. */
export interface ModelForm {
  readonly modelType: string
  /** How much of texts it knows, as in '2,000 characters known'; null for models of images. */
  readonly knows: string | null
  /** What it cannot do, in sentences. */
  readonly limits: readonly string[]
  /** Writes all that a new process needs to use it. */
  write(folder: string): Promise<void>
}

/** A recipe with its data read and its model made: what is left is training. */
export interface Job {
  readonly model: Model
  readonly form: ModelForm
  readonly objective: Required<Pick<CompileOptions, 'loss' | 'metrics'>>
  /** Names under which metrics are logged. */
  readonly metricNames: readonly string[]
  /** Acts while this model is trained, besides the recipe's own. */
  readonly callbacks: readonly Callback[]
  /** The optimizer for a run of so many steps. */
  optimizer(steps: number): Optimizer
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
