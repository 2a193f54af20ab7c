import { add, ge, logicalAnd, lt, mul, random, sub, type Tensor, tensor, unsqueeze, where } from '../../tensor/index.js'
import { Augmentation, type Factor } from './augmentation.js'
import { type ColorOptions, drawn, type Range, rangeWithin } from './color-augmentation.js'
import { pixelGrid } from './warp.js'

export interface RandomErasingOptions extends ColorOptions {
  /** Range of the probability; a number means from 0 to it, as in Keras. Default 1. */
  factor?: Factor
  /** Share of the image that the rectangle covers; default [0.02, 0.33]. */
  scale?: Factor
  /** A number, or one a channel; default noise. */
  fillValue?: number | readonly number[] | null
}

/** Puts a rectangle of noise, or of one value, at a random place of each image (Zhong et al. 2017), as Keras draws it. */
export class RandomErasing extends Augmentation {
  override readonly className: string = 'RandomErasing'
  private readonly factor: Range
  private readonly scale: Range
  private readonly limits: Range
  private readonly fillValue: number | readonly number[] | null

  constructor(options: RandomErasingOptions = {}) {
    const { factor = 1, scale = [0.02, 0.33], fillValue = null, valueRange = [0, 255] } = options
    super(options, { factor, scale, fillValue, valueRange })
    this.factor = rangeWithin('RandomErasing', 'factor', factor, [0, 1])
    this.scale = rangeWithin('RandomErasing', 'scale', scale, [0, 1])
    this.limits = valueRange
    this.fillValue = fillValue
  }

  private fill(images: Tensor): Tensor {
    const { fillValue } = this
    const value =
      fillValue === null
        ? mul(random.normal(images.shape), this.limits[1])
        : typeof fillValue === 'number'
          ? tensor(fillValue)
          : tensor([...fillValue])
    return value.clamp(...this.limits)
  }

  protected override transform(images: Tensor): Tensor {
    const [batch, height, width] = images.shape
    const { rows, columns } = pixelGrid(height, width)
    const inside = ([at, extent]: readonly [Tensor, number]): Tensor => {
      const side = mul(random.uniform([batch, 1, 1], { low: this.scale[0], high: this.scale[1] }).sqrt(), extent)
      const start = mul(random.uniform([batch, 1, 1]), sub(extent, side))
      return logicalAnd(ge(at, start), lt(at, add(start, side)))
    }
    const sides = (
      [
        [rows, height],
        [columns, width],
      ] as const
    ).map(inside)
    const rectangle = unsqueeze(logicalAnd(sides[0], sides[1]), 3)
    const chosen = lt(random.uniform([batch, 1, 1, 1]), drawn(images, this.factor))
    return where(logicalAnd(rectangle, chosen), this.fill(images), images)
  }
}
