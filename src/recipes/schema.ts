import { z } from 'zod'
import { TRUNCATIONS } from '../text/char-tokenizer.js'
import { fineTuningData, fineTuningFields, fineTuningOptimizer } from './fine-tuning/schema.js'
import { modelSpec } from './model-spec.js'

const positive = z.int().positive()
const fraction = z.number().gt(0).lt(1)

/** Says which kinds there are where a discriminator is wrong. */
const oneOf =
  (what: string, kinds: readonly string[]) =>
  (issue: { readonly input?: unknown }): string => {
    const given = (issue.input as Record<string, unknown> | null | undefined)?.[what]
    return `expected ${kinds.join(', ')}, got ${JSON.stringify(given) ?? 'nothing'}`
  }

const scheduleSchema = z.discriminatedUnion(
  'type',
  [
    z.strictObject({ type: z.literal('constant') }),
    z.strictObject({
      type: z.literal('cosine'),
      warmupSteps: z.int().min(0).default(0),
      finalFactor: z.number().min(0).max(1).default(0),
    }),
    z.strictObject({
      type: z.literal('linear'),
      warmupSteps: z.int().min(0).default(0),
      finalFactor: z.number().min(0).max(1).default(0),
    }),
  ],
  { error: oneOf('type', ['constant', 'cosine', 'linear']) },
)

const optimizerSchema = z.strictObject({
  /** Keras' semantics; see docs for the differences from torch's. */
  name: z
    .enum([
      'sgd',
      'adam',
      'adamw',
      'rmsprop',
      'adagrad',
      'adadelta',
      'adamax',
      'nadam',
      'ftrl',
      'lion',
      'lamb',
      'adafactor',
      'muon',
    ])
    .default('adam'),
  learningRate: z.number().positive().default(1e-3),
  schedule: scheduleSchema.default({ type: 'constant' }),
  weightDecay: z.number().min(0).optional(),
  momentum: z.number().min(0).max(1).optional(),
  nesterov: z.boolean().optional(),
  beta1: z.number().min(0).lt(1).optional(),
  beta2: z.number().min(0).lt(1).optional(),
  epsilon: z.number().positive().optional(),
  maxGradNorm: z.number().positive().optional(),
  useEma: z.boolean().optional(),
  emaMomentum: z.number().min(0).lt(1).optional(),
  gradientAccumulationSteps: positive.optional(),
})

const callbackSchema = z.discriminatedUnion(
  'type',
  [
    z.strictObject({
      type: z.literal('earlyStopping'),
      monitor: z.string().default('val_loss'),
      patience: z.int().min(0).default(3),
      minDelta: z.number().min(0).default(0),
      restoreBestWeights: z.boolean().default(true),
    }),
    z.strictObject({
      type: z.literal('reduceLROnPlateau'),
      monitor: z.string().default('val_loss'),
      factor: z.number().gt(0).lt(1).default(0.5),
      patience: z.int().min(0).default(2),
      minLr: z.number().min(0).default(0),
    }),
    z.strictObject({ type: z.literal('terminateOnNaN') }),
    z.strictObject({ type: z.literal('csvLogger'), file: z.string().default('log.csv') }),
    z.strictObject({ type: z.literal('tensorBoard'), dir: z.string().default('tensorboard') }),
  ],
  { error: oneOf('type', ['earlyStopping', 'reduceLROnPlateau', 'terminateOnNaN', 'csvLogger', 'tensorBoard']) },
)

/** Which hash buckets (FNV-1a-32 of the text's UTF-8 bytes modulo `buckets`) make test and validation; the rest trains. */
const hashSplitSchema = z.strictObject({
  by: z.literal('fnv1a'),
  buckets: positive.default(10),
  test: z.array(z.int().min(0)),
  validation: z.array(z.int().min(0)),
})

const base = {
  name: z.string().min(1),
  description: z.string().optional(),
  seed: z.int().min(0).default(0),
  /** Goes on from a trained model, a folder or the name of an embedded one: its architecture, vocabulary and classes are kept. */
  initialModel: z.string().min(1).optional(),
  optimizer: optimizerSchema.prefault({}),
  epochs: positive,
  batchSize: positive.default(32),
  callbacks: z.array(callbackSchema).default([]),
  /** Folder for the model, checkpoints, log and curve, relative to the present directory. */
  output: z.string().min(1),
  /** Save a training checkpoint every so many epochs; 0 = never. */
  checkpointEveryEpochs: z.int().min(0).default(1),
  checkpointEveryBatches: z.int().min(0).default(0),
}

