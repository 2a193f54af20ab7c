import { constant, record, type TensorLike } from '../core.js'
import { iota, zeros } from '../ops/creation.js'
import { einsum } from '../ops/einsum.js'
import {
  add,
  ceil,
  eq,
  floor,
  ge,
  gt,
  le,
  like,
  logicalAnd,
  logicalOr,
  lt,
  maximum,
  minimum,
  mul,
  stopGradient,
  sub,
  trueDivide,
  where,
} from '../ops/elementwise.js'
import { gather } from '../ops/gather.js'
import { movedim, reshape, select } from '../ops/shape.js'
import { cast } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { type OutputSize, type Regions, type RoiOptions, regionsOf, sizePair } from './roi.js'
import { ownBins } from './roi-align.js'

// Reference: torchvision.ops.roi_pool and ps_roi_pool (Girshick 2015; Dai et al. 2016).

/** Rounds halves away from zero. */
function rounded(x: Tensor): Tensor {
  const half = like(0.5, x)
  return where(lt(x, like(0, x)), ceil(sub(x, half)), floor(add(x, half)))
}

/** First pixel and end of each bin: [R, bins], whole numbers. */
interface Spans {
  readonly start: Tensor
  readonly end: Tensor
}

/** Bins of whole pixels from `from`, `length` long, cut to [0, limit]. */
function spansOf(from: Tensor, length: Tensor, count: number, limit: number): Spans {
  const regions = from.shape[0]
  const bin = cast(iota([1, count], 1), from.dtype)
  const size = reshape(trueDivide(length, like(count, length)), [regions, 1])
  const cut = (x: Tensor): Tensor => {
    const moved = add(x, reshape(from, [regions, 1]))
    return minimum(maximum(moved, like(0, moved)), like(limit, moved))
  }
  return { start: cut(floor(mul(bin, size))), end: cut(ceil(mul(add(bin, like(1, bin)), size))) }
}

/** 1 where pixel `at` lies in the bin: [R, bins]. */
const covers = ({ start, end }: Spans, at: number): Tensor =>
  logicalAnd(le(start, like(at, start)), gt(end, like(at, end)))

interface Best {
  readonly value: Tensor
  /** Flat pixel of the value (i32). */
  readonly place: Tensor
}

/** The greater value, the earlier pixel of equal ones. */
function better(a: Best, b: Best, allowed: Tensor): Best {
  const wins = logicalOr(gt(b.value, a.value), logicalAnd(eq(b.value, a.value), lt(b.place, a.place)))
  const take = logicalAnd(allowed, wins)
  return { value: where(take, b.value, a.value), place: where(take, b.place, a.place) }
}

/** Pixel of the greatest value of each bin, row by row and then along columns: [R, C, bins y, bins x] (i32), -1 in empty bins. */
function greatest({ input, image }: Regions, y: Spans, x: Spans): Tensor {
  const [, channels, height, width] = input.shape
  const [regions, tall] = y.start.shape
  const wide = x.start.shape[1]
  const own = record('gather', [stopGradient(input), reshape(image, [regions, 1])], {
    offset_dims: [1, 2, 3],
    collapsed_slice_dims: [0],
    start_index_map: [0],
    slice_sizes: [1, channels, height, width],
  })
  const none = (shape: number[]): Best => ({
    value: add(zeros(shape, { dtype: input.dtype }), like(Number.NEGATIVE_INFINITY, input)),
    place: add(zeros(shape, { dtype: 'i32' }), constant(-1, 'i32')),
  })
  let rows = none([regions, tall, channels, width])
  const columns = iota([1, 1, 1, width], 3)
  for (let h = 0; h < height; h++) {
    const line: Best = {
      value: reshape(select(own, 2, h), [regions, 1, channels, width]),
      place: add(columns, constant(h * width, 'i32')),
    }
    rows = better(rows, line, reshape(covers(y, h), [regions, tall, 1, 1]))
  }
  let best = none([regions, tall, channels, wide])
  for (let w = 0; w < width; w++) {
    const part = (t: Tensor): Tensor => reshape(select(t, 3, w), [regions, tall, channels, 1])
    const found = logicalAnd(ge(part(rows.place), constant(0, 'i32')), reshape(covers(x, w), [regions, 1, 1, wide]))
    best = better(best, { value: part(rows.value), place: part(rows.place) }, found)
  }
  return movedim(best.place, 1, 2)
}

