import type { TensorLike } from '../core.js'
import { asTensor } from '../core.js'
import { fail, typeText } from '../dims.js'
import { add, ge, like, maximum, minimum, mul, stopGradient, sub, trueDivide, where } from '../ops/elementwise.js'
import { stack } from '../ops/join.js'
import { atan, clamp, square } from '../ops/math.js'
import { select, unsqueeze } from '../ops/shape.js'
import { align, floatType, resultType } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { type Reduction, reduceLoss } from './reduction.js'

// Reference: torchvision.ops.boxes and the box losses beside it. Boxes are [..., 4] rows of x1, y1, x2, y2 (pixels) unless a format says otherwise.

export type BoxFormat = 'xyxy' | 'xywh' | 'cxcywh'

type Columns = readonly Tensor[]

function columnsOf(op: string, boxes: Tensor): Columns {
  if (boxes.ndim < 1 || boxes.shape[boxes.ndim - 1] !== 4)
    throw fail(op, `expected boxes [..., 4], got ${typeText(boxes)}`)
  return [0, 1, 2, 3].map((i) => select(boxes, -1, i))
}

const half = (x: Tensor): Tensor => mul(x, like(0.5, x))

const TO_CORNERS: { readonly [F in BoxFormat]: (c: Columns) => Columns } = {
  xyxy: (c) => c,
  xywh: ([x, y, w, h]) => [x, y, add(x, w), add(y, h)],
  cxcywh: ([cx, cy, w, h]) => [sub(cx, half(w)), sub(cy, half(h)), add(cx, half(w)), add(cy, half(h))],
}

const FROM_CORNERS: { readonly [F in BoxFormat]: (c: Columns) => Columns } = {
  xyxy: (c) => c,
  xywh: ([x1, y1, x2, y2]) => [x1, y1, sub(x2, x1), sub(y2, y1)],
  cxcywh: ([x1, y1, x2, y2]) => [half(add(x1, x2)), half(add(y1, y2)), sub(x2, x1), sub(y2, y1)],
}

/** Boxes in another format. @throws RangeError for an unknown format, ShapeError unless rows have 4 numbers. */
export function boxConvert(like_: TensorLike, from: BoxFormat, to: BoxFormat): Tensor {
  for (const format of [from, to])
    if (!TO_CORNERS[format]) throw new RangeError(`boxConvert: format must be xyxy, xywh or cxcywh, got '${format}'`)
  const boxes = asTensor(like_)
  if (from === to) return boxes
  return stack([...FROM_CORNERS[to](TO_CORNERS[from](columnsOf('boxConvert', boxes)))], -1)
}

const areaOf = ([x1, y1, x2, y2]: Columns): Tensor => mul(sub(x2, x1), sub(y2, y1))

/** Area of boxes: [..., 4] -> [...]. */
export function boxArea(like_: TensorLike, format: BoxFormat = 'xyxy'): Tensor {
  const corners = TO_CORNERS[format](columnsOf('boxArea', asTensor(like_)))
  return areaOf(corners)
}

/** Boxes cut to an image of `size` [height, width]. */
export function clipBoxesToImage(like_: TensorLike, [height, width]: readonly [number, number]): Tensor {
  const boxes = asTensor(like_)
  const limits = [width, height, width, height]
  return stack(
    columnsOf('clipBoxesToImage', boxes).map((c, i) => clamp(c, 0, limits[i])),
    -1,
  )
}

const positive = (x: Tensor): Tensor => where(ge(x, like(0, x)), x, like(0, x))

interface Pairs {
  /** Columns of both sides, broadcast against one another. */
  readonly a: Columns
  readonly b: Columns
  readonly intersection: Tensor
  readonly union: Tensor
}

/** All pairs of [..., N, 4] and [..., M, 4]: [..., N, M]. */
function pairsOf(op: string, left: TensorLike, right: TensorLike): Pairs {
  const dtype = floatType(resultType(left, right))
  const [x, y] = [left, right].map((side) => {
    const boxes = asTensor(side).to(dtype)
    if (boxes.ndim < 2) throw fail(op, `expected boxes [N, 4], got ${typeText(boxes)}`)
    return boxes
  })
  const a = columnsOf(op, x).map((c) => unsqueeze(c, -1))
  const b = columnsOf(op, y).map((c) => unsqueeze(c, -2))
  const [width, height] = [0, 1].map((i) => positive(sub(minimum(a[i + 2], b[i + 2]), maximum(a[i], b[i]))))
  const intersection = mul(width, height)
  return { a, b, intersection, union: sub(add(areaOf(a), areaOf(b)), intersection) }
}

const iouOf = ({ intersection, union }: Pairs): Tensor => trueDivide(intersection, union)

/** Width and height of the smallest box around each pair. */
const enclosing = ({ a, b }: Pairs): Tensor[] =>
  [0, 1].map((i) => positive(sub(maximum(a[i + 2], b[i + 2]), minimum(a[i], b[i]))))

/** Intersection over union of all pairs: [N, 4] and [M, 4] -> [N, M]. */
export function boxIou(boxes1: TensorLike, boxes2: TensorLike, format: BoxFormat = 'xyxy'): Tensor {
  return iouOf(pairsOf('boxIou', boxConvert(boxes1, format, 'xyxy'), boxConvert(boxes2, format, 'xyxy')))
}

