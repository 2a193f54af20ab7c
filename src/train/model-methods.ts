import { Model } from '../nn/index.js'
import { cat, Parameter, type Tensor, type TensorLike, tensor } from '../tensor/index.js'
import { type Batch, type Columns, type EpochSource, gatherRows, toColumns, toTensors } from './adapter.js'
import type { CompileOptions } from './compile.js'
import { FitLoop, type FitOptions, prepareData, runEvaluation } from './fit.js'
import type { History, Logs } from './history.js'
import { Pipeline } from './pipeline.js'
import { Trainer } from './trainer.js'

export interface EvaluateOptions {
  batchSize?: number
  sampleWeight?: Columns | null
  signal?: AbortSignal
}

export interface PredictOptions {
  batchSize?: number
  signal?: AbortSignal
}

declare module '../nn/model.js' {
  interface Model {
    /** Chooses optimizer, losses and metrics. Keras' `compile`. */
    compile(options: CompileOptions): this
    /** What `compile` made: optimizer, metrics and compiled programs. */
    readonly trainer: Trainer
    /** Trains on arrays (first dimension = examples) or on a source of batches. Keras' `fit`. */
    fit(x: Columns | EpochSource, y?: Columns | null, options?: FitOptions): Promise<History>
    /** Loss and metrics on data. Keras' `evaluate`. */
    evaluate(x: Columns | EpochSource, y?: Columns | null, options?: EvaluateOptions): Promise<Logs>
    /** Outputs for data, batch by batch: one tensor, or one for each output. Keras' `predict`. */
    predict(x: Columns, options?: PredictOptions): Promise<Tensor | Tensor[]>
    /** One update on one batch; returns loss and metrics of that batch. */
    trainOnBatch(x: Columns, y: Columns, options?: { sampleWeight?: TensorLike | null }): Promise<Logs>
    /**
     * Replaces all weights, in Keras' order.
     * @throws RangeError when counts or shapes differ.
     */
    setWeights(weights: readonly TensorLike[]): void
  }
}

const trainers = new WeakMap<Model, Trainer>()

function trainerOf(model: Model): Trainer {
  const trainer = trainers.get(model)
  if (!trainer) throw new Error(`${model.name} is not compiled: call model.compile({ optimizer, loss }) first`)
  return trainer
}

async function predict(model: Model, x: Columns, options: PredictOptions): Promise<Tensor | Tensor[]> {
  const columns = await toColumns(toTensors(x, 'x'))
  const rows = columns[0].shape[0]
  if (rows === 0) throw new RangeError('predict: there is no data, x has no rows')
  const batchSize = options.batchSize ?? 32
  model.ensureBuilt(columns.length > 1 ? columns.map(({ shape }) => shape) : columns[0].shape)
  const step = (trainers.get(model) ?? new Trainer(model, {})).predictStep
  const parts: Tensor[][] = []
  const pipeline = new Pipeline()
  for (let at = 0; at < rows; at += batchSize) {
    options.signal?.throwIfAborted()
    const indices = Uint32Array.from({ length: Math.min(batchSize, rows - at) }, (_, i) => at + i)
    const outputs = await step.inSlices(columns.map((column) => gatherRows(column, indices)))
    parts.push(outputs)
    await pipeline.push(outputs[0])
  }
  await pipeline.drain()
  const results = parts[0].map((_, output) =>
    parts.length === 1
      ? parts[0][output]
      : cat(
          parts.map((part) => part[output]),
          0,
        ),
  )
  return results.length === 1 ? results[0] : results
}

async function trainOnBatch(model: Model, x: Columns, y: Columns, sampleWeight?: TensorLike | null): Promise<Logs> {
  const trainer = trainerOf(model)
  const inputs = toTensors(x, 'x')
  const batch: Batch = {
    x: inputs,
    y: toTensors(y, 'y'),
    sampleWeight:
      sampleWeight === undefined || sampleWeight === null ? null : toTensors(sampleWeight, 'sampleWeight')[0],
    size: inputs[0].shape[0],
  }
  trainer.prepare(inputs)
  trainer.metrics.reset()
  await trainer.trainStep.inSlices(batch)
  return trainer.results()
}

function setWeights(model: Model, weights: readonly TensorLike[]): void {
  const own = model.weights
  if (weights.length !== own.length)
    throw new RangeError(`setWeights: the model has ${own.length} weights, got ${weights.length}`)
  weights.forEach((weight, i) => {
    const value = isTensorLike(weight) ? weight : tensor(weight)
    const cell: Parameter = own[i]
    if (value.shape.join() !== cell.shape.join()) {
      throw new RangeError(
        `setWeights: weight ${i} (${cell.name}) has shape [${cell.shape.join(', ')}], got [${value.shape.join(', ')}]`,
      )
    }
    cell.value = (value instanceof Parameter ? value.value : value).to(cell.dtype)
  })
}

const isTensorLike = (x: TensorLike): x is Tensor | Parameter =>
  typeof x === 'object' && x !== null && 'dtype' in x && 'shape' in x

const methods: Pick<Model, 'compile' | 'fit' | 'evaluate' | 'predict' | 'trainOnBatch' | 'setWeights'> &
  ThisType<Model> = {
  compile(options) {
    trainers.set(this, new Trainer(this, options))
    return this
  },
  async fit(x, y = null, options = {}) {
    const data = await prepareData(x, y, options)
    return new FitLoop(trainerOf(this), data, options).run()
  },
  async evaluate(x, y = null, options = {}) {
    const { train } = await prepareData(x, y, { ...options, shuffle: false })
    return runEvaluation(trainerOf(this), train, options.signal)
  },
  predict(x, options = {}) {
    return predict(this, x, options)
  },
  trainOnBatch(x, y, options = {}) {
    return trainOnBatch(this, x, y, options.sampleWeight)
  },
  setWeights(weights) {
    setWeights(this, weights)
  },
}

Object.assign(Model.prototype, methods)
Object.defineProperty(Model.prototype, 'trainer', {
  get(this: Model) {
    return trainerOf(this)
  },
})
