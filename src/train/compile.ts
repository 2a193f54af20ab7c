import { getLoss, type LossFunction, type LossLike } from '../nn/index.js'
import { keras, type Optimizer } from '../optim/index.js'
import type { Tensor } from '../tensor/index.js'
import { MeanMetric, type Metric, type MetricLike, makeMetric } from './metrics/index.js'

/** Anything that trains: an instance, or a name with Keras' defaults. */
export type OptimizerLike = Optimizer | OptimizerName

/** Names of Keras' optimizers in lower case. */
export type OptimizerName =
  | 'sgd'
  | 'adam'
  | 'adamw'
  | 'rmsprop'
  | 'adagrad'
  | 'adadelta'
  | 'adamax'
  | 'nadam'
  | 'ftrl'
  | 'lion'
  | 'lamb'
  | 'adafactor'
  | 'muon'

export interface CompileOptions {
  optimizer?: OptimizerLike
  /** One loss, or one for each output (by order or by output name). */
  loss?: LossLike | readonly (LossLike | null)[] | Readonly<Record<string, LossLike>> | null
  lossWeights?: readonly number[] | Readonly<Record<string, number>> | null
  /** Stores weights in 16 bits beside f32 masters; see the optimizers' option of this name. */
  weightStorage?: 'bf16' | 'f16' | null
  /** Metrics of the only output, or lists for each output. */
  metrics?: MetricsOption
  /** Metrics that take sample and class weights into account. */
  weightedMetrics?: MetricsOption
}

export type MetricsOption =
  | readonly MetricLike[]
  | readonly (readonly MetricLike[])[]
  | Readonly<Record<string, MetricLike | readonly MetricLike[]>>
  | null

const OPTIMIZERS: Readonly<Record<OptimizerName, () => unknown>> = {
  sgd: keras.sgd,
  adam: keras.adam,
  adamw: keras.adamw,
  rmsprop: keras.rmsprop,
  adagrad: keras.adagrad,
  adadelta: keras.adadelta,
  adamax: keras.adamax,
  nadam: keras.nadam,
  ftrl: keras.ftrl,
  lion: keras.lion,
  lamb: keras.lamb,
  adafactor: keras.adafactor,
  muon: keras.muon,
}

/** @throws RangeError naming the unknown optimizer and the known ones. */
export function getOptimizer(like: OptimizerLike = 'rmsprop'): Optimizer {
  if (typeof like !== 'string') return like
  const name = like.toLowerCase()
  if (!Object.hasOwn(OPTIMIZERS, name))
    throw new RangeError(`unknown optimizer '${like}'; known: ${Object.keys(OPTIMIZERS).join(', ')}`)
  return OPTIMIZERS[name as OptimizerName]() as Optimizer
}

function perOutput<T>(
  option: unknown,
  names: readonly string[],
  isOne: (item: unknown) => item is T,
  what: string,
): (T | null)[] {
  if (option === null || option === undefined) return names.map(() => null)
  if (isOne(option)) {
    if (names.length > 1)
      throw new RangeError(`${what}: the model has ${names.length} outputs (${names.join(', ')}); give one for each`)
    return [option]
  }
  if (Array.isArray(option)) {
    if (option.length !== names.length)
      throw new RangeError(
        `${what}: expected ${names.length} entries, one for each output (${names.join(', ')}), got ${option.length}`,
      )
    return option as (T | null)[]
  }
  const byName = option as Readonly<Record<string, T>>
  for (const name of Object.keys(byName))
    if (!names.includes(name))
      throw new RangeError(`${what}: no output is named '${name}'; outputs: ${names.join(', ')}`)
  return names.map((name) => byName[name] ?? null)
}

const isLossLike = (item: unknown): item is LossLike =>
  typeof item === 'string' ||
  typeof item === 'function' ||
  (item !== null && typeof item === 'object' && 'class_name' in item)

/** One loss function for each output. */
export function lossesFor(option: CompileOptions['loss'], names: readonly string[]): (LossFunction | null)[] {
  const list = Array.isArray(option) && names.length === 1 && option.length === 1 ? option[0] : option
  return perOutput(list, names, isLossLike, 'loss').map((like) => (like === null ? null : getLoss(like)))
}

export const lossWeightsFor = (option: CompileOptions['lossWeights'], names: readonly string[]): number[] =>
  perOutput(option, names, (item): item is number => typeof item === 'number', 'lossWeights').map(
    (weight) => weight ?? 1,
  )

