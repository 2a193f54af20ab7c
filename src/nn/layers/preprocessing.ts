import {
  add,
  asTensor,
  div,
  maximum,
  mul,
  narrow,
  type Parameter,
  pad,
  reshape,
  sub,
  type Tensor,
  type TensorLike,
  tensor,
} from '../../tensor/index.js'
import { type InputShapes, Layer, type LayerOptions } from '../layer.js'
import type { PartialShape } from '../symbolic.js'
import { checkChoice, checkCount, type DataFormat, knownExtent, singleShape } from './options.js'
import { INTERPOLATIONS, type Interpolation, resizeImages } from './resample.js'

/** x * scale + offset. */
export class Rescaling extends Layer {
  override readonly className: string = 'Rescaling'
  override readonly supportsMasking = true
  private readonly offset: number | readonly number[]

  constructor(
    private readonly scale: number | readonly number[],
    options: LayerOptions & { offset?: number | readonly number[] } = {},
  ) {
    const offset = options.offset ?? 0
    super(options, { scale, offset })
    this.offset = offset
  }

  override call(x: Tensor): Tensor {
    const input = this.toFloat(x)
    const number = (value: number | readonly number[]): TensorLike =>
      typeof value === 'number' ? value : tensor(value, { dtype: input.dtype })
    return add(mul(input, number(this.scale)), number(this.offset))
  }
}

export interface NormalizationOptions extends LayerOptions {
  /** Dimensions with statistics of their own; default the last, null for none. */
  axis?: number | readonly number[] | null
  /** Given statistics; without them call `adapt`. */
  mean?: number | readonly number[] | null
  variance?: number | readonly number[] | null
  /** Undoes the normalisation instead. */
  invert?: boolean
}

const EPSILON = 1e-7

/** (x - mean) / sqrt(variance), with given statistics or those of data (`adapt`). Weights in the second case: mean, variance, count. */
export class Normalization extends Layer {
  override readonly className: string = 'Normalization'
  mean: Parameter | null = null
  variance: Parameter | null = null
  private readonly axes: readonly number[]
  private kept: number[] = []
  private broadcast: number[] = []

  constructor(private readonly options: NormalizationOptions = {}) {
    const axis = options.axis === undefined ? -1 : options.axis
    const axes = axis === null ? [] : typeof axis === 'number' ? [axis] : axis
    const [mean, variance] = [options.mean ?? null, options.variance ?? null]
    super(options, { axis: axes, invert: options.invert ?? false, mean, variance })
    if ((mean === null) !== (variance === null))
      throw new RangeError('Normalization: mean and variance must be given both, or neither')
    this.axes = axes
  }

  override build(inputShape: InputShapes): void {
    const shape = singleShape(this, inputShape)
    this.kept = this.axes.map((axis) => (axis < 0 ? axis + shape.length : axis)).sort((a, b) => a - b)
    this.broadcast = shape.map((_, dim) => (this.kept.includes(dim) ? knownExtent(this, shape, dim) : 1))
    if (this.options.mean !== null && this.options.mean !== undefined) return
    const own = this.kept.map((dim) => shape[dim] as number)
    this.mean = this.addWeight('mean', own, { initializer: 'zeros', trainable: false })
    this.variance = this.addWeight('variance', own, { initializer: 'ones', trainable: false })
    this.addWeight('count', [], { initializer: 'zeros', trainable: false, dtype: 'i32' })
  }

  private statistic(given: number | readonly number[] | null | undefined, own: Parameter | null, x: Tensor): Tensor {
    const value = given === null || given === undefined ? (own as Parameter).value : asTensor(given, x.dtype)
    const flat = value.to(x.dtype)
    return flat.ndim === 0 ? flat : reshape(flat, this.broadcast)
  }

  /** Takes mean and (biased) variance from data, over all dimensions but `axis`. */
  adapt(data: TensorLike): void {
    const x = this.toFloat(asTensor(data))
    this.ensureBuilt(x.shape as PartialShape)
    if (!this.mean || !this.variance) throw new Error(`Normalization ${this.name} was given mean and variance`)
    const dims = x.shape.map((_, dim) => dim).filter((dim) => !this.kept.includes(dim))
    this.mean.value = x.mean(dims).to(this.mean.dtype)
    this.variance.value = x.var(dims, { correction: 0 }).to(this.variance.dtype)
  }

  override call(x: Tensor): Tensor {
    const input = this.toFloat(x)
    const mean = this.statistic(this.options.mean, this.mean, input)
    const spread = maximum(this.statistic(this.options.variance, this.variance, input).sqrt(), EPSILON)
    return this.options.invert ? add(mean, mul(input, spread)) : div(sub(input, mean), spread)
  }
}

export interface ResizingOptions extends LayerOptions {
  /** Default 'bilinear'. */
  interpolation?: Interpolation
  dataFormat?: DataFormat
  /** Averages when shrinking; default false. */
  antialias?: boolean
  /** Crops the middle of the image to the aspect ratio of the result first. */
  cropToAspectRatio?: boolean
  /** Pads the image on both sides with `fillValue` to the aspect ratio of the result first. */
  padToAspectRatio?: boolean
  fillValue?: number
}

