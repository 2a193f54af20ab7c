import { expand, permute, repeatInterleave, reshape, slice, type Tensor, unsqueeze } from '../../tensor/index.js'
import { type InputShapes, Layer, type LayerOptions } from '../layer.js'
import { checkChoice, checkCount, type DataFormat, listOf, singleShape } from './options.js'
import { INTERPOLATIONS, type Interpolation, resizeImages } from './resample.js'

/** [batch, ...] -> [batch, everything else]. */
export class Flatten extends Layer {
  override readonly className: string = 'Flatten'
  private readonly channelsFirst: boolean

  constructor(options: LayerOptions & { dataFormat?: DataFormat } = {}) {
    const dataFormat = options.dataFormat ?? 'channels_last'
    super(options, { dataFormat })
    this.channelsFirst = dataFormat === 'channels_first'
  }

  override call(x: Tensor): Tensor {
    // Keras flattens channels_first images in the order of channels_last ones.
    const ordered = this.channelsFirst && x.ndim > 2 ? permute(x, 0, ...x.shape.slice(2).map((_, i) => i + 2), 1) : x
    return reshape(ordered, [x.shape[0], x.ndim === 1 ? 1 : x.size / Math.max(x.shape[0], 1)])
  }
}

/** [batch, ...] -> [batch, ...targetShape]; one extent may be -1. */
export class Reshape extends Layer {
  override readonly className: string = 'Reshape'
  private readonly targetShape: readonly number[]

  constructor(targetShape: readonly number[], options: LayerOptions = {}) {
    super(options, { targetShape })
    this.targetShape = targetShape
  }

  override call(x: Tensor): Tensor {
    return reshape(x, [x.shape[0], ...this.targetShape])
  }
}

/** Reorders dimensions, which count from 1; the batch stays. */
export class Permute extends Layer {
  override readonly className: string = 'Permute'
  private readonly dims: readonly number[]

  constructor(dims: readonly number[], options: LayerOptions = {}) {
    super(options, { dims })
    if ([...dims].sort((a, b) => a - b).some((dim, i) => dim !== i + 1))
      throw new RangeError(`Permute: dims must hold each of 1 to ${dims.length} once, got [${dims.join(', ')}]`)
    this.dims = dims
  }

  override call(x: Tensor): Tensor {
    return permute(x, 0, ...this.dims)
  }
}

/** [batch, features] -> [batch, n, features]. */
export class RepeatVector extends Layer {
  override readonly className: string = 'RepeatVector'

  constructor(
    private readonly n: number,
    options: LayerOptions = {},
  ) {
    super(options, { n })
    checkCount('RepeatVector', 'n', n)
  }

  override build(inputShape: InputShapes): void {
    singleShape(this, inputShape, 2)
  }

  override call(x: Tensor): Tensor {
    return expand(unsqueeze(x, 1), [x.shape[0], this.n, x.shape[1]])
  }
}

/** One number for all sides, one for each dimension, or [before, after] for each. */
export type Sides = number | readonly number[] | readonly (readonly [number, number])[]

function pairsOf(layer: string, what: string, value: Sides, rank: number): [number, number][] {
  if (typeof value !== 'number' && Array.isArray(value[0])) {
    const pairs = value as readonly (readonly number[])[]
    if (pairs.length !== rank)
      throw new RangeError(`${layer}: ${what} needs ${rank} pairs, got ${JSON.stringify(value)}`)
    return pairs.map((pair) => listOf(layer, what, pair, 2, 0) as [number, number])
  }
  // In one dimension a pair means [before, after].
  if (rank === 1 && typeof value !== 'number' && value.length === 2)
    return [listOf(layer, what, value as readonly number[], 2, 0) as [number, number]]
  return listOf(layer, what, value as number | readonly number[], rank, 0).map((size) => [size, size])
}

type Rank = 1 | 2 | 3

abstract class Edges extends Layer {
  protected readonly pairs: [number, number][]
  private readonly first: number

  constructor(
    layer: string,
    what: 'padding' | 'cropping',
    private readonly rank: Rank,
    sides: Sides,
    options: LayerOptions & { dataFormat?: DataFormat },
  ) {
    const pairs = pairsOf(layer, what, sides, rank)
    const dataFormat = options.dataFormat ?? 'channels_last'
    // Keras writes one pair as a pair, several as a list of them.
    const written = rank === 1 ? pairs[0] : pairs
    super(options, { [what]: written, ...(rank === 1 && what === 'cropping' ? {} : { dataFormat }) })
    this.pairs = pairs
    this.first = dataFormat === 'channels_first' ? 2 : 1
  }

  override build(inputShape: InputShapes): void {
    singleShape(this, inputShape, this.rank + 2)
  }

  protected dim(i: number): number {
    return this.first + i
  }
}

abstract class ZeroPadding extends Edges {
  override call(x: Tensor): Tensor {
    const widths = x.shape.map((): [number, number] => [0, 0])
    this.pairs.forEach((pair, i) => {
      widths[this.dim(i)] = pair
    })
    // Padding lists pairs from the last dimension on.
    return x.pad(widths.reverse().flat())
  }
}

