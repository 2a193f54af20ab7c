import { DataError } from '../data/index.js'
import { readTextFile } from '../formats/index.node.js'
import { packageVersion } from '../formats/package.node.js'
import {
  architectureFields,
  findArchitecture,
  type LanguageModelConfig,
  layersFields,
  type ModelConfig,
  parseModelConfig,
} from '../models/index.js'
import type { Model } from '../nn/index.js'
import { type LoadedModel, loadModelFolder } from '../tasks/model-folder.node.js'
import { CharTokenizer } from '../text/char-tokenizer.js'
import { CharVocab } from '../text/char-vocab.js'
import { prepareFineTuning } from './fine-tuning/prepare.node.js'
import { isFineTuning } from './fine-tuning/schemas.js'
import { loadImageData } from './image-data.node.js'
import { ImageSource } from './image-source.js'
import type { Job, Part } from './job.js'
import { type LayersTask, modelOfLayers } from './layers.js'
import { classificationLoss } from './loss.js'
import { optimizerFor } from './optimizer.js'
import { type OwnModel, ownForm } from './own-form.node.js'
import { DataFiles } from './paths.node.js'
import { preparePretraining } from './pretraining/prepare.node.js'
import {
  type ImageRecipe,
  type LanguageModelRecipe,
  type OwnRecipe,
  type Recipe,
  RecipeError,
  type TextRecipe,
  type TokenizerSpec,
} from './schema.js'
import { loadTextData, type TextParts } from './text-data.node.js'
import { type TextExample, TextSource } from './text-source.js'
import { WindowSource } from './window-source.js'

export interface PrepareOptions {
  readonly dataDir?: string
  readonly signal?: AbortSignal
  /** Uses this model instead of making the recipe's: to evaluate a trained one. */
  readonly trained?: LoadedModel
  /** Folder of the fine-tuned checkpoint to evaluate. */
  readonly tuned?: string
}

interface Made {
  readonly model: Model
  readonly config: ModelConfig
}

type Sizes = { readonly vocabSize: number; readonly numLabels: number }

/** Makes the recipe's model and its config. `fields`: what the task adds to `config.json`. */
function makeModel(spec: OwnRecipe['model'], sizes: Sizes, layers: LayersTask, fields: object): Made {
  if (!spec) throw new RecipeError('model: expected either model or initialModel')
  const common = { ...fields, kaimo_version: packageVersion() }
  const config = (own: object): ModelConfig => parseModelConfig({ ...own, ...common }, 'recipe')
  if ('layers' in spec) {
    const model = modelOfLayers(spec.layers, layers)
    return { model, config: config(layersFields(model)) }
  }
  const architecture = findArchitecture(spec.architecture)
  if (!architecture) throw new RecipeError(`model.architecture: unknown architecture '${spec.architecture}'`)
  return {
    model: architecture.build(spec.options, sizes),
    config: config(architectureFields(spec.architecture, spec.options)),
  }
}

/** The model to go on from, or null. */
async function startingModel(recipe: OwnRecipe, options: PrepareOptions): Promise<LoadedModel | null> {
  if (options.trained) return options.trained
  if (recipe.initialModel === undefined) return null
  const loaded = await loadModelFolder(recipe.initialModel)
  if (loaded.config.task !== recipe.task)
    throw new RecipeError(
      `initialModel: ${recipe.initialModel} is a model for ${loaded.config.task}, not for ${recipe.task}`,
    )
  return loaded
}

/** A job of a model of one's own, before how it is trained. */
type OwnJob = OwnModel & Pick<Job, 'train' | 'parts' | 'sizes' | 'unit' | 'remarks'>

type Prepared<R extends OwnRecipe> = (
  recipe: R,
  files: DataFiles,
  start: LoadedModel | null,
  signal?: AbortSignal,
) => Promise<OwnJob>

const prepareImages: Prepared<ImageRecipe> = async (recipe, files, start, signal) => {
  const known = start?.config.task === 'image-classification' ? start.config : null
  const { train, test, labels } = await loadImageData(recipe, files, known?.labels ?? null, signal)
  const image = known?.image ?? { ...train.size, rescale: 1 / 255 }
  const { height, width, channels, rescale } = image
  if (Object.values(train.size).join() !== [height, width, channels].join())
    throw new DataError(`images of ${train.size.height} x ${train.size.width}, the model takes ${height} x ${width}`)
  const made =
    start ??
    makeModel(
      recipe.model,
      { vocabSize: 0, numLabels: labels.length },
      {
        shape: [height, width, channels],
        vocabSize: null,
        outputRank: 2,
        outputs: labels.length,
        meaning: 'one a class',
      },
      { task: recipe.task, labels, image },
    )
  const cut = Math.floor(train.count * (1 - recipe.data.validationFraction))
  const plain = { batchSize: recipe.batchSize, shuffleSeed: null, rescale, flip: false, shift: 0 }
  return {
    model: made.model,
    config: made.config,
    vocab: null,
    train: new ImageSource(train, 0, cut, { ...plain, ...recipe.augment, shuffleSeed: recipe.seed }),
    parts: {
      train: new ImageSource(train, 0, cut, plain),
      validation: cut < train.count ? new ImageSource(train, cut, train.count, plain) : null,
      test: test && new ImageSource(test, 0, test.count, plain),
    },
    sizes: { train: cut, validation: train.count - cut, test: test?.count ?? 0 },
    unit: 'images',
    remarks: [],
  }
}

const TOKENIZER_DEFAULTS: TokenizerSpec = { type: 'characters', minCount: 2, maxLength: 256, truncation: 'headAndTail' }

