import {
  type AvgPoolOptions,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  maxPool1d,
  maxPool2d,
  maxPool3d,
} from '../../tensor/functional/index.js'
import { amax, mean, pad, sum, type Tensor, type TensorLike, unsqueeze, where } from '../../tensor/index.js'
import { type CallContext, type InputShapes, Layer, type LayerOptions } from '../layer.js'
import { layoutOf, type SpatialRank } from './conv.js'
import { checkChoice, type DataFormat, listOf, singleShape } from './options.js'

export interface PoolLayerOptions extends LayerOptions {
  /** Default: poolSize. */
  strides?: number | readonly number[] | null
  /** 'valid' (default) or 'same'. */
  padding?: 'valid' | 'same'
  dataFormat?: DataFormat
}

type Kind = 'Max' | 'Average'
type PoolFunction = (x: TensorLike, size: number[], options: AvgPoolOptions) => Tensor

const POOL: Record<Kind, Record<SpatialRank, PoolFunction>> = {
  Max: { 1: maxPool1d, 2: maxPool2d, 3: maxPool3d },
  Average: { 1: avgPool1d, 2: avgPool2d, 3: avgPool3d },
}

const formatOf = (layer: string, options: { dataFormat?: DataFormat }): DataFormat =>
  checkChoice(layer, 'dataFormat', options.dataFormat ?? 'channels_last', ['channels_last', 'channels_first'])

abstract class Pooling extends Layer {
  private readonly settings: {
    poolSize: number[]
    padding: 'valid' | 'same'
    strides: number[]
    dataFormat: DataFormat
  }

  constructor(
    private readonly kind: Kind,
    private readonly rank: SpatialRank,
    poolSize: number | readonly number[] = 2,
    options: PoolLayerOptions = {},
  ) {
    const layer = `${kind}Pooling${rank}D`
    const settings = {
      poolSize: listOf(layer, 'poolSize', poolSize, rank),
      padding: checkChoice(layer, 'padding', options.padding ?? 'valid', ['valid', 'same']),
      strides: listOf(layer, 'strides', options.strides ?? poolSize, rank),
      dataFormat: formatOf(layer, options),
    }
    super(options, settings)
    this.settings = settings
  }

  override build(inputShape: InputShapes): void {
    singleShape(this, inputShape, this.rank + 2)
  }

  override call(x: Tensor): Tensor {
    const { poolSize, strides, padding, dataFormat } = this.settings
    const input = this.toFloat(x)
    const margins = this.kind === 'Average' && padding === 'same' ? this.margins(input) : []
    // Keras does not count padding in averages; where 'same' pads one side more than the other, its PyTorch backend repeats the edge instead.
    const options = { stride: strides, layout: layoutOf(dataFormat), countIncludePad: false }
    if (!margins.some(([before, after]) => before !== after))
      return POOL[this.kind][this.rank](input, poolSize, { ...options, padding })
    const amounts = [...margins].reverse().flat()
    const padded = pad(input, dataFormat === 'channels_last' ? [0, 0, ...amounts] : amounts, { mode: 'replicate' })
    return POOL[this.kind][this.rank](padded, poolSize, { ...options, padding: 'valid' })
  }

  /** What 'same' adds before and after each spatial dimension. */
  private margins(x: Tensor): [number, number][] {
    const { poolSize, strides, dataFormat } = this.settings
    const first = dataFormat === 'channels_last' ? 1 : 2
    return poolSize.map((size, i) => {
      const extent = x.shape[first + i]
      const total = Math.max(0, (Math.ceil(extent / strides[i]) - 1) * strides[i] + size - extent)
      return [Math.floor(total / 2), Math.ceil(total / 2)]
    })
  }
}

/** Largest value of sliding windows over steps. */
export class MaxPooling1D extends Pooling {
  override readonly className: string = 'MaxPooling1D'
  constructor(poolSize?: number | readonly number[], options?: PoolLayerOptions) {
    super('Max', 1, poolSize, options)
  }
}

/** Largest value of sliding windows over images. */
export class MaxPooling2D extends Pooling {
  override readonly className: string = 'MaxPooling2D'
  constructor(poolSize?: number | readonly number[], options?: PoolLayerOptions) {
    super('Max', 2, poolSize, options)
  }
}

