import { mean, meanOfDefined, total } from './average.js'
import {
  encode,
  indicatorRows,
  isMatrix,
  type Label,
  list,
  type Numbers,
  positiveLabel,
  sameLength,
  type Targets,
  uniqueLabels,
  type Weighted,
  weightsOf,
} from './labels.js'

// Reference: sklearn.metrics.precision_recall_fscore_support.

/** How scores of classes become one: of the positive class, over all counts, their mean, their mean by support, per example, or not at all (null). */
export type Averaging = 'binary' | 'micro' | 'macro' | 'weighted' | 'samples' | null

export interface SetOptions extends Weighted {
  /** Classes that count, in this order; all of both arrays where absent. Column numbers for indicator rows. */
  readonly labels?: ArrayLike<Label> | null
  /** The class that 'binary' looks at. Default 1. */
  readonly posLabel?: Label
  readonly average?: Averaging
  /** What a division by zero gives. Default 0. */
  readonly zeroDivision?: number
}

/** Weighted counts, one entry per class (or per example). */
export interface ClassCounts {
  readonly labels: readonly Label[]
  readonly hits: Float64Array
  /** How often each was predicted. */
  readonly predicted: Float64Array
  /** How often each was true: the support. */
  readonly actual: Float64Array
  /** Total weight of the examples. */
  readonly weight: number
}

function countClasses(
  yTrue: ArrayLike<Label>,
  yPred: ArrayLike<Label>,
  labels: readonly Label[],
  weights: Float64Array,
): ClassCounts {
  const [hits, predicted, actual] = [0, 1, 2].map(() => new Float64Array(labels.length))
  const [truth, guess] = [encode(yTrue, labels), encode(yPred, labels)]
  for (let i = 0; i < truth.length; i++) {
    if (truth[i] >= 0) actual[truth[i]] += weights[i]
    if (guess[i] >= 0) predicted[guess[i]] += weights[i]
    if (truth[i] >= 0 && truth[i] === guess[i]) hits[truth[i]] += weights[i]
  }
  return { labels, hits, predicted, actual, weight: total(weights) }
}

function countColumns(
  yTrue: readonly Float64Array[],
  yPred: readonly Float64Array[],
  columns: readonly number[],
  weights: Float64Array,
  perExample: boolean,
): ClassCounts {
  const size = perExample ? yTrue.length : columns.length
  const [hits, predicted, actual] = [0, 1, 2].map(() => new Float64Array(size))
  for (const [i, row] of yTrue.entries())
    for (const [j, column] of columns.entries()) {
      const [at, weight] = perExample ? [i, 1] : [j, weights[i]]
      actual[at] += row[column] * weight
      predicted[at] += yPred[i][column] * weight
      hits[at] += row[column] * yPred[i][column] * weight
    }
  return { labels: columns, hits, predicted, actual, weight: total(weights) }
}

function columnsOf(name: string, labels: ArrayLike<Label> | null | undefined, width: number): number[] {
  if (!labels) return Array.from({ length: width }, (_, i) => i)
  return list(labels).map((label) => {
    if (typeof label !== 'number' || !Number.isInteger(label) || label < 0 || label >= width)
      throw new RangeError(`${name}: expected labels to be columns below ${width}, got ${label}`)
    return label
  })
}

/** The classes that a way of averaging looks at. */
function chosenLabels(name: string, yTrue: ArrayLike<Label>, yPred: ArrayLike<Label>, options: SetOptions): Label[] {
  const present = uniqueLabels(yTrue, yPred)
  if (options.average !== 'binary') return options.labels ? list(options.labels) : present
  if (present.length > 2)
    throw new RangeError(`${name}: average 'binary' needs two classes, got ${present.length}; choose another average`)
  const positive = positiveLabel(
    name,
    present,
    options.posLabel ?? (present.some((l) => typeof l === 'string') ? null : 1),
  )
  if (present.length === 2 && !present.includes(positive))
    throw new RangeError(`${name}: posLabel ${positive} is none of ${present.join(', ')}`)
  return [positive]
}

