import { add, cos, flip, mul, random, sin, sub, type Tensor, where } from '../../tensor/index.js'
import { type CallContext, type InputShapes, Layer, type LayerOptions } from '../layer.js'
import { checkChoice, checkCount, type DataFormat, singleShape } from './options.js'
import { resizeImages } from './resample.js'
import { FILL_MODES, type FillMode, pixelGrid, warp } from './warp.js'

export interface AugmentationOptions extends LayerOptions {
  dataFormat?: DataFormat
}

/** Layers that change images [batch, height, width, channels] in training and hand them on otherwise. */
export abstract class Augmentation extends Layer {
  protected readonly dataFormat: DataFormat

  constructor(options: AugmentationOptions, settings: object) {
    const dataFormat = options.dataFormat ?? 'channels_last'
    super(options, { ...settings, dataFormat })
    this.dataFormat = dataFormat
  }

  override build(inputShape: InputShapes): void {
    singleShape(this, inputShape, 4)
  }

  /** Changes images in channels_last order. */
  protected abstract transform(images: Tensor): Tensor

  override call(x: Tensor, { training }: CallContext): Tensor {
    if (!training) return x
    const input = this.toFloat(x)
    return this.dataFormat === 'channels_first'
      ? this.transform(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
      : this.transform(input)
  }
}

export type FlipMode = 'horizontal' | 'vertical' | 'horizontal_and_vertical'

/** Mirrors each image with probability one half. */
export class RandomFlip extends Augmentation {
  override readonly className: string = 'RandomFlip'
  private readonly mode: FlipMode

  constructor(mode: FlipMode = 'horizontal_and_vertical', options: AugmentationOptions = {}) {
    super(options, { mode })
    this.mode = checkChoice('RandomFlip', 'mode', mode, ['horizontal', 'vertical', 'horizontal_and_vertical'])
  }

  protected override transform(images: Tensor): Tensor {
    const sometimes = (x: Tensor, axis: number): Tensor =>
      where(random.bernoulli([x.shape[0], 1, 1, 1], 0.5), flip(x, axis), x)
    const across = this.mode === 'vertical' ? images : sometimes(images, 2)
    return this.mode === 'horizontal' ? across : sometimes(across, 1)
  }
}

/** A symmetric range given by its end, or both ends. */
export type Factor = number | readonly [low: number, high: number]

function rangeOf(layer: string, what: string, factor: Factor): [number, number] {
  const [low, high] = typeof factor === 'number' ? [-Math.abs(factor), Math.abs(factor)] : factor
  if (!(low <= high))
    throw new RangeError(`${layer}: ${what} must be a number or [low, high], got ${JSON.stringify(factor)}`)
  return [low, high]
}

const draw = (images: Tensor, [low, high]: readonly [number, number]): Tensor =>
  random.uniform([images.shape[0], 1, 1], { low, high })

export interface WarpLayerOptions extends AugmentationOptions {
  /** What stands beyond the edges; default reflect. */
  fillMode?: FillMode
  /** For fillMode constant; default 0. */
  fillValue?: number
  /** Default bilinear. */
  interpolation?: 'nearest' | 'bilinear'
}

abstract class Warp extends Augmentation {
  private readonly warpOptions: Required<Pick<WarpLayerOptions, 'fillMode' | 'fillValue' | 'interpolation'>>

  constructor(layer: string, options: WarpLayerOptions, settings: object) {
    const own = {
      fillMode: checkChoice(layer, 'fillMode', options.fillMode ?? 'reflect', FILL_MODES),
      interpolation: checkChoice(layer, 'interpolation', options.interpolation ?? 'bilinear', ['bilinear', 'nearest']),
      fillValue: options.fillValue ?? 0,
    }
    super(options, { ...settings, ...own })
    this.warpOptions = own
  }

  /** Where each output pixel is read; places count from the centre of the image. */
  protected abstract places(images: Tensor, rows: Tensor, columns: Tensor): [rows: Tensor, columns: Tensor]

  protected override transform(images: Tensor): Tensor {
    const [batch, height, width] = images.shape
    const { rows, columns } = pixelGrid(height, width)
    const [y, x] = [(height - 1) / 2, (width - 1) / 2]
    const [sourceRows, sourceColumns] = this.places(images, sub(rows, y), sub(columns, x))
    const shape = [batch, height, width]
    return warp(images, add(sourceRows, y).expand(shape), add(sourceColumns, x).expand(shape), this.warpOptions)
  }
}

/** Moves images by shares of their height and width, drawn from the factors. */
export class RandomTranslation extends Warp {
  override readonly className: string = 'RandomTranslation'
  private readonly ranges: [number, number][]

  constructor(heightFactor: Factor, widthFactor: Factor, options: WarpLayerOptions = {}) {
    super('RandomTranslation', options, { heightFactor, widthFactor })
    this.ranges = [
      rangeOf('RandomTranslation', 'heightFactor', heightFactor),
      rangeOf('RandomTranslation', 'widthFactor', widthFactor),
    ]
  }

  protected override places(images: Tensor, rows: Tensor, columns: Tensor): [Tensor, Tensor] {
    const [down, right] = this.ranges.map((range, i) => mul(draw(images, range), images.shape[i + 1]))
    return [sub(rows, down), sub(columns, right)]
  }
}

/** Enlarges (below 0) or shrinks (above 0) images by factors drawn from the ranges; without widthFactor the aspect ratio stays. */
export class RandomZoom extends Warp {
  override readonly className: string = 'RandomZoom'
  private readonly ranges: [[number, number], [number, number] | null]

