import { mean, total } from './average.js'
import { type Matrix, type Numbers, rowsOf, sameLength } from './labels.js'

export interface PerplexityOptions {
  /** 1 where a target counts, 0 where not; all count where absent. */
  readonly mask?: Numbers | null
  /** Targets of this value do not count, as in cross entropy. */
  readonly ignoreIndex?: number
  /** Rows are logits, not log probabilities. */
  readonly fromLogits?: boolean
}

const logSumExp = (row: Float64Array): number => {
  const largest = Math.max(...row)
  return largest + Math.log(total(row.map((v) => Math.exp(v - largest))))
}

/** exp of the mean negative log probability (nats) of the targets: rows [n, vocabulary], targets [n]. NaN where none counts. */
export function perplexity(logProbs: Matrix, targets: Numbers, options: PerplexityOptions = {}): number {
  sameLength('perplexity', logProbs, targets)
  const { mask, ignoreIndex } = options
  if (mask && mask.length !== targets.length)
    throw new RangeError(`perplexity: expected a mask of ${targets.length} entries, got ${mask.length}`)
  const losses: number[] = []
  for (const [i, row] of rowsOf('perplexity', logProbs).entries()) {
    const target = targets[i]
    if ((mask && !mask[i]) || target === ignoreIndex) continue
    if (!Number.isInteger(target) || target < 0 || target >= row.length)
      throw new RangeError(`perplexity: target ${i} is ${target}, expected an index below ${row.length}`)
    losses.push((options.fromLogits ? logSumExp(row) : 0) - row[target])
  }
  return Math.exp(mean(losses))
}