/** Counts that precision, recall, F and Jaccard scores are made of. @throws RangeError for shapes that do not match. */
export function classCounts(name: string, yTrue: Targets, yPred: Targets, options: SetOptions): ClassCounts {
  sameLength(name, yTrue, yPred)
  const weights = weightsOf(name, yTrue.length, options.sampleWeight)
  if (isMatrix(yTrue) !== isMatrix(yPred))
    throw new TypeError(`${name}: expected both as classes or both as indicator rows`)
  if (!isMatrix(yTrue) || !isMatrix(yPred)) {
    const [truth, guess] = [yTrue as ArrayLike<Label>, yPred as ArrayLike<Label>]
    if (options.average === 'samples') throw new RangeError(`${name}: average 'samples' needs indicator rows`)
    return countClasses(truth, guess, chosenLabels(name, truth, guess, options), weights)
  }
  if (options.average === 'binary') throw new RangeError(`${name}: indicator rows need another average than 'binary'`)
  const [truth, guess] = [indicatorRows(name, yTrue), indicatorRows(name, yPred)]
  if (truth[0].length !== guess[0].length)
    throw new RangeError(`${name}: expected rows of one length, got ${truth[0].length} and ${guess[0].length}`)
  const columns = columnsOf(name, options.labels, truth[0].length)
  return countColumns(truth, guess, columns, weights, options.average === 'samples')
}

/** One set of counts over all classes. */
export const pooled = (counts: ClassCounts): ClassCounts => ({
  ...counts,
  hits: Float64Array.of(total(counts.hits)),
  predicted: Float64Array.of(total(counts.predicted)),
  actual: Float64Array.of(total(counts.actual)),
})

export const divide = (a: Numbers, b: Numbers, zero: number): number[] =>
  Array.from({ length: a.length }, (_, i) => (b[i] === 0 ? zero : a[i] / b[i]))

/** Precision, recall, F-beta of each entry of the counts. */
export function scoresOf(
  counts: ClassCounts,
  beta: number,
  zero: number,
): { precision: number[]; recall: number[]; fscore: number[] } {
  const { hits, predicted, actual } = counts
  const precision = divide(hits, predicted, zero)
  const recall = divide(hits, actual, zero)
  if (beta === Number.POSITIVE_INFINITY) return { precision, recall, fscore: recall }
  if (beta === 0) return { precision, recall, fscore: precision }
  const square = beta ** 2
  const fscore = divide(
    hits.map((hit) => (1 + square) * hit),
    actual.map((a, i) => square * a + predicted[i]),
    zero,
  )
  return { precision, recall, fscore }
}

export interface Scores<T> {
  readonly precision: T
  readonly recall: T
  readonly fscore: T
  /** Number of true examples per class; null for an average. */
  readonly support: T extends number ? null : number[]
}

export interface FscoreOptions extends SetOptions {
  /** Weight of recall against precision. Default 1. */
  readonly beta?: number
}

/** Weights with which entries are averaged. */
export function averageWeights(counts: ClassCounts, options: SetOptions): Numbers | null {
  if (options.average === 'weighted') return counts.actual
  return options.average === 'samples' ? (options.sampleWeight ?? null) : null
}

/**
 * Precision, recall, F-beta and support, of each class (`average: null`, the default) or as one number each.
 * Source: sklearn.metrics.precision_recall_fscore_support.
 */
export function precisionRecallFscoreSupport(
  yTrue: Targets,
  yPred: Targets,
  options?: FscoreOptions & { average?: null },
): Scores<number[]>
export function precisionRecallFscoreSupport(
  yTrue: Targets,
  yPred: Targets,
  options: FscoreOptions & { average: Exclude<Averaging, null> },
): Scores<number>
export function precisionRecallFscoreSupport(
  yTrue: Targets,
  yPred: Targets,
  options?: FscoreOptions,
): Scores<number[]> | Scores<number>
export function precisionRecallFscoreSupport(
  yTrue: Targets,
  yPred: Targets,
  options: FscoreOptions = {},
): Scores<number[]> | Scores<number> {
  const { average = null, beta = 1, zeroDivision = 0 } = options
  if (!(beta >= 0)) throw new RangeError(`beta must be at least 0, got ${beta}`)
  const name = 'precisionRecallFscoreSupport'
  const counts = classCounts(name, yTrue, yPred, { ...options, average })
  const entries = scoresOf(average === 'micro' ? pooled(counts) : counts, beta, zeroDivision)
  if (average === null) return { ...entries, support: list(counts.actual) }
  const weights = averageWeights(counts, options)
  const one = (values: number[]): number => meanOfDefined(values, weights)
  return { precision: one(entries.precision), recall: one(entries.recall), fscore: one(entries.fscore), support: null }
}

