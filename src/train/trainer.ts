import { type CallContext, callContext, type LossFunction, type Model, reduceLoss } from '../nn/index.js'
import type { Optimizer } from '../optim/index.js'
import { add, constant, gradientSteps, jit, mul, type Steps, type Tensor } from '../tensor/index.js'
import type { Batch } from './adapter.js'
import { type CompileOptions, getOptimizer, lossesFor, lossWeightsFor, MetricSet } from './compile.js'
import type { Logs } from './history.js'

interface Forward {
  readonly predictions: Tensor[]
  readonly masks: readonly (Tensor | undefined)[]
  readonly total: Tensor
}

const asList = (x: Tensor | Tensor[]): Tensor[] => (Array.isArray(x) ? x : [x])

/** A model with optimizer, losses and metrics, and the compiled programs that train, test and predict with it. */
export class Trainer {
  readonly optimizer: Optimizer
  readonly metrics: MetricSet
  /** Callbacks set it to end training after the present epoch. */
  stopTraining = false
  private readonly losses: readonly (LossFunction | null)[]
  private readonly lossWeights: readonly number[]

  constructor(
    readonly model: Model,
    readonly options: CompileOptions,
  ) {
    this.optimizer = getOptimizer(options.optimizer)
    if (options.weightStorage) this.optimizer.weightStorage = options.weightStorage
    this.metrics = new MetricSet(model.outputNames, options)
    this.losses = lossesFor(options.loss, model.outputNames)
    this.lossWeights = lossWeightsFor(options.lossWeights, model.outputNames)
  }

  /** Creates weights from the first batch where the model does not know its input shapes yet, and binds the optimizer. */
  prepare(x: readonly Tensor[]): void {
    this.model.ensureBuilt(x.length > 1 ? x.map((input) => input.shape) : x[0].shape)
    this.bindOptimizer()
  }

  /** Binds the optimizer to what the model trains; one that was made for these parameters keeps its groups. */
  bindOptimizer(): void {
    const trainable = this.model.trainableParameters()
    const bound = new Set(this.optimizer.parameters)
    if (trainable.some((parameter) => !bound.has(parameter))) this.optimizer.bind(trainable)
  }

  private inputs(x: readonly Tensor[]): Tensor | Tensor[] {
    return x.length === 1 ? x[0] : [...x]
  }

  private *forward(batch: Batch, context: CallContext): Steps<Forward> {
    const predictions = asList(yield* this.model.runSteps(this.inputs(batch.x), context))
    yield
    if (predictions.length !== batch.y.length) {
      throw new RangeError(`the model has ${predictions.length} output(s), but ${batch.y.length} target(s) were given`)
    }
    const terms: Tensor[] = []
    predictions.forEach((prediction, i) => {
      const loss = this.losses[i]
      if (!loss) return
      const losses = loss(matchTarget(batch.y[i], prediction), prediction)
      const value = reduceLoss(losses, batch.sampleWeight, context.masks.get(prediction))
      this.metrics.outputLosses[i]?.addMean(value, batch.size)
      const weight = this.lossWeights[i]
      terms.push(weight === 1 ? value : mul(value, constant(weight, value.dtype)))
    })
    terms.push(...this.model.regularizationLosses(), ...context.losses)
    if (terms.length === 0) throw new Error('there is no loss to minimise: pass a loss to compile()')
    const masks = predictions.map((prediction) => context.masks.get(prediction))
    return { predictions, masks, total: terms.reduce((a, b) => add(a, b)) }
  }

  private track(batch: Batch, { predictions, masks, total }: Forward): void {
    this.metrics.loss.addMean(total, batch.size)
    const targets = batch.y.map((target, i) => matchRank(target, predictions[i]))
    this.metrics.update(targets, predictions, batch.sampleWeight, masks)
  }

  /** Forward, backward, clipping, update and metrics as one program. Returns the loss of the batch. */
  readonly trainStep = jit((batch: Batch): Steps<Tensor> => this.trainSteps(batch), {
    name: 'train step',
    cacheSize: 1024,
  })

  private *trainSteps(batch: Batch): Steps<Tensor> {
    const forward = yield* this.forward(batch, callContext(true))
    yield
    const scale = this.optimizer.common.lossScaleFactor
    const loss = scale ? mul(forward.total, constant(scale, forward.total.dtype)) : forward.total
    const grads = yield* gradientSteps(loss, this.optimizer.parameters)
    yield* this.optimizer.steps(grads)
    this.model.applyConstraints((parameter, constraint) => this.optimizer.project(parameter, constraint))
    yield
    this.track(batch, forward)
    return forward.total
  }

  private *testSteps(batch: Batch, result: (forward: Forward) => Tensor): Steps<Tensor> {
    const forward = yield* this.forward(batch, callContext(false))
    yield
    this.track(batch, forward)
    return result(forward)
  }

  readonly testStep = jit((batch: Batch): Steps<Tensor> => this.testSteps(batch, ({ total }) => total), {
    name: 'test step',
    cacheSize: 1024,
  })

  /** As {@link testStep}; returns the predictions of the first output. */
  readonly scoreStep = jit(
    (batch: Batch): Steps<Tensor> => this.testSteps(batch, ({ predictions }) => predictions[0]),
    { name: 'score step', cacheSize: 1024 },
  )

  readonly predictStep = jit(
    (x: readonly Tensor[]): Tensor[] => asList(this.model.run(this.inputs(x), callContext(false))),
    {
      name: 'predict step',
      cacheSize: 1024,
    },
  )

  private readonly resultStep = jit(() => this.metrics.results(), { name: 'metric results' })

  /** Present values of all metrics. */
  async results(): Promise<Logs> {
    const tensors = this.metrics.all.length > 0 ? await this.resultStep.inSlices() : {}
    const entries = await Promise.all(
      Object.entries(tensors).map(async ([name, value]): Promise<(readonly [string, number])[]> => {
        if (value.size === 1) return [[name, await value.item()]]
        // Metrics with several results (classes or thresholds apart) are numbered.
        const numbers = Float64Array.from((await value.data()) as ArrayLike<number>)
        return Array.from(numbers, (number, i) => [`${name}_${i}`, number] as const)
      }),
    )
    return Object.fromEntries(entries.flat())
  }
}

/** Targets in the rank of predictions where one of them has a last dimension of 1 too many: Keras' squeeze-or-expand rule. */
function matchRank(target: Tensor, prediction: Tensor): Tensor {
  const rank = prediction.ndim
  if (target.ndim === rank - 1 && prediction.shape.at(-1) === 1) return target.reshape([...target.shape, 1])
  if (target.ndim === rank + 1 && target.shape.at(-1) === 1) return target.reshape(target.shape.slice(0, -1))
  return target
}

/** Targets in rank and dtype of predictions; class indices stay integers. */
function matchTarget(target: Tensor, prediction: Tensor): Tensor {
  const matched = matchRank(target, prediction)
  return matched.ndim === prediction.ndim ? matched.to(prediction.dtype) : matched
}
