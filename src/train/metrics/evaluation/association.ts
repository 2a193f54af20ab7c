import { mean, ranks } from './average.js'
import { type Numbers, sameLength } from './labels.js'

// Reference: scipy.stats.

/** Pearson's linear correlation; NaN where one side is constant. */
export function pearsonr(x: Numbers, y: Numbers): number {
  sameLength('pearsonr', x, y)
  const [mx, my] = [mean(x), mean(y)]
  let [xx, yy, xy] = [0, 0, 0]
  for (let i = 0; i < x.length; i++) {
    const [dx, dy] = [x[i] - mx, y[i] - my]
    xx += dx * dx
    yy += dy * dy
    xy += dx * dy
  }
  return Math.max(-1, Math.min(1, xy / (Math.sqrt(xx) * Math.sqrt(yy))))
}

/** Spearman's rank correlation; ties share their mean rank. */
export function spearmanr(x: Numbers, y: Numbers): number {
  sameLength('spearmanr', x, y)
  return pearsonr(ranks(x), ranks(y))
}

const pairs = (n: number): number => (n * (n - 1)) / 2

/** Number of pairs of equal keys. */
function tiedPairs(keys: readonly (string | number)[]): number {
  const counts = new Map<string | number, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return [...counts.values()].reduce((sum, count) => sum + pairs(count), 0)
}

/** Number of pairs out of order, by merge sort. Sorts `values`. */
function inversions(values: number[]): number {
  if (values.length < 2) return 0
  const half = values.length >> 1
  const [left, right] = [values.slice(0, half), values.slice(half)]
  let count = inversions(left) + inversions(right)
  let [i, j] = [0, 0]
  for (let k = 0; k < values.length; k++) {
    if (j >= right.length || (i < left.length && left[i] <= right[j])) values[k] = left[i++]
    else {
      values[k] = right[j++]
      count += left.length - i
    }
  }
  return count
}

/** Kendall's tau: variant b (default) corrects for ties, c for rectangular tables. NaN where one side is constant. */
export function kendalltau(x: Numbers, y: Numbers, options: { readonly variant?: 'b' | 'c' } = {}): number {
  sameLength('kendalltau', x, y)
  const order = Array.from({ length: x.length }, (_, i) => i).sort((a, b) => x[a] - x[b] || y[a] - y[b])
  const discordant = inversions(order.map((i) => y[i]))
  const [xs, ys] = [Array.from(x), Array.from(y)]
  const [tiedX, tiedY] = [tiedPairs(xs), tiedPairs(ys)]
  const both = tiedPairs(xs.map((value, i) => `${value},${ys[i]}`))
  const all = pairs(x.length)
  const balance = all - tiedX - tiedY + both - 2 * discordant
  if (options.variant === 'c') {
    const classes = Math.min(new Set(xs).size, new Set(ys).size)
    return (2 * balance) / (x.length ** 2 * ((classes - 1) / classes))
  }
  return Math.max(-1, Math.min(1, balance / Math.sqrt(all - tiedX) / Math.sqrt(all - tiedY)))
}
