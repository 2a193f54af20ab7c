import { readFile } from 'node:fs/promises'
import { fileError, writeFileAtomic } from '../../formats/atomic-file.node.js'
import { serializeHdf5 } from '../../formats/hdf5.js'
import { readHdf5 } from '../../formats/hdf5-read.node.js'
import { isRecord, parseStrictJson } from '../../formats/strict-json.js'
import { fileSource, ZipArchive } from '../../formats/zip.node.js'
import { serializeZip } from '../../formats/zip-writer.node.js'
import type { Model } from '../../nn/index.js'
import { compileAsSaved } from './compile.js'
import { modelFromJson, modelJson } from './config.js'
import { isLegacy, legacyConfig, legacyTree, loadLegacyWeights } from './legacy.js'
import { loadWeightTree, weightTree } from './weights.js'

const CONFIG = 'config.json'
const WEIGHTS = 'model.weights.h5'
const METADATA = 'metadata.json'
/** The version of Keras whose files these are. */
const KERAS_VERSION = '3.15.1'

export type KerasFileKind = 'keras' | 'weights' | 'legacy'

/** By the end of its name. */
export function kerasFileKind(path: string): KerasFileKind | null {
  if (path.endsWith('.keras')) return 'keras'
  if (path.endsWith('.weights.h5')) return 'weights'
  return /\.(h5|hdf5)$/.test(path) ? 'legacy' : null
}

async function bytesAt(path: string, signal?: AbortSignal): Promise<Uint8Array> {
  try {
    return await readFile(path, { signal })
  } catch (error) {
    signal?.throwIfAborted()
    throw fileError('cannot read', path, error)
  }
}

interface Options {
  signal?: AbortSignal
}

export interface LoadKerasOptions extends Options {
  /** Also compile the model as it was when it was saved, with a fresh optimizer. Default true. */
  compile?: boolean
  /** Told why a model could not be compiled; default: console.warn. */
  onNote?: (note: string) => void
}

/** A model made as the file says it was compiled. */
function compiled(model: Model, config: unknown, path: string, options: LoadKerasOptions): Model {
  const problem = options.compile === false ? null : compileAsSaved(model, config)
  const note = options.onNote ?? ((line: string) => console.warn(line))
  if (problem !== null) note(`${path}: not compiled: ${problem}`)
  return model
}

async function loadArchive(path: string, options: LoadKerasOptions): Promise<Model> {
  const archive = await ZipArchive.open(await fileSource(path))
  try {
    const json = parseStrictJson(await archive.read(CONFIG), `${path}: ${CONFIG}`)
    const model = modelFromJson(json, `${path}: ${CONFIG}`)
    loadWeightTree(model, readHdf5(await archive.read(WEIGHTS), `${path}: ${WEIGHTS}`), path)
    return compiled(model, isRecord(json) ? json.compile_config : null, path, options)
  } finally {
    await archive.close()
  }
}

function recordOf(json: string, source: string): Record<string, unknown> {
  const value = parseStrictJson(new TextEncoder().encode(json), source)
  return isRecord(value) ? value : {}
}

async function loadLegacy(path: string, options: LoadKerasOptions): Promise<Model> {
  const root = readHdf5(await bytesAt(path, options.signal), path)
  const json = parseStrictJson(new TextEncoder().encode(legacyConfig(root, path)), `${path}: model_config`)
  const model = modelFromJson(json, `${path}: model_config`)
  loadLegacyWeights(model, root, path)
  const training = root.attributes.get('training_config')
  if (typeof training !== 'string') return model
  const { optimizer_config: optimizer, ...others } = recordOf(training, `${path}: training_config`)
  return compiled(model, { optimizer, ...others }, path, options)
}

/**
 * Reads a model that Keras saved, `.keras` or the older `.h5`, and compiles it as it was. States of optimizers are passed over; nothing in the
 * file is executed.
 * @throws FormatError where the file is malformed or has what this build lacks; FileError where it cannot be read
 */
export async function loadKerasModel(path: string, options: LoadKerasOptions = {}): Promise<Model> {
  const kind = kerasFileKind(path)
  if (kind === 'keras') return loadArchive(path, options)
  if (kind === 'legacy') return loadLegacy(path, options)
  throw new TypeError(
    `${path}: expected a model file (.keras, .h5)${kind === 'weights' ? '; this holds weights alone: use loadKerasWeights' : ''}`,
  )
}

/**
 * Puts the weights of a Keras file (`.weights.h5`, `.h5`, `.keras`) into a model. Both must agree.
 * @throws like {@link loadKerasModel}
 */
export async function loadKerasWeights(model: Model, path: string, options: Options = {}): Promise<void> {
  if (kerasFileKind(path) === null) throw new TypeError(`${path}: expected a weight file (.weights.h5, .h5, .keras)`)
  if (!model.built)
    throw new Error(`${model.name} has no weights yet: give an input shape, or run it once before loading`)
  if (kerasFileKind(path) === 'keras') {
    const archive = await ZipArchive.open(await fileSource(path))
    try {
      loadWeightTree(model, readHdf5(await archive.read(WEIGHTS), `${path}: ${WEIGHTS}`), path)
    } finally {
      await archive.close()
    }
    return
  }
  const root = readHdf5(await bytesAt(path, options.signal), path)
  if (isLegacy(root)) loadLegacyWeights(model, root, path)
  else loadWeightTree(model, root, path)
}

const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

async function contentOf(model: Model, kind: KerasFileKind): Promise<Uint8Array> {
  if (kind === 'weights') return serializeHdf5(await weightTree(model))
  const config = modelJson(model)
  if (kind === 'legacy') return serializeHdf5(await legacyTree(model, JSON.stringify(config)))
  const weights = await serializeHdf5(await weightTree(model))
  return serializeZip(
    new Map([
      [METADATA, text({ keras_version: KERAS_VERSION, date_saved: new Date().toISOString() })],
      [CONFIG, text(config)],
      [WEIGHTS, weights],
    ]),
  )
}

/**
 * Writes a model for Keras: `.keras` (architecture and weights), `.weights.h5` (weights alone) or the older `.h5`. Appears whole or not at all.
 * @throws TypeError for models that cannot be written as a config, FileError where the disk is full or the path cannot be written
 */
export async function saveKerasModel(model: Model, path: string, options: Options = {}): Promise<void> {
  const kind = kerasFileKind(path)
  if (kind === null) throw new TypeError(`${path}: expected a name that ends in .keras, .weights.h5 or .h5`)
  if (!model.built)
    throw new Error(`${model.name} has no weights yet: give an input shape, or run it once before saving`)
  const bytes = await contentOf(model, kind)
  await writeFileAtomic(path, (sink) => sink.write(bytes), options, bytes.length)
}
