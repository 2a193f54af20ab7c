import { DataError } from '../data/index.js'
import { loadModelFolder } from '../tasks/model-folder.node.js'
import { type EpochSource, runEvaluation } from '../train/index.js'
import { Trainer } from '../train/trainer.js'
import { type DataChoice, sourceFromFiles } from './evaluation-data.node.js'
import { PARTS, type Part } from './job.js'
import { classificationLoss } from './loss.js'
import { recipeOfModel } from './output.node.js'
import { prepareJob } from './prepare.node.js'
import { type PartResults, partResults } from './results.js'

export interface EvaluateOptions {
  readonly dataDir?: string
  /** Part of the recipe's data. Default: test, or validation where there is no test part. */
  readonly part?: Part
  /** Other data than the recipe's. */
  readonly data?: DataChoice
  readonly batchSize?: number
  readonly signal?: AbortSignal
}

export interface Evaluation {
  readonly model: string
  readonly task: string
  /** Part of the recipe's data, or the file. */
  readonly data: string
  readonly unit: string
  readonly results: PartResults
}

interface Chosen {
  readonly source: EpochSource
  readonly data: string
  readonly unit: string
  readonly examples: number
}

/**
 * Loss and metrics of a model folder on data: a part of the data of its recipe, or files of the same kind.
 * @throws Error, DataError, FormatError or FileError that name what is missing or wrong
 */
export async function evaluateModel(nameOrPath: string, options: EvaluateOptions = {}): Promise<Evaluation> {
  const loaded = await loadModelFolder(nameOrPath)
  const { config, model, name } = loaded
  const choose = async (): Promise<Chosen> => {
    if (options.data) return sourceFromFiles(loaded, options.data, options)
    const recipe = await recipeOfModel(loaded.folder)
    const job = await prepareJob(recipe, { ...options, trained: loaded })
    const part = options.part ?? (job.parts.test ? 'test' : 'validation')
    const source = job.parts[part]
    if (!source) {
      const there = PARTS.filter((candidate) => job.parts[candidate])
      throw new DataError(`the recipe of ${name} has no ${part} part; it has ${there.join(', ')}`)
    }
    return { source, data: part, unit: job.unit, examples: job.sizes[part] }
  }
  const { source, data, unit, examples } = await choose()
  const trainer = new Trainer(model, { loss: classificationLoss(0), metrics: ['accuracy'] })
  const logs = await runEvaluation(trainer, source, options.signal)
  return { model: name, task: config.task, data, unit, results: partResults(config.task, logs, examples) }
}
