import { total } from './average.js'
import {
  encode,
  isMatrix,
  type Label,
  list,
  type Matrix,
  sameLength,
  uniqueLabels,
  type Weighted,
  weightsOf,
} from './labels.js'

export interface ConfusionOptions extends Weighted {
  /** Classes in the order of rows and columns; the sorted ones of both arrays where absent. Others are left out. */
  readonly labels?: ArrayLike<Label> | null
  /** Divides by the sum over true classes (rows), predicted classes (columns) or everything. */
  readonly normalize?: 'true' | 'pred' | 'all' | null
}

/** @throws TypeError where classes came as indicator rows. */
export function asClasses(name: string, targets: ArrayLike<Label> | Matrix): ArrayLike<Label> {
  if (isMatrix(targets)) throw new TypeError(`${name}: expected one class per example, got indicator rows`)
  return targets
}

function normalized(counts: number[][], by: 'true' | 'pred' | 'all'): number[][] {
  const all = total(counts.map(total))
  const columns = counts.map((_, c) => total(counts.map((row) => row[c])))
  const divisor = {
    true: (r: number, _c: number) => total(counts[r]),
    pred: (_r: number, c: number) => columns[c],
    all: () => all,
  }
  const scale = divisor[by]
  if (!scale) throw new RangeError(`confusionMatrix: normalize is 'true', 'pred' or 'all', got '${by}'`)
  return counts.map((row, r) => row.map((value, c) => (scale(r, c) === 0 ? 0 : value / scale(r, c))))
}

/**
 * Counts of (true class, predicted class) as rows and columns (sklearn.metrics.confusion_matrix).
 * @throws RangeError for arrays of different lengths, or where no given label occurs in `yTrue`.
 */
export function confusionMatrix(
  yTrue: ArrayLike<Label>,
  yPred: ArrayLike<Label>,
  options: ConfusionOptions = {},
): number[][] {
  sameLength('confusionMatrix', yTrue, yPred)
  const [truth, guess] = [asClasses('confusionMatrix', yTrue), asClasses('confusionMatrix', yPred)]
  const classes = options.labels ? list(options.labels) : uniqueLabels(truth, guess)
  const weights = weightsOf('confusionMatrix', truth.length, options.sampleWeight)
  const [rows, columns] = [encode(truth, classes), encode(guess, classes)]
  if (rows.every((row) => row < 0)) throw new RangeError('confusionMatrix: no given label occurs in yTrue')
  const counts = classes.map(() => classes.map(() => 0))
  for (let i = 0; i < rows.length; i++) if (rows[i] >= 0 && columns[i] >= 0) counts[rows[i]][columns[i]] += weights[i]
  return options.normalize ? normalized(counts, options.normalize) : counts
}

export interface KappaOptions extends Weighted {
  readonly labels?: ArrayLike<Label> | null
  /** Weighs disagreement by the distance of the classes or its square; equally where absent. */
  readonly weights?: 'linear' | 'quadratic' | null
}

const DISAGREEMENT = {
  none: (i: number, j: number): number => (i === j ? 0 : 1),
  linear: (i: number, j: number): number => Math.abs(i - j),
  quadratic: (i: number, j: number): number => (i - j) ** 2,
}

/** Cohen's kappa: agreement beyond chance (sklearn.metrics.cohen_kappa_score). NaN where it is undefined. */
export function cohenKappaScore(y1: ArrayLike<Label>, y2: ArrayLike<Label>, options: KappaOptions = {}): number {
  const counts = confusionMatrix(y1, y2, { labels: options.labels, sampleWeight: options.sampleWeight })
  const weigh = DISAGREEMENT[options.weights ?? 'none']
  if (!weigh) throw new RangeError(`cohenKappaScore: weights is 'linear' or 'quadratic', got '${options.weights}'`)
  const rows = counts.map(total)
  const columns = counts.map((_, c) => total(counts.map((row) => row[c])))
  const all = total(rows)
  let [observed, expected] = [0, 0]
  for (let i = 0; i < counts.length; i++)
    for (let j = 0; j < counts.length; j++) {
      observed += weigh(i, j) * counts[i][j]
      expected += weigh(i, j) * ((columns[i] * rows[j]) / all)
    }
  return expected === 0 ? Number.NaN : 1 - observed / expected
}

/** Matthews' correlation of classes (sklearn.metrics.matthews_corrcoef); 0 where either side has one class only. */
export function matthewsCorrcoef(yTrue: ArrayLike<Label>, yPred: ArrayLike<Label>, options: Weighted = {}): number {
  const counts = confusionMatrix(yTrue, yPred, options)
  const rows = counts.map(total)
  const columns = counts.map((_, c) => total(counts.map((row) => row[c])))
  const all = total(rows)
  const dot = (a: number[], b: number[]): number => total(a.map((x, i) => x * b[i]))
  const correct = total(counts.map((row, i) => row[i]))
  const spread = (all ** 2 - dot(columns, columns)) * (all ** 2 - dot(rows, rows))
  return spread === 0 ? 0 : (correct * all - dot(rows, columns)) / Math.sqrt(spread)
}

/** Mean recall of the classes that occur (sklearn.metrics.balanced_accuracy_score). `adjusted` puts chance at 0. */
export function balancedAccuracyScore(
  yTrue: ArrayLike<Label>,
  yPred: ArrayLike<Label>,
  options: Weighted & { readonly adjusted?: boolean } = {},
): number {
  const counts = confusionMatrix(yTrue, yPred, { sampleWeight: options.sampleWeight })
  const recalls = counts.map((row, i) => row[i] / total(row)).filter((recall) => !Number.isNaN(recall))
  const score = total(recalls) / recalls.length
  const chance = 1 / recalls.length
  return options.adjusted ? (score - chance) / (1 - chance) : score
}
