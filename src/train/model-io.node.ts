import { randomBytes } from 'node:crypto'
import * as nodeFiles from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type FileOps, fileError, syncDirectory, writeFileAtomic } from '../formats/atomic-file.node.js'
import { FormatError } from '../formats/errors.js'
import { openSafetensors, writeSafetensors } from '../formats/index.node.js'
import { parseStrictJson } from '../formats/strict-json.js'
import { Functional, isKerasObject, type Model, modelFromConfig, Sequential } from '../nn/index.js'
import { type Tensor, tensor } from '../tensor/index.js'
import { checkKeys, hostArrays, loadInto } from './checkpoint.node.js'
import { kerasFileKind, loadKerasModel, saveKerasModel } from './keras/files.node.js'

/** `model_type` of the folders that {@link saveModel} writes. */
export const MODEL_TYPE = 'kaimo-keras'
const RESERVED = ['model_type', 'format_version', 'model']
const FORMAT_VERSION = 1
const CONFIG = 'config.json'
const WEIGHTS = 'model.safetensors'

export interface SaveModelOptions {
  /** Further keys of config.json: labels, the task, names of vocabulary files. */
  metadata?: Readonly<Record<string, unknown>>
  /** Further files of the folder by name; objects are written as JSON. */
  files?: Readonly<Record<string, string | Uint8Array | object>>
  signal?: AbortSignal
  /** For tests: stand-ins for file operations. */
  fileOps?: FileOps
}

/** A model read from a folder, with everything that its config.json holds. */
export interface LoadedModel {
  readonly model: Model
  readonly config: Readonly<Record<string, unknown>>
}

const bytesOf = (content: string | Uint8Array | object): Uint8Array => {
  if (content instanceof Uint8Array) return content
  return new TextEncoder().encode(typeof content === 'string' ? content : `${JSON.stringify(content, null, 2)}\n`)
}

function configOf(model: Model, metadata: Readonly<Record<string, unknown>>): object {
  if (!(model instanceof Sequential || model instanceof Functional))
    throw new TypeError(
      `${model.className} ${model.name} cannot be written as a config; save its stateDict() with writeSafetensors instead`,
    )
  if (!model.built)
    throw new Error(`${model.name} has no weights yet: give an input shape, or run it once before saving`)
  const taken = Object.keys(metadata).filter((key) => RESERVED.includes(key))
  if (taken.length > 0) throw new TypeError(`metadata may not hold ${taken.join(', ')}: config.json uses them itself`)
  return { model_type: MODEL_TYPE, format_version: FORMAT_VERSION, ...metadata, model: model.toConfig() }
}

function checkNames(names: readonly string[]): void {
  for (const name of names)
    if (!/^[\w-][\w.-]*$/.test(name) || name === CONFIG || name === WEIGHTS)
      throw new TypeError(`a file of a model folder should have a plain name of its own, got ${JSON.stringify(name)}`)
}

/**
 * Writes a model into a folder: `config.json` (architecture and metadata) and `model.safetensors` (weights by property path). A new
 * folder appears whole or not at all; in an old one each file is replaced whole. A name that ends in `.keras`, `.weights.h5` or `.h5`
 * gives a file for Keras instead, which has no place for metadata.
 * @throws FileError on a full disk or where the folder cannot be written, TypeError for models that cannot be written as a config
 */
export async function saveModel(model: Model, directory: string, options: SaveModelOptions = {}): Promise<void> {
  const { metadata = {}, files = {}, signal, fileOps = nodeFiles } = options
  if (kerasFileKind(directory) !== null) {
    if (options.metadata || options.files)
      throw new TypeError(`${directory}: files of Keras hold no metadata or further files`)
    return saveKerasModel(model, directory, { signal })
  }
  checkNames(Object.keys(files))
  const config = configOf(model, metadata)
  const tensors = await hostArrays(model.stateDict())
  const contents = { ...files, [CONFIG]: config }
  const exists = await fileOps.readdir(directory).then(
    () => true,
    () => false,
  )
  const parent = dirname(directory)
  const folder = exists
    ? directory
    : join(parent, `.${basename(directory)}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`)
  const own = { signal, files: fileOps }
  try {
    await fileOps.mkdir(folder, { recursive: true })
    await writeSafetensors(join(folder, WEIGHTS), tensors, { format: 'pt' }, own)
    for (const [name, content] of Object.entries(contents)) {
      const bytes = bytesOf(content)
      await writeFileAtomic(join(folder, name), (sink) => sink.write(bytes), own, bytes.length)
    }
    if (!exists) {
      await fileOps.rename(folder, directory)
      await syncDirectory(parent, fileOps)
    }
  } catch (error) {
    if (!exists) await fileOps.rm(folder, { recursive: true, force: true }).catch(() => undefined)
    throw fileError('cannot save a model to', directory, error)
  }
}

async function readConfig(directory: string): Promise<Record<string, unknown>> {
  const path = join(directory, CONFIG)
  let bytes: Uint8Array
  try {
    bytes = await nodeFiles.readFile(path)
  } catch (error) {
    throw fileError('cannot read', path, error)
  }
  const config = parseStrictJson(bytes, path)
  if (typeof config !== 'object' || config === null || Array.isArray(config))
    throw new FormatError(`${path}: expected an object`)
  return config as Record<string, unknown>
}

/**
 * Reads a folder that {@link saveModel} wrote, or a file that Keras saved (`.keras`, `.h5`). Weights must fit the model both ways.
 * @throws FileError or FormatError naming the file and what is wrong with it; Error listing missing and unexpected weights
 */
export async function loadModel(directory: string, options: { signal?: AbortSignal } = {}): Promise<LoadedModel> {
  if (kerasFileKind(directory) !== null) {
    const model = await loadKerasModel(directory, options)
    return { model, config: { model: model.toConfig() } }
  }
  const config = await readConfig(directory)
  const path = join(directory, CONFIG)
  if (config.model_type !== MODEL_TYPE)
    throw new FormatError(`${path}: expected model_type '${MODEL_TYPE}', got ${JSON.stringify(config.model_type)}`)
  if (config.format_version !== FORMAT_VERSION)
    throw new FormatError(
      `${path}: format_version ${JSON.stringify(config.format_version)}, this version reads ${FORMAT_VERSION}`,
    )
  if (!isKerasObject(config.model)) throw new FormatError(`${path}: model must be { class_name, config }`)
  let model: Model
  try {
    model = modelFromConfig(config.model)
  } catch (error) {
    throw new FormatError(`${path}: ${(error as Error).message}`, { cause: error })
  }
  await loadWeights(model, join(directory, WEIGHTS), options)
  return { model, config }
}

/**
 * Reads weights by property path from a safetensors file into a model; both sides must agree.
 * @throws Error listing missing and unexpected weights, and shapes that differ
 */
export async function loadWeights(model: Model, path: string, options: { signal?: AbortSignal } = {}): Promise<void> {
  const parameters = model.stateDict()
  const file = await openSafetensors(path)
  try {
    const names = [...file.entries.keys()]
    // A file of another model is refused before its tensors are read.
    checkKeys(Object.keys(parameters), names, path)
    const tensors: Record<string, Tensor> = {}
    for (const name of names) {
      const { dtype, shape, data } = await file.read(name, options)
      tensors[name] = tensor(data, { dtype, shape })
    }
    loadInto(parameters, tensors, path)
  } finally {
    await file.close()
  }
}
