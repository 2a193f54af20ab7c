import type { Job } from '../job.js'
import type { DataFiles } from '../paths.node.js'
import type { TuningOptions } from './checkpoint.node.js'
import { prepareQuestionAnswering } from './question-answering/prepare.node.js'
import type { FineTuningRecipe, FineTuningTask } from './schemas.js'
import { prepareSentenceEmbedding } from './sentence-embedding/prepare.node.js'
import { prepareSequenceClassification } from './sequence-classification/prepare.node.js'
import { prepareTokenClassification } from './token-classification/prepare.node.js'

type Prepare<T extends FineTuningTask> = (
  recipe: Extract<FineTuningRecipe, { task: T }>,
  files: DataFiles,
  options: TuningOptions,
) => Promise<Job>

const PREPARE: { readonly [T in FineTuningTask]: Prepare<T> } = {
  'sequence-classification': prepareSequenceClassification,
  'sentence-embedding': prepareSentenceEmbedding,
  'question-answering': prepareQuestionAnswering,
  'token-classification': prepareTokenClassification,
}

/**
 * Reads the data and the checkpoint of a recipe that fine-tunes one.
 * @throws DataError, FormatError or FileError for the data, RecipeError where recipe and checkpoint do not go together, Error where the
 * checkpoint cannot be read
 */
export const prepareFineTuning = (recipe: FineTuningRecipe, files: DataFiles, options: TuningOptions): Promise<Job> =>
  (PREPARE[recipe.task] as Prepare<FineTuningTask>)(recipe, files, options)