/** {@link boxIou} less the share of the enclosing box that neither covers (Rezatofighi et al. 2019): -1 to 1. */
export function generalizedBoxIou(boxes1: TensorLike, boxes2: TensorLike): Tensor {
  const pairs = pairsOf('generalizedBoxIou', boxes1, boxes2)
  const area = enclosing(pairs).reduce(mul)
  return sub(iouOf(pairs), trueDivide(sub(area, pairs.union), area))
}

/** Squared distance of the centres. */
const centreDistance = ({ a, b }: Pick<Pairs, 'a' | 'b'>): Tensor =>
  [0, 1].map((i) => square(sub(half(add(a[i], a[i + 2])), half(add(b[i], b[i + 2]))))).reduce(add)

/** (2 / pi)^2 times the squared difference of the angles of both diagonals (Zheng et al. 2020). */
function aspectTerm({ a, b }: Pick<Pairs, 'a' | 'b'>): Tensor {
  const angle = (c: Columns): Tensor => atan(trueDivide(sub(c[2], c[0]), sub(c[3], c[1])))
  const term = square(sub(angle(a), angle(b)))
  return mul(term, like(4 / Math.PI ** 2, term))
}

const aspectWeight = (term: Tensor, iou: Tensor, eps: number): Tensor =>
  stopGradient(trueDivide(term, add(add(sub(like(1, iou), iou), term), like(eps, iou))))

function distanceIou(pairs: Pairs, eps: number): Tensor {
  const sides = enclosing(pairs).map(square)
  const diagonal = add(add(sides[0], sides[1]), like(eps, sides[0]))
  return sub(iouOf(pairs), trueDivide(centreDistance(pairs), diagonal))
}

/** {@link boxIou} less the squared distance of the centres over the enclosing diagonal (Zheng et al. 2020). */
export function distanceBoxIou(boxes1: TensorLike, boxes2: TensorLike, eps = 1e-7): Tensor {
  return distanceIou(pairsOf('distanceBoxIou', boxes1, boxes2), eps)
}

/** {@link distanceBoxIou} less a term for the difference of aspect ratios, whose weight takes no gradient. */
export function completeBoxIou(boxes1: TensorLike, boxes2: TensorLike, eps = 1e-7): Tensor {
  const pairs = pairsOf('completeBoxIou', boxes1, boxes2)
  const term = aspectTerm(pairs)
  return sub(distanceIou(pairs, eps), mul(aspectWeight(term, iouOf(pairs), eps), term))
}

export interface BoxLossOptions {
  /** Default `none`, as in torchvision. */
  reduction?: Reduction
  /** Added to divisors. Default 1e-7. */
  eps?: number
}

interface Matched extends Pairs {
  readonly iou: Tensor
  /** Width and height of the enclosing boxes. */
  readonly around: readonly Tensor[]
}

/** Row by row: [..., 4] and [..., 4]. */
function matched(op: string, left: TensorLike, right: TensorLike, eps: number): Matched {
  const [x, y] = align(op, [left, right], floatType(resultType(left, right)))
  const [a, b] = [columnsOf(op, x), columnsOf(op, y)]
  const sides = [0, 1].map((i) => positive(sub(minimum(a[i + 2], b[i + 2]), maximum(a[i], b[i]))))
  const intersection = mul(sides[0], sides[1])
  const union = sub(add(areaOf(a), areaOf(b)), intersection)
  const around = [0, 1].map((i) => sub(maximum(a[i + 2], b[i + 2]), minimum(a[i], b[i])))
  return { a, b, intersection, union, around, iou: trueDivide(intersection, add(union, like(eps, union))) }
}

/** 1 - generalised IoU of matching rows (Rezatofighi et al. 2019). */
export function generalizedBoxIouLoss(boxes1: TensorLike, boxes2: TensorLike, options: BoxLossOptions = {}): Tensor {
  const { reduction = 'none', eps = 1e-7 } = options
  const { iou, union, around } = matched('generalizedBoxIouLoss', boxes1, boxes2, eps)
  const area = mul(around[0], around[1])
  const gap = trueDivide(sub(area, union), add(area, like(eps, area)))
  return reduceLoss('generalizedBoxIouLoss', add(sub(like(1, iou), iou), gap), reduction)
}

function distanceLoss(pairs: Matched, eps: number): Tensor {
  const sides = pairs.around.map(square)
  const diagonal = add(add(sides[0], sides[1]), like(eps, sides[0]))
  return add(sub(like(1, pairs.iou), pairs.iou), trueDivide(centreDistance(pairs), diagonal))
}

/** 1 - distance IoU of matching rows (Zheng et al. 2020). */
export function distanceBoxIouLoss(boxes1: TensorLike, boxes2: TensorLike, options: BoxLossOptions = {}): Tensor {
  const { reduction = 'none', eps = 1e-7 } = options
  return reduceLoss(
    'distanceBoxIouLoss',
    distanceLoss(matched('distanceBoxIouLoss', boxes1, boxes2, eps), eps),
    reduction,
  )
}

/** 1 - complete IoU of matching rows (Zheng et al. 2020). */
export function completeBoxIouLoss(boxes1: TensorLike, boxes2: TensorLike, options: BoxLossOptions = {}): Tensor {
  const { reduction = 'none', eps = 1e-7 } = options
  const pairs = matched('completeBoxIouLoss', boxes1, boxes2, eps)
  const term = aspectTerm(pairs)
  const loss = add(distanceLoss(pairs, eps), mul(aspectWeight(term, pairs.iou, eps), term))
  return reduceLoss('completeBoxIouLoss', loss, reduction)
}
