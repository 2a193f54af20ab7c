import { record, type TensorLike } from '../core.js'
import { fail } from '../dims.js'
import { iota } from '../ops/creation.js'
import { diagonal } from '../ops/diagonals.js'
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
  maximum,
  minimum,
  mul,
  sub,
  to,
  trueDivide,
  where,
} from '../ops/elementwise.js'
import { movedim, reshape } from '../ops/shape.js'
import { cast } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { type OutputSize, type Regions, type RoiOptions, regionsOf, scaleCorners, sizePair } from './roi.js'
import { tapsOf } from './unfold.js'

// Reference: torchvision.ops.roi_align and ps_roi_align (He et al. 2017; Li et al. 2018).

export interface RoiAlignOptions extends RoiOptions {
  /** Samples per bin in each dimension; 0 or less: as many as the bin has pixels, rounded up. Default -1. */
  samplingRatio?: number
  /** Shifts boxes by half a pixel, so that they fall on pixel centres. Default false. */
  aligned?: boolean
}

/** Bins of all regions along one dimension. */
interface Bins {
  /** Where each region starts, and the size of its bins, in pixels: [R]. */
  readonly start: Tensor
  readonly size: Tensor
  /** Number of bins. */
  readonly count: number
  /** Pixels of the features. */
  readonly extent: number
}

function binsOf(from: Tensor, until: Tensor, count: number, extent: number, atLeastOne: boolean): Bins {
  const length = sub(until, from)
  const size = trueDivide(atLeastOne ? maximum(length, like(1, length)) : length, like(count, length))
  return { start: from, size, count, extent }
}

const column = (x: Tensor, rank: number): Tensor =>
  reshape(x, [...x.shape, ...new Array<number>(rank - x.ndim).fill(1)])

/** Where sample `i` of `samples` per bin lies: [R, bins]. */
function samplePositions({ start, size, count }: Bins, i: number, samples: number): Tensor {
  const bin = cast(iota([1, count], 1), start.dtype)
  const offset = add(bin, like((i + 0.5) / samples, start))
  return add(column(start, 2), mul(column(size, 2), offset))
}

/** Lower neighbour (i32), weight of the upper one, and 1 where the sample counts: up to a pixel outside of the features. */
interface Taps {
  readonly low: Tensor
  readonly high: Tensor
  readonly share: Tensor
  readonly valid: Tensor
}

function tapsAt(at: Tensor, extent: number): Taps {
  const valid = cast(logicalAnd(ge(at, like(-1, at)), le(at, like(extent, at))), at.dtype)
  const inside = minimum(maximum(at, like(0, at)), like(extent - 1, at))
  const low = floor(inside)
  const high = minimum(add(low, like(1, low)), like(extent - 1, low))
  return { low: to(low, 'i32'), high: to(high, 'i32'), share: sub(inside, low), valid }
}

/** Values [R, bins y, bins x, C] at pixels (y [R, bins y], x [R, bins x]) of each region's image. */
function pixelsOf(flat: Tensor, image: Tensor, y: Tensor, x: Tensor, width: number): Tensor {
  const rows = mul(reshape(y, [...y.shape, 1]), like(width, y))
  const place = add(rows, reshape(x, [x.shape[0], 1, x.shape[1]]))
  const images = reshape(image, [image.shape[0], 1, 1]).expand(place.shape)
  const parts = [images, place].map((part) => reshape(part, [...part.shape, 1]))
  return record('gather', [flat, record('concatenate', parts, { dimension: 3 })], {
    offset_dims: [3],
    collapsed_slice_dims: [0, 2],
    start_index_map: [0, 2],
    slice_sizes: [1, flat.shape[1], 1],
  })
}

/** Mean of a fixed number of bilinear samples a bin: [R, C, bins y, bins x]. */
function sampled(regions: Regions, y: Bins, x: Bins, ratio: number): Tensor {
  const { input, image } = regions
  const flat = reshape(input, [input.shape[0], input.shape[1], y.extent * x.extent])
  const lines = (bins: Bins): Taps[] =>
    Array.from({ length: ratio }, (_, i) => tapsAt(samplePositions(bins, i, ratio), bins.extent))
  const [rows, columns] = [lines(y), lines(x)]
  const weighted = tapsOf([ratio, ratio, 2, 2]).map(([i, j, up, right]) => {
    const [row, col] = [rows[i], columns[j]]
    const side = (taps: Taps, upper: number): Tensor =>
      mul(taps.valid, upper === 1 ? taps.share : sub(like(1, taps.share), taps.share))
    const weight = mul(
      reshape(side(row, up), [...row.share.shape, 1]),
      reshape(side(col, right), [col.share.shape[0], 1, col.share.shape[1]]),
    )
    const values = pixelsOf(flat, image, up === 1 ? row.high : row.low, right === 1 ? col.high : col.low, x.extent)
    return mul(values, reshape(weight, [...weight.shape, 1]))
  })
  const total = weighted.reduce(add)
  return movedim(mul(total, like(1 / ratio ** 2, total)), -1, 1)
}

/** Sum of i over integers in [from, to], and their number; 0 for an empty range. */
function integers(from: Tensor, to_: Tensor): { count: Tensor; sum: Tensor } {
  const count = maximum(add(sub(to_, from), like(1, from)), like(0, from))
  return { count, sum: mul(mul(count, add(from, to_)), like(0.5, from)) }
}

