import { alphaDropout, channelDropout, dropout, gaussianDropout, gaussianNoise } from '../../tensor/functional/index.js'
import type { Shape, Tensor } from '../../tensor/index.js'
import { type CallContext, type InputShapes, Layer, type LayerOptions } from '../layer.js'
import { l1l2 } from '../regularizers.js'
import { layoutOf, type SpatialRank } from './conv.js'
import { checkRate, type DataFormat, singleShape } from './options.js'

abstract class Noise extends Layer {
  override readonly supportsMasking = true

  constructor(
    layer: string,
    protected readonly rate: number,
    options: LayerOptions,
    more: object = {},
  ) {
    super(options, { rate, ...more })
    checkRate(layer, rate)
  }
}

export interface DropoutLayerOptions extends LayerOptions {
  /** Shape of the mask, with null for the extents of the input and 1 for what is dropped together. */
  noiseShape?: readonly (number | null)[] | null
}

/** In training sets inputs to 0 with probability `rate` and scales the others by 1 / (1 - rate) (Srivastava et al. 2014). */
export class Dropout extends Noise {
  override readonly className: string = 'Dropout'
  constructor(
    rate: number,
    private readonly options: DropoutLayerOptions = {},
  ) {
    super('Dropout', rate, options, { noiseShape: options.noiseShape ?? null })
  }

  override call(x: Tensor, { training }: CallContext): Tensor {
    const noiseShape: Shape | undefined = this.options.noiseShape?.map((extent, i) => extent ?? x.shape[i])
    return dropout(x, { p: this.rate, training, noiseShape })
  }
}

abstract class SpatialDropout extends Noise {
  constructor(
    private readonly rank: SpatialRank,
    rate: number,
    private readonly options: LayerOptions & { dataFormat?: DataFormat } = {},
  ) {
    super(
      `SpatialDropout${rank}D`,
      rate,
      options,
      rank === 1 ? {} : { dataFormat: options.dataFormat ?? 'channels_last' },
    )
  }

  override build(inputShape: InputShapes): void {
    singleShape(this, inputShape, this.rank + 2)
  }

  override call(x: Tensor, { training }: CallContext): Tensor {
    return channelDropout(x, { p: this.rate, training, layout: layoutOf(this.options.dataFormat ?? 'channels_last') })
  }
}

/** Drops whole channels of [batch, steps, channels] (Tompson et al. 2015). */
export class SpatialDropout1D extends SpatialDropout {
  override readonly className: string = 'SpatialDropout1D'
  constructor(rate: number, options: LayerOptions = {}) {
    super(1, rate, options)
  }
}

/** Drops whole channels of images. */
export class SpatialDropout2D extends SpatialDropout {
  override readonly className: string = 'SpatialDropout2D'
  constructor(rate: number, options: LayerOptions & { dataFormat?: DataFormat } = {}) {
    super(2, rate, options)
  }
}

/** Drops whole channels of volumes. */
export class SpatialDropout3D extends SpatialDropout {
  override readonly className: string = 'SpatialDropout3D'
  constructor(rate: number, options: LayerOptions & { dataFormat?: DataFormat } = {}) {
    super(3, rate, options)
  }
}

/** In training multiplies by normal noise of mean 1 and variance rate / (1 - rate). */
export class GaussianDropout extends Noise {
  override readonly className: string = 'GaussianDropout'
  constructor(rate: number, options: LayerOptions = {}) {
    super('GaussianDropout', rate, options)
  }

  override call(x: Tensor, { training }: CallContext): Tensor {
    return gaussianDropout(x, { p: this.rate, training })
  }
}

/** Dropout that keeps mean and variance of SELU activations (Klambauer et al. 2017). */
export class AlphaDropout extends Noise {
  override readonly className: string = 'AlphaDropout'
  constructor(rate: number, options: LayerOptions = {}) {
    super('AlphaDropout', rate, options)
  }

  override call(x: Tensor, { training }: CallContext): Tensor {
    return alphaDropout(x, { p: this.rate, training })
  }
}

/** In training adds normal noise of standard deviation `stddev`. */
export class GaussianNoise extends Layer {
  override readonly className: string = 'GaussianNoise'
  override readonly supportsMasking = true

  constructor(
    private readonly stddev: number,
    options: LayerOptions = {},
  ) {
    super(options, { stddev })
    if (!(stddev >= 0)) throw new RangeError(`GaussianNoise: stddev must be 0 or more, got ${stddev}`)
  }

  override call(x: Tensor, { training }: CallContext): Tensor {
    return gaussianNoise(x, this.stddev, { training })
  }
}

/** Hands its input on, and adds a penalty on it to the loss. */
export class ActivityRegularization extends Layer {
  override readonly className: string = 'ActivityRegularization'
  override readonly supportsMasking = true

  constructor(options: LayerOptions & { l1?: number; l2?: number } = {}) {
    const { l1 = 0, l2 = 0, ...rest } = options
    super({ ...rest, activityRegularizer: l1l2({ l1, l2 }) }, { l1, l2 })
  }

  override call(x: Tensor): Tensor {
    return x
  }

  override config(): Record<string, unknown> {
    // l1 and l2 say it already.
    const { activity_regularizer: _, ...config } = super.config()
    return config
  }
}
