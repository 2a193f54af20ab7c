import {
  type AdaptivePoolOptions,
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  adaptiveMaxPool1d,
  adaptiveMaxPool2d,
  adaptiveMaxPool3d,
} from '../../tensor/functional/index.js'
import type { Tensor, TensorLike } from '../../tensor/index.js'
import { type InputShapes, Layer, type LayerOptions } from '../layer.js'
import { layoutOf, type SpatialRank } from './conv.js'
import { checkChoice, type DataFormat, listOf, singleShape } from './options.js'

export interface AdaptivePoolLayerOptions extends LayerOptions {
  /** Default channels_last. */
  dataFormat?: DataFormat
}

type Kind = 'Max' | 'Average'
type Size = number | readonly number[]
type PoolFunction = (x: TensorLike, size: readonly number[], options: AdaptivePoolOptions) => Tensor

const POOL: Record<Kind, Record<SpatialRank, PoolFunction>> = {
  Max: { 1: adaptiveMaxPool1d, 2: adaptiveMaxPool2d, 3: adaptiveMaxPool3d },
  Average: { 1: adaptiveAvgPool1d, 2: adaptiveAvgPool2d, 3: adaptiveAvgPool3d },
}

/** Pools to a given size: window i goes from floor(i * in / out) to ceil((i + 1) * in / out). */
abstract class AdaptivePooling extends Layer {
  private readonly size: number[]
  private readonly dataFormat: DataFormat

  constructor(
    private readonly kind: Kind,
    private readonly rank: SpatialRank,
    outputSize: Size,
    options: AdaptivePoolLayerOptions = {},
  ) {
    const layer = `Adaptive${kind}Pooling${rank}D`
    const size = listOf(layer, 'outputSize', outputSize, rank)
    const dataFormat = checkChoice(layer, 'dataFormat', options.dataFormat ?? 'channels_last', [
      'channels_last',
      'channels_first',
    ])
    super(options, { outputSize: size, dataFormat })
    this.size = size
    this.dataFormat = dataFormat
  }

  override build(inputShape: InputShapes): void {
    singleShape(this, inputShape, this.rank + 2)
  }

  override call(x: Tensor): Tensor {
    return POOL[this.kind][this.rank](this.toFloat(x), this.size, { layout: layoutOf(this.dataFormat) })
  }
}

/** Means of [batch, steps, channels] over `outputSize` windows. */
export class AdaptiveAveragePooling1D extends AdaptivePooling {
  override readonly className: string = 'AdaptiveAveragePooling1D'
  constructor(outputSize: Size, options?: AdaptivePoolLayerOptions) {
    super('Average', 1, outputSize, options)
  }
}

/** Means of images over `outputSize` windows. */
export class AdaptiveAveragePooling2D extends AdaptivePooling {
  override readonly className: string = 'AdaptiveAveragePooling2D'
  constructor(outputSize: Size, options?: AdaptivePoolLayerOptions) {
    super('Average', 2, outputSize, options)
  }
}

/** Means of volumes over `outputSize` windows. */
export class AdaptiveAveragePooling3D extends AdaptivePooling {
  override readonly className: string = 'AdaptiveAveragePooling3D'
  constructor(outputSize: Size, options?: AdaptivePoolLayerOptions) {
    super('Average', 3, outputSize, options)
  }
}

/** Largest values of [batch, steps, channels] in `outputSize` windows. */
export class AdaptiveMaxPooling1D extends AdaptivePooling {
  override readonly className: string = 'AdaptiveMaxPooling1D'
  constructor(outputSize: Size, options?: AdaptivePoolLayerOptions) {
    super('Max', 1, outputSize, options)
  }
}

/** Largest values of images in `outputSize` windows. */
export class AdaptiveMaxPooling2D extends AdaptivePooling {
  override readonly className: string = 'AdaptiveMaxPooling2D'
  constructor(outputSize: Size, options?: AdaptivePoolLayerOptions) {
    super('Max', 2, outputSize, options)
  }
}

/** Largest values of volumes in `outputSize` windows. */
export class AdaptiveMaxPooling3D extends AdaptivePooling {
  override readonly className: string = 'AdaptiveMaxPooling3D'
  constructor(outputSize: Size, options?: AdaptivePoolLayerOptions) {
    super('Max', 3, outputSize, options)
  }
}