const prepareTexts: Prepared<TextRecipe> = async (recipe, files, start, signal) => {
  const known = start?.config.task === 'text-classification' ? start.config : null
  const { parts, labels, dropped } = await loadTextData(recipe, files, known?.labels ?? null, signal)
  const spec = recipe.tokenizer ?? TOKENIZER_DEFAULTS
  const vocab =
    start?.vocab ??
    CharVocab.fromTexts(
      parts.train.map(({ text }) => text),
      spec,
    )
  const { max_length: maxLength, truncation } = known?.tokenizer ?? { ...spec, max_length: spec.maxLength }
  const made =
    start ??
    makeModel(
      recipe.model,
      { vocabSize: vocab.size, numLabels: labels.length },
      { shape: [null], vocabSize: vocab.size, outputRank: 2, outputs: labels.length, meaning: 'one a class' },
      {
        task: recipe.task,
        labels,
        vocab_size: vocab.size,
        tokenizer: { type: spec.type, max_length: maxLength, truncation },
      },
    )
  const tokenizer = new CharTokenizer(vocab, { maxLength, truncation })
  const encode = (part: Part): TextExample[] => encodeRows(parts, part, tokenizer)
  const source = (part: Part, shuffleSeed: number | null): TextSource | null => {
    const rows = encode(part)
    if (rows.length === 0 && part !== 'train') return null
    return new TextSource(rows, { batchSize: recipe.batchSize, shuffleSeed, characterDropout: recipe.characterDropout })
  }
  return {
    model: made.model,
    config: made.config,
    vocab,
    train: source('train', recipe.seed) as TextSource,
    parts: { train: source('train', null), validation: source('validation', null), test: source('test', null) },
    sizes: { train: parts.train.length, validation: parts.validation.length, test: parts.test.length },
    unit: 'texts',
    remarks:
      dropped > 0
        ? [`${dropped} ${dropped === 1 ? 'row has' : 'rows have'} no text and ${dropped === 1 ? 'is' : 'are'} left out`]
        : [],
  }
}

function encodeRows(parts: TextParts, part: Part, tokenizer: CharTokenizer): TextExample[] {
  return parts[part].map(({ text, label }, i) => {
    try {
      return { ids: tokenizer.encode(text), label }
    } catch (error) {
      throw new DataError(`text ${i + 1} of the ${part} part: ${(error as Error).message}`)
    }
  })
}

const prepareCharacters: Prepared<LanguageModelRecipe> = async (recipe, files, start, signal) => {
  const path = await files.find(recipe.data.path, 'data.path')
  // Points, not UTF-16 units, are counted and cut.
  const characters = Array.from(await readTextFile(path, { signal }))
  if (characters.length === 0) throw new DataError(`${path}: there is no data, the file is empty`)
  const cut = Math.floor(characters.length * (1 - recipe.data.validationFraction))
  const [own, held] = [characters.slice(0, cut), characters.slice(cut)]
  const vocab = start?.vocab ?? CharVocab.fromTexts(own)
  const known = start?.config as LanguageModelConfig | undefined
  const length = recipe.sequenceLength
  if (known && known.sequence_length !== length)
    throw new RecipeError(`sequenceLength: the initial model was trained on ${known.sequence_length}, got ${length}`)
  const made =
    start ??
    makeModel(
      recipe.model,
      { vocabSize: vocab.size, numLabels: 0 },
      { shape: [null], vocabSize: vocab.size, outputRank: 3, outputs: vocab.size, meaning: 'one a character' },
      { task: recipe.task, vocab_size: vocab.size, sequence_length: length },
    )
  const ids = (part: readonly string[]): Int32Array => Int32Array.from(part, (character) => vocab.idOf(character))
  const { batchSize, seed } = recipe
  const source = (part: readonly string[], shuffleSeed: number | null): WindowSource =>
    new WindowSource(ids(part), { batchSize, length, shuffleSeed })
  return {
    model: made.model,
    config: made.config,
    vocab,
    train: source(own, seed),
    parts: { train: source(own, null), validation: source(held, null), test: null },
    sizes: { train: own.length, validation: held.length, test: 0 },
    unit: 'characters',
    remarks: [],
  }
}

/**
 * Reads the data of a recipe and makes its model (or takes the one to go on from).
 * @throws DataError, FormatError or FileError for the data, RecipeError where recipe, data and model do not go together
 */
export async function prepareJob(recipe: Recipe, options: PrepareOptions = {}): Promise<Job> {
  const files = new DataFiles(options.dataDir, recipe.data)
  const { signal } = options
  const job = await (isFineTuning(recipe)
    ? prepareFineTuning(recipe, files, { tuned: options.tuned, signal })
    : recipe.task === 'masked-lm'
      ? preparePretraining(recipe, files, { tuned: options.tuned, signal })
      : prepareOwn(recipe, files, options))
  signal?.throwIfAborted()
  return job
}

async function prepareOwn(recipe: OwnRecipe, files: DataFiles, options: PrepareOptions): Promise<Job> {
  const start = await startingModel(recipe, options)
  const { model, config, vocab, ...data } = await prepareTask(recipe, files, start, options.signal)
  return {
    ...data,
    model,
    form: ownForm({ model, config, vocab }),
    objective: {
      loss: classificationLoss('labelSmoothing' in recipe ? recipe.labelSmoothing : 0),
      metrics: ['accuracy'],
    },
    metricNames: ['accuracy'],
    callbacks: [],
    optimizer: (steps) => optimizerFor(recipe.optimizer, steps),
  }
}

function prepareTask(
  recipe: OwnRecipe,
  files: DataFiles,
  start: LoadedModel | null,
  signal?: AbortSignal,
): Promise<OwnJob> {
  if (recipe.task === 'image-classification') return prepareImages(recipe, files, start, signal)
  if (recipe.task === 'text-classification') return prepareTexts(recipe, files, start, signal)
  return prepareCharacters(recipe, files, start, signal)
}
