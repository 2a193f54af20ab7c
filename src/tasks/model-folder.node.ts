import { readFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { fileError } from '../formats/atomic-file.node.js'
import { openSafetensors } from '../formats/index.node.js'
import { parseStrictJson } from '../formats/strict-json.js'
import { buildModel, type ModelConfig, parseModelConfig } from '../models/index.js'
import { callContext, type Model } from '../nn/index.js'
import { jit, type Tensor, tensor } from '../tensor/index.js'
import { CharTokenizer } from '../text/char-tokenizer.js'
import { CharVocab } from '../text/char-vocab.js'
import { loadInto } from '../train/checkpoint.node.js'
import { resolveModel } from './resolve.node.js'

export const CONFIG_FILE = 'config.json'
export const WEIGHTS_FILE = 'model.safetensors'
export const VOCAB_FILE = 'vocab.json'

/** A model read from its folder. */
export interface LoadedModel<C extends ModelConfig = ModelConfig> {
  /** Name of the folder. */
  readonly name: string
  readonly folder: string
  readonly config: C
  readonly model: Model
  /** Null for models of images. */
  readonly vocab: CharVocab | null
}

/** @throws FileError where it cannot be read, FormatError where it is not JSON */
export async function readJsonFile(path: string): Promise<unknown> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (error) {
    throw fileError('cannot read', path, error)
  }
  return parseStrictJson(bytes, path)
}

async function loadWeights(model: Model, path: string): Promise<void> {
  const file = await openSafetensors(path)
  try {
    const tensors: Record<string, Tensor> = {}
    for (const key of file.entries.keys()) {
      const { dtype, shape, data } = await file.read(key)
      tensors[key] = tensor(data, { dtype, shape })
    }
    loadInto(model.stateDict(), tensors, path)
  } finally {
    await file.close()
  }
}

/**
 * Reads a model folder (or an embedded model by name): `config.json`, `model.safetensors` and, for texts, `vocab.json`.
 * Nothing in the folder is executed; every key and shape is checked against the config.
 * @throws Error, FormatError or FileError that name the file and what is wrong
 */
export async function loadModelFolder(nameOrPath: string): Promise<LoadedModel> {
  const folder = await resolveModel(nameOrPath)
  const configPath = join(folder, CONFIG_FILE)
  const config = parseModelConfig(await readJsonFile(configPath), configPath)
  let vocab: CharVocab | null = null
  if (config.task !== 'image-classification') {
    const path = join(folder, VOCAB_FILE)
    vocab = CharVocab.fromJSON(await readJsonFile(path), path)
    if (vocab.size !== config.vocab_size)
      throw new TypeError(`${path} has ${vocab.size} entries, ${CONFIG_FILE} says ${config.vocab_size}`)
  }
  const model = buildModel(config, configPath)
  await loadWeights(model, join(folder, WEIGHTS_FILE))
  return { name: basename(resolve(folder)), folder, config, model, vocab }
}

/** The tokenizer of a text model. */
export function tokenizerOf({ config, vocab }: LoadedModel): CharTokenizer {
  if (config.task !== 'text-classification' || !vocab) throw new TypeError('only models of texts have a tokenizer')
  const { max_length: maxLength, truncation } = config.tokenizer
  return new CharTokenizer(vocab, { maxLength, truncation })
}

/** The model as a compiled function of one input, without dropout. */
export const compiledForward = (model: Model): ((x: Tensor) => Tensor) =>
  jit((x: Tensor) => model.run(x, callContext(false)) as Tensor, { name: 'predict', cacheSize: 256 })
