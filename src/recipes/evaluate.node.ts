import { DataError } from '../data/index.js'
import { quantizeModel } from '../models/index.js'
import type { Model } from '../nn/index.js'
import { loadModelFolder } from '../tasks/model-folder.node.js'
import { type FoundModel, findSource } from '../tasks/open.node.js'
import { type EpochSource, runEvaluation } from '../train/index.js'
import { Trainer } from '../train/trainer.js'
import { evaluatePart } from './evaluate-part.js'
import { type DataChoice, sourceFromFiles } from './evaluation-data.node.js'
import { type FineTuningRecipe, isFineTuning } from './fine-tuning/schemas.js'
import { type Job, PARTS, type Part } from './job.js'
import { classificationLoss } from './loss.js'
import { recipeOfModel } from './output.node.js'
import { prepareJob } from './prepare.node.js'
import { type PartResults, partResults } from './results.js'
import type { PretrainingRecipe } from './schema.js'

export interface EvaluateOptions {
  readonly dataDir?: string
  /** Part of the recipe's data. Default: test, or validation where there is no test part. */
  readonly part?: Part
  /** Other data than the recipe's. */
  readonly data?: DataChoice
  readonly batchSize?: number
  /** `int8`: evaluates once more with the weights of linear layers in 8 bits. Default f32. */
  readonly dtype?: 'f32' | 'int8'
  readonly signal?: AbortSignal
}

export interface Evaluation {
  readonly model: string
  readonly task: string
  /** Part of the recipe's data, or the file. */
  readonly data: string
  readonly unit: string
  readonly results: PartResults
  /** Results of the same model on the same data with 8-bit weights, where they were asked for. */
  readonly int8?: PartResults
}

interface Chosen {
  readonly source: EpochSource
  readonly data: string
  readonly unit: string
  readonly examples: number
}

/** The part of a job's data to evaluate on. */
function partOfJob(job: Job, wanted: Part | undefined, name: string): Chosen & { readonly part: Part } {
  const part = wanted ?? (job.parts.test ? 'test' : 'validation')
  const source = job.parts[part]
  if (!source) {
    const there = PARTS.filter((candidate) => job.parts[candidate])
    throw new DataError(`the recipe of ${name} has no ${part} part; it has ${there.join(', ')}`)
  }
  return { source, part, data: part, unit: job.unit, examples: job.sizes[part] }
}

/** The data of a recipe with another file in place of its own. @throws DataError for a column that its files do not have */
function onlyFile(recipe: FineTuningRecipe | PretrainingRecipe, choice: DataChoice): object {
  const { path, textColumn, labelColumn } = choice
  if (recipe.task === 'masked-lm')
    return { ...recipe.data, files: [{ path, text: textColumn ?? 'text', repeat: 1 }], split: undefined }
  const { task, data } = recipe
  const columns = Object.entries({ text: textColumn, label: labelColumn }).filter(([, name]) => name !== undefined)
  const unknown = columns.find(([column]) => !(column in data.train))
  if (unknown)
    throw new DataError(`data for ${task} has no column of a ${unknown[0]}; its columns are those of the recipe`)
  const train = { ...data.train, format: undefined, path, ...Object.fromEntries(columns) }
  return { ...data, train, validation: undefined, test: undefined, split: undefined }
}

/** Results of a model as it is, and with 8-bit weights if `dtype` says so. */
async function resultsOf(
  model: Model,
  evaluate: () => Promise<PartResults>,
  { dtype }: EvaluateOptions,
): Promise<Pick<Evaluation, 'results' | 'int8'>> {
  const results = await evaluate()
  if (dtype !== 'int8') return { results }
  await quantizeModel(model)
  return { results, int8: await evaluate() }
}

/** A fine-tuned checkpoint on a part of its recipe's data, or on another file in place of it. */
async function evaluateFineTuned(found: FoundModel, options: EvaluateOptions): Promise<Evaluation> {
  const recipe = await recipeOfModel(found.source)
  if (!isFineTuning(recipe) && recipe.task !== 'masked-lm')
    throw new DataError(`${found.name} is a published checkpoint, its recipe is for ${recipe.task}`)
  const { data } = options
  const changed = {
    ...recipe,
    batchSize: options.batchSize ?? recipe.batchSize,
    data: data ? onlyFile(recipe, data) : recipe.data,
  } as FineTuningRecipe | PretrainingRecipe
  const job = await prepareJob(changed, { ...options, tuned: found.source })
  const { part, unit, examples } = partOfJob(job, data ? 'train' : options.part, found.name)
  const evaluate = async (): Promise<PartResults> => {
    const logs = await evaluatePart(job, new Trainer(job.model, job.objective), part, options.signal)
    return partResults(recipe.task, logs, examples)
  }
  const measured = await resultsOf(job.model, evaluate, options)
  return { model: found.name, task: recipe.task, data: data?.path ?? part, unit, ...measured }
}

/**
 * Loss and metrics of a model folder on data: a part of the data of its recipe, or files of the same kind.
 * @throws Error, DataError, FormatError or FileError that name what is missing or wrong
 */
export async function evaluateModel(nameOrPath: string, options: EvaluateOptions = {}): Promise<Evaluation> {
  const found = await findSource(nameOrPath, { signal: options.signal })
  if (!found.own) return evaluateFineTuned(found, options)
  const loaded = await loadModelFolder(nameOrPath)
  const { config, model, name } = loaded
  const choose = async (): Promise<Chosen> => {
    if (options.data) return sourceFromFiles(loaded, options.data, options)
    const recipe = await recipeOfModel(loaded.folder)
    const job = await prepareJob(recipe, { ...options, trained: loaded })
    return partOfJob(job, options.part, name)
  }
  const { source, data, unit, examples } = await choose()
  const evaluate = async (): Promise<PartResults> => {
    const trainer = new Trainer(model, { loss: classificationLoss(0), metrics: ['accuracy'] })
    return partResults(config.task, await runEvaluation(trainer, source, options.signal), examples)
  }
  return { model: name, task: config.task, data, unit, ...(await resultsOf(model, evaluate, options)) }
}
