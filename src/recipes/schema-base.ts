/** Fields that recipes of all tasks share. */
import { z } from 'zod'

export const positive = z.int().positive()
export const fraction = z.number().gt(0).lt(1)

/** Says which kinds there are where a discriminator is wrong. */
export const oneOf =
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
  weightStorage: z.enum(['bf16', 'f16']).optional(),
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
export const hashSplitSchema = z.strictObject({
  by: z.literal('fnv1a'),
  buckets: positive.default(10),
  test: z.array(z.int().min(0)),
  validation: z.array(z.int().min(0)),
})

export const base = {
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
export const provenance = {
  name: z.string().optional(),
  origin: z.string().optional(),
  licence: z.string().optional(),
}
