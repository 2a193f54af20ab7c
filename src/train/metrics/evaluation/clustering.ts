import { mean, total } from './average.js'
import { encode, type Label, type Matrix, rowsOf, sameLength, uniqueLabels } from './labels.js'

// Reference: sklearn.metrics.cluster.

interface Contingency {
  /** Counts of (class, cluster). */
  readonly counts: number[][]
  readonly rows: number[]
  readonly columns: number[]
  readonly n: number
}

/** Counts of (true class, cluster) pairs, classes and clusters in ascending order. */
export function contingencyMatrix(labelsTrue: ArrayLike<Label>, labelsPred: ArrayLike<Label>): number[][] {
  return contingency('contingencyMatrix', labelsTrue, labelsPred).counts
}

function contingency(name: string, a: ArrayLike<Label>, b: ArrayLike<Label>): Contingency {
  sameLength(name, a, b)
  const [left, right] = [uniqueLabels(a), uniqueLabels(b)]
  const [x, y] = [encode(a, left), encode(b, right)]
  const counts = left.map(() => right.map(() => 0))
  for (let i = 0; i < x.length; i++) counts[x[i]][y[i]]++
  return {
    counts,
    rows: counts.map(total),
    columns: right.map((_, c) => total(counts.map((row) => row[c]))),
    n: a.length,
  }
}

interface Pairs {
  readonly tn: number
  readonly fp: number
  readonly fn: number
  readonly tp: number
}

/** Ordered pairs that both, one or neither clustering put together (sklearn.metrics.cluster.pair_confusion_matrix). */
function pairCounts({ counts, rows, columns, n }: Contingency): Pairs {
  const squares = total(counts.map((row) => total(row.map((count) => count ** 2))))
  const tp = squares - n
  const fp = total(counts.map((row) => total(row.map((count, c) => count * columns[c])))) - squares
  const fn = total(counts.map((row, r) => total(row.map((count) => count * rows[r])))) - squares
  return { tn: n ** 2 - fp - fn - squares, fp, fn, tp }
}

/** Share of pairs on which two clusterings agree, corrected for chance. */
export function adjustedRandScore(labelsTrue: ArrayLike<Label>, labelsPred: ArrayLike<Label>): number {
  const { tn, fp, fn, tp } = pairCounts(contingency('adjustedRandScore', labelsTrue, labelsPred))
  if (fn === 0 && fp === 0) return 1
  return (2 * (tp * tn - fn * fp)) / ((tp + fn) * (fn + tn) + (tp + fp) * (fp + tn))
}

/** Share of pairs on which two clusterings agree. */
export function randScore(labelsTrue: ArrayLike<Label>, labelsPred: ArrayLike<Label>): number {
  const { tn, fp, fn, tp } = pairCounts(contingency('randScore', labelsTrue, labelsPred))
  const [agreeing, all] = [tp + tn, tn + fp + fn + tp]
  return agreeing === all || all === 0 ? 1 : agreeing / all
}

/** Geometric mean of pairwise precision and recall. */
export function fowlkesMallowsScore(labelsTrue: ArrayLike<Label>, labelsPred: ArrayLike<Label>): number {
  const { fp, fn, tp } = pairCounts(contingency('fowlkesMallowsScore', labelsTrue, labelsPred))
  return tp === 0 ? 0 : Math.sqrt(tp / (tp + fp)) * Math.sqrt(tp / (tp + fn))
}

/** In nats. */
const entropyOf = (counts: readonly number[], n: number): number =>
  -total(counts.map((count) => (count === 0 ? 0 : (count / n) * (Math.log(count) - Math.log(n)))))

function informationOf({ counts, rows, columns, n }: Contingency): number {
  const terms = counts.flatMap((row, r) =>
    row.map((count, c) =>
      count === 0
        ? 0
        : (count / n) * (Math.log(count) - Math.log(n) - Math.log(rows[r]) - Math.log(columns[c]) + 2 * Math.log(n)),
    ),
  )
  return Math.max(0, total(terms))
}

/** Information, in nats, that two clusterings share. */
export function mutualInfoScore(labelsTrue: ArrayLike<Label>, labelsPred: ArrayLike<Label>): number {
  return informationOf(contingency('mutualInfoScore', labelsTrue, labelsPred))
}

export type InformationAverage = 'min' | 'geometric' | 'arithmetic' | 'max'

const AVERAGES: Record<InformationAverage, (a: number, b: number) => number> = {
  min: Math.min,
  geometric: (a, b) => Math.sqrt(a * b),
  arithmetic: (a, b) => (a + b) / 2,
  max: Math.max,
}

