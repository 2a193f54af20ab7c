import { mean, sum } from '../ops/reduce.js'
import type { Tensor } from '../tensor.js'

/** What becomes of the losses of single elements: kept, their mean, or their sum. */
export type Reduction = 'none' | 'mean' | 'sum'

export interface LossOptions {
  /** Default `mean`. */
  reduction?: Reduction
}

const REDUCE: { readonly [R in Reduction]: (x: Tensor) => Tensor } = {
  none: (x) => x,
  mean: (x) => mean(x),
  sum: (x) => sum(x),
}

/** @throws RangeError for a reduction that is none of the three. */
export function reduceLoss(op: string, losses: Tensor, reduction: Reduction = 'mean'): Tensor {
  const reduce = REDUCE[reduction]
  if (!reduce) throw new RangeError(`${op}: reduction must be 'none', 'mean' or 'sum', got '${reduction}'`)
  return reduce(losses)
}
