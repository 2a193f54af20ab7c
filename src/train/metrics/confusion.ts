import {
  add,
  constant,
  div,
  ge,
  gt,
  logicalAnd,
  logicalNot,
  maximum,
  mean,
  mul,
  oneHot,
  ones,
  type Parameter,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
  where,
} from '../../tensor/index.js'
import { Metric, ratio, weightsFor } from './metric.js'

// Reference: keras.metrics.confusion_metrics.

const EPSILON = 1e-7

interface Counts {
  readonly truePositives: Tensor
  readonly falsePositives: Tensor
  readonly trueNegatives: Tensor
  readonly falseNegatives: Tensor
}

/** Counts at several thresholds: [thresholds] each. */
abstract class ThresholdMetric extends Metric {
  private readonly counters: Record<keyof Counts, Parameter>
  protected readonly thresholds: readonly number[]

  constructor(name: string, thresholds: readonly number[]) {
    super(name)
    this.thresholds = thresholds
    const shape = [thresholds.length]
    this.counters = {
      truePositives: this.state(shape),
      falsePositives: this.state(shape),
      trueNegatives: this.state(shape),
      falseNegatives: this.state(shape),
    }
  }

  override update(yTrue: Tensor, yPred: Tensor, weight?: Tensor | null): void {
    const predictions = yPred.to('f32').reshape([1, -1])
    const positive = gt(yTrue.to('f32').reshape([1, -1]), constant(0.5, 'f32'))
    const weights = weightsFor(yPred.to('f32'), weight)?.reshape([1, -1]) ?? ones([1, predictions.shape[1]])
    const limits = tensor([...this.thresholds]).reshape([-1, 1])
    const called = gt(predictions, limits)
    const count = (cell: Parameter, hits: Tensor): void => {
      cell.value = add(cell.value, sum(mul(hits.to('f32'), weights), 1))
    }
    count(this.counters.truePositives, logicalAnd(called, positive))
    count(this.counters.falsePositives, logicalAnd(called, logicalNot(positive)))
    count(this.counters.falseNegatives, logicalAnd(logicalNot(called), positive))
    count(this.counters.trueNegatives, logicalAnd(logicalNot(called), logicalNot(positive)))
  }

  protected get counts(): Counts {
    const { truePositives, falsePositives, trueNegatives, falseNegatives } = this.counters
    return {
      truePositives: truePositives.value,
      falsePositives: falsePositives.value,
      trueNegatives: trueNegatives.value,
      falseNegatives: falseNegatives.value,
    }
  }
}

/** A statistic of the counts at one threshold. */
export class CountMetric extends ThresholdMetric {
  constructor(
    name: string,
    threshold: number,
    private readonly statistic: (counts: Counts) => Tensor,
  ) {
    super(name, [threshold])
  }

  override result(): Tensor {
    return this.statistic(this.counts).reshape([])
  }
}

export const precision = (c: Counts): Tensor => ratio(c.truePositives, add(c.truePositives, c.falsePositives))
export const recall = (c: Counts): Tensor => ratio(c.truePositives, add(c.truePositives, c.falseNegatives))
export const truePositives = (c: Counts): Tensor => c.truePositives
export const falsePositives = (c: Counts): Tensor => c.falsePositives
export const trueNegatives = (c: Counts): Tensor => c.trueNegatives
export const falseNegatives = (c: Counts): Tensor => c.falseNegatives

/** Keras' thresholds: evenly spaced inside (0, 1), with one just below 0 and one just above 1. */
export const evenThresholds = (count: number): number[] => [
  -EPSILON,
  ...Array.from({ length: count - 2 }, (_, i) => (i + 1) / (count - 1)),
  1 + EPSILON,
]

/** Area under the ROC or precision-recall curve by Riemann sums over thresholds (Keras AUC, interpolation). */
export class AUC extends ThresholdMetric {
  constructor(
    name = 'auc',
    private readonly options: { curve?: 'ROC' | 'PR'; numThresholds?: number } = {},
  ) {
    super(name, evenThresholds(options.numThresholds ?? 200))
  }

  override result(): Tensor {
    return (this.options.curve ?? 'ROC') === 'PR' ? this.precisionRecall() : this.roc()
  }

  private roc(): Tensor {
    const { truePositives: tp, falsePositives: fp, trueNegatives: tn, falseNegatives: fn } = this.counts
    const y = ratio(tp, add(tp, fn))
    const x = ratio(fp, add(fp, tn))
    const n = this.thresholds.length
    const left = (t: Tensor): Tensor => t.narrow(0, 0, n - 1)
    const right = (t: Tensor): Tensor => t.narrow(0, 1, n - 1)
    return sum(mul(sub(left(x), right(x)), div(add(left(y), right(y)), constant(2, 'f32'))))
  }