type Part = 'precision' | 'recall' | 'fscore'

const scoreOf = (part: Part, yTrue: Targets, yPred: Targets, options: FscoreOptions): number => {
  const average = options.average === undefined ? 'binary' : options.average
  if (average === null)
    throw new RangeError('one number needs an average; see precisionRecallFscoreSupport for one per class')
  return precisionRecallFscoreSupport(yTrue, yPred, { ...options, average })[part]
}

/** Share of predictions that are right; average 'binary' by default. */
export const precisionScore = (yTrue: Targets, yPred: Targets, options: SetOptions = {}): number =>
  scoreOf('precision', yTrue, yPred, options)
/** Share of true examples that are found; average 'binary' by default. */
export const recallScore = (yTrue: Targets, yPred: Targets, options: SetOptions = {}): number =>
  scoreOf('recall', yTrue, yPred, options)
/** Harmonic mean of precision and recall; average 'binary' by default. */
export const f1Score = (yTrue: Targets, yPred: Targets, options: SetOptions = {}): number =>
  scoreOf('fscore', yTrue, yPred, options)
/** Harmonic mean of precision and recall in which recall weighs beta times as much; average 'binary' by default. */
export const fbetaScore = (yTrue: Targets, yPred: Targets, options: FscoreOptions & { beta: number }): number =>
  scoreOf('fscore', yTrue, yPred, options)

/** Intersection over union of each class, in the order of `labels`. */
export function jaccardPerClass(yTrue: Targets, yPred: Targets, options: SetOptions = {}): number[] {
  const counts = classCounts('jaccardPerClass', yTrue, yPred, { ...options, average: null })
  return jaccardOf(counts, options.zeroDivision ?? 0)
}

const jaccardOf = ({ hits, predicted, actual }: ClassCounts, zero: number): number[] =>
  divide(
    hits,
    predicted.map((p, i) => p + actual[i] - hits[i]),
    zero,
  )

/** Intersection over union; average 'binary' by default (sklearn.metrics.jaccard_score). Mean IoU is average 'macro'. */
export function jaccardScore(yTrue: Targets, yPred: Targets, options: SetOptions = {}): number {
  const average = options.average === undefined ? 'binary' : options.average
  if (average === null) throw new RangeError('jaccardScore: one number needs an average; see jaccardPerClass')
  const counts = classCounts('jaccardScore', yTrue, yPred, { ...options, average })
  const entries = jaccardOf(average === 'micro' ? pooled(counts) : counts, options.zeroDivision ?? 0)
  const weights = averageWeights(counts, { ...options, average })
  return weights && total(weights) !== 0 ? mean(entries, weights) : mean(entries)
}

/** [[true negatives, false positives], [false negatives, true positives]] of each class against the rest. */
export function multilabelConfusionMatrix(
  yTrue: Targets,
  yPred: Targets,
  options: Omit<SetOptions, 'average' | 'posLabel' | 'zeroDivision'> & { samplewise?: boolean } = {},
): number[][][] {
  const average = options.samplewise ? 'samples' : null
  const counts = classCounts('multilabelConfusionMatrix', yTrue, yPred, { ...options, average })
  const { hits, predicted, actual } = counts
  const weights = weightsOf('multilabelConfusionMatrix', yTrue.length, options.sampleWeight)
  return list(hits).map((hit, i) => {
    // Counts of an example weigh all alike and cover every column.
    const scale = options.samplewise ? weights[i] : 1
    const all = options.samplewise ? counts.labels.length : counts.weight
    return [
      [all - predicted[i] - actual[i] + hit, predicted[i] - hit],
      [actual[i] - hit, hit],
    ].map((row) => row.map((value) => value * scale))
  })
}
