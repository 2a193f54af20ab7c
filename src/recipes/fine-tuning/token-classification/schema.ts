import { z } from 'zod'
import { hashSplitSchema } from '../../schema-base.js'
import { filesOf, truncation, tuningBase } from '../schema.js'

const file = z.strictObject({
  path: z.string(),
  /** `conll`: a word a line with its tag, a blank line between sentences. `jsonl`: lists of words and of tags. */
  format: z.enum(['conll', 'jsonl']).optional(),
  /** The file within a zip archive; default: the only one. */
  entry: z.string().optional(),
  /** Columns of CoNLL files from 0; negative ones count from the end. */
  tokenColumn: z.int().default(0),
  tagColumn: z.int().default(-1),
  /** Lines of CoNLL files that start with it are left out. */
  comment: z.string().min(1).optional(),
  /** Fields of JSON lines. */
  tokens: z.string().default('tokens'),
  tags: z.string().default('tags'),
})

/** A class for every word of a sentence: names, parts of speech. */
export const tokenClassificationSchema = z.strictObject({
  task: z.literal('token-classification'),
  ...tuningBase,
  data: z.strictObject({
    ...filesOf(file),
    split: hashSplitSchema.optional(),
    /** Tags in their order; default: those met in the training file, O first, then sorted. */
    labels: z.array(z.string()).optional(),
    /** Stands between the words of a sentence where its text is wanted, as for the split: `''` for Chinese. */
    delimiter: z.string().default(' '),
  }),
  truncation,
  labelSmoothing: z.number().min(0).lt(1).default(0),
})

export type TokenClassificationRecipe = z.infer<typeof tokenClassificationSchema>