  /** Davis and Goadrich 2006: interpolates true positives, not precision. */
  private precisionRecall(): Tensor {
    const { truePositives: tp, falsePositives: fp, falseNegatives: fn } = this.counts
    const n = this.thresholds.length
    const left = (t: Tensor): Tensor => t.narrow(0, 0, n - 1)
    const right = (t: Tensor): Tensor => t.narrow(0, 1, n - 1)
    const zero = constant(0, 'f32')
    const dtp = sub(left(tp), right(tp))
    const p = add(tp, fp)
    const dp = sub(left(p), right(p))
    const slope = ratio(dtp, maximum(dp, zero))
    const intercept = sub(right(tp), mul(slope, right(p)))
    const both = logicalAnd(gt(left(p), zero), gt(right(p), zero))
    const safe = where(both, div(left(p), where(both, maximum(right(p), zero), constant(1, 'f32'))), constant(1, 'f32'))
    const gain = mul(slope, add(dtp, mul(intercept, safe.log())))
    return sum(ratio(gain, maximum(add(right(tp), right(fn)), zero)))
  }
}

/** Best sensitivity among thresholds whose specificity reaches a value (Keras SensitivityAtSpecificity). */
export class SensitivityAtSpecificity extends ThresholdMetric {
  constructor(
    private readonly specificity: number,
    options: { name?: string; numThresholds?: number } = {},
  ) {
    super(options.name ?? 'sensitivity_at_specificity', evenThresholds(options.numThresholds ?? 200))
  }

  override result(): Tensor {
    const { truePositives: tp, falsePositives: fp, trueNegatives: tn, falseNegatives: fn } = this.counts
    const sensitivities = ratio(tp, add(tp, fn))
    const specificities = ratio(tn, add(tn, fp))
    return where(ge(specificities, constant(this.specificity, 'f32')), sensitivities, constant(0, 'f32')).amax()
  }
}

export type Average = 'micro' | 'macro' | 'weighted'

/** F-beta over classes (Keras FBetaScore; F1Score is beta 1). Without a threshold the largest prediction counts. */
export class FBetaScore extends Metric {
  private readonly tp: Parameter
  private readonly fp: Parameter
  private readonly fn: Parameter
  private readonly support: Parameter

  constructor(
    classes: number,
    private readonly options: { name?: string; average?: Average; beta?: number; threshold?: number | null } = {},
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
    const { average = 'macro', beta = 1 } = this.options
    const epsilon = constant(EPSILON, 'f32')
    const p = div(this.tp.value, add(add(this.tp.value, this.fp.value), epsilon))
    const r = div(this.tp.value, add(add(this.tp.value, this.fn.value), epsilon))
    const scale = constant(beta * beta, 'f32')
    const score = div(mul(mul(add(scale, constant(1, 'f32')), p), r), add(add(mul(scale, p), r), epsilon))
    if (average === 'weighted')
      return sum(mul(score, ratio(this.support.value, sum(this.support.value).expand(this.support.shape))))
    return average === 'macro' ? mean(score) : score
  }
}

/** Coefficient of determination, averaged over outputs (Keras R2Score). */
export class R2Score extends Metric {
  private readonly squares: Parameter
  private readonly totals: Parameter
  private readonly residuals: Parameter
  private readonly count: Parameter

  constructor(
    outputs: number,
    private readonly options: {
      name?: string
      classAggregation?: 'uniform_average' | 'variance_weighted_average' | null
    } = {},
  ) {
    super(options.name ?? 'r2_score')
    this.squares = this.state([outputs])
    this.totals = this.state([outputs])
    this.residuals = this.state([outputs])
    this.count = this.state()
  }

  override update(yTrue: Tensor, yPred: Tensor, weight?: Tensor | null): void {
    const y = yTrue.to('f32')
    const w = weightsFor(y, weight) ?? ones(y.shape)
    this.totals.value = add(this.totals.value, sum(mul(y, w), 0))
    this.squares.value = add(this.squares.value, sum(mul(square(y), w), 0))
    this.residuals.value = add(this.residuals.value, sum(mul(square(sub(y, yPred)), w), 0))
    this.count.value = add(this.count.value, sum(w.narrow(1, 0, 1)))
  }

  override result(): Tensor {
    const average = div(this.totals.value, this.count.value)
    const total = sub(this.squares.value, mul(this.totals.value, average))
    const scores = sub(constant(1, 'f32'), div(this.residuals.value, total))
    if (this.options.classAggregation === 'variance_weighted_average') return div(sum(mul(scores, total)), sum(total))
    return mean(scores)
  }
}

/** Mean intersection over union of integer labels from a confusion matrix (Keras MeanIoU). */
export class MeanIoU extends Metric {
  private readonly matrix: Parameter

  constructor(
    private readonly classes: number,
    options: { name?: string } = {},
  ) {
    super(options.name ?? 'mean_io_u')
    this.matrix = this.state([classes, classes])
  }

  override update(yTrue: Tensor, yPred: Tensor, weight?: Tensor | null): void {
    const rows = oneHot(yTrue.to('i32').reshape([-1]), this.classes).to('f32')
    const columns = oneHot(yPred.to('i32').reshape([-1]), this.classes).to('f32')
    const weighted = weight ? mul(rows, weight.to('f32').reshape([-1, 1])) : rows
    this.matrix.value = add(this.matrix.value, weighted.t().matmul(columns))
  }

  override result(): Tensor {
    const matrix = this.matrix.value
    const hits = matrix.diagonal()
    const union = sub(add(sum(matrix, 0), sum(matrix, 1)), hits)
    const present = gt(union, constant(0, 'f32')).to('f32')
    return ratio(sum(mul(ratio(hits, union), present)), sum(present))
  }
}
