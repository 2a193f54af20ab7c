import type { DataArray, Tensor } from '../tensor/index.js'
import {
  ArraySource,
  type Batch,
  type Column,
  type Columns,
  type EpochSource,
  toColumns,
  toTensors,
} from './adapter.js'
import type { Callback, FitPlan } from './callbacks/callback.js'
import { StepProfiler } from './callbacks/step-profiler.js'
import { History, type Logs } from './history.js'
import { Pipeline } from './pipeline.js'
import type { Trainer } from './trainer.js'

export interface FitOptions {
  epochs?: number
  batchSize?: number
  /** True (default) shuffles each epoch by `seed`; false keeps the order. */
  shuffle?: boolean
  /** Seed of the shuffle. */
  seed?: number
  /** The last part of the data is held out, before any shuffling. */
  validationSplit?: number
  validationData?: readonly [x: Columns, y: Columns, sampleWeight?: Columns] | EpochSource
  validationBatchSize?: number
  /** One weight for each example. */
  sampleWeight?: Columns | null
  /** Weight of each class by integer label. */
  classWeight?: Readonly<Record<number, number>> | null
  callbacks?: readonly Callback[]
  /** Epochs done before (for resuming by hand). */
  initialEpoch?: number
  signal?: AbortSignal
  /** Times every kernel of some steps of the first epoch: `history.profile`. Needs the native backend. */
  profile?: boolean
}

interface Data {
  readonly train: EpochSource
  readonly validation: EpochSource | null
  /** Loss and metrics of the validation data. Default: {@link runEvaluation}. */
  readonly evaluate?: (signal?: AbortSignal) => Promise<Logs>
}

const isSource = (x: unknown): x is EpochSource =>
  typeof x === 'object' && x !== null && 'epoch' in x && typeof x.epoch === 'function'

const sliceColumn = (column: Column, from: number, to: number): Column => ({
  ...column,
  shape: [to - from, ...column.shape.slice(1)],
  data: (column.data as unknown as Float32Array).subarray(from * column.stride, to * column.stride),
})

/** Example weights from class weights (times sample weights where both are given). */
function classWeights(y: Column, weights: Readonly<Record<number, number>>, sample: Column | null): Column {
  const rows = y.shape[0]
  const data = new Float32Array(rows)
  for (let row = 0; row < rows; row++) {
    let label = Number(y.data[row * y.stride])
    if (y.stride > 1)
      for (let i = 0, best = Number.NEGATIVE_INFINITY; i < y.stride; i++)
        if (Number(y.data[row * y.stride + i]) > best) [best, label] = [Number(y.data[row * y.stride + i]), i]
    data[row] = (weights[label] ?? 1) * (sample ? Number(sample.data[row]) : 1)
  }
  return { shape: [rows], dtype: 'f32', stride: 1, data }
}

async function columnsOf(x: Columns, what: string): Promise<Column[]> {
  return toColumns(toTensors(x, what))
}

async function validationSource(options: FitOptions, batchSize: number): Promise<EpochSource | null> {
  const given = options.validationData
  if (!given) return null
  if (isSource(given)) return given
  const [x, y, weight] = given
  const sample = weight ? (await columnsOf(weight, 'validationData[2]'))[0] : null
  return new ArraySource(await columnsOf(x, 'validationData[0]'), await columnsOf(y, 'validationData[1]'), sample, {
    batchSize,
    shuffleSeed: null,
  })
}

/** Turns what the user gave into batches for training and validation. */
export async function prepareData(x: Columns | EpochSource, y: Columns | null, options: FitOptions): Promise<Data> {
  const batchSize = options.batchSize ?? 32
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new RangeError(`batchSize must be a positive integer, got ${batchSize}`)
  const validation = await validationSource(options, options.validationBatchSize ?? batchSize)
  if (isSource(x)) {
    if (options.validationSplit) throw new TypeError('validationSplit needs arrays; give validationData with a dataset')
    return { train: x, validation }
  }
  if (y === null) throw new TypeError('fit(x, y): targets are missing')
  const columns = { x: await columnsOf(x, 'x'), y: await columnsOf(y, 'y') }
  const given = options.sampleWeight ? (await columnsOf(options.sampleWeight, 'sampleWeight'))[0] : null
  let sample = given
  const rows = columns.x[0].shape[0]
  if (options.classWeight) {
    if (columns.y.length > 1) throw new TypeError('classWeight needs a model with one output')
    sample = classWeights(columns.y[0], options.classWeight, sample)
  }
  const shuffleSeed = (options.shuffle ?? true) ? (options.seed ?? 0) : null
  const split = options.validationSplit ?? 0
  if (split < 0 || split >= 1) throw new RangeError(`validationSplit must lie in [0, 1), got ${split}`)
  const cut = Math.floor(rows * (1 - split))
  const part = (from: number, to: number, seed: number | null, size: number, weights = sample): ArraySource =>
    new ArraySource(
      columns.x.map((column) => sliceColumn(column, from, to)),
      columns.y.map((column) => sliceColumn(column, from, to)),
      weights ? sliceColumn(weights, from, to) : null,
      { batchSize: size, shuffleSeed: seed },
    )
  // Rows are compared before anything is cut, so that a mismatch is reported with the sizes the user gave.
  const whole = part(0, rows, shuffleSeed, batchSize)
  if (split === 0 || validation)
    return { train: split === 0 ? whole : part(0, cut, shuffleSeed, batchSize), validation }
  return {
    train: part(0, cut, shuffleSeed, batchSize),
    // Class weights count in training only.
    validation: part(cut, rows, null, options.validationBatchSize ?? batchSize, given),
  }
}

