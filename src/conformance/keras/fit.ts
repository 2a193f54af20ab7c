import { join } from 'node:path'
import { type KerasObject, type Model, modelFromConfig } from '../../nn/index.js'
import type { Tensor } from '../../tensor/index.js'
import {
  type Callback,
  type CompileOptions,
  EarlyStopping,
  type FitOptions,
  type Logs,
  ReduceLROnPlateau,
  TerminateOnNaN,
} from '../../train/index.js'
import { kerasFileKind, loadKerasModel, loadKerasWeights } from '../../train/keras/files.node.js'
import { type Comparison, compareValues, joinComparisons, type Values } from '../compare.js'
import { type GoldenCase, type GoldenTensors, readValues } from '../golden.js'
import { fromJson } from '../ops/values.js'
import { type KerasConfig, kerasOptimizer } from '../optim/keras-config.js'
import { camelOptions } from '../optim/options.js'
import { known, UnsupportedError } from '../unsupported.js'
import { TRAINED, VALUES } from './data.js'

export interface FitCase extends GoldenCase {
  /** `model.to_json()`. */
  readonly config: KerasObject
  readonly compile: {
    readonly optimizer: KerasConfig
    readonly loss: CompileOptions['loss']
    readonly loss_weights: CompileOptions['lossWeights']
    readonly metrics: CompileOptions['metrics']
    readonly weighted_metrics: CompileOptions['weightedMetrics']
  }
  readonly callbacks: readonly KerasConfig[]
  /** Keyword arguments of `fit`. */
  readonly fit: Readonly<Record<string, unknown>>
  readonly history: Readonly<Record<string, readonly unknown[]>>
  readonly epochs_run: number
  readonly evaluate: Readonly<Record<string, unknown>>
  /** Files that Keras saved the trained model in. */
  readonly files: readonly string[]
}

const CALLBACKS: Readonly<Record<string, (options: object) => Callback>> = {
  EarlyStopping: (options) => new EarlyStopping(options),
  ReduceLROnPlateau: (options) => new ReduceLROnPlateau(options),
  TerminateOnNaN: () => new TerminateOnNaN(),
}

function callbackOf({ class_name, config }: KerasConfig): Callback {
  const make = CALLBACKS[class_name]
  if (!make) throw new UnsupportedError(`keras.callbacks.${class_name}`)
  return make(camelOptions(config))
}

const FIT_OPTIONS = ['epochs', 'batchSize', 'validationSplit', 'initialEpoch', 'validationBatchSize'] as const

function fitOptions(record: FitCase, sampleWeight: Tensor | null): FitOptions {
  const { class_weight: classWeight, ...others } = record.fit
  const options = camelOptions(others)
  for (const name of Object.keys(options))
    if (!(FIT_OPTIONS as readonly string[]).includes(name)) throw new UnsupportedError(`fit(${name})`)
  return {
    ...options,
    shuffle: false,
    sampleWeight,
    classWeight: (classWeight ?? null) as FitOptions['classWeight'],
    callbacks: record.callbacks.map(callbackOf),
  }
}

/** `<id>/<name>` alone, or `<id>/<name>.0`, `.1`, ... */
function columns(file: GoldenTensors, id: string, name: string): Tensor[] {
  if (file.has(`${id}/${name}`)) return [file.tensor(`${id}/${name}`)]
  return file.keys(`${id}/${name}.`).map((key) => file.tensor(key))
}

const oneOrAll = (tensors: readonly Tensor[]): Tensor | Tensor[] => (tensors.length === 1 ? tensors[0] : [...tensors])

async function comparePredictions(
  predicted: Tensor | Tensor[],
  record: FitCase,
  name: string,
  file: GoldenTensors,
): Promise<Comparison> {
  const outputs = Array.isArray(predicted) ? predicted : [predicted]
  const keys = file.has(`${record.id}/${name}`) ? [`${record.id}/${name}`] : file.keys(`${record.id}/${name}.`)
  const got = await readValues(outputs)
  const tolerance = name === 'pred0' ? VALUES : TRAINED
  return joinComparisons(
    keys.map((key, i) => compareValues(got[i], file.values(key), tolerance, key.slice(record.id.length + 1))),
  )
}