/** Largest value of sliding windows over volumes. */
export class MaxPooling3D extends Pooling {
  override readonly className: string = 'MaxPooling3D'
  constructor(poolSize?: number | readonly number[], options?: PoolLayerOptions) {
    super('Max', 3, poolSize, options)
  }
}

/** Mean of sliding windows over steps. */
export class AveragePooling1D extends Pooling {
  override readonly className: string = 'AveragePooling1D'
  constructor(poolSize?: number | readonly number[], options?: PoolLayerOptions) {
    super('Average', 1, poolSize, options)
  }
}

/** Mean of sliding windows over images. */
export class AveragePooling2D extends Pooling {
  override readonly className: string = 'AveragePooling2D'
  constructor(poolSize?: number | readonly number[], options?: PoolLayerOptions) {
    super('Average', 2, poolSize, options)
  }
}

/** Mean of sliding windows over volumes. */
export class AveragePooling3D extends Pooling {
  override readonly className: string = 'AveragePooling3D'
  constructor(poolSize?: number | readonly number[], options?: PoolLayerOptions) {
    super('Average', 3, poolSize, options)
  }
}

export interface GlobalPoolOptions extends LayerOptions {
  dataFormat?: DataFormat
  /** Keeps the reduced dimensions as 1; default false. */
  keepdims?: boolean
}

abstract class GlobalPooling extends Layer {
  private readonly settings: { dataFormat: DataFormat; keepdims: boolean }

  constructor(
    private readonly kind: Kind,
    private readonly rank: SpatialRank,
    options: GlobalPoolOptions = {},
  ) {
    const settings = {
      dataFormat: formatOf(`Global${kind}Pooling${rank}D`, options),
      keepdims: options.keepdims ?? false,
    }
    super(options, settings)
    this.settings = settings
  }

  override build(inputShape: InputShapes): void {
    singleShape(this, inputShape, this.rank + 2)
  }

  override call(x: Tensor, context: CallContext): Tensor {
    const { dataFormat, keepdims: keepdim } = this.settings
    const first = dataFormat === 'channels_last' ? 1 : 2
    const dims = Array.from({ length: this.rank }, (_, i) => first + i)
    const mask = this.kind === 'Average' && this.rank === 1 ? context.masks.get(x) : undefined
    const input = this.toFloat(x)
    if (!mask) return this.kind === 'Max' ? amax(input, dims, { keepdim }) : mean(input, dims, { keepdim })
    const shown = unsqueeze(mask, dataFormat === 'channels_last' ? 2 : 1)
    return sum(where(shown, input, 0), dims, { keepdim }).div(sum(shown.to(input.dtype), dims, { keepdim }))
  }
}

/** Largest value over all steps. */
export class GlobalMaxPooling1D extends GlobalPooling {
  override readonly className: string = 'GlobalMaxPooling1D'
  constructor(options?: GlobalPoolOptions) {
    super('Max', 1, options)
  }
}

/** Largest value over the image. */
export class GlobalMaxPooling2D extends GlobalPooling {
  override readonly className: string = 'GlobalMaxPooling2D'
  constructor(options?: GlobalPoolOptions) {
    super('Max', 2, options)
  }
}

/** Largest value over the volume. */
export class GlobalMaxPooling3D extends GlobalPooling {
  override readonly className: string = 'GlobalMaxPooling3D'
  constructor(options?: GlobalPoolOptions) {
    super('Max', 3, options)
  }
}

/** Mean over all steps, of those that the mask shows where there is one. */
export class GlobalAveragePooling1D extends GlobalPooling {
  override readonly className: string = 'GlobalAveragePooling1D'
  constructor(options?: GlobalPoolOptions) {
    super('Average', 1, options)
  }
}

/** Mean over the image. */
export class GlobalAveragePooling2D extends GlobalPooling {
  override readonly className: string = 'GlobalAveragePooling2D'
  constructor(options?: GlobalPoolOptions) {
    super('Average', 2, options)
  }
}

/** Mean over the volume. */
export class GlobalAveragePooling3D extends GlobalPooling {
  override readonly className: string = 'GlobalAveragePooling3D'
  constructor(options?: GlobalPoolOptions) {
    super('Average', 3, options)
  }
}
