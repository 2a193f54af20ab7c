import { z } from 'zod'

const positive = z.int().positive()

export const PROBLEMS = ['single_label_classification', 'multi_label_classification', 'regression'] as const
/** What a head learns, by the names of `problem_type` in `config.json`. */
export type Problem = (typeof PROBLEMS)[number]

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
})

const file = z.strictObject({
  path: z.string(),
  format: z.enum(['csv', 'tsv', 'jsonl']).optional(),
  text: z.string().default('text'),
  /** Column of a second text that is read with the first. */
  textPair: z.string().optional(),
  label: z.string().default('label'),
})

/** Fields of the data of fine-tuning, beside where it comes from and how it is split. */
export const fineTuningData = {
  train: file,
  validation: file.optional(),
  test: file.optional(),
  /** Names of the classes in their order; default: the values met, sorted. */
  labels: z.array(z.string()).optional(),
  /** Stands between the labels of a text, for several labels at once. */
  labelSeparator: z.string().min(1).default(','),
  dropEmpty: z.boolean().default(true),
}

/** Fields of the recipe beside the common ones. */
export const fineTuningFields = {
  problem: z.enum(PROBLEMS).default('single_label_classification'),
  /** Tokens of a text at most; default: what the model reads. */
  maxLength: positive.optional(),
  /** Cuts longer texts instead of refusing them. */
  truncation: z.boolean().default(false),
  labelSmoothing: z.number().min(0).lt(1).default(0),
  /** At the end the weights of the epoch that was best by this value are kept, such as `val_accuracy` or `val_loss`. */
  keepBest: z.string().optional(),
}

export type FineTuningOptimizerSpec = z.infer<typeof fineTuningOptimizer>
