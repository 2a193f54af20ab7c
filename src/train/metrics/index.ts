import { getLoss, type LossFunction, pointwise } from '../../nn/index.js'
import type { Shape } from '../../tensor/index.js'
import * as accuracy from './accuracy.js'
import * as confusion from './confusion.js'
import { MeanMetric, Metric } from './metric.js'

export * from './confusion.js'
export * from './metric.js'

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

const lossMean =
  (loss: string): Maker =>
  (name, config) =>
    new MeanMetric(name, getLoss(loss, config))

const counted =
  (statistic: (typeof confusion)['precision']): Maker =>
  (name, config) =>
    new confusion.CountMetric(name, (config.thresholds as number | null) ?? 0.5, statistic)

/** Which accuracy a plain "accuracy" means, by the shapes of targets and predictions (Keras' rule). */
function accuracyFor({ yTrue, yPred }: OutputShapes): LossFunction {
  const classes = yPred.at(-1) ?? 1
  if (classes === 1) return accuracy.binaryAccuracy()
  const sparse = yTrue.length < yPred.length || (yTrue.at(-1) === 1 && classes > 1)
  return sparse ? accuracy.sparseCategoricalAccuracy : accuracy.categoricalAccuracy
}

const fbeta = (name: string, config: Config, shapes: OutputShapes, beta: number): Metric =>
  new confusion.FBetaScore(shapes.yPred.at(-1) ?? 1, {
    name,
    beta,
    average: (config.average as confusion.Average | undefined) ?? 'macro',
    threshold: (config.threshold as number | null | undefined) ?? null,
  })

const MAKERS: Record<string, Maker> = {
  accuracy: (name, _config, shapes) => new MeanMetric(name, accuracyFor(shapes)),
  acc: (name, _config, shapes) => new MeanMetric(name, accuracyFor(shapes)),
  exactaccuracy: averaged(accuracy.exactAccuracy),
  binaryaccuracy: (name, config) => new MeanMetric(name, accuracy.binaryAccuracy((config.threshold as number) ?? 0.5)),
  categoricalaccuracy: averaged(accuracy.categoricalAccuracy),
  sparsecategoricalaccuracy: averaged(accuracy.sparseCategoricalAccuracy),
  topkcategoricalaccuracy: (name, config) =>
    new MeanMetric(name, accuracy.topKCategoricalAccuracy((config.k as number) ?? 5)),
  sparsetopkcategoricalaccuracy: (name, config) =>
    new MeanMetric(name, accuracy.sparseTopKCategoricalAccuracy((config.k as number) ?? 5)),
  rootmeansquarederror: (name) => new MeanMetric(name, pointwise.meanSquaredError, (mean) => mean.sqrt()),
  cosinesimilarity: averaged(pointwise.cosineSimilarity),
  precision: counted(confusion.precision),
  recall: counted(confusion.recall),
  truepositives: counted(confusion.truePositives),
  falsepositives: counted(confusion.falsePositives),
  truenegatives: counted(confusion.trueNegatives),
  falsenegatives: counted(confusion.falseNegatives),
  auc: (name, config) =>
    new confusion.AUC(name, {
      curve: config.curve as 'ROC' | 'PR' | undefined,
      numThresholds: (config.num_thresholds ?? config.numThresholds) as number | undefined,
    }),
  sensitivityatspecificity: (name, config) =>
    new confusion.SensitivityAtSpecificity(config.specificity as number, {
      name,
      numThresholds: (config.num_thresholds ?? config.numThresholds) as number | undefined,
    }),
  f1score: (name, config, shapes) => fbeta(name, config, shapes, 1),
  fbetascore: (name, config, shapes) => fbeta(name, config, shapes, (config.beta as number) ?? 1),
  r2score: (name, config, shapes) =>
    new confusion.R2Score(shapes.yPred.at(-1) ?? 1, {
      name,
      classAggregation: config.class_aggregation as 'uniform_average' | undefined,
    }),
  meaniou: (name, config) => new confusion.MeanIoU((config.num_classes ?? config.numClasses) as number, { name }),
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
  const maker = MAKERS[key]
  if (maker) return maker(name, config, shapes)
  try {
    return lossMean(key)(name, config, shapes)
  } catch {
    throw new RangeError(`unknown metric '${name}'; known: ${Object.keys(MAKERS).join(', ')}, and every loss`)
  }
}
