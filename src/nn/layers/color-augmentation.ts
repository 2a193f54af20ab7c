import {
  abs,
  add,
  amax,
  amin,
  div,
  eq,
  floor,
  gt,
  lt,
  maximum,
  minimum,
  mul,
  narrow,
  pad,
  random,
  remainder,
  squeeze,
  stack,
  sub,
  type Tensor,
  where,
} from '../../tensor/index.js'
import { Layer, type LayerOptions } from '../layer.js'
import { Augmentation, type AugmentationOptions, type Factor } from './augmentation.js'

/** Layers that change colors in training. Reference: keras/src/layers/preprocessing/image_preprocessing. */

export type Range = readonly [low: number, high: number]

export interface ColorOptions extends AugmentationOptions {
  /** Values of images; default [0, 255]. */
  valueRange?: Range
}

const BYTES: Range = [0, 255]

/** A range within bounds; a number means from its negative, as far as the bounds allow it, to it. */
export function rangeWithin(layer: string, what: string, factor: Factor, [least, most]: Range): Range {
  const [low, high] = typeof factor === 'number' ? [Math.max(-factor, least), factor] : factor
  if (!(low >= least && low <= high && high <= most))
    throw new RangeError(
      `${layer}: ${what} must be a number in [${least}, ${most}] or two, ascending, got ${JSON.stringify(factor)}`,
    )
  return [low, high]
}

/** One number an image. */
export const drawn = (images: Tensor, [low, high]: Range): Tensor =>
  random.uniform([images.shape[0], 1, 1, 1], { low, high })

const moved = (x: Tensor, [low, high]: Range, [toLow, toHigh]: Range): Tensor =>
  low === toLow && high === toHigh ? x : add(mul(div(sub(x, low), high - low), toHigh - toLow), toLow)

const channels = (x: Tensor): Tensor[] => [0, 1, 2].map((i) => squeeze(narrow(x, -1, i, 1), -1))

/** [..., 3] of red, green and blue as one channel by the weights of ITU-R BT.601. */
function grey(x: Tensor): Tensor {
  if (x.shape[x.ndim - 1] === 1) return x
  const [red, green, blue] = [0, 1, 2].map((i) => narrow(x, -1, i, 1))
  return add(add(mul(red, 0.2989), mul(green, 0.587)), mul(blue, 0.114))
}

/** Hue and saturation in [0, 1], and the value. */
function toHsv(x: Tensor): Tensor[] {
  const [r, g, b] = channels(where(lt(abs(x), 2 ** -23), 0, x))
  const value = maximum(maximum(r, g), b)
  const range = sub(value, minimum(minimum(r, g), b))
  const norm = div(1, mul(where(gt(range, 0), range, 1), 6))
  const saturation = where(gt(value, 0), div(range, where(gt(value, 0), value, 1)), 0)
  const cold = where(eq(value, g), add(mul(norm, sub(b, r)), 2 / 6), add(mul(norm, sub(r, g)), 4 / 6))
  const hue = where(eq(value, r), mul(norm, sub(g, b)), cold)
  return [add(where(gt(range, 0), hue, 0), where(lt(hue, 0), 1, 0)), saturation, value]
}

function fromHsv([hue, saturation, value]: readonly Tensor[]): Tensor {
  const turn = mul(remainder(hue, 1), 6)
  const shares = [
    sub(abs(sub(turn, 3)), 1).clamp(0, 1),
    sub(2, abs(sub(turn, 2))).clamp(0, 1),
    sub(2, abs(sub(turn, 4))).clamp(0, 1),
  ]
  const pale = sub(1, saturation)
  return stack(
    shares.map((share) => mul(value, add(pale, mul(saturation, share)))),
    -1,
  )
}

abstract class ColorAugmentation extends Augmentation {
  protected readonly limits: Range
  protected readonly range: Range

  constructor(layer: string, factor: Factor, options: ColorOptions, bounds: Range = [0, 1]) {
    const valueRange = options.valueRange ?? BYTES
    super(options, { factor, valueRange })
    this.range = rangeWithin(layer, 'factor', factor, bounds)
    this.limits = valueRange
  }
}

/** Turns hues by up to half the factor of the circle, either way. */
export class RandomHue extends ColorAugmentation {
  override readonly className: string = 'RandomHue'

  constructor(factor: Factor, options: ColorOptions = {}) {
    super('RandomHue', factor, options)
  }

  protected override transform(images: Tensor): Tensor {
    const sign = where(gt(random.uniform([images.shape[0], 1, 1, 1]), 0.5), -1, 1)
    const turn = squeeze(mul(mul(sign, drawn(images, this.range)), 0.5), -1)
    const [hue, saturation, value] = toHsv(moved(images, this.limits, [0, 1]))
    const turned = fromHsv([add(hue, turn), saturation, value])
    return moved(turned.clamp(0, 1), [0, 1], this.limits)
  }
}

/** Multiplies saturations by f / (1 - f), f drawn from the factor: 0.5 changes nothing. */
export class RandomSaturation extends ColorAugmentation {
  override readonly className: string = 'RandomSaturation'

  constructor(factor: Factor, options: ColorOptions = {}) {
    super('RandomSaturation', factor, options, [-1, 1])
  }

  protected override transform(images: Tensor): Tensor {
    const f = squeeze(drawn(images, this.range), -1)
    const [hue, saturation, value] = toHsv(images)
    const scaled = mul(saturation, div(f, add(sub(1, f), 1e-7)))
    return fromHsv([hue, scaled.clamp(...this.limits), value])
  }
}

