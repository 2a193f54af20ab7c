import { mean, ranks, total } from './average.js'
import { indicatorRows, type Matrix, rowsOf, sameLength, type Weighted, weightsOf } from './labels.js'

function pairOf(name: string, relevance: Matrix, scores: Matrix): [Float64Array[], Float64Array[]] {
  sameLength(name, relevance, scores)
  const [truth, guess] = [rowsOf(name, relevance), rowsOf(name, scores)]
  if (truth[0].length !== guess[0].length)
    throw new RangeError(`${name}: expected rows of one length, got ${truth[0].length} and ${guess[0].length}`)
  return [truth, guess]
}

export interface GainOptions extends Weighted {
  /** Only the k best count; all where absent. */
  readonly k?: number | null
  /** Takes scores as distinct: faster, and not averaged over ties. */
  readonly ignoreTies?: boolean
  /** Gain of a relevance: itself (default, as scikit-learn has it) or 2^relevance - 1. */
  readonly gain?: 'linear' | 'exponential'
}

/** Columns by descending score. Among equal scores the last comes first, as reversing an ascending order has it. */
const lastFirst = (scores: Float64Array): number[] =>
  Array.from(scores.keys())
    .sort((a, b) => scores[a] - scores[b])
    .reverse()

/** Columns by descending score; equal scores keep their order. */
const descending = (scores: Float64Array): number[] => Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a])

function gainsOf(relevance: Float64Array, scores: Float64Array, discounts: Float64Array, ties: boolean): number {
  if (!ties) return total(lastFirst(scores).map((column, rank) => relevance[column] * discounts[rank]))
  // Tied documents share the mean of their gains over the ranks that they take up (McSherry and Najork 2008).
  const order = descending(scores)
  let sum = 0
  for (let start = 0; start < order.length; ) {
    let end = start + 1
    while (end < order.length && scores[order[end]] === scores[order[start]]) end++
    const gain = total(order.slice(start, end).map((column) => relevance[column])) / (end - start)
    sum += gain * total(discounts.subarray(start, end))
    start = end
  }
  return sum
}

function discountsOf(width: number, k: number | null | undefined, logBase: number): Float64Array {
  if (k !== null && k !== undefined && !(k >= 1)) throw new RangeError(`k must be at least 1, got ${k}`)
  return Float64Array.from({ length: width }, (_, i) => (k && i >= k ? 0 : 1 / (Math.log(i + 2) / Math.log(logBase))))
}

const gainOf =
  (options: GainOptions) =>
  (relevance: Float64Array): Float64Array =>
    options.gain === 'exponential' ? relevance.map((r) => 2 ** r - 1) : relevance

/** Discounted cumulative gain, averaged over queries (sklearn.metrics.dcg_score). Rows are queries, columns documents. */
export function dcgScore(
  relevance: Matrix,
  scores: Matrix,
  options: GainOptions & { readonly logBase?: number } = {},
): number {
  const [truth, guess] = pairOf('dcgScore', relevance, scores)
  const discounts = discountsOf(truth[0].length, options.k, options.logBase ?? 2)
  const gains = truth.map(gainOf(options))
  const values = gains.map((row, i) => gainsOf(row, guess[i], discounts, !options.ignoreTies))
  return mean(values, weightsOf('dcgScore', values.length, options.sampleWeight))
}

/**
 * {@link dcgScore} over that of the ideal order, 0 where nothing is relevant, averaged over queries (sklearn.metrics.ndcg_score).
 * @throws RangeError for negative relevance or a single document.
 */
export function ndcgScore(relevance: Matrix, scores: Matrix, options: GainOptions = {}): number {
  const [truth, guess] = pairOf('ndcgScore', relevance, scores)
  if (truth.some((row) => row.some((r) => r < 0))) throw new RangeError('ndcgScore: relevance must not be negative')
  if (truth[0].length < 2) throw new RangeError('ndcgScore: expected more than one document')
  const discounts = discountsOf(truth[0].length, options.k, 2)
  const gains = truth.map(gainOf(options))
  const values = gains.map((row, i) => {
    const ideal = gainsOf(row, row, discounts, false)
    return ideal === 0 ? 0 : gainsOf(row, guess[i], discounts, !options.ignoreTies) / ideal
  })
  return mean(values, weightsOf('ndcgScore', values.length, options.sampleWeight))
}

/** Relevance (0 or 1) of documents in the order of their scores; equal scores keep their order. */
function rankedRelevance(name: string, relevance: Matrix, scores: Matrix): number[][] {
  const [truth, guess] = pairOf(name, relevance, scores)
  for (const row of truth)
    for (const value of row)
      if (value !== 0 && value !== 1) throw new RangeError(`${name}: expected relevance 0 or 1, got ${value}`)
  return truth.map((row, i) => descending(guess[i]).map((column) => row[column]))
}

