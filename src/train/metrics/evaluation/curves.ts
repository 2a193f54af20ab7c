import { mean, total } from './average.js'
import { asClasses } from './confusion-matrix.js'
import {
  encode,
  indicatorRows,
  isMatrix,
  type Label,
  list,
  type Matrix,
  type Numbers,
  positiveLabel,
  rowsOf,
  sameLength,
  type Targets,
  uniqueLabels,
  type Weighted,
  weightsOf,
} from './labels.js'

export interface CurveOptions extends Weighted {
  /** The positive class; 1 where the classes are 0/1 or -1/1. */
  readonly posLabel?: Label | null
  /** Leaves out points between two others on one line. */
  readonly dropIntermediate?: boolean
}

interface Cumulative {
  /** Weight of true and false positives at each threshold, in descending order of thresholds. */
  readonly tps: number[]
  readonly fps: number[]
  readonly thresholds: number[]
}

/** Counts over distinct scores. Source: sklearn.metrics.confusion_matrix_at_thresholds. */
function cumulative(name: string, yTrue: ArrayLike<Label>, yScore: Numbers, options: CurveOptions): Cumulative {
  sameLength(name, yTrue, yScore)
  const classes = uniqueLabels(asClasses(name, yTrue))
  if (classes.length > 2 && (options.posLabel ?? null) === null)
    throw new RangeError(`${name}: expected two classes or posLabel, got ${classes.length} classes`)
  const positive = positiveLabel(name, classes, options.posLabel)
  const weights = weightsOf(name, yTrue.length, options.sampleWeight)
  const order = Array.from({ length: yTrue.length }, (_, i) => i)
    .filter((i) => weights[i] !== 0)
    .sort((a, b) => yScore[b] - yScore[a])
  const out: Cumulative = { tps: [], fps: [], thresholds: [] }
  let [hits, falses] = [0, 0]
  for (const [at, i] of order.entries()) {
    if (yTrue[i] === positive) hits += weights[i]
    else falses += weights[i]
    if (at + 1 < order.length && yScore[order[at + 1]] === yScore[i]) continue
    out.tps.push(hits)
    out.fps.push(falses)
    out.thresholds.push(yScore[i])
  }
  return out
}

function keep({ tps, fps, thresholds }: Cumulative, wanted: (i: number) => boolean): Cumulative {
  const kept = tps.map((_, i) => i).filter((i) => i === 0 || i === tps.length - 1 || wanted(i))
  const pick = (values: number[]): number[] => kept.map((i) => values[i])
  return { tps: pick(tps), fps: pick(fps), thresholds: pick(thresholds) }
}

export interface RocCurve {
  readonly fpr: number[]
  readonly tpr: number[]
  /** Descending, the first one infinite: nothing counts as positive there. */
  readonly thresholds: number[]
}

/** False against true positive rate over thresholds (sklearn.metrics.roc_curve). Rates are NaN where a class is missing. */
export function rocCurve(yTrue: ArrayLike<Label>, yScore: Numbers, options: CurveOptions = {}): RocCurve {
  let counts = cumulative('rocCurve', yTrue, yScore, options)
  if (options.dropIntermediate ?? true) {
    const { fps, tps } = counts
    const bends = (v: number[], i: number): boolean => v[i + 1] - 2 * v[i] + v[i - 1] !== 0
    counts = keep(counts, (i) => bends(fps, i) || bends(tps, i))
  }
  const rate = (values: number[]): number[] => {
    const all = values[values.length - 1]
    return [0, ...values].map((value) => (all > 0 ? value / all : Number.NaN))
  }
  return {
    fpr: rate(counts.fps),
    tpr: rate(counts.tps),
    thresholds: [Number.POSITIVE_INFINITY, ...counts.thresholds],
  }
}

export interface PrecisionRecallCurve {
  /** Ends in 1. */
  readonly precision: number[]
  /** Ends in 0. */
  readonly recall: number[]
  /** Ascending; one less than the points. */
  readonly thresholds: number[]
}

