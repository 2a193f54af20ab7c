import type { z } from 'zod'
import type { Model } from '../nn/index.js'

/** What the data decides of a model. */
export interface ModelSizes {
  readonly vocabSize: number
  /** Classes; 0 for models that predict characters. */
  readonly numLabels: number
}

export type TextTask = 'text-classification' | 'language-modeling'

/** A model known by name: what a recipe may set, and how it is made. */
export interface Architecture<O> {
  readonly task: TextTask
  /** Settings in a recipe's spelling; in `config.json` the same names stand in snake_case. */
  readonly options: z.ZodType<O>
  build(options: O, sizes: ModelSizes): Model
}

export const architecture = <O>(definition: Architecture<O>): Architecture<O> => definition
