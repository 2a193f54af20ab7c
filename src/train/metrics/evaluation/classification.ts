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

/** 1 for each example whose class, or whole indicator row, is predicted. */
function matches(name: string, yTrue: Targets, yPred: Targets): number[] {
  sameLength(name, yTrue, yPred)
  if (isMatrix(yTrue) && isMatrix(yPred)) {
    const [truth, guess] = [indicatorRows(name, yTrue), indicatorRows(name, yPred)]
    return truth.map((row, i) => (row.every((value, j) => value === guess[i][j]) ? 1 : 0))
  }
  const [truth, guess] = [asClasses(name, yTrue), asClasses(name, yPred)]
  return list(truth).map((label, i) => (label === guess[i] ? 1 : 0))
}

export interface ShareOptions extends Weighted {
  /** A share of 1 (default), or the weighted number. */
  readonly normalize?: boolean
}

/** Share of examples predicted exactly (sklearn.metrics.accuracy_score). */
export function accuracyScore(yTrue: Targets, yPred: Targets, options: ShareOptions = {}): number {
  const right = matches('accuracyScore', yTrue, yPred)
  const weights = weightsOf('accuracyScore', right.length, options.sampleWeight)
  return (options.normalize ?? true) ? mean(right, weights) : total(right.map((r, i) => r * weights[i]))
}

/** Share of examples predicted wrong. */
export function zeroOneLoss(yTrue: Targets, yPred: Targets, options: ShareOptions = {}): number {
  const score = accuracyScore(yTrue, yPred, options)
  if (options.normalize ?? true) return 1 - score
  return total(weightsOf('zeroOneLoss', yTrue.length, options.sampleWeight)) - score
}

/** Share of labels predicted wrong: of examples for classes, of all entries for indicator rows (sklearn.metrics.hamming_loss). */
export function hammingLoss(yTrue: Targets, yPred: Targets, options: Weighted = {}): number {
  if (!isMatrix(yTrue) || !isMatrix(yPred)) return zeroOneLoss(yTrue, yPred, options)
  sameLength('hammingLoss', yTrue, yPred)
  const [truth, guess] = [indicatorRows('hammingLoss', yTrue), indicatorRows('hammingLoss', yPred)]
  const wrong = truth.map((row, i) => mean(row.map((value, j) => (value === guess[i][j] ? 0 : 1))))
  return mean(wrong, weightsOf('hammingLoss', truth.length, options.sampleWeight))
}

interface Probabilities {
  readonly truth: Int32Array
  readonly rows: Float64Array[]
}

/** Classes as columns of probability rows; one probability stands for the second of two classes. */
function probabilities(
  name: string,
  yTrue: ArrayLike<Label>,
  yProba: Numbers | Matrix,
  labels: ArrayLike<Label> | null | undefined,
): Probabilities {
  sameLength(name, yTrue, yProba)
  const given =
    typeof yProba[0] === 'object'
      ? rowsOf(name, yProba as Matrix)
      : list(yProba as Numbers).map((p) => Float64Array.of(p))
  const rows = given[0].length === 1 ? given.map(([p]) => Float64Array.of(1 - p, p)) : given
  const classes = labels ? uniqueLabels(labels) : uniqueLabels(yTrue)
  for (const row of rows)
    for (const p of row)
      if (!(p >= 0 && p <= 1)) throw new RangeError(`${name}: expected probabilities between 0 and 1, got ${p}`)
  if (!labels && classes.length === 1) throw new RangeError(`${name}: yTrue has one class only; give labels`)
  if (classes.length !== rows[0].length)
    throw new RangeError(`${name}: expected a probability for each of ${classes.length} classes, got ${rows[0].length}`)
  const truth = encode(yTrue, classes)
  const missing = truth.indexOf(-1)
  if (missing >= 0) throw new RangeError(`${name}: class ${yTrue[missing]} is not among labels`)
  return { truth, rows }
}

export interface ProbabilityOptions extends Weighted {
  /** All classes, where not every one occurs in `yTrue`. */
  readonly labels?: ArrayLike<Label> | null
}

/** Mean negative log probability of the true class (sklearn.metrics.log_loss), in nats. */
export function logLoss(
  yTrue: ArrayLike<Label>,
  yProba: Numbers | Matrix,
  options: ProbabilityOptions & ShareOptions = {},
): number {
  const { truth, rows } = probabilities('logLoss', yTrue, yProba, options.labels)
  // float32 probabilities are as fine as their own precision.
  const epsilon = yProba instanceof Float32Array || yProba[0] instanceof Float32Array ? 2 ** -23 : Number.EPSILON
  const losses = rows.map((row, i) => -Math.log(Math.min(Math.max(row[truth[i]], epsilon), 1 - epsilon)))
  const weights = weightsOf('logLoss', losses.length, options.sampleWeight)
  return (options.normalize ?? true) ? mean(losses, weights) : total(losses.map((loss, i) => loss * weights[i]))
}