export interface InformationOptions {
  /** How the two entropies are joined. Default arithmetic. */
  readonly averageMethod?: InformationAverage
}

function averageOf(name: string, options: InformationOptions): (a: number, b: number) => number {
  const method = options.averageMethod ?? 'arithmetic'
  const average = AVERAGES[method]
  if (!average)
    throw new RangeError(`${name}: averageMethod is one of ${Object.keys(AVERAGES).join(', ')}, got '${method}'`)
  return average
}

/** Shared information over the entropies: 0 to 1. */
export function normalizedMutualInfoScore(
  labelsTrue: ArrayLike<Label>,
  labelsPred: ArrayLike<Label>,
  options: InformationOptions = {},
): number {
  const average = averageOf('normalizedMutualInfoScore', options)
  const table = contingency('normalizedMutualInfoScore', labelsTrue, labelsPred)
  if (table.rows.length === table.columns.length && table.rows.length <= 1) return 1
  const information = informationOf(table)
  if (information <= Number.EPSILON) return 0
  return information / average(entropyOf(table.rows, table.n), entropyOf(table.columns, table.n))
}

/** Table of log(n!) for n up to `limit`. */
function logFactorials(limit: number): Float64Array {
  const table = new Float64Array(limit + 1)
  for (let i = 2; i <= limit; i++) table[i] = table[i - 1] + Math.log(i)
  return table
}

/** Information expected of random clusterings with these sizes (Vinh, Epps and Bailey 2010, eq. 24a). */
function expectedInformation({ rows, columns, n }: Contingency): number {
  const log = logFactorials(n)
  let sum = 0
  for (const a of rows)
    for (const b of columns)
      for (let both = Math.max(1, a + b - n); both <= Math.min(a, b); both++) {
        const chance =
          log[a] +
          log[b] +
          log[n - a] +
          log[n - b] -
          log[n] -
          log[both] -
          log[a - both] -
          log[b - both] -
          log[n - a - b + both]
        sum += (both / n) * (Math.log(n) + Math.log(both) - Math.log(a) - Math.log(b)) * Math.exp(chance)
      }
  return sum
}

/** Shared information corrected for chance (sklearn.metrics.adjusted_mutual_info_score). */
export function adjustedMutualInfoScore(
  labelsTrue: ArrayLike<Label>,
  labelsPred: ArrayLike<Label>,
  options: InformationOptions = {},
): number {
  const average = averageOf('adjustedMutualInfoScore', options)
  const table = contingency('adjustedMutualInfoScore', labelsTrue, labelsPred)
  const [classes, clusters] = [table.rows.length, table.columns.length]
  if (classes === clusters && (classes === 1 || classes === table.n)) return 1
  const expected = expectedInformation(table)
  const scale = average(entropyOf(table.rows, table.n), entropyOf(table.columns, table.n)) - expected
  const safe = scale < 0 ? Math.min(scale, -Number.EPSILON) : Math.max(scale, Number.EPSILON)
  return (informationOf(table) - expected) / safe
}

export interface HomogeneityCompleteness {
  readonly homogeneity: number
  readonly completeness: number
  readonly vMeasure: number
}

/** Whether clusters hold one class each, classes lie in one cluster each, and the harmonic mean of both. `beta` weighs completeness. */
export function homogeneityCompletenessVMeasure(
  labelsTrue: ArrayLike<Label>,
  labelsPred: ArrayLike<Label>,
  options: { readonly beta?: number } = {},
): HomogeneityCompleteness {
  const { beta = 1 } = options
  const table = contingency('homogeneityCompletenessVMeasure', labelsTrue, labelsPred)
  const [classes, clusters] = [entropyOf(table.rows, table.n), entropyOf(table.columns, table.n)]
  const information = informationOf(table)
  const homogeneity = classes === 0 ? 1 : information / classes
  const completeness = clusters === 0 ? 1 : information / clusters
  const sum = beta * homogeneity + completeness
  return { homogeneity, completeness, vMeasure: sum === 0 ? 0 : ((1 + beta) * homogeneity * completeness) / sum }
}

export type Distance = (a: Float64Array, b: Float64Array) => number