const numbers = (list: readonly unknown[]): Values => ({
  dtype: 'f32',
  shape: [list.length],
  data: list.map((item) => Number(fromJson(item))),
})

function compareNames(got: readonly string[], want: readonly string[], where: string): Comparison {
  const [ours, theirs] = [[...got].sort().join(', '), [...want].sort().join(', ')]
  return { worst: null, reason: ours === theirs ? null : `${where} holds ${ours}; expected ${theirs}` }
}

function compareHistory(history: Readonly<Record<string, readonly number[]>>, want: FitCase['history']): Comparison {
  const names = Object.keys(want)
  return joinComparisons([
    compareNames(Object.keys(history), names, 'history'),
    ...names
      .filter((name) => name in history)
      .map((name) => compareValues(numbers(history[name]), numbers(want[name]), TRAINED, `history.${name}`)),
  ])
}

function compareEvaluation(logs: Logs, want: FitCase['evaluate']): Comparison {
  const names = Object.keys(want)
  return joinComparisons([
    compareNames(Object.keys(logs), names, 'evaluate'),
    ...names
      .filter((name) => name in logs)
      .map((name) => compareValues(numbers([logs[name]]), numbers([want[name]]), TRAINED, `evaluate.${name}`)),
  ])
}

async function compareWeights(model: Model, record: FitCase, file: GoldenTensors): Promise<Comparison> {
  const keys = file.keys(`${record.id}/w1/`)
  const got = await readValues(model.weights.map((weight) => weight.value))
  if (got.length !== keys.length) return { worst: null, reason: `${got.length} weights, expected ${keys.length}` }
  return joinComparisons(got.map((values, i) => compareValues(values, file.values(keys[i]), TRAINED, `w1/${i}`)))
}

/** A file that Keras saved, as a model: architecture and weights, or weights put into the case's architecture. */
async function modelOfFile(path: string, record: FitCase): Promise<Model> {
  if (kerasFileKind(path) !== 'weights') return loadKerasModel(path)
  const model = modelFromConfig(record.config)
  await loadKerasWeights(model, path)
  return model
}

/** The files of a case hold what training gave. */
async function compareFiles(record: FitCase, file: GoldenTensors, x: Tensor | Tensor[]): Promise<Comparison> {
  const results: Comparison[] = []
  for (const name of record.files ?? []) {
    const model = await modelOfFile(join(file.folder, name), record)
    results.push(await compareWeights(model, record, file))
    results.push(await comparePredictions(await model.predict(x), record, 'pred', file))
  }
  return joinComparisons(results)
}

/** Trains as the reference did and compares predictions, history, weights, evaluation, and what Keras' own files hold. */
export async function compareFit(record: FitCase, file: GoldenTensors): Promise<Comparison> {
  const model = known(() => modelFromConfig(record.config))
  model.setWeights(file.keys(`${record.id}/w0/`).map((key) => file.tensor(key)))
  model.compile({
    optimizer: kerasOptimizer(record.compile.optimizer),
    loss: record.compile.loss,
    lossWeights: record.compile.loss_weights,
    metrics: record.compile.metrics,
    weightedMetrics: record.compile.weighted_metrics,
  })
  const [x, y] = [oneOrAll(columns(file, record.id, 'x')), oneOrAll(columns(file, record.id, 'y'))]
  const [sampleWeight = null] = columns(file, record.id, 'sample_weight')
  const before = await comparePredictions(await model.predict(x), record, 'pred0', file)
  const options = fitOptions(record, sampleWeight)
  const history = await model.fit(x, y, options)
  const logs = await model.evaluate(x, y, { batchSize: options.batchSize })
  return joinComparisons([
    before,
    compareHistory(history.history, record.history),
    await compareWeights(model, record, file),
    await comparePredictions(await model.predict(x), record, 'pred', file),
    compareEvaluation(logs, record.evaluate),
    await compareFiles(record, file, x),
  ])
}
