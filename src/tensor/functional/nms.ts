import { scan } from '../control.js'
import { asTensor, constant, type TensorLike, tensor } from '../core.js'
import { fail, typeText } from '../dims.js'
import { iota } from '../ops/creation.js'
import { eq, gt, like, lt, neg, to, where } from '../ops/elementwise.js'
import { takeAlongRows } from '../ops/gather.js'
import { stack } from '../ops/join.js'
import { amax, argmax, sum } from '../ops/reduce.js'
import { expand, reshape, squeeze, unsqueeze } from '../ops/shape.js'
import { floatType } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { boxIou } from './boxes.js'

// Reference: torchvision.ops.nms and batched_nms. These read their operands, so they are asynchronous; nmsUpTo is for compiled functions.

const { fround } = Math

interface Candidates {
  /** Rows of 4. */
  readonly boxes: Float32Array
  readonly scores: Float32Array
}

async function read(op: string, boxes: TensorLike, scores: TensorLike): Promise<Candidates> {
  const [b, s] = [asTensor(boxes), asTensor(scores)]
  if (b.ndim !== 2 || b.shape[1] !== 4 || s.ndim !== 1 || s.shape[0] !== b.shape[0])
    throw fail(op, `expected boxes [N, 4] and scores [N], got ${typeText(b)} and ${typeText(s)}`)
  const data = await Promise.all([to(b, 'f32').data(), to(s, 'f32').data()])
  return { boxes: data[0] as Float32Array, scores: data[1] as Float32Array }
}

/** Best score first; equal scores in their order, NaN before all. */
function byScore(scores: Float32Array): number[] {
  const rank = (i: number): number => (Number.isNaN(scores[i]) ? Number.POSITIVE_INFINITY : scores[i])
  return Array.from(scores.keys()).sort((i, j) => (rank(j) > rank(i) ? 1 : rank(j) < rank(i) ? -1 : i - j))
}

/** Greedy suppression, in float32 as the reference computes it. */
function suppress({ boxes, scores }: Candidates, threshold: number): number[] {
  const order = byScore(scores)
  const gone = new Uint8Array(scores.length)
  const at = (i: number, c: number): number => boxes[4 * i + c]
  const area = (i: number): number => fround(fround(at(i, 2) - at(i, 0)) * fround(at(i, 3) - at(i, 1)))
  const areas = Float32Array.from(scores.keys(), area)
  const kept: number[] = []
  for (const [place, i] of order.entries()) {
    if (gone[i]) continue
    kept.push(i)
    for (const j of order.slice(place + 1)) {
      if (gone[j]) continue
      const width = Math.max(0, fround(Math.min(at(i, 2), at(j, 2)) - Math.max(at(i, 0), at(j, 0))))
      const height = Math.max(0, fround(Math.min(at(i, 3), at(j, 3)) - Math.max(at(i, 1), at(j, 1))))
      const both = fround(width * height)
      if (fround(both / fround(fround(areas[i] + areas[j]) - both)) > threshold) gone[j] = 1
    }
  }
  return kept
}

const indices = (kept: readonly number[]): Tensor => tensor(Int32Array.from(kept), { shape: [kept.length] })

/**
 * Non-maximum suppression: indices (i32) of the boxes that overlap no better-scored kept box by more than `iouThreshold`, best first.
 * @throws ShapeError unless boxes are [N, 4] and scores [N].
 */
export async function nms(boxes: TensorLike, scores: TensorLike, iouThreshold: number): Promise<Tensor> {
  return indices(suppress(await read('nms', boxes, scores), iouThreshold))
}

/** Up to this many numbers boxes of different classes are moved apart and suppressed together, as the reference does on CPU. */
const TOGETHER = 4000

function apart({ boxes, scores }: Candidates, classes: ArrayLike<number | bigint>): Candidates {
  const step = fround(boxes.reduce((largest, value) => Math.max(largest, value), Number.NEGATIVE_INFINITY) + 1)
  const moved = boxes.map((value, i) => value + fround(fround(Number(classes[i >> 2])) * step))
  return { boxes: moved, scores }
}

