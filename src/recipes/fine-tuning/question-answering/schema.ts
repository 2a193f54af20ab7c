import { z } from 'zod'
import { hashSplitSchema, positive } from '../../schema-base.js'
import { type Fault, filesOf, tuningBase } from '../schema.js'

const file = z.strictObject({ path: z.string() })

/** Answers that stand in a text, in SQuAD's format. */
export const questionAnsweringSchema = z.strictObject({
  task: z.literal('question-answering'),
  ...tuningBase,
  data: z.strictObject({
    ...filesOf(file),
    /** By the text that is asked about. */
    split: hashSplitSchema.optional(),
  }),
  /** Tokens of a window over the text, the question included. */
  maxLength: positive.default(384),
  /** Tokens that neighbouring windows share. */
  stride: z.int().min(0).default(128),
  /** Tokens of an answer at most, when answers are scored. */
  maxAnswerLength: positive.default(30),
  /** Whether "the text does not say" is an answer (SQuAD 2.0). */
  impossibleAnswers: z.boolean().default(false),
})

export type QuestionAnsweringRecipe = z.infer<typeof questionAnsweringSchema>

export const questionAnsweringFaults = ({ stride, maxLength }: QuestionAnsweringRecipe): Fault[] =>
  stride < maxLength ? [] : [['stride', `expected less than maxLength ${maxLength}, got ${stride}`]]