/**
 * Runs all batches of a source through the test program and returns the metrics. `onPredictions` hears what the first output says of
 * each batch, in order.
 */
export async function runEvaluation(
  trainer: Trainer,
  source: EpochSource,
  signal?: AbortSignal,
  onPredictions?: (predictions: DataArray) => void,
): Promise<Logs> {
  trainer.metrics.reset()
  const pipeline = new Pipeline(onPredictions)
  for await (const batch of source.epoch(0)) {
    signal?.throwIfAborted()
    trainer.prepare(batch.x)
    await pipeline.push(await (onPredictions ? trainer.scoreStep : trainer.testStep).inSlices(batch))
  }
  await pipeline.drain()
  return trainer.results()
}

/** Where training stands: what a checkpoint stores besides tensors. */
export interface Progress {
  epoch: number
  /** Batches of the epoch that are done. */
  batch: number
  readonly history: History
}

/** The loss stopped being a finite number, so going on would only spoil the weights. */
export class NonFiniteLossError extends Error {
  override name = 'NonFiniteLossError'
  constructor(loss: number, epoch: number, batch: number) {
    super(
      `the loss became ${loss} in epoch ${epoch + 1}, batch ${batch + 1}: lower the learning rate, clip gradients (maxGradNorm), or check ` +
        'the data for NaN; to stop without an error use the callback TerminateOnNaN',
    )
  }
}

/** Drives epochs; the checkpointing fit passes a saved progress in. */
export class FitLoop {
  readonly progress: Progress
  private readonly callbacks: readonly Callback[]
  private readonly profiler: StepProfiler | null
  private readonly epochs: number

  constructor(
    private readonly trainer: Trainer,
    private readonly data: Data,
    private readonly options: FitOptions,
    progress?: Progress,
  ) {
    this.profiler = options.profile ? new StepProfiler() : null
    // Last: checkpoints hold the states of callbacks by place.
    this.callbacks = [...(options.callbacks ?? []), ...(this.profiler ? [this.profiler] : [])]
    this.epochs = options.epochs ?? 1
    this.progress = progress ?? { epoch: options.initialEpoch ?? 0, batch: 0, history: new History() }
  }

  async run(): Promise<History> {
    const { trainer, progress } = this
    const plan: FitPlan = {
      epochs: this.epochs,
      steps: this.data.train.batches,
      examples: this.data.train.examples,
      metrics: trainer.metrics.names,
    }
    await this.buildModel()
    for (const callback of this.callbacks) callback.attach({ trainer, plan, progress, callbacks: this.callbacks })
    trainer.stopTraining = false
    for (const callback of this.callbacks) await callback.onTrainBegin()
    let logs: Logs = {}
    while (progress.epoch < this.epochs && !trainer.stopTraining) {
      logs = await this.runEpoch()
    }
    // As in Keras, training with a moving average ends with the average in the weights.
    trainer.optimizer.finalizeEma()
    for (const callback of this.callbacks) await callback.onTrainEnd(logs)
    progress.history.profile = this.profiler?.profile ?? null
    return progress.history
  }

  /** Weights exist before the first callback runs, so that one can restore them. */
  private async buildModel(): Promise<void> {
    if (this.trainer.model.built) return
    for await (const batch of this.data.train.epoch(this.progress.epoch)) {
      this.trainer.prepare(batch.x)
      return
    }
  }

  private async runEpoch(): Promise<Logs> {
    const { trainer, progress, options } = this
    for (const callback of this.callbacks) await callback.onEpochBegin(progress.epoch)
    if (progress.batch === 0) trainer.metrics.reset()
    let known = progress.batch
    const pipeline = new Pipeline((loss) => this.lossKnown(known++, Number(loss[0])))
    let seen = 0
    for await (const batch of this.data.train.epoch(progress.epoch, progress.batch)) {
      options.signal?.throwIfAborted()
      seen++
      await this.runBatch(batch, pipeline)
      if (trainer.stopTraining) break
    }
    if (seen === 0 && progress.batch === 0) throw new RangeError('there is no data: the epoch had no batches')
    await pipeline.drain()
    const logs = await trainer.results()
    if (this.data.validation) {
      const { validation: source, evaluate } = this.data
      const validation = await (evaluate?.(options.signal) ?? runEvaluation(trainer, source, options.signal))
      for (const [name, value] of Object.entries(validation)) logs[`val_${name}`] = value
    }
    for (const callback of this.callbacks) await callback.onEpochEnd(progress.epoch, logs)
    progress.history.add(progress.epoch, logs)
    progress.epoch++
    progress.batch = 0
    for (const callback of this.callbacks) await callback.onEpochSaved()
    return logs
  }

  private async lossKnown(batch: number, loss: number): Promise<void> {
    if (!Number.isFinite(loss) && !this.callbacks.some((callback) => callback.acceptsNonFiniteLoss)) {
      throw new NonFiniteLossError(loss, this.progress.epoch, batch)
    }
    for (const callback of this.callbacks) await callback.onLossKnown(batch, loss)
  }

  private async runBatch(batch: Batch, pipeline: Pipeline): Promise<void> {
    const { trainer, progress } = this
    const index = progress.batch
    for (const callback of this.callbacks) await callback.onTrainBatchBegin(index)
    trainer.prepare(batch.x)
    const loss: Tensor = await trainer.trainStep.inSlices(batch)
    await pipeline.push(loss)
    progress.batch = index + 1
    let logs: Logs | null = null
    if (this.callbacks.some((callback) => callback.wantsBatchLogs)) logs = await trainer.results()
    for (const callback of this.callbacks) await callback.onTrainBatchEnd(index, logs)
  }
}