/** Precision against recall over thresholds (sklearn.metrics.precision_recall_curve). */
export function precisionRecallCurve(
  yTrue: ArrayLike<Label>,
  yScore: Numbers,
  options: CurveOptions = {},
): PrecisionRecallCurve {
  let counts = cumulative('precisionRecallCurve', yTrue, yScore, options)
  if (options.dropIntermediate) {
    const { tps } = counts
    counts = keep(counts, (i) => tps[i] !== tps[i - 1] || tps[i + 1] !== tps[i])
  }
  const { tps, fps, thresholds } = counts
  const all = tps[tps.length - 1]
  return {
    precision: [...tps.map((tp, i) => (tp + fps[i] === 0 ? 0 : tp / (tp + fps[i]))).reverse(), 1],
    recall: [...tps.map((tp) => (all === 0 ? 1 : tp / all)).reverse(), 0],
    thresholds: thresholds.reverse(),
  }
}

export interface DetCurve {
  readonly fpr: number[]
  readonly fnr: number[]
  readonly thresholds: number[]
}

/** False positive against false negative rate (sklearn.metrics.det_curve). @throws RangeError for one class. */
export function detCurve(yTrue: ArrayLike<Label>, yScore: Numbers, options: CurveOptions = {}): DetCurve {
  if (uniqueLabels(yTrue).length !== 2) throw new RangeError('detCurve: expected two classes in yTrue')
  const counts = cumulative('detCurve', yTrue, yScore, options)
  let points: Cumulative = {
    tps: [0, ...counts.tps],
    fps: [0, ...counts.fps],
    thresholds: [Number.POSITIVE_INFINITY, ...counts.thresholds],
  }
  if (options.dropIntermediate) {
    const { tps } = points
    points = keep(points, (i) => tps[i] !== tps[i - 1] || tps[i + 1] !== tps[i])
  }
  const { tps, fps, thresholds } = points
  const [positives, negatives] = [tps[tps.length - 1], fps[fps.length - 1]]
  const first = fps.lastIndexOf(fps[0])
  const last = tps.indexOf(positives) + 1
  const part = (values: number[]): number[] => values.slice(first, last).reverse()
  return {
    fpr: part(fps).map((fp) => fp / negatives),
    fnr: part(tps).map((tp) => (positives - tp) / positives),
    thresholds: part(thresholds),
  }
}

/** Area under a curve by the trapezoidal rule. @throws RangeError where x is not monotonic. */
export function auc(x: Numbers, y: Numbers): number {
  sameLength('auc', x, y)
  if (x.length < 2) throw new RangeError(`auc: expected at least 2 points, got ${x.length}`)
  let [area, up, down] = [0, false, false]
  for (let i = 1; i < x.length; i++) {
    const step = x[i] - x[i - 1]
    up ||= step > 0
    down ||= step < 0
    area += (step * (y[i] + y[i - 1])) / 2
  }
  if (up && down) throw new RangeError('auc: x neither rises nor falls throughout')
  return down ? -area : area
}

export type ColumnAveraging = 'micro' | 'macro' | 'weighted' | 'samples'

export interface RankOptions extends Weighted {
  /** Over columns of indicator rows, or over classes. Default 'macro'. */
  readonly average?: ColumnAveraging
}

type BinaryScore = (yTrue: Numbers, yScore: Numbers, weights: Numbers | null) => number