/** Where the data comes from: said when a file is missing, and in the model card. */
const provenance = {
  name: z.string().optional(),
  origin: z.string().optional(),
  licence: z.string().optional(),
}

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

/** Fine-tunes a published checkpoint, and writes one. */
const fineTuningSchema = z.strictObject({
  task: z.literal('sequence-classification'),
  ...base,
  /** Folder or hub id of the checkpoint. */
  initialModel: z.string().min(1),
  model: z.undefined({ error: 'a published checkpoint is fine-tuned: name it as initialModel' }).optional(),
  optimizer: fineTuningOptimizer.prefault({}),
  epochs: positive.default(3),
  batchSize: positive.default(16),
  data: z.strictObject({ ...provenance, ...fineTuningData, split: hashSplitSchema.optional() }),
  ...fineTuningFields,
})

const TASKS = ['image-classification', 'text-classification', 'language-modeling', 'sequence-classification']

export const recipeSchema = z
  .discriminatedUnion('task', [imageSchema, textSchema, languageModelSchema, fineTuningSchema], {
    error: oneOf('task', TASKS),
  })
  .superRefine((recipe, context) => {
    const fault = (path: string, message: string): void => {
      context.issues.push({ code: 'custom', message, path: [path], input: recipe })
    }
    const { model, initialModel } = recipe
    if ((model === undefined) === (initialModel === undefined)) fault('model', 'expected either model or initialModel')
    for (const [i, spec] of recipe.callbacks.entries()) {
      if (spec.type === 'reduceLROnPlateau' && recipe.optimizer.schedule.type !== 'constant')
        fault(`callbacks.${i}`, 'reduceLROnPlateau needs a constant schedule')
      const averages = 'useEma' in recipe.optimizer && recipe.optimizer.useEma
      if (spec.type === 'earlyStopping' && spec.restoreBestWeights && averages)
        fault(`callbacks.${i}`, 'restoreBestWeights and useEma exclude each other: set one of them to false')
    }
    if (recipe.task === 'sequence-classification') {
      if (recipe.labelSmoothing > 0 && recipe.problem !== 'single_label_classification')
        fault('labelSmoothing', `has no meaning for ${recipe.problem}`)
      if (recipe.problem === 'regression' && recipe.data.labels) fault('data', 'regression has no labels to name')
      const stops = recipe.callbacks.some((spec) => spec.type === 'earlyStopping' && spec.restoreBestWeights)
      if (recipe.keepBest !== undefined && stops)
        fault('keepBest', 'earlyStopping keeps the best weights already: leave one of them out')
    }
    if (recipe.task !== 'text-classification' && recipe.task !== 'sequence-classification') return
    if (recipe.task === 'text-classification' && initialModel && recipe.tokenizer)
      fault('tokenizer', 'initialModel brings its own; leave this out')
    for (const message of splitFaults(recipe.data)) fault('data', message)
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
/** Fine-tuning of a published checkpoint. */
export type FineTuningRecipe = Extract<Recipe, { task: 'sequence-classification' }>
/** Recipes whose models are this package's own. */
export type OwnRecipe = Exclude<Recipe, FineTuningRecipe>
export type HashSplit = z.infer<typeof hashSplitSchema>
export type TokenizerSpec = z.infer<typeof tokenizerSchema>
export type { ModelSpec } from './model-spec.js'
export type OptimizerSpec = OwnRecipe['optimizer']
export type CallbackSpec = Recipe['callbacks'][number]

/** A recipe that does not say what it should: the path of each fault and what was expected. */
export class RecipeError extends Error {
  override name = 'RecipeError'
}

/** @throws RecipeError listing every fault. */
export function parseRecipe(json: unknown, source: string): Recipe {
  const parsed = recipeSchema.safeParse(json)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'recipe'}: ${issue.message}`)
  throw new RecipeError(`${source}: ${faults.join('; ')}`)
}
