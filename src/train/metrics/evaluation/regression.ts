import { mean, median, total } from './average.js'
import { isMatrix, type Matrix, type Numbers, rowsOf, sameLength, type Weighted, weightsOf } from './labels.js'

// Reference: sklearn.metrics regression scores.

/** One number per example, or a row of outputs. */
export type Values = Numbers | Matrix

export interface RegressionOptions extends Weighted {
  /** How outputs are joined: their mean (default), one number each, or a mean with these weights. */
  readonly multioutput?: 'uniform_average' | 'raw_values' | Numbers
}

interface Columns {
  readonly truth: Float64Array[]
  readonly guess: Float64Array[]
  readonly weights: Float64Array
}

function columnsOf(name: string, values: Values): Float64Array[] {
  if (!isMatrix(values)) return [Float64Array.from(values as Numbers)]
  const rows = rowsOf(name, values)
  return Array.from(rows[0].keys(), (c) => Float64Array.from(rows, (row) => row[c]))
}

function prepare(name: string, yTrue: Values, yPred: Values, options: Weighted): Columns {
  sameLength(name, yTrue, yPred)
  const [truth, guess] = [columnsOf(name, yTrue), columnsOf(name, yPred)]
  if (truth.length !== guess.length)
    throw new RangeError(`${name}: expected as many outputs on both sides, got ${truth.length} and ${guess.length}`)
  return { truth, guess, weights: weightsOf(name, yTrue.length, options.sampleWeight) }
}

type Joined<O> = O extends { readonly multioutput: 'raw_values' } ? number[] : number

function join(values: number[], multioutput: RegressionOptions['multioutput']): number | number[] {
  if (multioutput === 'raw_values') return values
  return mean(values, typeof multioutput === 'object' ? multioutput : null)
}

type Pointwise = (truth: number, guess: number) => number

const weightedMedian = (values: Float64Array, weights: Float64Array): number => {
  if (weights.every((w) => w === weights[0])) return median(values)
  // The mean of the lower and the upper weighted median (sklearn's averaged inverted CDF).
  const order = Array.from(values.keys()).sort((a, b) => values[a] - values[b])
  const half = total(weights) / 2
  let sum = 0
  for (const [at, i] of order.entries()) {
    sum += weights[i]
    if (sum > half) return values[i]
    if (sum === half) {
      const next = order.slice(at + 1).find((j) => weights[j] > 0)
      return next === undefined ? values[i] : (values[i] + values[next]) / 2
    }
  }
  return Number.NaN
}

const MEANS: Record<'mean' | 'median' | 'root', (errors: Float64Array, weights: Float64Array) => number> = {
  mean: (errors, weights) => mean(errors, weights),
  root: (errors, weights) => Math.sqrt(mean(errors, weights)),
  median: weightedMedian,
}

/** A score that is a mean of errors of examples. */
const errorScore =
  (name: string, error: Pointwise, kind: keyof typeof MEANS = 'mean') =>
  <O extends RegressionOptions>(yTrue: Values, yPred: Values, options?: O): Joined<O> => {
    const { truth, guess, weights } = prepare(name, yTrue, yPred, options ?? {})
    const scores = truth.map((column, c) =>
      MEANS[kind](
        column.map((y, i) => error(y, guess[c][i])),
        weights,
      ),
    )
    return join(scores, options?.multioutput) as Joined<O>
  }

const squared: Pointwise = (y, p) => (y - p) ** 2
const absolute: Pointwise = (y, p) => Math.abs(y - p)
const logarithmic: Pointwise = (y, p) => {
  if (y <= -1 || p <= -1) throw new RangeError('logarithmic errors need values above -1')
  return (Math.log1p(y) - Math.log1p(p)) ** 2
}

/** Mean of squared errors. */
export const meanSquaredError = errorScore('meanSquaredError', squared)
/** Square root of the mean of squared errors. */
export const rootMeanSquaredError = errorScore('rootMeanSquaredError', squared, 'root')
/** Mean of absolute errors. */
export const meanAbsoluteError = errorScore('meanAbsoluteError', absolute)
/** Median of absolute errors. */
export const medianAbsoluteError = errorScore('medianAbsoluteError', absolute, 'median')
/** Mean of squared differences of log(1 + y). @throws RangeError for values of -1 or less. */
export const meanSquaredLogError = errorScore('meanSquaredLogError', logarithmic)
/** Square root of {@link meanSquaredLogError}. */
export const rootMeanSquaredLogError = errorScore('rootMeanSquaredLogError', logarithmic, 'root')
/** Mean of absolute errors relative to the truth; 1 stands for 100 %. */
export const meanAbsolutePercentageError = errorScore(
  'meanAbsolutePercentageError',
  (y, p) => Math.abs(y - p) / Math.max(Math.abs(y), Number.EPSILON),
)

/** Mean of quantile losses: errors below the truth weigh `alpha`, errors above it 1 - `alpha`. Default 0.5. */
export const meanPinballLoss = <O extends RegressionOptions & { readonly alpha?: number }>(
  yTrue: Values,
  yPred: Values,
  options?: O,
): Joined<O> => {
  const alpha = options?.alpha ?? 0.5
  return errorScore('meanPinballLoss', (y, p) => Math.max(alpha * (y - p), (alpha - 1) * (y - p)))(
    yTrue,
    yPred,
    options,
  )
}

