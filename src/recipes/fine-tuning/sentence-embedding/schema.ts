import { z } from 'zod'
import { hashSplitSchema } from '../../schema-base.js'
import { type Fault, filesOf, table, truncation, tuningBase } from '../schema.js'

const file = z.strictObject({
  ...table,
  text: z.string().default('text'),
  /** Column of the text that it is compared with; what is near, for ranking and triplets. */
  textPair: z.string().default('textPair'),
  /** Column of a text that is not near. */
  negative: z.string().optional(),
  /** Column of how near the two are. */
  score: z.string().optional(),
})

const lossSchema = z.discriminatedUnion('type', [
  /** Squared error of the cosine against the score. */
  z.strictObject({ type: z.literal('cosine-similarity') }),
  /** Draws pairs of score 1 together, and pushes those of score 0 apart up to a distance of `margin` (Hadsell et al. 2006). */
  z.strictObject({ type: z.literal('contrastive'), margin: z.number().positive().default(0.5) }),
  /** The second text is to be nearer than the second texts of all other rows of the batch (Henderson et al. 2017). */
  z.strictObject({ type: z.literal('multiple-negatives-ranking'), scale: z.number().positive().default(20) }),
  /** The second text is to be nearer than the negative one by a margin (Schroff et al. 2015). */
  z.strictObject({
    type: z.literal('triplet'),
    distance: z.enum(['euclidean', 'cosine']).default('euclidean'),
    margin: z.number().positive().default(5),
  }),
])

/** One vector for each text, near for texts of like meaning. */
export const sentenceEmbeddingSchema = z.strictObject({
  task: z.literal('sentence-embedding'),
  ...tuningBase,
  data: z.strictObject({
    ...filesOf(file),
    /** By the first text. */
    split: hashSplitSchema.optional(),
    /** Scores from the first to the second number become 0 to 1. */
    scoreRange: z.tuple([z.number(), z.number()]).default([0, 1]),
  }),
  truncation,
  loss: lossSchema.default({ type: 'cosine-similarity' }),
  /** How the vectors of tokens become one. Default: as the checkpoint's `1_Pooling/config.json` says, else their mean. */
  pooling: z.enum(['mean', 'cls', 'max']).optional(),
})

export type SentenceEmbeddingRecipe = z.infer<typeof sentenceEmbeddingSchema>
export type EmbeddingLoss = SentenceEmbeddingRecipe['loss']

const SCORED: ReadonlySet<EmbeddingLoss['type']> = new Set(['cosine-similarity', 'contrastive'])
export const needsScores = ({ type }: EmbeddingLoss): boolean => SCORED.has(type)

export function sentenceEmbeddingFaults({ data, loss }: SentenceEmbeddingRecipe): Fault[] {
  const faults: Fault[] = []
  const { train, scoreRange } = data
  if (needsScores(loss) && train.score === undefined)
    faults.push(['data', `train.score: ${loss.type} needs the name of the column of scores`])
  if (needsScores(loss) && train.negative !== undefined)
    faults.push(['data', `train.negative: ${loss.type} takes pairs; leave it out`])
  if (loss.type === 'triplet' && train.negative === undefined)
    faults.push(['data', 'train.negative: triplet needs the name of the column of texts that are not near'])
  if (scoreRange[0] >= scoreRange[1])
    faults.push(['data', `scoreRange: expected two rising numbers, got ${scoreRange.join(', ')}`])
  return faults
}