function metricLists(option: MetricsOption | undefined, names: readonly string[]): (readonly MetricLike[])[] {
  if (!option) return names.map(() => [])
  if (Array.isArray(option)) {
    const nested = option.some((item) => Array.isArray(item))
    if (nested)
      return (option as readonly (readonly MetricLike[])[]).map((list) =>
        Array.isArray(list) ? list : [list as unknown as MetricLike],
      )
    return names.length === 1
      ? [option as readonly MetricLike[]]
      : names.map((_, i) => [(option as readonly MetricLike[])[i]].filter(Boolean))
  }
  const byName = option as Readonly<Record<string, MetricLike | readonly MetricLike[]>>
  return names.map((name) => {
    const own = byName[name]
    return own === undefined ? [] : Array.isArray(own) ? (own as readonly MetricLike[]) : [own as MetricLike]
  })
}

/** Weights of positions: those of the examples where the mask holds, else 0. */
function maskedWeight(mask: Tensor, weight: Tensor | null): Tensor {
  const shown = mask.to('f32')
  return weight ? shown.mul(weight.to('f32').reshape([-1, ...mask.shape.slice(1).map(() => 1)])) : shown
}

interface OutputMetric {
  readonly key: string
  readonly output: number
  readonly weighted: boolean
  readonly metric: Metric
}

/** All running statistics of a compiled model, in the order of Keras' logs. */
export class MetricSet {
  readonly loss = new MeanMetric('loss', (values) => values)
  readonly outputLosses: readonly MeanMetric[]
  private built: readonly OutputMetric[] | null = null

  constructor(
    private readonly outputNames: readonly string[],
    private readonly options: CompileOptions,
  ) {
    this.outputLosses =
      outputNames.length > 1 ? outputNames.map((name) => new MeanMetric(`${name}_loss`, (values) => values)) : []
  }

  /** Makes the metrics once shapes are known. */
  build(yTrue: readonly Tensor[], yPred: readonly Tensor[]): readonly OutputMetric[] {
    if (this.built) return this.built
    const made: OutputMetric[] = []
    const collect = (option: MetricsOption | undefined, weighted: boolean): void => {
      metricLists(option, this.outputNames).forEach((list, output) => {
        for (const like of list) {
          const metric = makeMetric(like, { yTrue: yTrue[output].shape, yPred: yPred[output].shape })
          const base = this.outputNames.length > 1 ? `${this.outputNames[output]}_${metric.name}` : metric.name
          const key = made.some((other) => other.key === base) && weighted ? `weighted_${base}` : base
          made.push({ key, output, weighted, metric })
        }
      })
    }
    collect(this.options.metrics, false)
    collect(this.options.weightedMetrics, true)
    this.built = made
    for (const [i, metric] of made.entries()) this.applySaved(metric.metric, this.outputLosses.length + 1 + i)
    return made
  }

  private saved: Readonly<Record<string, Tensor>> = {}

  /** State by name, for checkpoints in mid-epoch. */
  tensors(): Record<string, Tensor> {
    return Object.fromEntries(
      this.all.flatMap((metric, i) => metric.states.map((state, j) => [`${i}.${j}`, state.value])),
    )
  }

  /** Restores state; metrics that are not made yet take theirs when they are. */
  restore(saved: Readonly<Record<string, Tensor>>): void {
    this.saved = saved
    for (const [i, metric] of this.all.entries()) this.applySaved(metric, i)
  }

  private applySaved(metric: Metric, index: number): void {
    for (const [j, state] of metric.states.entries()) {
      const value = this.saved[`${index}.${j}`]
      // Outside of any trace: metrics are made while the first step is being traced.
      if (value) state.cell.settle(value.value)
    }
  }

  /** Takes a batch in. `masks` (bool, or none) say for each output which positions count in means. */
  update(
    yTrue: readonly Tensor[],
    yPred: readonly Tensor[],
    sampleWeight: Tensor | null,
    masks: readonly (Tensor | undefined)[] = [],
  ): void {
    for (const { metric, output, weighted } of this.build(yTrue, yPred)) {
      const weight = weighted ? sampleWeight : null
      const mask = metric instanceof MeanMetric ? masks[output] : undefined
      metric.update(yTrue[output], yPred[output], mask ? maskedWeight(mask, weight) : weight)
    }
  }

  /** Results by log name. */
  results(): Record<string, Tensor> {
    const entries: [string, Tensor][] = [['loss', this.loss.result()]]
    for (const metric of this.outputLosses) entries.push([metric.name, metric.result()])
    for (const { key, metric } of this.built ?? []) entries.push([key, metric.result()])
    return Object.fromEntries(entries)
  }

  get all(): Metric[] {
    return [this.loss, ...this.outputLosses, ...(this.built ?? []).map(({ metric }) => metric)]
  }

  get names(): string[] {
    return ['loss', ...this.outputLosses.map((metric) => metric.name), ...(this.built ?? []).map(({ key }) => key)]
  }

  reset(): void {
    // Metrics that are made later begin anew, too.
    this.saved = {}
    for (const metric of this.all) metric.reset()
  }
}