export interface BrierOptions extends ProbabilityOptions {
  /** Which of two classes `yProba` is the probability of. Default the greater. */
  readonly posLabel?: Label
  /** Halves the score, so that it lies in [0, 1]; as a rule for two classes only. */
  readonly scaleByHalf?: boolean | 'auto'
}

/** Mean squared error of probabilities (sklearn.metrics.brier_score_loss). */
export function brierScoreLoss(yTrue: ArrayLike<Label>, yProba: Numbers | Matrix, options: BrierOptions = {}): number {
  const single = typeof yProba[0] !== 'object'
  let truth: ArrayLike<Label> = yTrue
  if (single) {
    const classes = uniqueLabels(yTrue)
    if (classes.length > 2) throw new RangeError(`brierScoreLoss: expected two classes, got ${classes.length}`)
    const text = classes.some((label) => typeof label === 'string')
    const known = options.posLabel !== undefined || text || classes.some((label) => Number(label) === 1)
    const positive = known ? positiveLabel('brierScoreLoss', classes, options.posLabel) : classes[classes.length - 1]
    truth = list(yTrue).map((label) => (label === positive ? 1 : 0))
  }
  const { truth: index, rows } = probabilities('brierScoreLoss', truth, yProba, single ? [0, 1] : options.labels)
  const errors = rows.map((row, i) => total(row.map((p, j) => ((j === index[i] ? 1 : 0) - p) ** 2)))
  const score = mean(errors, weightsOf('brierScoreLoss', errors.length, options.sampleWeight))
  const half = options.scaleByHalf ?? 'auto'
  return half === true || (half === 'auto' && rows[0].length < 3) ? score / 2 : score
}

export interface TopKOptions extends ProbabilityOptions, ShareOptions {
  /** Default 2. */
  readonly k?: number
}

/** Columns in descending order of score; of equal scores the last column first, as sklearn ranks them. */
const descending = (row: Float64Array): number[] =>
  Array.from(row.keys())
    .sort((a, b) => row[a] - row[b])
    .reverse()

/** Share of examples whose class is among the k best scored (sklearn.metrics.top_k_accuracy_score). */
export function topKAccuracyScore(
  yTrue: ArrayLike<Label>,
  yScore: Numbers | Matrix,
  options: TopKOptions = {},
): number {
  const name = 'topKAccuracyScore'
  const { k = 2 } = options
  sameLength(name, yTrue, yScore)
  const classes = options.labels ? uniqueLabels(options.labels) : uniqueLabels(yTrue)
  const truth = encode(yTrue, classes)
  const weights = weightsOf(name, truth.length, options.sampleWeight)
  let hits: number[]
  if (typeof yScore[0] === 'object') {
    const rows = rowsOf(name, yScore as Matrix)
    if (rows[0].length !== classes.length)
      throw new RangeError(`${name}: expected a score for each of ${classes.length} classes, got ${rows[0].length}`)
    hits = rows.map((row, i) => (descending(row).slice(0, k).includes(truth[i]) ? 1 : 0))
  } else {
    if (classes.length > 2) throw new RangeError(`${name}: ${classes.length} classes need a row of scores per example`)
    const scores = list(yScore as Numbers)
    const limit = scores.every((score) => score >= 0 && score <= 1) ? 0.5 : 0
    hits = scores.map((score, i) => (k > 1 || (score > limit ? 1 : 0) === truth[i] ? 1 : 0))
  }
  return (options.normalize ?? true) ? mean(hits, weights) : total(hits.map((hit, i) => hit * weights[i]))
}

/** Mean hinge loss of decisions: one per example for two classes, one per class otherwise (sklearn.metrics.hinge_loss). */
export function hingeLoss(
  yTrue: ArrayLike<Label>,
  decision: Numbers | Matrix,
  options: ProbabilityOptions = {},
): number {
  const name = 'hingeLoss'
  sameLength(name, yTrue, decision)
  const classes = uniqueLabels(options.labels ?? yTrue)
  const truth = encode(yTrue, classes)
  const weights = weightsOf(name, truth.length, options.sampleWeight)
  if (classes.length <= 2) {
    const values = list(decision as ArrayLike<number | Numbers>).map((d) => (typeof d === 'number' ? d : d[0]))
    return mean(
      values.map((d, i) => Math.max(0, 1 - (truth[i] === 1 ? d : -d))),
      weights,
    )
  }
  if (typeof decision[0] !== 'object')
    throw new TypeError(`${name}: ${classes.length} classes need a row of decisions per example`)
  const rows = rowsOf(name, decision as Matrix)
  const margin = (row: Float64Array, i: number): number =>
    row[truth[i]] - Math.max(...list(row).filter((_, j) => j !== truth[i]))
  return mean(
    rows.map((row, i) => Math.max(0, 1 - margin(row, i))),
    weights,
  )
}
