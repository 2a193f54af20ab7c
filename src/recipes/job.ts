import type { Model } from '../nn/index.js'
import type { Optimizer } from '../optim/index.js'
import type { Callback, CompileOptions, EpochSource, Logs } from '../train/index.js'
import type { Trainer } from '../train/trainer.js'

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

/** Scores that are made of all predictions of a part on the host, such as an F1 of entities. */
export interface Evaluation {
  /** Names of the scores, beside the loss. */
  readonly names: readonly string[]
  /** Loss and scores of a part. */
  run(trainer: Trainer, part: Part, signal?: AbortSignal): Promise<Logs>
}

/** A recipe with its data read and its model made: what is left is training. */
export interface Job {
  readonly model: Model
  readonly form: ModelForm
  readonly objective: Required<Pick<CompileOptions, 'loss' | 'metrics'>>
  /** Names under which metrics are logged. */
  readonly metricNames: readonly string[]
  /** In place of the compiled metrics alone, for the parts that are not trained on. */
  readonly evaluation?: Evaluation
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
  readonly unit: 'images' | 'texts' | 'characters' | 'sentences' | 'questions' | 'rows'
  /** Remarks on the data, such as rows that were left out. */
  readonly remarks: readonly string[]
}