type AspectRatio = { readonly crop: boolean; readonly pad: boolean; readonly fillValue: number }

/** Crops or pads dimension `dim` evenly to `size`; an odd element is dropped. As keras.ops.image.resize does. */
function centred(images: Tensor, dim: number, size: number, fill: number): Tensor {
  const extent = images.shape[dim]
  if (size <= extent) return narrow(images, dim, Math.floor((extent - size) / 2), size)
  const margin = Math.floor((size - extent) / 2)
  const amounts = Array.from({ length: 2 * (images.ndim - dim) }, (_, i) =>
    i < 2 * (images.ndim - dim - 1) ? 0 : margin,
  )
  return pad(images, amounts, { value: fill })
}

/** `images` with the aspect ratio of `size`, as {@link ResizingOptions} says. */
function toAspectRatio(images: Tensor, [height, width]: readonly number[], first: number, ratio: AspectRatio): Tensor {
  if (!ratio.crop && !ratio.pad) return images
  const [rows, columns] = [images.shape[first], images.shape[first + 1]]
  const [tall, wide] = [Math.floor((columns * height) / width), Math.floor((rows * width) / height)]
  const [newRows, newColumns] = ratio.crop
    ? [Math.max(Math.min(rows, tall), 1), Math.max(Math.min(columns, wide), 1)]
    : [Math.max(rows, tall), Math.max(columns, wide)]
  return centred(centred(images, first, newRows, ratio.fillValue), first + 1, newColumns, ratio.fillValue)
}

/** The middle of images [batch, height, width, channels]; those that are smaller are cropped to the aspect ratio and enlarged. */
export class CenterCrop extends Layer {
  override readonly className: string = 'CenterCrop'
  private readonly dataFormat: DataFormat

  constructor(
    private readonly height: number,
    private readonly width: number,
    options: LayerOptions & { dataFormat?: DataFormat } = {},
  ) {
    const dataFormat = options.dataFormat ?? 'channels_last'
    super(options, { height, width, dataFormat })
    checkCount('CenterCrop', 'height', height)
    checkCount('CenterCrop', 'width', width)
    this.dataFormat = dataFormat
  }

  override call(x: Tensor): Tensor {
    const images = this.toFloat(x)
    const batch = images.ndim === 4 ? images : images.unsqueeze(0)
    const size = [this.height, this.width]
    const first = this.dataFormat === 'channels_last' ? 1 : 2
    const fits = size.every((extent, i) => extent <= batch.shape[first + i])
    const [height, width] = size
    const cropped = fits
      ? centred(centred(batch, first, height, 0), first + 1, width, 0)
      : resizeImages(
          toAspectRatio(batch, size, first, { crop: true, pad: false, fillValue: 0 }),
          size,
          'bilinear',
          this.dataFormat,
        )
    return images.ndim === 4 ? cropped : cropped.squeeze(0)
  }
}

/** Images of any size -> [batch, height, width, channels]. */
export class Resizing extends Layer {
  override readonly className: string = 'Resizing'
  private readonly settings: { interpolation: Interpolation; dataFormat: DataFormat; antialias: boolean }
  private readonly ratio: AspectRatio

  constructor(
    private readonly height: number,
    private readonly width: number,
    options: ResizingOptions = {},
  ) {
    const settings = {
      interpolation: checkChoice('Resizing', 'interpolation', options.interpolation ?? 'bilinear', INTERPOLATIONS),
      dataFormat: options.dataFormat ?? 'channels_last',
      antialias: options.antialias ?? false,
    }
    const ratio = {
      crop: options.cropToAspectRatio ?? false,
      pad: options.padToAspectRatio ?? false,
      fillValue: options.fillValue ?? 0,
    }
    const kept = { cropToAspectRatio: ratio.crop, padToAspectRatio: ratio.pad, fillValue: ratio.fillValue }
    super(options, { height, width, ...settings, ...kept })
    checkCount('Resizing', 'height', height)
    checkCount('Resizing', 'width', width)
    if (ratio.crop && ratio.pad)
      throw new RangeError('Resizing: only one of cropToAspectRatio and padToAspectRatio can be true')
    this.settings = settings
    this.ratio = ratio
  }

  override call(x: Tensor): Tensor {
    const { dataFormat, interpolation, antialias } = this.settings
    const images = this.toFloat(x)
    const size = [this.height, this.width]
    const batch = images.ndim === 4 ? images : images.unsqueeze(0)
    const first = dataFormat === 'channels_last' ? 1 : 2
    const shaped = toAspectRatio(batch, size, first, this.ratio)
    const resized = resizeImages(shaped, size, interpolation, dataFormat, antialias)
    return images.ndim === 4 ? resized : resized.squeeze(0)
  }
}
