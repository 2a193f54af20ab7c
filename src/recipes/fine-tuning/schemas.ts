/** Every task of fine-tuning: the form of its recipes, what may be wrong with one, and how what comes out is used. */
import type { z } from 'zod'
import { questionAnsweringFaults, questionAnsweringSchema } from './question-answering/schema.js'
import type { Fault } from './schema.js'
import { sentenceEmbeddingFaults, sentenceEmbeddingSchema } from './sentence-embedding/schema.js'
import { sequenceClassificationFaults, sequenceClassificationSchema } from './sequence-classification/schema.js'
import { tokenClassificationSchema } from './token-classification/schema.js'

export const FINE_TUNING_SCHEMAS = [
  sequenceClassificationSchema,
  tokenClassificationSchema,
  questionAnsweringSchema,
  sentenceEmbeddingSchema,
] as const

/** Fine-tuning of a published checkpoint. */
export type FineTuningRecipe = z.infer<(typeof FINE_TUNING_SCHEMAS)[number]>
export type FineTuningTask = FineTuningRecipe['task']
type RecipeFor<T extends FineTuningTask> = Extract<FineTuningRecipe, { task: T }>

interface TaskFacts<T extends FineTuningTask> {
  /** The task of `kaimo run`, and the tag of the model card. */
  readonly runs: string
  /** What follows `kaimo run TASK --model FOLDER`. */
  readonly input: string
  readonly faults?: (recipe: RecipeFor<T>) => readonly Fault[]
}

export const FINE_TUNING_TASKS: { readonly [T in FineTuningTask]: TaskFacts<T> } = {
  'sequence-classification': {
    runs: 'text-classification',
    input: "'a text'",
    faults: sequenceClassificationFaults,
  },
  'sentence-embedding': {
    runs: 'sentence-similarity',
    input: "--source 'a text' 'another text'",
    faults: sentenceEmbeddingFaults,
  },
  'question-answering': {
    runs: 'question-answering',
    input: "--question 'a question' 'a text'",
    faults: questionAnsweringFaults,
  },
  'token-classification': { runs: 'token-classification', input: "'a text'" },
}

export const isFineTuningTask = (task: string): task is FineTuningTask => Object.hasOwn(FINE_TUNING_TASKS, task)

export const isFineTuning = (recipe: { readonly task: string }): recipe is FineTuningRecipe =>
  isFineTuningTask(recipe.task)

/** What is wrong with a recipe beyond its form. */
export function fineTuningFaults(recipe: FineTuningRecipe): Fault[] {
  const { faults } = FINE_TUNING_TASKS[recipe.task] as TaskFacts<FineTuningTask>
  const stops = recipe.callbacks.some((spec) => spec.type === 'earlyStopping' && spec.restoreBestWeights)
  return [
    ...(recipe.keepBest !== undefined && stops
      ? [['keepBest', 'earlyStopping keeps the best weights already: leave one of them out'] as const]
      : []),
    ...(faults?.(recipe) ?? []),
  ]
}
