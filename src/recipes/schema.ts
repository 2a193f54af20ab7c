import { z } from 'zod'

const positive = z.int().positive()
const fraction = z.number().gt(0).lt(1)

const scheduleSchema = z.discriminatedUnion('type', [
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
])

const optimizerSchema = z.strictObject({
  /** Keras' semantics; see docs for the differences from torch's. */
  name: z.enum(['sgd', 'adam', 'adamw', 'rmsprop']).default('adam'),
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

const callbackSchema = z.discriminatedUnion('type', [
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
])

/** Which hash buckets (FNV-1a-32 of the text's UTF-8 bytes modulo `buckets`) make test and validation; the rest trains. */
const hashSplitSchema = z.strictObject({
  by: z.literal('fnv1a'),
  buckets: positive.default(10),
  test: z.array(z.int().min(0)),
  validation: z.array(z.int().min(0)),
})

const layerSchema = z.looseObject({ type: z.string() })

const modelSchema = z.union([
  z.strictObject({ layers: z.array(layerSchema).min(1) }),
  z.looseObject({ architecture: z.string() }),
])

const base = {
  name: z.string().min(1),
  description: z.string().optional(),
  seed: z.int().min(0).default(0),
  model: modelSchema,
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

const idxSchema = z.strictObject({ images: z.string(), labels: z.string() })

const imageSchema = z.strictObject({
  task: z.literal('image-classification'),
  ...base,
  data: z.strictObject({
    train: idxSchema,
    test: idxSchema.optional(),
    /** The last part of the training images is held out. */
    validationFraction: fraction.default(0.1),
    labels: z.array(z.string()).optional(),
  }),
  labelSmoothing: z.number().min(0).lt(1).default(0),
})

const textFileSchema = z.strictObject({
  path: z.string(),
  format: z.enum(['csv', 'tsv', 'jsonl']).optional(),
  text: z.string().default('text'),
  label: z.string().default('label'),
})

const textSchema = z.strictObject({
  task: z.literal('text-classification'),
  ...base,
  data: z.strictObject({
    train: textFileSchema,
    validation: textFileSchema.optional(),
    test: textFileSchema.optional(),
    split: hashSplitSchema.optional(),
    /** Names of the classes by integer label; default: the values met, sorted. */
    labels: z.array(z.string()).optional(),
    dropEmpty: z.boolean().default(true),
  }),
  tokenizer: z
    .strictObject({
      type: z.literal('characters').default('characters'),
      minCount: positive.default(2),
      maxSize: positive.optional(),
      maxLength: positive.default(256),
      /** What is kept of longer texts: the start, or start and end in equal parts. */
      truncation: z.enum(['head', 'headAndTail']).default('headAndTail'),
    })
    .prefault({}),
  labelSmoothing: z.number().min(0).lt(1).default(0),
  /** Share of characters replaced by the unknown character while training. */
  characterDropout: z.number().min(0).lt(1).default(0),
})

const languageModelSchema = z.strictObject({
  task: z.literal('language-modeling'),
  ...base,
  data: z.strictObject({
    path: z.string(),
    /** The last part of the text is held out. */
    validationFraction: fraction.default(0.1),
  }),
  sequenceLength: positive.default(128),
})

export const recipeSchema = z.discriminatedUnion('task', [imageSchema, textSchema, languageModelSchema])

/** A training run as data. Parsed from JSON by {@link parseRecipe}. */
export type Recipe = z.infer<typeof recipeSchema>
export type ImageRecipe = Extract<Recipe, { task: 'image-classification' }>
export type TextRecipe = Extract<Recipe, { task: 'text-classification' }>
export type LanguageModelRecipe = Extract<Recipe, { task: 'language-modeling' }>
export type ModelSpec = Recipe['model']
export type OptimizerSpec = Recipe['optimizer']
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
