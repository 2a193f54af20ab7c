import type { Numbers } from './labels.js'

/** Sum in the order of the elements. */
export function total(values: Numbers): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]
  return sum
}

/** Weighted mean. NaN where there is nothing or all weights are 0. */
export function mean(values: Numbers, weights?: Numbers | null): number {
  let [sum, weight] = [0, 0]
  for (let i = 0; i < values.length; i++) {
    const w = weights ? weights[i] : 1
    sum += values[i] * w
    weight += w
  }
  return sum / weight
}

/** Mean over what is not NaN; equal weights where all weights are 0. */
export function meanOfDefined(values: readonly number[], weights?: Numbers | null): number {
  const kept = values.map((_, i) => i).filter((i) => !Number.isNaN(values[i]))
  if (kept.length === 0) return Number.NaN
  const chosen = kept.map((i) => values[i])
  const scale = weights ? kept.map((i) => weights[i]) : null
  return scale && total(scale) !== 0 ? mean(chosen, scale) : mean(chosen)
}

/** Value below which half of the weight lies; the mean of the two middle ones for an even number of equal weights. */
export function median(values: Numbers): number {
  const sorted = Float64Array.from(values).sort()
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}

/** Ranks from 1, in the order of the values; ties share their mean or greatest rank. */
export function ranks(values: Numbers, ties: 'average' | 'max' = 'average'): Float64Array {
  const order = Array.from({ length: values.length }, (_, i) => i).sort((a, b) => values[a] - values[b])
  const out = new Float64Array(values.length)
  for (let start = 0; start < order.length; ) {
    let end = start + 1
    while (end < order.length && values[order[end]] === values[order[start]]) end++
    const rank = ties === 'max' ? end : (start + 1 + end) / 2
    for (let i = start; i < end; i++) out[order[i]] = rank
    start = end
  }
  return out
}
