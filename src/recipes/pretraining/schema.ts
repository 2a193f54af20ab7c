import { z } from 'zod'
import { type Fault, fineTuningOptimizer } from '../fine-tuning/schema.js'
import { base, hashSplitSchema, positive, provenance } from '../schema-base.js'

/** AdamW as pre-training uses it: a higher rate, a shorter memory of squares (Liu et al. 2019). */
const pretrainingOptimizer = fineTuningOptimizer.extend({
  learningRate: z.number().positive().default(5e-4),
  beta2: z.number().min(0).lt(1).default(0.98),
  epsilon: z.number().positive().default(1e-6),
})

const file = z.strictObject({
  path: z.string(),
  /** `text`: a document a line. Default: by the name's ending. */
  format: z.enum(['text', 'csv', 'tsv', 'jsonl']).optional(),
  /** Column or key of the text. */
  text: z.string().default('text'),
  /** Times that each training document is read in an epoch. */
  repeat: positive.default(1),
})

const trainedTokenizer = z.strictObject({
  /** `wordpiece` cuts as BERT's tokenizer does; `bpe` and `unigram` find pieces in text without spaces, too. */
  type: z.enum(['wordpiece', 'bpe', 'unigram']),
  vocabSize: positive.default(8000),
  lowercase: z.boolean().default(true),
  /** Rarer characters are unknown. */
  minCount: positive.default(1),
  /** Makes each Chinese character a word (WordPiece only). */
  splitChinese: z.boolean().default(true),
  /** Characters of a piece at most (not for WordPiece). */
  maxPieceLength: positive.default(16),
})

const masking = z.strictObject({
  /** Part of the tokens that is to be guessed. */
  fraction: z.number().gt(0).lt(1).default(0.15),
  /** Of these, the part shown as the mask token, and the part shown as a random one; the rest stays as it is. */
  maskToken: z.number().min(0).max(1).default(0.8),
  randomToken: z.number().min(0).max(1).default(0.1),
  /** What is hidden together: a token, the tokens of a word, or a run of words whose length is geometric (Joshi et al. 2020). */
  unit: z.enum(['token', 'word', 'span']).default('token'),
  /** Mean number of words of a run, which has at most 10. */
  meanSpan: z.number().min(1).max(10).default(3),
})

/** Pre-trains an encoder by masked language modeling, and writes a checkpoint. */
export const pretrainingSchema = z.strictObject({
  task: z.literal('masked-lm'),
  ...base,
  model: z.undefined({ error: 'the fields of a config.json are named as config' }).optional(),
  optimizer: pretrainingOptimizer.prefault({}),
  data: z.strictObject({ ...provenance, files: z.array(file).min(1), split: hashSplitSchema.optional() }),
  /** Fields of `config.json` of any encoder, `model_type` among them, to start from fresh weights. */
  config: z.looseObject({ model_type: z.string() }).optional(),
  /** A folder or hub id, or how one is trained from the training texts. With `initialModel` its own is used. */
  tokenizer: z.union([z.string().min(1), trainedTokenizer]).optional(),
  masking: masking.prefault({}),
  /** Tokens of a row. */
  maxLength: positive.default(128),
  /** Fills rows with document after document; otherwise a row holds one, or a part of one. */
  packing: z.boolean().default(true),
  /** How weights are stored in the end. */
  storage: z.enum(['f32', 'f16', 'bf16']).default('f32'),
})

export type PretrainingSpec = z.infer<typeof pretrainingSchema>

/** What is wrong with a recipe beyond its form. */
export function pretrainingFaults({ config, initialModel, tokenizer, masking: hidden }: PretrainingSpec): Fault[] {
  const faults: Fault[] = []
  if ((config === undefined) === (initialModel === undefined))
    faults.push(['config', 'expected either config or initialModel'])
  if (config && tokenizer === undefined) faults.push(['tokenizer', 'a fresh model needs one'])
  if (initialModel !== undefined && tokenizer !== undefined)
    faults.push(['tokenizer', 'initialModel brings its own; leave this out'])
  if (hidden.maskToken + hidden.randomToken > 1)
    faults.push(['masking', 'maskToken and randomToken are parts of one whole: together at most 1'])
  return faults
}

export type MaskingSpec = z.infer<typeof masking>
export type TrainedTokenizerSpec = z.infer<typeof trainedTokenizer>
export type CorpusFile = z.infer<typeof file>
