import { DataError } from '../../data/index.js'
import type { PreTrainedModel } from '../../models/index.js'
import type { TextModel } from '../../tasks/text-model.js'
import type { DataArray } from '../../tensor/index.js'
import { saveTokenizer } from '../../text/tokenizers/index.node.js'
import { type Callback, EarlyStopping, type Logs, runEvaluation } from '../../train/index.js'
import type { BucketedSource, BucketOptions } from '../bucketed-source.js'
import type { Evaluation, Job, ModelForm, Part } from '../job.js'
import type { Checkpoint } from './checkpoint.node.js'
import { FineTunedModel, type InputName, TrainingMode } from './model.js'
import { fineTuningOptimizer } from './optimizer.js'
import type { PartRows } from './parts.node.js'
import type { TuningRecipe } from './schema.js'
import type { Packing } from './source.js'

/** What the model of a checkpoint is fed, padded as the recipe says. */
export function packingFor(recipe: TuningRecipe, { tokenizer, limit }: TextModel): Packing {
  const types = tokenizer.config.modelInputNames.includes('token_type_ids')
  const inputs: InputName[] = ['input_ids', 'attention_mask', ...(types ? ['token_type_ids' as const] : [])]
  return { tokenizer, inputs, limit, step: recipe.padToMultipleOf }
}

/** Encodes the rows of a part. `encode` is told what errors call a row. @throws DataError for a row that the model cannot read */
export const encodeRows = <R, E>(
  rows: readonly R[],
  part: Part,
  unit: string,
  encode: (row: R, where: string) => E | readonly E[],
): E[] =>
  rows.flatMap((row, i) => {
    try {
      return encode(row, `${unit} ${i + 1} of the ${part} part`)
    } catch (error) {
      throw new DataError((error as Error).message.replace('ask for truncation', 'set "truncation": true'))
    }
  })

/** The published layout: what Python's transformers loads. */
function publishedForm(text: TextModel, maxLength: number | undefined, limits: readonly string[]): ModelForm {
  const { model, tokenizer } = text
  const length = text.lengthFor(maxLength)
  return {
    modelType: model.config.model_type,
    knows: `${tokenizer.vocabSize.toLocaleString('en-US')} tokens known`,
    limits: [
      length === null ? 'Reads texts of any length.' : `Reads ${length.toLocaleString('en-US')} tokens.`,
      ...limits,
      'It was trained on one kind of text: on others its accuracy is not known.',
    ],
    async write(folder) {
      await model.savePretrained(folder)
      await saveTokenizer(tokenizer, folder)
    },
  }
}

/** Callbacks of fine-tuning: the mode of the model, and the best weights where they are to be kept. */
function callbacksOf({ keepBest, epochs }: TuningRecipe, model: PreTrainedModel): Callback[] {
  const best =
    keepBest === undefined ? [] : [new EarlyStopping({ monitor: keepBest, patience: epochs, restoreBestWeights: true })]
  return [new TrainingMode(model), ...best]
}

/** Scores of a part on the host, of what the model gives for each row. */
export interface HostScores<E> {
  readonly names: readonly string[]
  /** `outputs`: of each row, padded as its batch was. */
  score(rows: readonly E[], outputs: readonly DataArray[]): Logs
}

/** Runs a model over a part and scores what it gives. */
function hostEvaluation<E>(
  { names, score }: HostScores<E>,
  rows: PartRows<E>,
  sources: Readonly<Record<Part, BucketedSource<E> | null>>,
): Evaluation {
  return {
    names,
    async run(trainer, part, signal) {
      const source = sources[part] as BucketedSource<E>
      const outputs = new Array<DataArray>(rows[part].length)
      const batches = source.order(0).values()
      const logs = await runEvaluation(trainer, source, signal, (predictions) => {
        const [, members] = batches.next().value as readonly [number, readonly number[]]
        const width = predictions.length / members.length
        for (const [i, row] of members.entries()) outputs[row] = predictions.slice(i * width, (i + 1) * width)
      })
      return { ...logs, ...score(rows[part], outputs) }
    },
  }
}

/** What a task adds to the frame of fine-tuning. `R`: a row of the data, `E`: one that is encoded. */
export interface TuningTask<R, E> extends Pick<Job, 'objective' | 'metricNames' | 'unit'> {
  readonly recipe: TuningRecipe
  readonly checkpoint: Checkpoint
  readonly text: TextModel
  readonly rows: PartRows<R>
  /** One example, or several that stand for the row. */
  encode(row: R, where: string): E | readonly E[]
  source(rows: readonly E[], options: BucketOptions): BucketedSource<E>
  readonly scores?: HostScores<E>
  /** As `fit` trains it. Default: its logits. */
  readonly model?: FineTunedModel
  /** Tokens that it reads. Default: the recipe's. */
  readonly maxLength?: number
  /** What the model gives, in sentences. */
  readonly limits: readonly string[]
  readonly remarks?: readonly string[]
  /** Writes files beside those of the checkpoint. */
  write?(folder: string): Promise<void>
}

/** The job of a task of fine-tuning. */
export function tuningJob<R, E>(task: TuningTask<R, E>): Job {
  const { recipe, text, rows, unit, checkpoint } = task
  const pretrained = text.model
  const encoded = (part: Part): E[] => encodeRows(rows[part], part, unit.replace(/s$/, ''), task.encode)
  const parts: PartRows<E> = { train: encoded('train'), validation: encoded('validation'), test: encoded('test') }
  const source = (part: Part, shuffleSeed: number | null): BucketedSource<E> | null =>
    parts[part].length === 0 && part !== 'train'
      ? null
      : task.source(parts[part], { batchSize: recipe.batchSize, shuffleSeed })
  const sources = { train: source('train', null), validation: source('validation', null), test: source('test', null) }
  const form = publishedForm(text, task.maxLength ?? recipe.maxLength, task.limits)
  return {
    model: task.model ?? new FineTunedModel(pretrained, packingFor(recipe, text).inputs),
    form: {
      ...form,
      async write(folder) {
        await form.write(folder)
        await task.write?.(folder)
      },
    },
    objective: task.objective,
    metricNames: task.metricNames,
    evaluation: task.scores && hostEvaluation(task.scores, parts, sources),
    callbacks: callbacksOf(recipe, pretrained),
    optimizer: (steps) =>
      fineTuningOptimizer(recipe.optimizer, pretrained, Math.ceil(steps / recipe.optimizer.gradientAccumulationSteps)),
    train: source('train', recipe.seed) as BucketedSource<E>,
    parts: sources,
    sizes: { train: rows.train.length, validation: rows.validation.length, test: rows.test.length },
    unit,
    remarks: [...checkpoint.notes, ...(task.remarks ?? [])],
  }
}
