import { z } from 'zod'
import { TRUNCATIONS } from '../text/char-tokenizer.js'
import {
  FINE_TUNING_SCHEMAS,
  FINE_TUNING_TASKS,
  type FineTuningRecipe,
  fineTuningFaults,
  isFineTuning,
} from './fine-tuning/schemas.js'
import { modelSpec } from './model-spec.js'
import { pretrainingFaults, pretrainingSchema } from './pretraining/schema.js'
import { RecipeError } from './recipe-error.js'
import { base, fraction, hashSplitSchema, oneOf, positive, provenance } from './schema-base.js'

const idxSchema = z.strictObject({ images: z.string(), labels: z.string() })

const imageSchema = z.strictObject({
  task: z.literal('image-classification'),
  ...base,
  model: modelSpec(null).optional(),
  data: z.strictObject({
    ...provenance,
    train: idxSchema,
    test: idxSchema.optional(),
    /** The last part of the training images is held out. */
    validationFraction: fraction.default(0.1),
    labels: z.array(z.string()).optional(),
  }),
  /** Changes to training images, other ones each epoch. */
  augment: z
    .strictObject({
      /** Mirrors half of the images. */
      flip: z.boolean().default(false),
      /** Moves images by up to so many pixels each way. */
      shift: z.int().min(0).max(64).default(0),
    })
    .prefault({}),
  labelSmoothing: z.number().min(0).lt(1).default(0),
})

const textFileSchema = z.strictObject({
  path: z.string(),
  format: z.enum(['csv', 'tsv', 'jsonl']).optional(),
  text: z.string().default('text'),
  label: z.string().default('label'),
})

const tokenizerSchema = z.strictObject({
  type: z.literal('characters').default('characters'),
  /** Rarer characters are unknown. */
  minCount: positive.default(2),
  maxSize: z.int().min(3).optional(),
  maxLength: positive.default(256),
  /** What happens to longer texts: an error, or the start is kept, or start and end in equal parts. */
  truncation: z.enum(TRUNCATIONS).default('headAndTail'),
})

const textSchema = z.strictObject({
  task: z.literal('text-classification'),
  ...base,
  model: modelSpec('text-classification').optional(),
  data: z.strictObject({
    ...provenance,
    train: textFileSchema,
    validation: textFileSchema.optional(),
    test: textFileSchema.optional(),
    split: hashSplitSchema.optional(),
    /** Names of the classes by integer label; default: the values met, sorted. */
    labels: z.array(z.string()).optional(),
    dropEmpty: z.boolean().default(true),
  }),
  /** Left out with `initialModel`, whose tokenizer is used. */
  tokenizer: tokenizerSchema.optional(),
  labelSmoothing: z.number().min(0).lt(1).default(0),
  /** Share of characters replaced by the unknown character while training. */
  characterDropout: z.number().min(0).lt(1).default(0),
})

const languageModelSchema = z.strictObject({
  task: z.literal('language-modeling'),
  ...base,
  model: modelSpec('language-modeling').optional(),
  data: z.strictObject({
    ...provenance,
    path: z.string(),
    /** The last part of the text is held out. */
    validationFraction: fraction.default(0.1),
  }),
  sequenceLength: positive.default(128),
})

const OWN_TASKS = ['image-classification', 'text-classification', 'language-modeling']

export const recipeSchema = z
  .discriminatedUnion(
    'task',
    [imageSchema, textSchema, languageModelSchema, pretrainingSchema, ...FINE_TUNING_SCHEMAS],
    {
      error: oneOf('task', [...OWN_TASKS, 'masked-lm', ...Object.keys(FINE_TUNING_TASKS)]),
    },
  )
  .superRefine((recipe, context) => {
    const fault = (path: string, message: string): void => {
      context.issues.push({ code: 'custom', message, path: [path], input: recipe })
    }
    const { model, initialModel } = recipe
    if (recipe.task === 'masked-lm') for (const [field, message] of pretrainingFaults(recipe)) fault(field, message)
    else if ((model === undefined) === (initialModel === undefined))
      fault('model', 'expected either model or initialModel')
    for (const [i, spec] of recipe.callbacks.entries()) {
      if (spec.type === 'reduceLROnPlateau' && recipe.optimizer.schedule.type !== 'constant')
        fault(`callbacks.${i}`, 'reduceLROnPlateau needs a constant schedule')
      const averages = 'useEma' in recipe.optimizer && recipe.optimizer.useEma
      if (spec.type === 'earlyStopping' && spec.restoreBestWeights && averages)
        fault(`callbacks.${i}`, 'restoreBestWeights and useEma exclude each other: set one of them to false')
    }
    if (isFineTuning(recipe)) for (const [field, message] of fineTuningFaults(recipe)) fault(field, message)
    if (recipe.task === 'text-classification' && initialModel && recipe.tokenizer)
      fault('tokenizer', 'initialModel brings its own; leave this out')
    if ('split' in recipe.data) for (const message of splitFaults(recipe.data)) fault('data', message)
  })

interface SplitData {
  readonly split?: z.infer<typeof hashSplitSchema>
  readonly test?: object
  readonly validation?: object
}

/** What is wrong with how texts are split. */
function splitFaults({ split, ...files }: SplitData): string[] {
  if (!split) return []
  const faults = (['test', 'validation'] as const).flatMap((part) => [
    ...(split[part].some((bucket) => bucket >= split.buckets)
      ? [`split.${part} holds a bucket past ${split.buckets - 1}`]
      : []),
    ...(split[part].length > 0 && files[part] ? [`both split and a file give the ${part} part`] : []),
  ])
  const twice = split.test.find((bucket) => split.validation.includes(bucket))
  return twice === undefined ? faults : [...faults, `bucket ${twice} is in both test and validation`]
}

/** A training run as data. Parsed from JSON by {@link parseRecipe}. */
export type Recipe = z.infer<typeof recipeSchema>
export type ImageRecipe = Extract<Recipe, { task: 'image-classification' }>
export type TextRecipe = Extract<Recipe, { task: 'text-classification' }>
export type LanguageModelRecipe = Extract<Recipe, { task: 'language-modeling' }>
/** Pre-training of a published model, fresh or from a checkpoint. */
export type PretrainingRecipe = Extract<Recipe, { task: 'masked-lm' }>
/** Recipes whose models are this package's own. */
export type OwnRecipe = Exclude<Recipe, FineTuningRecipe | PretrainingRecipe>
export type HashSplit = z.infer<typeof hashSplitSchema>
export type TokenizerSpec = z.infer<typeof tokenizerSchema>
export type { ModelSpec } from './model-spec.js'
export type OptimizerSpec = OwnRecipe['optimizer']
export type CallbackSpec = Recipe['callbacks'][number]

export { RecipeError } from './recipe-error.js'

/** @throws RecipeError listing every fault. */
export function parseRecipe(json: unknown, source: string): Recipe {
  const parsed = recipeSchema.safeParse(json)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'recipe'}: ${issue.message}`)
  throw new RecipeError(`${source}: ${faults.join('; ')}`)
}