/**
 * Greatest value of each bin of whole pixels: [N, C, H, W] and [R, 5] (image number, x1, y1, x2, y2) -> [R, C, ...outputSize]; 0 in bins outside of
 * the image (Girshick 2015). Gradients flow to the greatest pixels, the first of equal ones.
 */
export function roiPool(
  features: TensorLike,
  boxes: TensorLike,
  outputSize: OutputSize,
  options: RoiOptions = {},
): Tensor {
  const { spatialScale = 1 } = options
  const regions = regionsOf('roiPool', features, boxes)
  const [tall, wide] = sizePair(outputSize)
  const [, channels, height, width] = regions.input.shape
  const [x1, y1, x2, y2] = regions.corners.map((c) => rounded(mul(c, like(spatialScale, c))))
  const length = (from: Tensor, until: Tensor): Tensor => maximum(add(sub(until, from), like(1, from)), like(1, from))
  const place = greatest(regions, spansOf(y1, length(y1, y2), tall, height), spansOf(x1, length(x1, x2), wide, width))
  const count = place.shape[0]
  const flat = reshape(regions.input, [regions.input.shape[0], channels * height * width])
  const inside = ge(place, constant(0, 'i32'))
  const offset = mul(iota([1, channels, 1, 1], 1), constant(height * width, 'i32'))
  const index = add(where(inside, place, constant(0, 'i32')), offset)
  const own = record('gather', [flat, reshape(regions.image, [count, 1])], {
    offset_dims: [1],
    collapsed_slice_dims: [0],
    start_index_map: [0],
    slice_sizes: [1, flat.shape[1]],
  })
  const values = reshape(gather(own, 1, reshape(index, [count, channels * tall * wide])), place.shape)
  return where(inside, values, like(0, values))
}

/**
 * Mean of each bin of whole pixels, of a channel of its own (position sensitive): [N, C * bins, H, W] -> [R, C, ...outputSize] (Dai et al. 2016).
 * @throws ShapeError where the channels are no multiple of the bins.
 */
export function psRoiPool(
  features: TensorLike,
  boxes: TensorLike,
  outputSize: OutputSize,
  options: RoiOptions = {},
): Tensor {
  const { spatialScale = 1 } = options
  const regions = regionsOf('psRoiPool', features, boxes)
  const [tall, wide] = sizePair(outputSize)
  const { input, image } = regions
  const [x1, y1, x2, y2] = regions.corners.map((c) => rounded(mul(c, like(spatialScale, c))))
  const length = (from: Tensor, until: Tensor): Tensor => maximum(sub(until, from), like(1, from))
  const shares = (spans: Spans, extent: number): Tensor => {
    const pixel = cast(iota([1, 1, extent], 2), input.dtype)
    const [start, end] = [spans.start, spans.end].map((x) => reshape(x, [...x.shape, 1]))
    const inside = cast(logicalAnd(ge(pixel, start), lt(pixel, end)), input.dtype)
    const count = sub(end, start)
    return trueDivide(inside, maximum(count, like(1, count)))
  }
  // The reference cuts bins to the last pixel, which itself is never in a bin. (Its gradient divides by the bin without that cut; this one is that of
  // the values.)
  const [height, width] = input.shape.slice(2)
  const rows = shares(spansOf(y1, length(y1, y2), tall, height - 1), height)
  const columns = shares(spansOf(x1, length(x1, x2), wide, width - 1), width)
  const images = cast(eq(reshape(image, [image.shape[0], 1]), iota([1, input.shape[0]], 1)), input.dtype)
  const all = einsum('rpcw,rqw->rcpq', einsum('rph,rn,nchw->rpcw', rows, images, input), columns)
  return ownBins('psRoiPool', all, tall, wide)
}
