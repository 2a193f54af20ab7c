import type { Logs } from '../../train/index.js'
import { pearsonr, spearmanr } from '../../train/metrics/evaluation/index.js'

export const CORRELATIONS = ['spearman', 'pearson'] as const

/** How values follow those that were wanted; not a number where one side is constant. */
export const correlations = (wanted: readonly number[], values: readonly number[]): Logs => ({
  spearman: spearmanr(wanted, values),
  pearson: pearsonr(wanted, values),
})