/** {@link nms} within each class: `classes` [N] are integers. Indices (i32) over all classes, best first. */
export async function batchedNms(
  boxes: TensorLike,
  scores: TensorLike,
  classes: TensorLike,
  iouThreshold: number,
): Promise<Tensor> {
  const candidates = await read('batchedNms', boxes, scores)
  const ids = await asTensor(classes).data()
  if (ids.length !== candidates.scores.length)
    throw fail('batchedNms', `expected ${candidates.scores.length} classes, got ${ids.length}`)
  if (ids.length === 0) return indices([])
  if (candidates.boxes.length <= TOGETHER) return indices(suppress(apart(candidates, ids), iouThreshold))
  const kept: number[] = []
  for (const id of new Set(Array.from(ids as ArrayLike<number | bigint>))) {
    const own = Array.from(candidates.scores.keys()).filter((i) => ids[i] === id)
    const part: Candidates = {
      boxes: Float32Array.from(own.flatMap((i) => Array.from(candidates.boxes.subarray(4 * i, 4 * i + 4)))),
      scores: Float32Array.from(own, (i) => candidates.scores[i]),
    }
    kept.push(...suppress(part, iouThreshold).map((i) => own[i]))
  }
  kept.sort((a, b) => a - b)
  const order = byScore(Float32Array.from(kept, (i) => candidates.scores[i]))
  return indices(order.map((i) => kept[i]))
}

/** Indices (i32) of boxes whose width and height reach `minSize`. */
export async function removeSmallBoxes(boxes: TensorLike, minSize: number): Promise<Tensor> {
  const b = asTensor(boxes)
  if (b.ndim !== 2 || b.shape[1] !== 4) throw fail('removeSmallBoxes', `expected boxes [N, 4], got ${typeText(b)}`)
  const data = (await to(b, 'f32').data()) as Float32Array
  const large = (i: number): boolean =>
    fround(data[4 * i + 2] - data[4 * i]) >= minSize && fround(data[4 * i + 3] - data[4 * i + 1]) >= minSize
  return indices(Array.from({ length: b.shape[0] }, (_, i) => i).filter(large))
}

export interface BoundedNms {
  /** [maxOutput], best first; -1 beyond `count`. */
  readonly indices: Tensor
  /** Number of boxes kept (i32 scalar), at most maxOutput. */
  readonly count: Tensor
}

/** {@link nms} for compiled functions: at most `maxOutput` boxes. Boxes scored -Infinity are never kept. */
export function nmsUpTo(boxes: TensorLike, scores: TensorLike, iouThreshold: number, maxOutput: number): BoundedNms {
  const [b, s] = [asTensor(boxes), asTensor(scores)]
  if (b.ndim !== 2 || b.shape[1] !== 4 || s.ndim !== 1 || s.shape[0] !== b.shape[0])
    throw fail('nmsUpTo', `expected boxes [N, 4] and scores [N], got ${typeText(b)} and ${typeText(s)}`)
  const rows = to(b, floatType(b.dtype))
  const open = to(s, rows.dtype)
  const none = like(Number.NEGATIVE_INFINITY, open)
  const places = iota(open.shape, 0)
  const step = (left: Tensor): [Tensor, Tensor] => {
    const best = argmax(left, 0)
    const at = to(best, 'i32')
    const found = gt(amax(left), none)
    const box = takeAlongRows(rows, reshape(at, [1]))
    const overlap = squeeze(boxIou(box, rows), 0)
    const drop = gt(overlap, like(iouThreshold, overlap))
    const next = where(drop, none, where(eq(places, at), none, left))
    return [next, where(found, at, constant(-1, 'i32'))]
  }
  const [, kept] = scan((left: Tensor, _: readonly []) => step(left), open, [] as const, { length: maxOutput })
  return { indices: kept, count: to(sum(to(gt(kept, constant(-1, 'i32')), 'i32')), 'i32') }
}

/** Boxes around masks [N, H, W] of zeros and others: [N, 4], zeros for empty masks (torchvision.ops.masks_to_boxes). */
export function masksToBoxes(masks: TensorLike): Tensor {
  const m = to(asTensor(masks), 'bool')
  if (m.ndim !== 3) throw fail('masksToBoxes', `expected masks [N, H, W], got ${typeText(m)}`)
  const [count, height, width] = m.shape
  const edges = [width, height].map((size, axis) => {
    const used = to(amax(to(m, 'i32'), axis === 0 ? 1 : 2), 'bool')
    const at = expand(unsqueeze(iota([size], 0), 0), [count, size])
    const low = neg(amax(where(used, neg(at), constant(-size, 'i32')), 1))
    return { low, high: amax(where(used, at, constant(-1, 'i32')), 1) }
  })
  const [x, y] = edges
  const empty = lt(x.high, constant(0, 'i32'))
  return stack(
    [x.low, y.low, x.high, y.high].map((c) => to(where(empty, constant(0, 'i32'), c), 'f32')),
    1,
  )
}