/** Applies a score of two classes to indicator rows. Source: sklearn.metrics._base._average_binary_score. */
function averageColumns(
  score: BinaryScore,
  truth: readonly Float64Array[],
  scores: readonly Float64Array[],
  options: RankOptions,
): number {
  const { average = 'macro', sampleWeight = null } = options
  const flat = (rows: readonly Float64Array[]): number[] => rows.flatMap((row) => list(row))
  if (average === 'micro') {
    const weights = sampleWeight && truth.flatMap((row, i) => list(row).map(() => sampleWeight[i]))
    return score(flat(truth), flat(scores), weights)
  }
  if (average === 'samples')
    return mean(
      truth.map((row, i) => score(row, scores[i], null)),
      sampleWeight,
    )
  const columns = Array.from(truth[0].keys())
  const column = (rows: readonly Float64Array[], c: number): number[] => rows.map((row) => row[c])
  const support = columns.map((c) => total(truth.map((row, i) => row[c] * (sampleWeight ? sampleWeight[i] : 1))))
  if (average === 'macro') return mean(columns.map((c) => score(column(truth, c), column(scores, c), sampleWeight)))
  if (total(support) === 0) return 0
  const values = columns.map((c) => (support[c] === 0 ? 0 : score(column(truth, c), column(scores, c), sampleWeight)))
  return mean(values, support)
}

const oneHot = (classes: Int32Array, count: number): Float64Array[] =>
  Array.from(classes, (label) => Float64Array.from({ length: count }, (_, c) => (c === label ? 1 : 0)))

export interface RocAucOptions extends RankOptions {
  /** Area up to this false positive rate only, standardised to 0.5 for chance (McClish 1989). */
  readonly maxFpr?: number | null
  /** More than two classes: each against the rest, or in pairs (Hand and Till 2001). */
  readonly multiClass?: 'ovr' | 'ovo'
  /** All classes in the order of the columns of scores. */
  readonly labels?: ArrayLike<Label> | null
}

function binaryRocAuc(yTrue: Numbers, yScore: Numbers, weights: Numbers | null, maxFpr: number | null = null): number {
  if (new Set(list(yTrue)).size !== 2) return Number.NaN
  const { fpr, tpr } = rocCurve(yTrue, yScore, { sampleWeight: weights })
  if (maxFpr === null || maxFpr === 1) return auc(fpr, tpr)
  if (!(maxFpr > 0 && maxFpr < 1)) throw new RangeError(`rocAucScore: maxFpr must lie in (0, 1], got ${maxFpr}`)
  const stop = fpr.findIndex((rate) => rate > maxFpr)
  const share = (maxFpr - fpr[stop - 1]) / (fpr[stop] - fpr[stop - 1])
  const end = tpr[stop - 1] + share * (tpr[stop] - tpr[stop - 1])
  const area = auc([...fpr.slice(0, stop), maxFpr], [...tpr.slice(0, stop), end])
  const least = maxFpr ** 2 / 2
  return (1 + (area - least) / (maxFpr - least)) / 2
}

function pairwiseRocAuc(truth: Int32Array, scores: readonly Float64Array[], options: RocAucOptions): number {
  if (options.sampleWeight) throw new RangeError("rocAucScore: sampleWeight does not go with multiClass 'ovo'")
  const present = [...new Set(truth)].sort((a, b) => a - b)
  const [areas, prevalence]: number[][] = [[], []]
  for (const [at, a] of present.entries())
    for (const b of present.slice(at + 1)) {
      const chosen = Array.from(truth.keys()).filter((i) => truth[i] === a || truth[i] === b)
      const area = (c: number): number =>
        binaryRocAuc(
          chosen.map((i) => (truth[i] === c ? 1 : 0)),
          chosen.map((i) => scores[i][c]),
          null,
        )
      areas.push((area(a) + area(b)) / 2)
      prevalence.push(chosen.length / truth.length)
    }
  return mean(areas, options.average === 'weighted' ? prevalence : null)
}

