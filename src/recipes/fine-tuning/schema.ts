import { z } from 'zod'
import { base, type hashSplitSchema, positive, provenance } from '../schema-base.js'

/** AdamW as fine-tuning uses it: warm-up, then a linear fall to 0; biases and norms do not decay. */
export const fineTuningOptimizer = z.strictObject({
  name: z.literal('adamw').default('adamw'),
  learningRate: z.number().positive().default(2e-5),
  weightDecay: z.number().min(0).default(0.01),
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.999),
  epsilon: z.number().positive().default(1e-8),
  maxGradNorm: z.number().positive().default(1),
  schedule: z
    .strictObject({
      type: z.enum(['linear', 'cosine', 'constant']).default('linear'),
      /** Part of the updates in which the rate rises from 0. */
      warmupRatio: z.number().min(0).lt(1).default(0.1),
      finalFactor: z.number().min(0).max(1).default(0),
    })
    .prefault({}),
  /** Each layer's rate is this times that of the layer above it. */
  layerDecay: z.number().gt(0).max(1).default(1),
  gradientAccumulationSteps: positive.default(1),
  weightStorage: z.enum(['bf16', 'f16']).optional(),
})

/** Fields of every recipe that fine-tunes a published checkpoint and writes one. */
export const tuningBase = {
  ...base,
  /** Folder or hub id of the checkpoint. */
  initialModel: z.string().min(1),
  model: z.undefined({ error: 'a published checkpoint is fine-tuned: name it as initialModel' }).optional(),
  optimizer: fineTuningOptimizer.prefault({}),
  epochs: positive.default(3),
  batchSize: positive.default(16),
  /** Fields of the checkpoint's `config.json` to change, such as rates of dropout. */
  config: z.record(z.string(), z.unknown()).optional(),
  /** Tokens of an example at most; default: what the model reads. */
  maxLength: positive.optional(),
  /** Batches are padded to the longest of their texts, rounded up to a multiple of this: texts share batches by that length. */
  padToMultipleOf: positive.default(16),
  /** At the end the weights of the epoch that was best by this value are kept, such as `val_accuracy` or `val_loss`. */
  keepBest: z.string().optional(),
}

/** Cuts longer texts instead of refusing them. */
export const truncation = z.boolean().default(false)

/** The parts of the data as files of one kind, and where they come from. */
export const filesOf = <F extends z.ZodType>(file: F) => ({
  ...provenance,
  train: file,
  validation: file.optional(),
  test: file.optional(),
})

/** Fields of a file of rows with named columns. */
export const table = {
  path: z.string(),
  format: z.enum(['csv', 'tsv', 'jsonl']).optional(),
  /** Names of the columns of a CSV or TSV file whose first line does not name them. */
  header: z.array(z.string()).min(1).optional(),
}

export type FineTuningOptimizerSpec = z.infer<typeof fineTuningOptimizer>
export type HashSplit = z.infer<typeof hashSplitSchema>

/** What all recipes of fine-tuning have in common. */
export type TuningRecipe = z.infer<z.ZodObject<typeof tuningBase>> & { readonly task: string }

/** A fault of a recipe: the field and what is wrong with it. */
export type Fault = readonly [field: string, message: string]
