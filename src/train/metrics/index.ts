import { alongAxis, getLoss, type LossFunction, pointwise, toSnake } from '../../nn/index.js'
import { type Shape, square, sub } from '../../tensor/index.js'
import * as accuracy from './accuracy.js'
import * as confusion from './confusion.js'
import { concordanceCorrelation, pearsonCorrelation } from './correlation.js'
import { BinaryIoU, IoU } from './iou.js'
import { MeanMetric, Metric } from './metric.js'
import { type Average, FBetaScore, R2Score } from './scores.js'

export * from './confusion.js'
export * from './correlation.js'
export * from './evaluation/index.js'
export * from './iou.js'
export * from './metric.js'
export * from './scores.js'

type Config = Record<string, unknown>

/** Shapes of one output, known when the first batch arrives. */
export interface OutputShapes {
  readonly yTrue: Shape
  readonly yPred: Shape
}

/** What `compile` takes as a metric: an instance, a function (averaged), a name, or a name with options. */
export type MetricLike = Metric | LossFunction | string | { class_name: string; config: Config }

type Maker = (name: string, config: Config, shapes: OutputShapes) => Metric

const averaged =
  (values: LossFunction): Maker =>
  (name) =>
    new MeanMetric(name, values)

/** The mean of a function of one dimension, the last where the options name no `axis`. */
const averagedAlong =
  (values: LossFunction): Maker =>
  (name, config) =>
    new MeanMetric(name, alongAxis(values, config.axis))

const lossMean =
  (loss: string): Maker =>
  (name, config) =>
    new MeanMetric(name, getLoss(loss, config))

/** An option in Keras' spelling or in camelCase. */
const option = <T>(config: Config, camel: string): T | undefined =>
  (config[camel] ?? config[toSnake(camel)] ?? undefined) as T | undefined

const selection = (config: Config): confusion.ThresholdOptions => ({
  classId: option(config, 'classId'),
  topK: option(config, 'topK'),
})

const counted =
  (statistic: (typeof confusion)['precision']): Maker =>
  (name, config) => {
    const chosen = selection(config)
    // Without a threshold all of the k largest count.
    const standard = (chosen.topK ?? null) === null ? 0.5 : Number.NEGATIVE_INFINITY
    return new confusion.CountMetric(name, option<number>(config, 'thresholds') ?? standard, statistic, chosen)
  }

const constrained = (key: string): Maker => {
  const rule = confusion.CONSTRAINED[key]
  return (name, config) =>
    new confusion.ConstrainedMetric(name, rule, option<number>(config, rule.option) ?? Number.NaN, {
      classId: option(config, 'classId'),
      numThresholds: option(config, 'numThresholds'),
    })
}

const iou =
  (defaults: { sparseYTrue: boolean; sparseYPred: boolean }): Maker =>
  (name, config, shapes) =>
    new IoU(option<number>(config, 'numClasses') ?? shapes.yPred.at(-1) ?? 1, {
      name,
      targetClassIds: option(config, 'targetClassIds'),
      ignoreClass: option(config, 'ignoreClass'),
      sparseYTrue: option(config, 'sparseYTrue') ?? defaults.sparseYTrue,
      sparseYPred: option(config, 'sparseYPred') ?? defaults.sparseYPred,
      axis: option(config, 'axis'),
    })

/** Which accuracy a plain "accuracy" means, by the shapes of targets and predictions (Keras' rule). */
function accuracyFor({ yTrue, yPred }: OutputShapes): LossFunction {
  const classes = yPred.at(-1) ?? 1
  if (classes === 1) return accuracy.binaryAccuracy()
  const sparse = yTrue.length < yPred.length || (yTrue.at(-1) === 1 && classes > 1)
  return sparse ? accuracy.sparseCategoricalAccuracy : accuracy.categoricalAccuracy
}

const fbeta = (name: string, config: Config, shapes: OutputShapes, beta: number): Metric =>
  new FBetaScore(shapes.yPred.at(-1) ?? 1, {
    name,
    beta,
    // Keras' default keeps the classes apart; logs hold one number, so that must be asked for.
    average: config.average === undefined ? 'macro' : (config.average as Average | null),
    threshold: (config.threshold as number | null | undefined) ?? null,
  })

