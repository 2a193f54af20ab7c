/** Boxes and the loss of set prediction (Carion et al. 2020). Shapes: B batch, Q queries, M targets of an image, C classes. */
import { crossEntropy } from '../../tensor/functional/index.js'
import {
  abs,
  add,
  any,
  asTensor,
  cat,
  clamp,
  div,
  maximum,
  minimum,
  mul,
  neg,
  ones,
  permute,
  reshape,
  softmax,
  stack,
  sub,
  sum,
  type Tensor,
  type TensorLike,
  where,
  zeros,
} from '../../tensor/index.js'
import { cheapestPairs } from './assignment.js'

/** What an image shows: classes [M] and boxes [M, 4] as centre and size, in shares of the image. */
export interface DetectionTarget {
  readonly class_labels: TensorLike
  readonly boxes: TensorLike
}

export interface DetectionWeights {
  readonly class_cost: number
  readonly bbox_cost: number
  readonly giou_cost: number
  readonly bbox_loss_coefficient: number
  readonly giou_loss_coefficient: number
  readonly eos_coefficient: number
}

/** Centre and size [..., 4] as two corners. */
export function corners(boxes: Tensor): Tensor {
  const half = mul(boxes.narrow(-1, 2, 2), 0.5)
  const centre = boxes.narrow(-1, 0, 2)
  return cat([sub(centre, half), add(centre, half)], -1)
}

const extent = (low: Tensor, high: Tensor): Tensor => {
  const sides = clamp(sub(high, low), 0)
  return mul(sides.select(-1, 0), sides.select(-1, 1))
}

/** Generalised overlap (Rezatofighi et al. 2019) of boxes given by corners; shapes [..., 4] broadcast. */
export function generalisedOverlap(a: Tensor, b: Tensor): Tensor {
  const [lowA, highA, lowB, highB] = [a.narrow(-1, 0, 2), a.narrow(-1, 2, 2), b.narrow(-1, 0, 2), b.narrow(-1, 2, 2)]
  const shared = extent(maximum(lowA, lowB), minimum(highA, highB))
  const union = sub(add(extent(lowA, highA), extent(lowB, highB)), shared)
  const around = extent(minimum(lowA, lowB), maximum(highA, highB))
  return sub(div(shared, union), div(sub(around, union), around))
}

/** Which query takes which target of one image: bool [Q, M]. */
function pairsOf(logits: Tensor, boxes: Tensor, labels: Tensor, targets: Tensor, weights: DetectionWeights): Tensor {
  const wanted = permute(softmax(logits, -1), [1, 0]).indexSelect(0, labels)
  const [mine, theirs] = [boxes.unsqueeze(1), targets.unsqueeze(0)]
  const apart = sum(abs(sub(mine, theirs)), -1)
  const overlap = generalisedOverlap(corners(mine), corners(theirs))
  const cost = sub(mul(apart, weights.bbox_cost), mul(permute(wanted, [1, 0]), weights.class_cost))
  return cheapestPairs(sub(cost, mul(overlap, weights.giou_cost)))
}

/** Scores [B, Q, C + 1], the last class meaning "nothing", and boxes [B, Q, 4] against what the images show. */
export function setLoss(
  logits: Tensor,
  boxes: Tensor,
  targets: readonly DetectionTarget[],
  weights: DetectionWeights,
): Tensor {
  const [batch, queries, classes] = logits.shape
  if (targets.length !== batch) throw new RangeError(`expected labels of ${batch} images, got ${targets.length}`)
  const nothing = classes - 1
  const parts = targets.map((target, i) => {
    const labels = reshape(asTensor(target.class_labels), [-1]).to('i32')
    const count = labels.shape[0]
    const wanted = count === 0 ? zeros([queries], { dtype: 'i32' }).add(nothing) : null
    if (wanted) return { wanted, away: zeros([]), apart: zeros([]), count }
    const given = reshape(asTensor(target.boxes), [count, 4]).to(boxes.dtype)
    const [mine, scores] = [boxes.select(0, i), logits.select(0, i)]
    const pairs = pairsOf(scores, mine, labels, given, weights)
    const chosen = pairs.to(boxes.dtype)
    const matched = any(pairs, 1)
    const goal = sum(mul(chosen.unsqueeze(-1), given.unsqueeze(0)), 1)
    const label = sum(mul(pairs.to('i32'), reshape(labels, [1, count])), 1).to('i32')
    // Unmatched queries stand in for themselves: without a loss, and without degenerate boxes.
    const own = reshape(matched, [queries, 1])
    const aim = where(own, goal, mine)
    const overlap = generalisedOverlap(corners(mine), corners(aim))
    return {
      wanted: where(matched, label, nothing),
      away: sum(where(own, abs(sub(mine, aim)), 0)),
      apart: sum(where(matched, add(neg(overlap), 1), 0)),
      count,
    }
  })
  const total = Math.max(
    parts.reduce((count, part) => count + part.count, 0),
    1,
  )
  const weight = cat([ones([nothing]), ones([1]).mul(weights.eos_coefficient)], 0)
  const wanted = stack(
    parts.map((part) => part.wanted),
    0,
  )
  const classLoss = crossEntropy(reshape(logits, [-1, classes]), reshape(wanted, [-1]), { weight })
  const summed = (key: 'away' | 'apart'): Tensor =>
    div(
      parts.map((part) => part[key]).reduce((a, b) => add(a, b)),
      total,
    )
  const boxLoss = mul(summed('away'), weights.bbox_loss_coefficient)
  return add(add(classLoss, boxLoss), mul(summed('apart'), weights.giou_loss_coefficient))
}