function checkK(name: string, k: number): void {
  if (!Number.isInteger(k) || k < 1) throw new RangeError(`${name}: k must be a positive integer, got ${k}`)
}

/** Share of queries with a relevant document among the k best. */
export function hitRateAtK(relevance: Matrix, scores: Matrix, k: number): number {
  checkK('hitRateAtK', k)
  return mean(rankedRelevance('hitRateAtK', relevance, scores).map((row) => (row.slice(0, k).includes(1) ? 1 : 0)))
}

/** Share of the relevant documents that are among the k best, averaged over queries that have any; NaN where none has. */
export function recallAtK(relevance: Matrix, scores: Matrix, k: number): number {
  checkK('recallAtK', k)
  const rows = rankedRelevance('recallAtK', relevance, scores).filter((row) => row.includes(1))
  return mean(rows.map((row) => total(row.slice(0, k)) / total(row)))
}

/** Share of the k best documents that are relevant, averaged over queries. */
export function precisionAtK(relevance: Matrix, scores: Matrix, k: number): number {
  checkK('precisionAtK', k)
  return mean(rankedRelevance('precisionAtK', relevance, scores).map((row) => mean(row.slice(0, k))))
}

/** Mean of 1 / rank of the first relevant document; a query without one counts 0. `k` looks at the k best only. */
export function meanReciprocalRank(relevance: Matrix, scores: Matrix, options: { readonly k?: number } = {}): number {
  const rows = rankedRelevance('meanReciprocalRank', relevance, scores)
  return mean(
    rows.map((row) => {
      const first = row.slice(0, options.k).indexOf(1)
      return first < 0 ? 0 : 1 / (first + 1)
    }),
  )
}

/** Mean over queries of the mean precision at the rank of each relevant document; a query without one counts 0. */
export function meanAveragePrecision(relevance: Matrix, scores: Matrix): number {
  const rows = rankedRelevance('meanAveragePrecision', relevance, scores)
  return mean(
    rows.map((row) => {
      const at = Array.from(row.keys()).filter((i) => row[i] === 1)
      return at.length === 0 ? 0 : mean(at.map((i, found) => (found + 1) / (i + 1)))
    }),
  )
}

/** Mean share of relevant labels among those ranked at least as high as each (sklearn.metrics.label_ranking_average_precision_score). */
export function labelRankingAveragePrecisionScore(yTrue: Matrix, yScore: Matrix, options: Weighted = {}): number {
  const name = 'labelRankingAveragePrecisionScore'
  const [, guess] = pairOf(name, yTrue, yScore)
  const values = indicatorRows(name, yTrue).map((row, i) => {
    const relevant = Array.from(row.keys()).filter((column) => row[column] === 1)
    if (relevant.length === 0 || relevant.length === row.length) return 1
    const costs = guess[i].map((score) => -score)
    const [all, among] = [
      ranks(costs, 'max'),
      ranks(
        relevant.map((column) => costs[column]),
        'max',
      ),
    ]
    return mean(relevant.map((column, j) => among[j] / all[column]))
  })
  return mean(values, weightsOf(name, values.length, options.sampleWeight))
}

/** How far down the ranking one must go to cover all true labels (sklearn.metrics.coverage_error). */
export function coverageError(yTrue: Matrix, yScore: Matrix, options: Weighted = {}): number {
  const [truth, guess] = pairOf('coverageError', yTrue, yScore)
  const values = truth.map((row, i) => {
    const least = Math.min(...guess[i].filter((_, column) => row[column] === 1))
    return guess[i].filter((score) => score >= least).length
  })
  return mean(values, weightsOf('coverageError', values.length, options.sampleWeight))
}

/** Mean share of pairs of a true and a false label in the wrong order (sklearn.metrics.label_ranking_loss). */
export function labelRankingLoss(yTrue: Matrix, yScore: Matrix, options: Weighted = {}): number {
  const [truth, guess] = pairOf('labelRankingLoss', yTrue, yScore)
  const values = truth.map((row, i) => {
    const [good, bad] = [1, 0].map((value) => guess[i].filter((_, column) => row[column] === value))
    if (good.length === 0 || bad.length === 0) return 0
    const wrong = total(good.map((score) => bad.filter((other) => other >= score).length))
    return wrong / (good.length * bad.length)
  })
  return mean(values, weightsOf('labelRankingLoss', values.length, options.sampleWeight))
}