const MAKERS: Record<string, Maker> = {
  accuracy: (name, _config, shapes) => new MeanMetric(name, accuracyFor(shapes)),
  acc: (name, _config, shapes) => new MeanMetric(name, accuracyFor(shapes)),
  exactaccuracy: averaged(accuracy.exactAccuracy),
  logcosherror: lossMean('log_cosh'),
  binaryaccuracy: (name, config) => new MeanMetric(name, accuracy.binaryAccuracy((config.threshold as number) ?? 0.5)),
  categoricalaccuracy: averaged(accuracy.categoricalAccuracy),
  sparsecategoricalaccuracy: averaged(accuracy.sparseCategoricalAccuracy),
  topkcategoricalaccuracy: (name, config) =>
    new MeanMetric(name, accuracy.topKCategoricalAccuracy((config.k as number) ?? 5)),
  sparsetopkcategoricalaccuracy: (name, config) =>
    new MeanMetric(
      name,
      accuracy.sparseTopKCategoricalAccuracy((config.k as number) ?? 5, option(config, 'fromSortedIds') ?? false),
    ),
  rootmeansquarederror: (name) =>
    new MeanMetric(
      name,
      (y, p) => square(sub(y.to(p.dtype), p)),
      (mean) => mean.sqrt(),
    ),
  cosinesimilarity: averagedAlong(pointwise.cosineSimilarity),
  precision: counted(confusion.precision),
  recall: counted(confusion.recall),
  truepositives: counted(confusion.truePositives),
  falsepositives: counted(confusion.falsePositives),
  truenegatives: counted(confusion.trueNegatives),
  falsenegatives: counted(confusion.falseNegatives),
  auc: (name, config, shapes) =>
    new confusion.AUC(name, {
      curve: option(config, 'curve'),
      numThresholds: option(config, 'numThresholds'),
      thresholds: option(config, 'thresholds'),
      summationMethod: option(config, 'summationMethod'),
      fromLogits: option(config, 'fromLogits'),
      labels: option(config, 'multiLabel') ? (option(config, 'numLabels') ?? shapes.yPred.at(-1)) : null,
      labelWeights: option(config, 'labelWeights'),
    }),
  ...Object.fromEntries(Object.keys(confusion.CONSTRAINED).map((key) => [key, constrained(key)])),
  pearsoncorrelation: averagedAlong(pearsonCorrelation),
  concordancecorrelation: averagedAlong(concordanceCorrelation),
  f1score: (name, config, shapes) => fbeta(name, config, shapes, 1),
  fbetascore: (name, config, shapes) => fbeta(name, config, shapes, (config.beta as number) ?? 1),
  r2score: (name, config, shapes) =>
    new R2Score(shapes.yPred.at(-1) ?? 1, {
      name,
      classAggregation: config.class_aggregation === null ? null : option(config, 'classAggregation'),
      numRegressors: option(config, 'numRegressors'),
    }),
  iou: iou({ sparseYTrue: true, sparseYPred: true }),
  meaniou: iou({ sparseYTrue: true, sparseYPred: true }),
  onehotiou: iou({ sparseYTrue: false, sparseYPred: false }),
  onehotmeaniou: iou({ sparseYTrue: false, sparseYPred: false }),
  binaryiou: (name, config) =>
    new BinaryIoU({ name, targetClassIds: option(config, 'targetClassIds'), threshold: option(config, 'threshold') }),
}

const canonical = (name: string): string => name.replaceAll('_', '').toLowerCase()

/**
 * Makes a metric for one output.
 * @throws RangeError naming the unknown metric and the known ones.
 */
export function makeMetric(like: MetricLike, shapes: OutputShapes): Metric {
  if (like instanceof Metric) return like
  if (typeof like === 'function') return new MeanMetric(like.name || 'metric', like)
  const config = typeof like === 'string' ? {} : like.config
  const name = typeof like === 'string' ? like : ((config.name as string | undefined) ?? like.class_name)
  const key = canonical(typeof like === 'string' ? like : like.class_name)
  // By its class, Accuracy compares numbers; by name it is the accuracy that fits the output.
  const maker = typeof like !== 'string' && key === 'accuracy' ? MAKERS.exactaccuracy : MAKERS[key]
  if (maker) return maker(name, config, shapes)
  try {
    return lossMean(key)(name, config, shapes)
  } catch {
    throw new RangeError(`unknown metric '${name}'; known: ${Object.keys(MAKERS).join(', ')}, and every loss`)
  }
}
