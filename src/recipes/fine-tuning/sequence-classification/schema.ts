import { z } from 'zod'
import { hashSplitSchema, positive } from '../../schema-base.js'
import { type Fault, filesOf, table, truncation, tuningBase } from '../schema.js'

export const PROBLEMS = ['single_label_classification', 'multi_label_classification', 'regression'] as const
/** What a head learns, by the names of `problem_type` in `config.json`. */
export type Problem = (typeof PROBLEMS)[number]

const file = z.strictObject({
  ...table,
  text: z.string().default('text'),
  /** Column of a second text that is read with the first. */
  textPair: z.string().optional(),
  /** Column of the label; or, for several labels at once, one column of 0 and 1 for each. */
  label: z.union([z.string(), z.array(z.string()).min(1)]).default('label'),
})

/** What a larger model that is trained already adds to the labels (Hinton et al. 2015). */
const distillation = z.strictObject({
  /** Folder or hub id of a model for the same classes, whose tokenizer gives the same tokens. */
  teacher: z.string().min(1),
  /** Logits are divided by this before they become the probabilities that are compared. */
  temperature: z.number().positive().default(2),
  /** Share of the teacher in the loss; the labels have the rest. */
  alpha: z.number().gt(0).max(1).default(0.5),
  /** Keeps only the first so many layers of the initial model. */
  layers: positive.optional(),
  /** Draws the states of tokens towards the teacher's, which needs states of one width. */
  hiddenStates: z
    .strictObject({
      weight: z.number().positive().default(1),
      /** Layers that are compared, of this model and of the teacher, 0 for the embeddings. Default: each, spread evenly. */
      layers: z
        .array(z.tuple([z.int().min(0), z.int().min(0)]))
        .min(1)
        .optional(),
    })
    .optional(),
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
  distillation: distillation.optional(),
})

export type SequenceClassificationRecipe = z.infer<typeof sequenceClassificationSchema>
export type DistillationSpec = NonNullable<SequenceClassificationRecipe['distillation']>

export function sequenceClassificationFaults(recipe: SequenceClassificationRecipe): Fault[] {
  const faults: Fault[] = []
  if (recipe.labelSmoothing > 0 && recipe.problem !== 'single_label_classification')
    faults.push(['labelSmoothing', `has no meaning for ${recipe.problem}`])
  if (recipe.problem === 'regression' && recipe.data.labels) faults.push(['data', 'regression has no labels to name'])
  const { train, validation, test } = recipe.data
  for (const [part, given] of Object.entries({ train, validation, test })) {
    if (!Array.isArray(given?.label)) continue
    if (recipe.problem !== 'multi_label_classification')
      faults.push(['data', `${part}.label: columns of labels are for multi_label_classification`])
    if (recipe.data.labels) faults.push(['data', `labels: columns name them already; leave it out`])
  }
  return faults
}
