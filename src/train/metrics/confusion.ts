import {
  add,
  constant,
  div,
  ge,
  gt,
  logicalAnd,
  logicalNot,
  maximum,
  minimum,
  mul,
  ne,
  ones,
  type Parameter,
  sigmoid,
  sub,
  sum,
  type Tensor,
  tensor,
  topK,
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

/** Which part of predictions counts. */
export interface ThresholdOptions {
  /** Looks at this class alone (last dimension). */
  classId?: number | null
  /** Only the k largest predictions of each example can count as positive. */
  topK?: number | null
}

/** Labels apart, and their weights. */
interface LabelOptions {
  /** Counts each of so many labels (last dimension) apart. */
  readonly apart?: number | null
  /** Weights of labels (last dimension) that are counted together. */
  readonly labelWeights?: readonly number[] | null
}

/** Counts at several thresholds: [thresholds] each, or [thresholds, labels]. */
abstract class ThresholdMetric extends Metric {
  private readonly counters: Record<keyof Counts, Parameter>

  constructor(
    name: string,
    protected readonly thresholds: readonly number[],
    private readonly selection: ThresholdOptions & LabelOptions = {},
  ) {
    super(name)
    const { apart } = selection
    const shape = apart ? [thresholds.length, apart] : [thresholds.length]
    this.counters = {
      truePositives: this.state(shape),
      falsePositives: this.state(shape),
      trueNegatives: this.state(shape),
      falseNegatives: this.state(shape),
    }
  }

  /** Predictions that cannot count as positive become -infinity. */
  private largest(predictions: Tensor): Tensor {
    const k = this.selection.topK ?? null
    if (k === null) return predictions
    const limit = topK(predictions, k).values.narrow(-1, k - 1, 1)
    return where(ge(predictions, limit), predictions, constant(Number.NEGATIVE_INFINITY, 'f32'))
  }

  private ofClass(x: Tensor): Tensor {
    const id = this.selection.classId ?? null
    return id === null ? x : x.narrow(-1, id, 1)
  }

  /** Scores in [0, 1], from what the model gives. */
  protected scores(yPred: Tensor): Tensor {
    return yPred.to('f32')
  }

  override update(yTrue: Tensor, yPred: Tensor, weight?: Tensor | null): void {
    const given = this.ofClass(this.largest(this.scores(yPred)))
    const { apart, labelWeights } = this.selection
    const flat = (x: Tensor): Tensor => x.reshape(apart ? [1, -1, apart] : [1, -1])
    const predictions = flat(given)
    const positive = flat(ne(this.ofClass(yTrue).to('i32'), constant(0, 'i32')))
    const plain = weightsFor(given, weight) ?? ones(given.shape)
    const weights = flat(labelWeights ? mul(plain, tensor([...labelWeights])) : plain)
    const limits = tensor([...this.thresholds]).reshape(apart ? [-1, 1, 1] : [-1, 1])
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

/** A statistic of the counts: a scalar for one threshold, [thresholds] for a list. */
export class CountMetric extends ThresholdMetric {
  private readonly single: boolean

  constructor(
    name: string,
    threshold: number | readonly number[],
    private readonly statistic: (counts: Counts) => Tensor,
    selection: ThresholdOptions = {},
  ) {
    const list = typeof threshold === 'number' ? [threshold] : threshold
    super(name, list, selection)
    this.single = list.length === 1
  }

  override result(): Tensor {
    const value = this.statistic(this.counts)
    return this.single ? value.reshape([]) : value
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

export interface AUCOptions {
  /** Default ROC. */
  curve?: 'ROC' | 'PR'
  /** Default 200, evenly spaced. */
  numThresholds?: number
  /** Further thresholds between 0 and 1, in place of the even ones. */
  thresholds?: readonly number[] | null
  /** Heights of the rectangles: interpolated (default), the lower or the higher end. */
  summationMethod?: 'interpolation' | 'minoring' | 'majoring'
  /** Predictions are logits. */
  fromLogits?: boolean
  /** The mean of the areas of so many labels (last dimension), each by itself. */
  labels?: number | null
  /** Weights of labels: in the mean of areas, or of the counts where labels are not apart. */
  labelWeights?: readonly number[] | null
}

const HEIGHTS: Record<string, (a: Tensor, b: Tensor) => Tensor> = {
  interpolation: (a, b) => div(add(a, b), constant(2, 'f32')),
  minoring: minimum,
  majoring: maximum,
}

/** Area under the ROC or precision-recall curve by Riemann sums over thresholds (Keras AUC). */
export class AUC extends ThresholdMetric {
  constructor(
    name = 'auc',
    private readonly options: AUCOptions = {},
  ) {
    const given = options.thresholds
    super(
      name,
      given
        ? [-EPSILON, ...[...given].sort((a, b) => a - b), 1 + EPSILON]
        : evenThresholds(options.numThresholds ?? 200),
      { apart: options.labels, labelWeights: options.labels ? null : options.labelWeights },
    )
    const { labels, labelWeights } = options
    if (labels && labelWeights && labelWeights.length !== labels)
      throw new RangeError(`${name}: ${labels} labels need as many labelWeights, got ${labelWeights.length}`)
    if (!HEIGHTS[this.method]) throw new RangeError(`${name}: unknown summationMethod '${this.method}'`)
  }

  private get method(): string {
    return this.options.summationMethod ?? 'interpolation'
  }

  protected override scores(yPred: Tensor): Tensor {
    return this.options.fromLogits ? sigmoid(yPred.to('f32')) : super.scores(yPred)
  }

  override result(): Tensor {
    const { truePositives: tp, falsePositives: fp, trueNegatives: tn, falseNegatives: fn } = this.counts
    const found = ratio(tp, add(tp, fn))
    if ((this.options.curve ?? 'ROC') === 'ROC') return this.area(ratio(fp, add(fp, tn)), found)
    return this.method === 'interpolation' ? this.precisionRecall() : this.area(found, ratio(tp, add(tp, fp)))
  }

  /** The sum over thresholds; of labels apart the mean. */
  private total(terms: Tensor): Tensor {
    const areas = sum(terms, 0)
    const { labels, labelWeights } = this.options
    if (!labels) return areas
    if (!labelWeights) return areas.mean()
    const weights = tensor([...labelWeights])
    return ratio(sum(mul(areas, weights)), sum(weights))
  }

  private area(x: Tensor, y: Tensor): Tensor {
    const n = this.thresholds.length
    const left = (t: Tensor): Tensor => t.narrow(0, 0, n - 1)
    const right = (t: Tensor): Tensor => t.narrow(0, 1, n - 1)
    return this.total(mul(sub(left(x), right(x)), HEIGHTS[this.method](left(y), right(y))))
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
    return this.total(ratio(gain, maximum(add(right(tp), right(fn)), zero)))
  }
}

type Statistic = (counts: Counts) => Tensor

const specificity: Statistic = (c) => ratio(c.trueNegatives, add(c.trueNegatives, c.falsePositives))

/** What a constrained metric holds fixed, and what it then maximises. */
export const CONSTRAINED: Record<
  string,
  { readonly fixed: Statistic; readonly best: Statistic; readonly option: string }
> = {
  sensitivityatspecificity: { fixed: specificity, best: recall, option: 'specificity' },
  specificityatsensitivity: { fixed: recall, best: specificity, option: 'sensitivity' },
  precisionatrecall: { fixed: recall, best: precision, option: 'recall' },
  recallatprecision: { fixed: precision, best: recall, option: 'precision' },
}

/** The best of one statistic among the thresholds at which another reaches a value (Keras SensitivityAtSpecificity and its like). */
export class ConstrainedMetric extends ThresholdMetric {
  constructor(
    name: string,
    private readonly rule: { readonly fixed: Statistic; readonly best: Statistic },
    private readonly value: number,
    options: ThresholdOptions & { numThresholds?: number } = {},
  ) {
    const count = options.numThresholds ?? 200
    super(name, count === 1 ? [0.5] : Array.from({ length: count }, (_, i) => i / (count - 1)), options)
    if (!(value >= 0 && value <= 1))
      throw new RangeError(`${name}: the value to reach must lie in [0, 1], got ${value}`)
  }

  override result(): Tensor {
    const { counts } = this
    return where(
      ge(this.rule.fixed(counts), constant(this.value, 'f32')),
      this.rule.best(counts),
      constant(0, 'f32'),
    ).amax()
  }
}
