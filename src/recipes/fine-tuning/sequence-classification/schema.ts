import { z } from 'zod'
import { hashSplitSchema } from '../../schema-base.js'
import { type Fault, filesOf, table, truncation, tuningBase } from '../schema.js'

export const PROBLEMS = ['single_label_classification', 'multi_label_classification', 'regression'] as const
/** What a head learns, by the names of `problem_type` in `config.json`. */
export type Problem = (typeof PROBLEMS)[number]

const file = z.strictObject({
  ...table,
  text: z.string().default('text'),
  /** Column of a second text that is read with the first. */
  textPair: z.string().optional(),
  label: z.string().default('label'),
})

/** Classes, or a value, of texts or pairs of them. */
export const sequenceClassificationSchema = z.strictObject({
  task: z.literal('sequence-classification'),
  ...tuningBase,
  problem: z.enum(PROBLEMS).default('single_label_classification'),
  data: z.strictObject({
    ...filesOf(file),
    split: hashSplitSchema.optional(),
    /** Names of the classes in their order; default: the values met, sorted. */
    labels: z.array(z.string()).optional(),
    /** Stands between the labels of a text, for several labels at once. */
    labelSeparator: z.string().min(1).default(','),
    dropEmpty: z.boolean().default(true),
  }),
  truncation,
  labelSmoothing: z.number().min(0).lt(1).default(0),
})

export type SequenceClassificationRecipe = z.infer<typeof sequenceClassificationSchema>

export function sequenceClassificationFaults(recipe: SequenceClassificationRecipe): Fault[] {
  const faults: Fault[] = []
  if (recipe.labelSmoothing > 0 && recipe.problem !== 'single_label_classification')
    faults.push(['labelSmoothing', `has no meaning for ${recipe.problem}`])
  if (recipe.problem === 'regression' && recipe.data.labels) faults.push(['data', 'regression has no labels to name'])
  return faults
}