/** Adds zeros before and after the steps; default 1. */
export class ZeroPadding1D extends ZeroPadding {
  override readonly className: string = 'ZeroPadding1D'
  constructor(padding: Sides = 1, options: LayerOptions & { dataFormat?: DataFormat } = {}) {
    super('ZeroPadding1D', 'padding', 1, padding, options)
  }
}

/** Adds zeros around images: a number, [height, width], or [[top, bottom], [left, right]]; default 1. */
export class ZeroPadding2D extends ZeroPadding {
  override readonly className: string = 'ZeroPadding2D'
  constructor(padding: Sides = 1, options: LayerOptions & { dataFormat?: DataFormat } = {}) {
    super('ZeroPadding2D', 'padding', 2, padding, options)
  }
}

/** Adds zeros around volumes; default 1. */
export class ZeroPadding3D extends ZeroPadding {
  override readonly className: string = 'ZeroPadding3D'
  constructor(padding: Sides = 1, options: LayerOptions & { dataFormat?: DataFormat } = {}) {
    super('ZeroPadding3D', 'padding', 3, padding, options)
  }
}

abstract class Cropping extends Edges {
  override call(x: Tensor): Tensor {
    const ranges = x.shape.map((extent, dim): [number, number] => {
      const pair = this.pairs[dim - this.dim(0)] ?? [0, 0]
      if (pair[0] + pair[1] >= extent && extent > 0 && pair[0] + pair[1] > 0)
        throw new RangeError(
          `${this.className} ${this.name}: cropping [${pair.join(', ')}] leaves nothing of dimension ${dim} of [${x.shape.join(', ')}]`,
        )
      return [pair[0], extent - pair[1]]
    })
    return slice(x, ...ranges)
  }
}

/** Cuts steps off the start and the end; default 1. */
export class Cropping1D extends Cropping {
  override readonly className: string = 'Cropping1D'
  constructor(cropping: Sides = 1, options: LayerOptions = {}) {
    super('Cropping1D', 'cropping', 1, cropping, options)
  }
}

/** Cuts the edges of images off; default 0. */
export class Cropping2D extends Cropping {
  override readonly className: string = 'Cropping2D'
  constructor(cropping: Sides = 0, options: LayerOptions & { dataFormat?: DataFormat } = {}) {
    super('Cropping2D', 'cropping', 2, cropping, options)
  }
}

/** Cuts the edges of volumes off; default 1. */
export class Cropping3D extends Cropping {
  override readonly className: string = 'Cropping3D'
  constructor(cropping: Sides = 1, options: LayerOptions & { dataFormat?: DataFormat } = {}) {
    super('Cropping3D', 'cropping', 3, cropping, options)
  }
}

/** Repeats each step `size` times; default 2. */
export class UpSampling1D extends Layer {
  override readonly className: string = 'UpSampling1D'
  private readonly size: number

  constructor(size: number | readonly number[] = 2, options: LayerOptions = {}) {
    const [count] = listOf('UpSampling1D', 'size', size, 1)
    super(options, { size: count })
    this.size = count
  }

  override call(x: Tensor): Tensor {
    return repeatInterleave(x, this.size, 1)
  }
}

export interface UpSamplingOptions extends LayerOptions {
  /** 'nearest' (default, repeats), 'bilinear' or 'bicubic'. */
  interpolation?: Interpolation
  dataFormat?: DataFormat
}

/** Enlarges images by whole factors; default 2. */
export class UpSampling2D extends Layer {
  override readonly className: string = 'UpSampling2D'
  private readonly size: number[]
  private readonly interpolation: Interpolation
  private readonly dataFormat: DataFormat

  constructor(size: number | readonly number[] = 2, options: UpSamplingOptions = {}) {
    const factors = listOf('UpSampling2D', 'size', size, 2)
    const interpolation = checkChoice(
      'UpSampling2D',
      'interpolation',
      options.interpolation ?? 'nearest',
      INTERPOLATIONS,
    )
    const dataFormat = options.dataFormat ?? 'channels_last'
    super(options, { size: factors, dataFormat, interpolation })
    this.size = factors
    this.interpolation = interpolation
    this.dataFormat = dataFormat
  }

  override build(inputShape: InputShapes): void {
    singleShape(this, inputShape, 4)
  }

  override call(x: Tensor): Tensor {
    const first = this.dataFormat === 'channels_first' ? 2 : 1
    if (this.interpolation === 'nearest')
      return this.size.reduce((y, factor, i) => repeatInterleave(y, factor, first + i), x)
    const size = this.size.map((factor, i) => x.shape[first + i] * factor)
    return resizeImages(this.toFloat(x), size, this.interpolation, this.dataFormat)
  }
}

/** Repeats each voxel `size` times; default 2. */
export class UpSampling3D extends Layer {
  override readonly className: string = 'UpSampling3D'
  private readonly size: number[]
  private readonly first: number

  constructor(size: number | readonly number[] = 2, options: LayerOptions & { dataFormat?: DataFormat } = {}) {
    const factors = listOf('UpSampling3D', 'size', size, 3)
    const dataFormat = options.dataFormat ?? 'channels_last'
    super(options, { size: factors, dataFormat })
    this.size = factors
    this.first = dataFormat === 'channels_first' ? 2 : 1
  }

  override call(x: Tensor): Tensor {
    return this.size.reduce((y, factor, i) => repeatInterleave(y, factor, this.first + i), x)
  }
}
