import {
  add,
  constant,
  div,
  ge,
  gt,
  isinf,
  mean,
  mul,
  ones,
  type Parameter,
  square,
  sub,
  sum,
  type Tensor,
  where,
} from '../../tensor/index.js'
import { Metric, ratio, weightsFor } from './metric.js'

// Reference: keras.metrics.f_score_metrics and regression_metrics.

const EPSILON = 1e-7

export type Average = 'micro' | 'macro' | 'weighted'

/** F-beta over classes (Keras FBetaScore; F1Score is beta 1). Without a threshold the largest prediction counts. */
export class FBetaScore extends Metric {
  private readonly tp: Parameter
  private readonly fp: Parameter
  private readonly fn: Parameter
  private readonly support: Parameter

  constructor(
    classes: number,
    private readonly options: {
      name?: string
      average?: Average | null
      beta?: number
      threshold?: number | null
    } = {},
  ) {
    super(options.name ?? 'fbeta_score')
    const shape = options.average === 'micro' ? [] : [classes]
    this.tp = this.state(shape)
    this.fp = this.state(shape)
    this.fn = this.state(shape)
    this.support = this.state(shape)
  }

  override update(yTrue: Tensor, yPred: Tensor, weight?: Tensor | null): void {
    const { threshold = null, average } = this.options
    const truth = yTrue.to('f32')
    const called =
      threshold === null
        ? ge(yPred, yPred.amax(-1, { keepdim: true })).to('f32')
        : gt(yPred, constant(threshold, yPred.dtype)).to('f32')
    const weights = weightsFor(truth, weight)
    const count = (cell: Parameter, hits: Tensor): void => {
      const weighted = weights ? mul(hits, weights) : hits
      cell.value = add(cell.value, average === 'micro' ? sum(weighted) : sum(weighted, 0))
    }
    const one = constant(1, 'f32')
    count(this.tp, mul(called, truth))
    count(this.fp, mul(called, sub(one, truth)))
    count(this.fn, mul(sub(one, called), truth))
    count(this.support, truth)
  }

  override result(): Tensor {
    const { average = 'macro' as Average | null, beta = 1 } = this.options
    const epsilon = constant(EPSILON, 'f32')
    const p = div(this.tp.value, add(add(this.tp.value, this.fp.value), epsilon))
    const r = div(this.tp.value, add(add(this.tp.value, this.fn.value), epsilon))
    const scale = constant(beta * beta, 'f32')
    const score = div(mul(mul(add(scale, constant(1, 'f32')), p), r), add(add(mul(scale, p), r), epsilon))
    if (average === 'weighted')
      return sum(mul(score, ratio(this.support.value, sum(this.support.value).expand(this.support.shape))))
    return average === 'macro' ? mean(score) : score // micro is one number already; null keeps the classes
  }
}

/** Coefficient of determination, averaged over outputs (Keras R2Score). */
export class R2Score extends Metric {
  private readonly squares: Parameter
  private readonly totals: Parameter
  private readonly residuals: Parameter
  private readonly count: Parameter
  private readonly elements: Parameter

  constructor(
    outputs: number,
    private readonly options: {
      name?: string
      classAggregation?: 'uniform_average' | 'variance_weighted_average' | null
      /** Predictors of the model that is judged: above 0 the coefficient is adjusted for them (with Keras' count of elements). */
      numRegressors?: number
    } = {},
  ) {
    super(options.name ?? 'r2_score')
    this.squares = this.state([outputs])
    this.totals = this.state([outputs])
    this.residuals = this.state([outputs])
    this.count = this.state()
    this.elements = this.state()
  }

  override update(yTrue: Tensor, yPred: Tensor, weight?: Tensor | null): void {
    const y = yTrue.to('f32')
    const w = weightsFor(y, weight) ?? ones(y.shape)
    this.totals.value = add(this.totals.value, sum(mul(y, w), 0))
    this.squares.value = add(this.squares.value, sum(mul(square(y), w), 0))
    this.residuals.value = add(this.residuals.value, sum(mul(square(sub(y, yPred)), w), 0))
    this.count.value = add(this.count.value, sum(w.narrow(1, 0, 1)))
    this.elements.value = add(this.elements.value, constant(y.size, 'f32'))
  }

  override result(): Tensor {
    const average = div(this.totals.value, this.count.value)
    const total = sub(this.squares.value, mul(this.totals.value, average))
    const raw = sub(constant(1, 'f32'), div(this.residuals.value, total))
    const scores = where(isinf(raw), constant(0, 'f32'), raw)
    return this.adjusted(this.aggregated(scores, total))
  }

  private aggregated(scores: Tensor, total: Tensor): Tensor {
    if (this.options.classAggregation === null) return scores
    if (this.options.classAggregation === 'variance_weighted_average') return div(sum(mul(scores, total)), sum(total))
    return mean(scores)
  }

  private adjusted(score: Tensor): Tensor {
    const { numRegressors = 0 } = this.options
    if (numRegressors === 0) return score
    const [zero, one] = [constant(0, 'f32'), constant(1, 'f32')]
    const free = sub(this.elements.value, constant(numRegressors + 1, 'f32'))
    const rest = div(mul(sub(one, score), sub(this.elements.value, one)), where(gt(free, zero), free, one))
    return where(gt(free, zero), sub(one, rest), score)
  }
}