/** Largest absolute error (one output). */
export function maxError(yTrue: Numbers, yPred: Numbers): number {
  sameLength('maxError', yTrue, yPred)
  let largest = 0
  for (let i = 0; i < yTrue.length; i++) largest = Math.max(largest, Math.abs(yTrue[i] - yPred[i]))
  return largest
}

export interface ExplainedOptions extends Weighted {
  readonly multioutput?: RegressionOptions['multioutput'] | 'variance_weighted'
  /** Constant targets score 1 if predicted exactly and else 0 (default), not NaN or -Infinity. */
  readonly forceFinite?: boolean
}

/** 1 - numerator / denominator of each output, joined. */
function explained(numerators: number[], denominators: number[], options: ExplainedOptions): number | number[] {
  const finite = options.forceFinite ?? true
  const scores = numerators.map((error, c) => {
    if (denominators[c] !== 0) return 1 - error / denominators[c]
    if (!finite) return error === 0 ? Number.NaN : Number.NEGATIVE_INFINITY
    return error === 0 ? 1 : 0
  })
  if (options.multioutput !== 'variance_weighted') return join(scores, options.multioutput)
  return total(denominators) === 0 ? mean(scores) : mean(scores, denominators)
}

/** Coefficient of determination (sklearn.metrics.r2_score). NaN for fewer than 2 examples. */
export function r2Score<O extends ExplainedOptions>(yTrue: Values, yPred: Values, options?: O): Joined<O> {
  const { truth, guess, weights } = prepare('r2Score', yTrue, yPred, options ?? {})
  if (weights.length < 2) return Number.NaN as Joined<O>
  const centres = truth.map((column) => mean(column, weights))
  const sum = (values: Float64Array): number => total(values.map((v, i) => v * weights[i]))
  const errors = truth.map((column, c) => sum(column.map((y, i) => (y - guess[c][i]) ** 2)))
  const spreads = truth.map((column, c) => sum(column.map((y) => (y - centres[c]) ** 2)))
  return explained(errors, spreads, options ?? {}) as Joined<O>
}

/** Share of variance explained, blind to a constant error (sklearn.metrics.explained_variance_score). */
export function explainedVarianceScore<O extends ExplainedOptions>(
  yTrue: Values,
  yPred: Values,
  options?: O,
): Joined<O> {
  const { truth, guess, weights } = prepare('explainedVarianceScore', yTrue, yPred, options ?? {})
  const variance = (values: Float64Array): number => {
    const centre = mean(values, weights)
    return mean(
      values.map((v) => (v - centre) ** 2),
      weights,
    )
  }
  const errors = truth.map((column, c) => variance(column.map((y, i) => y - guess[c][i])))
  return explained(errors, truth.map(variance), options ?? {}) as Joined<O>
}

type Deviance = (y: number, p: number) => number

function devianceOf(power: number): Deviance {
  const ylog = (y: number, p: number): number => (y === 0 ? 0 : y * Math.log(y / p))
  if (power === 0) return squared
  if (power === 1) return (y, p) => 2 * (ylog(y, p) - y + p)
  if (power === 2) return (y, p) => 2 * (Math.log(p / y) + y / p - 1)
  return (y, p) =>
    2 *
    (Math.max(y, 0) ** (2 - power) / ((1 - power) * (2 - power)) -
      (y * p ** (1 - power)) / (1 - power) +
      p ** (2 - power) / (2 - power))
}

/** Mean Tweedie deviance: 0 squared error (default), 1 Poisson, 2 gamma. @throws RangeError for powers between 0 and 1 or values outside the family. */
export function meanTweedieDeviance(
  yTrue: Numbers,
  yPred: Numbers,
  options: Weighted & { readonly power?: number } = {},
): number {
  const { power = 0 } = options
  sameLength('meanTweedieDeviance', yTrue, yPred)
  if (power > 0 && power < 1) throw new RangeError(`meanTweedieDeviance: there is no family with power ${power}`)
  const deviance = devianceOf(power)
  const values = Array.from({ length: yTrue.length }, (_, i) => {
    const [y, p] = [yTrue[i], yPred[i]]
    if ((power !== 0 && p <= 0) || (power >= 1 && y < 0) || (power >= 2 && y <= 0))
      throw new RangeError(
        `meanTweedieDeviance: power ${power} does not allow a target of ${y} with a prediction of ${p}`,
      )
    return deviance(y, p)
  })
  return mean(values, weightsOf('meanTweedieDeviance', values.length, options.sampleWeight))
}

/** Share of pinball loss, absolute error or Tweedie deviance explained against the best constant prediction. */
export function d2AbsoluteErrorScore(yTrue: Numbers, yPred: Numbers, options: Weighted = {}): number {
  const weights = weightsOf('d2AbsoluteErrorScore', yTrue.length, options.sampleWeight)
  const centre = weightedMedian(Float64Array.from(yTrue), weights)
  const constant = Float64Array.from({ length: yTrue.length }, () => centre)
  const spread = meanAbsoluteError(yTrue, constant, options)
  const error = meanAbsoluteError(yTrue, yPred, options)
  return spread === 0 ? (error === 0 ? 1 : 0) : 1 - error / spread
}
