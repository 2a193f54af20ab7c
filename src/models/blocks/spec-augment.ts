/** Random spans of masked places, as in SpecAugment (Park et al. 2019). Shapes: B batch, T steps, K spans. */
import {
  any,
  clamp,
  floor,
  ge,
  iota,
  logicalAnd,
  lt,
  maximum,
  minimum,
  random,
  reshape,
  type Tensor,
  tensor,
  topK,
  where,
} from '../../tensor/index.js'

export interface SpanOptions {
  readonly probability: number
  readonly length: number
  readonly least: number
}

/** bool [B, T]: about `probability` of the first `counts` [B] steps of each row lie in spans of `length`, which may overlap. */
export function randomSpans(rows: number, steps: number, counts: Tensor | null, options: SpanOptions): Tensor {
  const { probability, length, least } = options
  if (length < 1 || length > steps)
    throw new RangeError(`spans of ${length} steps do not fit the sequence of ${steps}; see mask_time_length`)
  const valid = (counts ?? tensor(new Array<number>(rows).fill(steps))).to('f32')
  const wanted = floor(valid.mul(probability / length).add(random.uniform([])))
  const room = maximum(valid.sub(length - 1), 0)
  const spans = minimum(clamp(minimum(maximum(wanted, least), floor(valid.div(length))), 0), room)
  const most = Math.min(steps - length + 1, Math.max(least, Math.floor((probability * steps) / length + 1)))
  if (most === 0) return lt(iota([rows, steps], 1), 0)
  const starts = iota([rows, steps - length + 1], 1)
  const scores = random.uniform([rows, steps - length + 1])
  const chosen = topK(where(lt(starts, reshape(room, [rows, 1])), scores, -1), most).indices
  const first = reshape(chosen, [rows, most, 1])
  const place = iota([rows, most, steps], 2)
  const inside = logicalAnd(ge(place, first), lt(place, first.add(length)))
  const counted = lt(iota([rows, most, 1], 1), reshape(spans, [rows, 1, 1]))
  return any(logicalAnd(inside, counted), 1)
}
