import { DataError } from '../../data/index.js'
import { AutoModelForSequenceClassification, type LoadOptions, type PreTrainedModel } from '../../models/index.node.js'
import { findSource, openTokenizer } from '../../tasks/open.node.js'
import { labelsOf, TextModel } from '../../tasks/text-model.js'
import { saveTokenizer } from '../../text/tokenizers/index.node.js'
import { type Callback, EarlyStopping } from '../../train/index.js'
import type { Job, ModelForm, Part } from '../job.js'
import type { DataFiles } from '../paths.node.js'
import { type FineTuningRecipe, RecipeError } from '../schema.js'
import { type Example, type FineTuningData, loadFineTuningData } from './data.node.js'
import { FineTunedModel, type InputName, TrainingMode } from './model.js'
import { METRIC_NAMES, OBJECTIVES } from './objective.js'
import { fineTuningOptimizer } from './optimizer.js'
import { type EncodedExample, EncodedSource } from './source.js'

interface Options {
  /** Folder of the fine-tuned checkpoint to use in place of the recipe's. */
  readonly tuned?: string
  readonly signal?: AbortSignal
}

interface Opened {
  readonly text: TextModel
  readonly data: FineTuningData
  readonly notes: readonly string[]
}

/** Reads the checkpoint with a head for the data's classes. */
async function open(recipe: FineTuningRecipe, files: DataFiles, { tuned, signal }: Options): Promise<Opened> {
  const found = await findSource(tuned ?? recipe.initialModel, { signal })
  if (found.own)
    throw new RecipeError(
      `initialModel: ${found.name} is a model of this package; fine-tune it with the task ${String(found.config.task)}`,
    )
  const notes: string[] = []
  const tokenizer = await openTokenizer(found, { signal })
  const padding = found.config.pad_token_id ?? tokenizer.padTokenId
  if (padding === null)
    throw new RecipeError(`initialModel: ${found.name} names no padding token, which batches of texts need`)
  const loading: LoadOptions = { dtype: 'f32', signal, onNote: (note) => notes.push(note) }
  const classes = AutoModelForSequenceClassification
  let model: PreTrainedModel
  let data: FineTuningData
  if (tuned !== undefined) {
    model = await classes.fromPretrained(found.source, loading)
    data = await loadFineTuningData(recipe, files, recipe.problem === 'regression' ? null : labelsOf(model), signal)
  } else {
    data = await loadFineTuningData(recipe, files, null, signal)
    // Decoders' configs often name no padding.
    model = await classes.fromPretrained(found.source, {
      ...loading,
      ...(data.labels ? { labels: data.labels } : { numLabels: 1 }),
      config: { problem_type: recipe.problem, ...(tokenizer.padTokenId === null ? {} : { pad_token_id: padding }) },
    })
  }
  return { text: new TextModel(found.name, model, tokenizer), data, notes }
}

function encodeRows(rows: readonly Example[], part: Part, recipe: FineTuningRecipe, text: TextModel): EncodedExample[] {
  const { maxLength, truncation } = recipe
  return rows.map(({ text: first, textPair, target }, i) => {
    const where = `text ${i + 1} of the ${part} part`
    try {
      const { ids, typeIds } = text.encode(first, textPair, { maxLength, truncation }, where)
      return { ids, typeIds, target }
    } catch (error) {
      throw new DataError((error as Error).message.replace('ask for truncation', 'set "truncation": true'))
    }
  })
}

/** The published layout: what Python's transformers loads. */
function publishedForm({ text, data }: Opened, recipe: FineTuningRecipe): ModelForm {
  const { model, tokenizer } = text
  const length = text.lengthFor(recipe.maxLength)
  return {
    modelType: model.config.model_type,
    knows: `${tokenizer.vocabSize.toLocaleString('en-US')} tokens known`,
    limits: [
      length === null ? 'Reads texts of any length.' : `Reads ${length.toLocaleString('en-US')} tokens.`,
      ...(data.labels ? [`Classes: ${data.labels.join(', ')}.`] : ['Gives one number.']),
      'It was trained on one kind of text: on others its accuracy is not known.',
    ],
    async write(folder) {
      await model.savePretrained(folder)
      await saveTokenizer(tokenizer, folder)
    },
  }
}

/** Callbacks of fine-tuning: the mode of the model, and the best weights where they are to be kept. */
function callbacksOf({ keepBest, epochs }: FineTuningRecipe, model: PreTrainedModel): Callback[] {
  const best =
    keepBest === undefined ? [] : [new EarlyStopping({ monitor: keepBest, patience: epochs, restoreBestWeights: true })]
  return [new TrainingMode(model), ...best]
}

/**
 * Reads the data and the checkpoint of a recipe that fine-tunes one.
 * @throws DataError, FormatError or FileError for the data, RecipeError where recipe and checkpoint do not go together, Error where the
 * checkpoint cannot be read
 */
export async function prepareFineTuning(recipe: FineTuningRecipe, files: DataFiles, options: Options): Promise<Job> {
  const opened = await open(recipe, files, options)
  const { text, data, notes } = opened
  const { model, tokenizer } = text
  const types = tokenizer.config.modelInputNames.includes('token_type_ids')
  const inputs: InputName[] = ['input_ids', 'attention_mask', ...(types ? ['token_type_ids' as const] : [])]
  const common = {
    batchSize: recipe.batchSize,
    inputs,
    limit: text.limit,
    integers: recipe.problem === 'single_label_classification',
  }
  const source = (part: Part, shuffleSeed: number | null): EncodedSource | null => {
    const rows = encodeRows(data.parts[part], part, recipe, text)
    return rows.length === 0 && part !== 'train' ? null : new EncodedSource(rows, tokenizer, { ...common, shuffleSeed })
  }
  const { train, validation, test } = data.parts
  return {
    model: new FineTunedModel(model, inputs),
    form: publishedForm(opened, recipe),
    objective: OBJECTIVES[recipe.problem](recipe.labelSmoothing),
    metricNames: METRIC_NAMES[recipe.problem],
    callbacks: callbacksOf(recipe, model),
    optimizer: (steps) =>
      fineTuningOptimizer(recipe.optimizer, model, Math.ceil(steps / recipe.optimizer.gradientAccumulationSteps)),
    train: source('train', recipe.seed) as EncodedSource,
    parts: { train: source('train', null), validation: source('validation', null), test: source('test', null) },
    sizes: { train: train.length, validation: validation.length, test: test.length },
    unit: 'texts',
    remarks: [...notes, ...(data.dropped > 0 ? [`rows left out because they have no text: ${data.dropped}`] : [])],
  }
}