  constructor(heightFactor: Factor, options: WarpLayerOptions & { widthFactor?: Factor | null } = {}) {
    const widthFactor = options.widthFactor ?? null
    super('RandomZoom', options, { heightFactor, widthFactor })
    this.ranges = [
      rangeOf('RandomZoom', 'heightFactor', heightFactor),
      widthFactor === null ? null : rangeOf('RandomZoom', 'widthFactor', widthFactor),
    ]
  }

  protected override places(images: Tensor, rows: Tensor, columns: Tensor): [Tensor, Tensor] {
    const tall = add(draw(images, this.ranges[0]), 1)
    const wide = this.ranges[1] ? add(draw(images, this.ranges[1]), 1) : tall
    return [mul(rows, tall), mul(columns, wide)]
  }
}

/** Turns images by angles drawn from the factor, in whole turns: 0.1 means -36 to 36 degrees. */
export class RandomRotation extends Warp {
  override readonly className: string = 'RandomRotation'
  private readonly range: [number, number]

  constructor(factor: Factor, options: WarpLayerOptions = {}) {
    super('RandomRotation', options, { factor })
    this.range = rangeOf('RandomRotation', 'factor', factor)
  }

  protected override places(images: Tensor, rows: Tensor, columns: Tensor): [Tensor, Tensor] {
    const angle = mul(draw(images, this.range), 2 * Math.PI)
    const [s, c] = [sin(angle), cos(angle)]
    return [add(mul(columns, s), mul(rows, c)), sub(mul(columns, c), mul(rows, s))]
  }
}

/** Cuts a window of height x width at a random place in training, at the centre otherwise; smaller images are enlarged first. */
export class RandomCrop extends Augmentation {
  override readonly className: string = 'RandomCrop'

  constructor(
    private readonly height: number,
    private readonly width: number,
    options: AugmentationOptions = {},
  ) {
    super(options, { height, width })
    checkCount('RandomCrop', 'height', height)
    checkCount('RandomCrop', 'width', width)
  }

  override call(x: Tensor, context: CallContext): Tensor {
    if (context.training) return super.call(x, context)
    const images = this.largeEnough(this.toFloat(x), this.dataFormat)
    const first = this.dataFormat === 'channels_first' ? 2 : 1
    const [top, left] = [images.shape[first] - this.height, images.shape[first + 1] - this.width].map((n) =>
      Math.floor(n / 2),
    )
    return images.narrow(first, top, this.height).narrow(first + 1, left, this.width)
  }

  private largeEnough(images: Tensor, dataFormat: DataFormat): Tensor {
    const first = dataFormat === 'channels_first' ? 2 : 1
    const [height, width] = images.shape.slice(first, first + 2)
    const scale = Math.max(this.height / height, this.width / width, 1)
    if (scale === 1) return images
    const size = [Math.max(Math.round(height * scale), this.height), Math.max(Math.round(width * scale), this.width)]
    return resizeImages(images, size, 'bilinear', dataFormat)
  }

  protected override transform(given: Tensor): Tensor {
    const images = this.largeEnough(given, 'channels_last')
    const [batch, height, width] = images.shape
    const start = (spare: number): Tensor => random.randint([batch, 1, 1], 0, spare + 1).to('f32')
    const { rows, columns } = pixelGrid(this.height, this.width)
    const shape = [batch, this.height, this.width]
    return warp(
      images,
      add(rows, start(height - this.height)).expand(shape),
      add(columns, start(width - this.width)).expand(shape),
      { fillMode: 'nearest', fillValue: 0, interpolation: 'nearest' },
    )
  }
}

/** Multiplies the distance of each channel from its mean by 1 + a number drawn from the factor. */
export class RandomContrast extends Augmentation {
  override readonly className: string = 'RandomContrast'
  private readonly range: [number, number]
  private readonly limits: readonly [number, number]

  constructor(factor: Factor, options: AugmentationOptions & { valueRange?: readonly [number, number] } = {}) {
    const valueRange = options.valueRange ?? [0, 255]
    super(options, { factor, valueRange })
    this.range = rangeOf('RandomContrast', 'factor', factor)
    this.limits = valueRange
  }

  protected override transform(images: Tensor): Tensor {
    const factor = add(random.uniform([images.shape[0], 1, 1, 1], { low: this.range[0], high: this.range[1] }), 1)
    const mean = images.mean([1, 2], { keepdim: true })
    return add(mul(sub(images, mean), factor), mean).clamp(...this.limits)
  }
}

/** Adds a share, drawn from the factor, of the range of values. */
export class RandomBrightness extends Augmentation {
  override readonly className: string = 'RandomBrightness'
  private readonly range: [number, number]
  private readonly limits: readonly [number, number]

  constructor(factor: Factor, options: AugmentationOptions & { valueRange?: readonly [number, number] } = {}) {
    const valueRange = options.valueRange ?? [0, 255]
    super(options, { factor, valueRange })
    this.range = rangeOf('RandomBrightness', 'factor', factor)
    this.limits = valueRange
  }

  protected override transform(images: Tensor): Tensor {
    const share = random.uniform([images.shape[0], 1, 1, 1], { low: this.range[0], high: this.range[1] })
    return add(images, mul(share, this.limits[1] - this.limits[0])).clamp(...this.limits)
  }
}