/** Mixes images with their grey form by a share drawn from the factor. */
export class RandomColorDegeneration extends ColorAugmentation {
  override readonly className: string = 'RandomColorDegeneration'

  constructor(factor: Factor, options: ColorOptions = {}) {
    super('RandomColorDegeneration', factor, options, [-1, 1])
  }

  protected override transform(images: Tensor): Tensor {
    const mixed = add(images, mul(drawn(images, this.range), sub(grey(images), images)))
    return mixed.clamp(...this.limits)
  }
}

/** Sharpens (f above 0.5) or smooths images, f drawn from the factor: 1 - 2 f is the share of the smoothed image. */
export class RandomSharpness extends ColorAugmentation {
  override readonly className: string = 'RandomSharpness'

  constructor(factor: Factor, options: ColorOptions = {}) {
    super('RandomSharpness', factor, options)
  }

  protected override transform(images: Tensor): Tensor {
    const threes = (x: Tensor, dim: number): Tensor =>
      [0, 1, 2].map((i) => narrow(x, dim, i, x.shape[dim] - 2)).reduce((a, b) => add(a, b))
    // Weights 1/13 around and 5/13 in the middle.
    const around = threes(threes(pad(images, [0, 0, 1, 1, 1, 1]), 1), 2)
    const smooth = add(mul(around, 1 / 13), mul(images, 4 / 13))
    const share = sub(1, mul(drawn(images, this.range), 2))
    return add(images, mul(share, sub(smooth, images))).clamp(...this.limits)
  }
}

/** Takes values from the highest, with a probability drawn from the factor. */
export class RandomInvert extends ColorAugmentation {
  override readonly className: string = 'RandomInvert'

  constructor(options: ColorOptions & { factor?: Factor } = {}) {
    super('RandomInvert', options.factor ?? 1, options)
  }

  protected override transform(images: Tensor): Tensor {
    const chosen = lt(random.uniform([images.shape[0], 1, 1, 1]), drawn(images, this.range))
    return where(chosen, sub(this.limits[1], images), images)
  }
}

/** Leaves so many of the 8 bits of a value as the factor says: at least the lower bound, fewer than the upper one. */
export class RandomPosterization extends ColorAugmentation {
  override readonly className: string = 'RandomPosterization'

  constructor(factor: Factor, options: ColorOptions = {}) {
    super('RandomPosterization', factor, options, [1, 8])
  }

  protected override transform(images: Tensor): Tensor {
    const [low, high] = this.range
    const bits = low === high ? low : random.randint([images.shape[0], 1, 1, 1], low, high).to('f32')
    const step = typeof bits === 'number' ? 2 ** (8 - bits) : sub(8, bits).exp2().round()
    const whole = floor(moved(images, this.limits, BYTES))
    return moved(mul(floor(div(whole, step)), step), BYTES, this.limits)
  }
}

/** Makes each image grey with probability `factor`; it keeps its channels. */
export class RandomGrayscale extends Augmentation {
  override readonly className: string = 'RandomGrayscale'
  private readonly probability: number

  constructor(options: AugmentationOptions & { factor?: number } = {}) {
    const factor = options.factor ?? 0.5
    super(options, { factor })
    if (!(factor >= 0 && factor <= 1))
      throw new RangeError(`RandomGrayscale: factor must lie in [0, 1], got ${String(factor)}`)
    this.probability = factor
  }

  protected override transform(images: Tensor): Tensor {
    const chosen = lt(random.uniform([images.shape[0], 1, 1, 1]), this.probability)
    return where(chosen, grey(images), images)
  }
}

/** Adds a number and inverts what then lies above a threshold; both are drawn from shares of 255. */
export class Solarization extends Augmentation {
  override readonly className: string = 'Solarization'
  private readonly ranges: readonly [Range, Range]
  private readonly limits: Range

  constructor(options: ColorOptions & { additionFactor?: Factor; thresholdFactor?: Factor } = {}) {
    const { additionFactor = 0, thresholdFactor = 0, valueRange = BYTES } = options
    super(options, { additionFactor, thresholdFactor, valueRange })
    this.ranges = [
      rangeWithin('Solarization', 'additionFactor', additionFactor, [0, 1]),
      rangeWithin('Solarization', 'thresholdFactor', thresholdFactor, [0, 1]),
    ]
    this.limits = valueRange
  }

  protected override transform(images: Tensor): Tensor {
    // As in Keras the lower bounds are not scaled.
    const [addition, threshold] = this.ranges.map(([low, high]) => drawn(images, [low, high * 255]))
    const raised = add(moved(images, this.limits, BYTES), addition).clamp(0, 255)
    return moved(where(lt(raised, threshold), raised, sub(255, raised)), BYTES, this.limits)
  }
}

/** Stretches the values of each channel of each image over the whole range, in training and out of it; flat channels stay. */
export class AutoContrast extends Layer {
  override readonly className: string = 'AutoContrast'
  private readonly limits: Range

  constructor(options: LayerOptions & { valueRange?: Range } = {}) {
    const valueRange = options.valueRange ?? BYTES
    super(options, { valueRange })
    this.limits = valueRange
  }

  override call(x: Tensor): Tensor {
    const images = this.toFloat(x)
    const values = moved(images, this.limits, BYTES)
    const [low, high] = [amin, amax].map((extreme) => extreme(values, [1, 2], { keepdim: true }))
    const flat = eq(low, high)
    const scale = div(255, where(flat, 1, sub(high, low)))
    const stretched = sub(mul(values, scale), mul(low, scale)).clamp(0, 255)
    return where(flat, images, moved(stretched, BYTES, this.limits))
  }
}