function multiclassRocAuc(yTrue: ArrayLike<Label>, scores: readonly Float64Array[], options: RocAucOptions): number {
  const { multiClass, maxFpr = null } = options
  if (multiClass !== 'ovr' && multiClass !== 'ovo')
    throw new RangeError("rocAucScore: more than two classes need multiClass: 'ovr' or 'ovo'")
  if (maxFpr !== null && maxFpr !== 1) throw new RangeError('rocAucScore: maxFpr needs two classes')
  const classes = options.labels ? list(options.labels) : uniqueLabels(yTrue)
  if (classes.length !== scores[0].length)
    throw new RangeError(`rocAucScore: ${classes.length} classes but ${scores[0].length} columns of scores`)
  if (scores.some((row) => Math.abs(total(row) - 1) > 1e-5 * total(row) + 1e-8))
    throw new RangeError('rocAucScore: scores of more than two classes must be probabilities that sum to 1')
  const truth = encode(yTrue, classes)
  if (truth.includes(-1)) throw new RangeError('rocAucScore: yTrue has classes that are not among labels')
  if (multiClass === 'ovo') return pairwiseRocAuc(truth, scores, options)
  return averageColumns((t, s, w) => binaryRocAuc(t, s, w), oneHot(truth, classes.length), scores, options)
}

/**
 * Area under the ROC curve (sklearn.metrics.roc_auc_score): of one score per example for two classes, of rows of probabilities for more,
 * of rows of scores for indicator rows. NaN where a class is missing.
 */
export function rocAucScore(yTrue: Targets, yScore: Numbers | Matrix, options: RocAucOptions = {}): number {
  const name = 'rocAucScore'
  sameLength(name, yTrue, yScore)
  const maxFpr = options.maxFpr ?? null
  if (isMatrix(yTrue)) {
    const binary: BinaryScore = (t, s, w) => binaryRocAuc(t, s, w, maxFpr)
    return averageColumns(binary, indicatorRows(name, yTrue), rowsOf(name, yScore as Matrix), options)
  }
  const classes = uniqueLabels(yTrue)
  if (typeof yScore[0] === 'object') {
    const rows = rowsOf(name, yScore as Matrix)
    if (classes.length > 2 || rows[0].length > 2) return multiclassRocAuc(yTrue, rows, options)
    if (rows[0].length !== 1)
      throw new RangeError(`${name}: two classes need one score per example, that of the greater`)
    return binaryRocAuc(
      encode(yTrue, classes),
      rows.map((row) => row[0]),
      options.sampleWeight ?? null,
      maxFpr,
    )
  }
  if (classes.length > 2) throw new RangeError(`${name}: ${classes.length} classes need a row of scores per example`)
  return binaryRocAuc(encode(yTrue, classes), yScore as Numbers, options.sampleWeight ?? null, maxFpr)
}

/**
 * Mean precision weighted by the gain in recall, without interpolation (sklearn.metrics.average_precision_score): for two classes,
 * for indicator rows, or for classes with a row of scores.
 */
export function averagePrecisionScore(
  yTrue: Targets,
  yScore: Numbers | Matrix,
  options: RankOptions & { readonly posLabel?: Label } = {},
): number {
  const name = 'averagePrecisionScore'
  const score = (truth: ArrayLike<Label>, scores: Numbers, weights: Numbers | null): number => {
    const posLabel = options.posLabel ?? 1
    const positive = uniqueLabels(truth).find((label) => label === posLabel || Number(label) === posLabel) ?? posLabel
    const curve = precisionRecallCurve(truth, scores, { posLabel: positive, sampleWeight: weights })
    let area = 0
    for (let i = 0; i + 1 < curve.recall.length; i++)
      area += (curve.recall[i] - curve.recall[i + 1]) * curve.precision[i]
    return Math.max(0, area)
  }
  sameLength(name, yTrue, yScore)
  if (isMatrix(yTrue)) return averageColumns(score, indicatorRows(name, yTrue), rowsOf(name, yScore as Matrix), options)
  const classes = uniqueLabels(yTrue)
  if (classes.length <= 2) {
    const scores =
      typeof yScore[0] === 'object' ? rowsOf(name, yScore as Matrix).map((row) => row[0]) : (yScore as Numbers)
    return score(yTrue, scores, options.sampleWeight ?? null)
  }
  if (typeof yScore[0] !== 'object')
    throw new RangeError(`${name}: ${classes.length} classes need a row of scores per example`)
  return averageColumns(score, oneHot(encode(yTrue, classes), classes.length), rowsOf(name, yScore as Matrix), options)
}