export const DISTANCES = {
  euclidean: (a, b) => Math.sqrt(total(a.map((x, i) => (x - b[i]) ** 2))),
  sqeuclidean: (a, b) => total(a.map((x, i) => (x - b[i]) ** 2)),
  manhattan: (a, b) => total(a.map((x, i) => Math.abs(x - b[i]))),
  chebyshev: (a, b) => Math.max(...a.map((x, i) => Math.abs(x - b[i]))),
  cosine: (a, b) => {
    const dot = (p: Float64Array, q: Float64Array): number => total(p.map((x, i) => x * q[i]))
    return 1 - dot(a, b) / (Math.sqrt(dot(a, a)) * Math.sqrt(dot(b, b)))
  },
} satisfies Record<string, Distance>

export interface SilhouetteOptions {
  /** A name, a function, or 'precomputed' where rows are distances. Default euclidean. */
  readonly metric?: keyof typeof DISTANCES | 'precomputed' | Distance
}

interface Clusters {
  readonly rows: Float64Array[]
  readonly labels: Int32Array
  readonly sizes: number[]
}

function clustersOf(name: string, x: Matrix, labels: ArrayLike<Label>): Clusters {
  sameLength(name, x, labels)
  const names = uniqueLabels(labels)
  if (names.length < 2 || names.length >= x.length)
    throw new RangeError(
      `${name}: expected between 2 clusters and one less than ${x.length} examples, got ${names.length}`,
    )
  const index = encode(labels, names)
  return {
    rows: rowsOf(name, x),
    labels: index,
    sizes: names.map((_, c) => index.filter((label) => label === c).length),
  }
}

/** How much nearer each example is to its own cluster than to the next: -1 to 1. */
export function silhouetteSamples(x: Matrix, labels: ArrayLike<Label>, options: SilhouetteOptions = {}): number[] {
  const { rows, labels: index, sizes } = clustersOf('silhouetteSamples', x, labels)
  const { metric = 'euclidean' } = options
  const distance = typeof metric === 'function' ? metric : metric === 'precomputed' ? null : DISTANCES[metric]
  if (distance === undefined) throw new RangeError(`silhouetteSamples: unknown metric '${String(metric)}'`)
  return rows.map((row, i) => {
    const sums = sizes.map(() => 0)
    for (const [j, other] of rows.entries()) sums[index[j]] += distance ? (i === j ? 0 : distance(row, other)) : row[j]
    const own = index[i]
    if (sizes[own] === 1) return 0
    const within = sums[own] / (sizes[own] - 1)
    const between = Math.min(...sums.map((sum, c) => (c === own ? Number.POSITIVE_INFINITY : sum / sizes[c])))
    const scale = Math.max(within, between)
    return scale === 0 ? 0 : (between - within) / scale
  })
}

/** Mean of {@link silhouetteSamples}. @throws RangeError for fewer than 2 clusters or as many as examples. */
export const silhouetteScore = (x: Matrix, labels: ArrayLike<Label>, options: SilhouetteOptions = {}): number =>
  mean(silhouetteSamples(x, labels, options))

function centroids({ rows, labels, sizes }: Clusters): Float64Array[] {
  return sizes.map((_, c) => {
    const members = rows.filter((_row, i) => labels[i] === c)
    return members[0].map((_v, d) => mean(members.map((row) => row[d])))
  })
}

/** Spread between over spread within clusters. */
export function calinskiHarabaszScore(x: Matrix, labels: ArrayLike<Label>): number {
  const clusters = clustersOf('calinskiHarabaszScore', x, labels)
  const { rows, labels: index, sizes } = clusters
  const centres = centroids(clusters)
  const middle = rows[0].map((_, d) => mean(rows.map((row) => row[d])))
  const between = total(centres.map((centre, c) => sizes[c] * DISTANCES.sqeuclidean(centre, middle)))
  const within = total(rows.map((row, i) => DISTANCES.sqeuclidean(row, centres[index[i]])))
  return within === 0 ? 1 : (between * (rows.length - sizes.length)) / (within * (sizes.length - 1))
}

/** Mean likeness of each cluster to the one most like it; lower is better. */
export function daviesBouldinScore(x: Matrix, labels: ArrayLike<Label>): number {
  const clusters = clustersOf('daviesBouldinScore', x, labels)
  const centres = centroids(clusters)
  const spreads = centres.map((centre, c) =>
    mean(clusters.rows.filter((_, i) => clusters.labels[i] === c).map((row) => DISTANCES.euclidean(row, centre))),
  )
  const likeness = (i: number, j: number): number => {
    const distance = DISTANCES.euclidean(centres[i], centres[j])
    return i === j || distance === 0 ? 0 : (spreads[i] + spreads[j]) / distance
  }
  return mean(centres.map((_, i) => Math.max(...centres.map((_c, j) => likeness(i, j)))))
}
