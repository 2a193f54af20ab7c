import { asTensor, type TensorLike } from '../core.js'
import { fail, typeText } from '../dims.js'
import { like, mul, stopGradient, sub, to } from '../ops/elementwise.js'
import { select } from '../ops/shape.js'
import { cast, floatType } from '../promote.js'
import type { Tensor } from '../tensor.js'

/** A number for both dimensions, or [height, width]. */
export type OutputSize = number | readonly [height: number, width: number]

export const sizePair = (size: OutputSize): readonly [number, number] =>
  typeof size === 'number' ? [size, size] : size

export interface RoiOptions {
  /** Pixels of the features per pixel of the boxes. Default 1. */
  spatialScale?: number
}

export interface Regions {
  /** [N, C, H, W]. */
  readonly input: Tensor
  /** Image of each region: [R] (i32). */
  readonly image: Tensor
  /** x1, y1, x2, y2 of each region, [R] each. No gradient passes through them. */
  readonly corners: readonly Tensor[]
}

/** Reads features [N, C, H, W] and regions [R, 5], rows of image number and x1, y1, x2, y2. */
export function regionsOf(op: string, features: TensorLike, boxes: TensorLike): Regions {
  const x = asTensor(features)
  const [dtype, rois] = [floatType(x.dtype), asTensor(boxes)]
  if (x.ndim !== 4 || rois.ndim !== 2 || rois.shape[1] !== 5)
    throw fail(op, `expected features [N, C, H, W] and regions [R, 5], got ${typeText(x)} and ${typeText(rois)}`)
  const fixed = stopGradient(cast(rois, dtype))
  const image = to(select(fixed, 1, 0), 'i32')
  return { input: cast(x, dtype), image, corners: [1, 2, 3, 4].map((i) => select(fixed, 1, i)) }
}

/** Corners on the scale of the features, less an offset. */
export const scaleCorners = ({ corners }: Regions, scale: number, offset: number): Tensor[] =>
  corners.map((c) => sub(mul(c, like(scale, c)), like(offset, c)))