/**
 * Weight of each pixel in the mean over a bin with as many samples as it has pixels: [R, bins, extent]. The samples of a bin lie at equal
 * distances, so that those around a pixel are a range of integers and their weights have a closed sum: the number of samples need not be bounded.
 */
function pixelWeights({ start, size, count, extent }: Bins, keepEmpty: boolean): Tensor {
  const samples = column(ceil(size), 3)
  const step = trueDivide(column(size, 3), maximum(samples, like(1, samples)))
  const bin = cast(iota([1, count, 1], 1), start.dtype)
  // Sample i of a bin lies at first + i * step.
  const first = add(add(column(start, 3), mul(column(size, 3), bin)), mul(step, like(0.5, step)))
  const pixel = cast(iota([1, 1, extent], 2), start.dtype)
  const last = sub(samples, like(1, samples))
  const zero = like(0, samples)
  const safe = where(gt(step, zero), step, like(1, step))
  const atOrAbove = (y: Tensor): Tensor => maximum(ceil(trueDivide(sub(y, first), safe)), zero)
  const below = (y: Tensor): Tensor => minimum(sub(ceil(trueDivide(sub(y, first), safe)), like(1, y)), last)
  const atOrBelow = (y: Tensor): Tensor => minimum(floor(trueDivide(sub(y, first), safe)), last)
  // Rising side: samples in [pixel - 1, pixel); falling side: in [pixel, pixel + 1).
  const rising = integers(atOrAbove(sub(pixel, like(1, pixel))), below(pixel))
  const falling = integers(atOrAbove(pixel), below(add(pixel, like(1, pixel))))
  const ascent = add(mul(rising.count, add(sub(first, pixel), like(1, pixel))), mul(rising.sum, step))
  const descent = sub(mul(falling.count, add(sub(pixel, first), like(1, pixel))), mul(falling.sum, step))
  // Samples up to a pixel beyond either edge count for the pixel at the edge.
  const [isFirst, isLast] = [eq(pixel, zero), eq(pixel, like(extent - 1, pixel))]
  const before = integers(atOrAbove(like(-1, pixel)), below(like(0, pixel))).count
  const after = integers(atOrAbove(like(extent - 1, pixel)), atOrBelow(like(extent, pixel))).count
  const weights = add(where(isFirst, before, ascent), where(isLast, after, descent))
  return trueDivide(weights, keepEmpty ? samples : maximum(samples, like(1, samples)))
}

/** Contracts features with pixel weights of both dimensions: [R, C, bins y, bins x]. */
function weighed({ input, image }: Regions, y: Tensor, x: Tensor): Tensor {
  const images = cast(eq(reshape(image, [image.shape[0], 1]), iota([1, input.shape[0]], 1)), input.dtype)
  const rows = einsum('rph,rn,nchw->rpcw', y, images, input)
  return einsum('rpcw,rqw->rcpq', rows, x)
}

/**
 * Features of regions by bilinear samples: [N, C, H, W] and [R, 5] (image number, x1, y1, x2, y2) -> [R, C, ...outputSize] (He et al. 2017).
 * Gradients flow to the features.
 * @throws ShapeError for other shapes.
 */
export function roiAlign(
  features: TensorLike,
  boxes: TensorLike,
  outputSize: OutputSize,
  options: RoiAlignOptions = {},
): Tensor {
  const { spatialScale = 1, samplingRatio = -1, aligned = false } = options
  const regions = regionsOf('roiAlign', features, boxes)
  const [height, width] = sizePair(outputSize)
  const [x1, y1, x2, y2] = scaleCorners(regions, spatialScale, aligned ? 0.5 : 0)
  const y = binsOf(y1, y2, height, regions.input.shape[2], !aligned)
  const x = binsOf(x1, x2, width, regions.input.shape[3], !aligned)
  if (samplingRatio > 0) return sampled(regions, y, x, samplingRatio)
  return weighed(regions, pixelWeights(y, false), pixelWeights(x, false))
}

/**
 * {@link roiAlign} with a channel of its own for each bin (position sensitive): [N, C * bins, H, W] -> [R, C, ...outputSize] (Li et al. 2018).
 * @throws ShapeError where the channels are no multiple of the bins.
 */
export function psRoiAlign(
  features: TensorLike,
  boxes: TensorLike,
  outputSize: OutputSize,
  options: Omit<RoiAlignOptions, 'aligned'> = {},
): Tensor {
  const { spatialScale = 1, samplingRatio = -1 } = options
  const regions = regionsOf('psRoiAlign', features, boxes)
  const [height, width] = sizePair(outputSize)
  const [x1, y1, x2, y2] = scaleCorners(regions, spatialScale, 0.5)
  const y = binsOf(y1, y2, height, regions.input.shape[2], false)
  const x = binsOf(x1, x2, width, regions.input.shape[3], false)
  const all =
    samplingRatio > 0
      ? sampled(regions, y, x, samplingRatio)
      : weighed(regions, pixelWeights(y, true), pixelWeights(x, true))
  return ownBins('psRoiAlign', all, height, width)
}

/** Of [R, C * bins, bins y, bins x] each bin of its own channel: [R, C, bins y, bins x]. */
export function ownBins(op: string, all: Tensor, height: number, width: number): Tensor {
  const [regions, channels] = all.shape
  const bins = height * width
  if (channels % bins !== 0) throw fail(op, `expected a multiple of ${bins} channels, got ${channels}`)
  const split = reshape(all, [regions, channels / bins, bins, bins])
  return reshape(diagonal(split, 0, 2, 3), [regions, channels / bins, height, width])
}
