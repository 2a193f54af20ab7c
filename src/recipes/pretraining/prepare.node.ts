import { permutation } from '../../data/rng.js'
import { AutoConfig, AutoModelForMaskedLM, type PreTrainedModel } from '../../models/index.node.js'
import { findSource, openTokenizer } from '../../tasks/open.node.js'
import { TextModel } from '../../tasks/text-model.js'
import { AutoTokenizer, type PreTrainedTokenizer, saveTokenizer } from '../../text/tokenizers/index.node.js'

import { maskedClassLoss } from '../fine-tuning/loss.js'
import { FineTunedModel, TrainingMode } from '../fine-tuning/model.js'
import { fineTuningOptimizer } from '../fine-tuning/optimizer.js'
import type { Job, ModelForm, Part } from '../job.js'
import type { DataFiles } from '../paths.node.js'
import { RecipeError } from '../recipe-error.js'
import type { PretrainingRecipe } from '../schema.js'
import { loadCorpus } from './corpus.node.js'
import { rowsOf, type TokenRow } from './rows.js'
import { MaskedSource, type PretrainingInput } from './source.js'
import { trainTokenizer } from './tokenizer.js'

interface Options {
  /** Folder of the pre-trained checkpoint to use in place of the recipe's. */
  readonly tuned?: string
  readonly signal?: AbortSignal
}

const positionsOf = (config: object): number | null => {
  const { max_position_embeddings: positions } = config as { max_position_embeddings?: unknown }
  return typeof positions === 'number' ? positions : null
}

/** Ids of special tokens by the names that configs give them. */
const tokenIds = (tokenizer: PreTrainedTokenizer): object => {
  const { padTokenId, clsTokenId, sepTokenId } = tokenizer
  const named = {
    pad_token_id: padTokenId,
    cls_token_id: clsTokenId,
    sep_token_id: sepTokenId,
    bos_token_id: clsTokenId,
    eos_token_id: sepTokenId,
  }
  return Object.fromEntries(Object.entries(named).filter(([, id]) => id !== null))
}

/** The checkpoint to go on from, or a fresh model with its tokenizer. */
async function open(
  recipe: PretrainingRecipe,
  texts: readonly string[],
  { tuned, signal }: Options,
): Promise<{ text: TextModel; notes: string[] }> {
  const notes: string[] = []
  const source = tuned ?? recipe.initialModel
  if (source !== undefined) {
    const found = await findSource(source, { signal })
    if (found.own) throw new RecipeError(`initialModel: ${found.name} is a model of this package, not a checkpoint`)
    const loading = { dtype: 'f32', signal, onNote: (note: string) => notes.push(note) } as const
    const model = await AutoModelForMaskedLM.fromPretrained(found.source, loading)
    return { text: new TextModel(found.name, model, await openTokenizer(found, { signal })), notes }
  }
  const { config, tokenizer: wanted } = recipe
  if (!config || wanted === undefined) throw new RecipeError('config: a fresh model needs config and tokenizer')
  const tokenizer =
    typeof wanted === 'string'
      ? await AutoTokenizer.fromPretrained(wanted, { signal })
      : trainTokenizer(wanted, texts, positionsOf(config))
  const full = await AutoConfig.fromObject(
    { vocab_size: tokenizer.vocabSize, ...tokenIds(tokenizer), ...config },
    'config',
  )
  if ('vocab_size' in full && (full.vocab_size as number) < tokenizer.vocabSize)
    throw new RecipeError(`config.vocab_size: the tokenizer has ${tokenizer.vocabSize} tokens`)
  const model = await AutoModelForMaskedLM.fromConfig(full)
  return { text: new TextModel(recipe.name, model, tokenizer), notes }
}

function publishedForm({ model, tokenizer }: TextModel, { maxLength, storage }: PretrainingRecipe): ModelForm {
  return {
    modelType: model.config.model_type,
    knows: `${tokenizer.vocabSize.toLocaleString('en-US')} tokens known`,
    limits: [
      `Trained on rows of ${maxLength} tokens.`,
      'It guesses hidden tokens of texts like those it was trained on; fine-tune it for anything else.',
    ],
    async write(folder) {
      await model.savePretrained(folder, { dtype: storage })
      await saveTokenizer(tokenizer, folder)
    },
  }
}

function inputsOf(
  { packing }: PretrainingRecipe,
  tokenizer: PreTrainedTokenizer,
  model: PreTrainedModel,
): PretrainingInput[] {
  const typed = tokenizer.config.modelInputNames.includes('token_type_ids') && 'type_vocab_size' in model.config
  return [
    'input_ids',
    // Packed rows are full.
    ...(packing ? [] : ['attention_mask' as const]),
    ...(typed && !packing ? ['token_type_ids' as const] : []),
    'score_positions',
  ]
}

/**
 * Reads the texts of a recipe that pre-trains by masked language modeling (Devlin et al. 2019), and makes or opens its model.
 * @throws DataError, FormatError or FileError for the data, RecipeError where the parts do not go together
 */
export async function preparePretraining(recipe: PretrainingRecipe, files: DataFiles, options: Options): Promise<Job> {
  const documents = await loadCorpus(recipe, files, options.signal)
  const { text, notes } = await open(recipe, documents.train, options)
  const { model, tokenizer } = text
  const { maskTokenId: maskId, padTokenId: padId } = tokenizer
  if (maskId === null) throw new RecipeError(`tokenizer: ${text.name} has no mask token`)
  if (padId === null) throw new RecipeError(`tokenizer: ${text.name} has no padding token`)
  const length = text.lengthFor(recipe.maxLength) as number
  const special = new Set(tokenizer.specialTokens.values())
  const ids = Array.from({ length: tokenizer.vocabSize }, (_, id) => id).filter((id) => !special.has(id))
  const common = {
    batchSize: recipe.batchSize,
    inputs: inputsOf(recipe, tokenizer, model),
    masking: recipe.masking,
    vocabulary: { maskId, ids },
    padId,
    padTypeId: tokenizer.padTokenTypeId,
    limit: length,
    seed: recipe.seed,
  }
  const rows = (part: Part): TokenRow[] =>
    rowsOf(shuffled(documents[part], recipe.seed), tokenizer, { length, packing: recipe.packing })
  const parts = { train: rows('train'), validation: rows('validation'), test: rows('test') }
  const source = (part: Part, shuffleSeed: number | null): MaskedSource | null =>
    parts[part].length === 0 && part !== 'train' ? null : new MaskedSource(parts[part], { ...common, shuffleSeed })
  const tokens = parts.train.reduce((sum, row) => sum + row.ids.length, 0)
  return {
    model: new FineTunedModel(model, common.inputs),
    form: publishedForm(text, recipe),
    objective: { loss: maskedClassLoss(0), metrics: [] },
    metricNames: [],
    callbacks: [new TrainingMode(model)],
    optimizer: (steps) =>
      fineTuningOptimizer(recipe.optimizer, model, Math.ceil(steps / recipe.optimizer.gradientAccumulationSteps)),
    train: source('train', recipe.seed) as MaskedSource,
    parts: { train: source('train', null), validation: source('validation', null), test: source('test', null) },
    sizes: { train: parts.train.length, validation: parts.validation.length, test: parts.test.length },
    unit: 'rows',
    remarks: [...notes, `tokens of an epoch: ${tokens.toLocaleString('en-US')}`],
  }
}

/** Documents in an order that depends on the seed alone, so that packed rows mix the files. */
function shuffled(documents: readonly string[], seed: number): string[] {
  return Array.from(permutation(documents.length, seed, 0), (i) => documents[i])
}
