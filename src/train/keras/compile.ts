/** `compile` as Keras writes it down: an optimizer with its options, losses and metrics. */
import { isRecord } from '../../formats/strict-json.js'
import { isKerasObject, type KerasObject, type Model } from '../../nn/index.js'
import { camelKeys } from '../../nn/serial.js'
import { keras, type LearningRate, type Optimizer, schedules } from '../../optim/index.js'
import type { CompileOptions } from '../compile.js'

type Factory = (options: never) => unknown

/** By Keras' class name. */
export const OPTIMIZERS: Readonly<Record<string, Factory>> = {
  SGD: keras.sgd,
  Adam: keras.adam,
  AdamW: keras.adamw,
  RMSprop: keras.rmsprop,
  Adagrad: keras.adagrad,
  Adadelta: keras.adadelta,
  Adamax: keras.adamax,
  Nadam: keras.nadam,
  Ftrl: keras.ftrl,
  Lion: keras.lion,
  Lamb: keras.lamb,
  Adafactor: keras.adafactor,
  Muon: keras.muon,
}

const SCHEDULES: Readonly<Record<string, Factory>> = {
  ExponentialDecay: schedules.keras.exponentialDecay,
  PiecewiseConstantDecay: schedules.keras.piecewiseConstantDecay,
  PolynomialDecay: schedules.keras.polynomialDecay,
  InverseTimeDecay: schedules.keras.inverseTimeDecay,
  CosineDecay: schedules.keras.cosineDecay,
  CosineDecayRestarts: schedules.keras.cosineDecayRestarts,
}

function make(table: Readonly<Record<string, Factory>>, what: string, { class_name, config }: KerasObject): unknown {
  const factory = Object.hasOwn(table, class_name) ? (table[class_name] as (options: object) => unknown) : undefined
  if (!factory) throw new RangeError(`unknown ${what} '${class_name}'; known: ${Object.keys(table).join(', ')}`)
  const options = camelKeys(config)
  if (isKerasObject(options.learningRate))
    options.learningRate = make(SCHEDULES, 'schedule', options.learningRate) as LearningRate
  const given =
    table === SCHEDULES ? Object.entries(options).filter(([, value]) => value !== null) : Object.entries(options)
  return factory(Object.fromEntries(given))
}

/** An optimizer from Keras' config. @throws RangeError naming an unknown class and the known ones */
export const optimizerFromConfig = (object: KerasObject): Optimizer =>
  make(OPTIMIZERS, 'optimizer', object) as Optimizer

/**
 * Compiles a model as the file says.
 * @returns null, or why that cannot be done here
 */
export function compileAsSaved(model: Model, config: unknown): string | null {
  if (!isRecord(config) || !isKerasObject(config.optimizer)) return null
  try {
    model.compile({
      optimizer: optimizerFromConfig(config.optimizer),
      loss: (config.loss ?? null) as CompileOptions['loss'],
      lossWeights: (config.loss_weights ?? null) as CompileOptions['lossWeights'],
      metrics: (config.metrics ?? null) as CompileOptions['metrics'],
      weightedMetrics: (config.weighted_metrics ?? null) as CompileOptions['weightedMetrics'],
    })
    return null
  } catch (error) {
    return (error as Error).message
  }
}
