import {
  type ConvOptions as ConvFunctionOptions,
  conv1d,
  conv2d,
  conv3d,
  type Layout,
} from '../../tensor/functional/index.js'
import type { Parameter, Tensor, TensorLike } from '../../tensor/index.js'
import { type Activation, getActivation } from '../activations.js'
import { type InputShapes, Layer } from '../layer.js'
import {
  checkChoice,
  checkCount,
  type DataFormat,
  type KernelOptions,
  kernelSettings,
  knownExtent,
  listOf,
  singleShape,
} from './options.js'

export type ConvPadding = 'valid' | 'same' | 'causal'

export interface ConvLayerOptions extends KernelOptions {
  /** Default 1. */
  strides?: number | readonly number[]
  /** 'valid' (default), 'same' (TensorFlow's, the odd pixel at the end) or, in one dimension, 'causal'. */
  padding?: ConvPadding
  /** Default 1. */
  dilationRate?: number | readonly number[]
  /** Default 1. */
  groups?: number
  /** Default channels_last. */
  dataFormat?: DataFormat
}

export type SpatialRank = 1 | 2 | 3

/** What all convolutions are told, checked. */
export function convSettings(
  layer: string,
  rank: SpatialRank,
  kernelSize: number | readonly number[],
  options: Pick<ConvLayerOptions, 'strides' | 'padding' | 'dilationRate' | 'dataFormat'>,
  paddings: readonly ConvPadding[],
) {
  return {
    kernelSize: listOf(layer, 'kernelSize', kernelSize, rank),
    strides: listOf(layer, 'strides', options.strides ?? 1, rank),
    padding: checkChoice(layer, 'padding', options.padding ?? 'valid', paddings),
    dataFormat: checkChoice(layer, 'dataFormat', options.dataFormat ?? 'channels_last', [
      'channels_last',
      'channels_first',
    ]),
    dilationRate: listOf(layer, 'dilationRate', options.dilationRate ?? 1, rank),
  }
}

export const layoutOf = (format: DataFormat): Layout => (format === 'channels_last' ? 'channelsLast' : 'channelsFirst')

export const channelAxis = (format: DataFormat): number => (format === 'channels_last' ? -1 : 1)

const CONV: Record<SpatialRank, (x: TensorLike, weight: TensorLike, options: ConvFunctionOptions) => Tensor> = {
  1: conv1d,
  2: conv2d,
  3: conv3d,
}

/** Convolution with a kernel [...window, in / groups, filters]. */
export abstract class Conv extends Layer {
  kernel!: Parameter
  bias: Parameter | null = null
  private readonly activation: Activation
  private readonly settings: ReturnType<typeof convSettings>

  constructor(
    private readonly rank: SpatialRank,
    readonly filters: number,
    kernelSize: number | readonly number[],
    private readonly options: ConvLayerOptions = {},
  ) {
    const layer = `Conv${rank}D`
    const settings = convSettings(
      layer,
      rank,
      kernelSize,
      options,
      rank === 1 ? ['valid', 'same', 'causal'] : ['valid', 'same'],
    )
    const groups = options.groups ?? 1
    super(options, { filters, ...settings, groups, ...kernelSettings(options) })
    checkCount(layer, 'filters', filters)
    checkCount(layer, 'groups', groups)
    if (filters % groups !== 0) throw new RangeError(`${layer}: ${filters} filters do not divide into ${groups} groups`)
    this.settings = settings
    this.activation = getActivation(options.activation)
  }

  override build(inputShape: InputShapes): void {
    const { kernelSize, dataFormat } = this.settings
    const shape = singleShape(this, inputShape, this.rank + 2)
    const channels = knownExtent(this, shape, channelAxis(dataFormat))
    const groups = this.options.groups ?? 1
    if (channels % groups !== 0)
      throw new RangeError(
        `${this.className} ${this.name}: ${channels} input channels do not divide into ${groups} groups`,
      )
    const o = kernelSettings(this.options)
    this.kernel = this.addWeight('kernel', [...kernelSize, channels / groups, this.filters], {
      initializer: o.kernelInitializer,
      regularizer: o.kernelRegularizer,
      constraint: o.kernelConstraint,
    })
    if (o.useBias)
      this.bias = this.addWeight('bias', [this.filters], {
        initializer: o.biasInitializer,
        regularizer: o.biasRegularizer,
        constraint: o.biasConstraint,
      })
  }

  override call(x: Tensor): Tensor {
    const { strides, padding, dilationRate, dataFormat } = this.settings
    const y = CONV[this.rank](this.toFloat(x), this.kernel, {
      bias: this.bias,
      stride: strides,
      padding,
      dilation: dilationRate,
      groups: this.options.groups ?? 1,
      layout: layoutOf(dataFormat),
      kernelLayout: 'channelsLast',
    })
    if (y.size === 0 && x.size > 0)
      throw new RangeError(
        `${this.className} ${this.name}: a window of [${this.settings.kernelSize.join(', ')}] does not fit the input [${x.shape.join(', ')}]; pad with 'same'`,
      )
    return this.activation(y)
  }
}

/** Convolution over steps: [batch, steps, channels] -> [batch, new steps, filters]. Kernel [size, in / groups, filters]. */
export class Conv1D extends Conv {
  override readonly className: string = 'Conv1D'
  constructor(filters: number, kernelSize: number | readonly number[], options: ConvLayerOptions = {}) {
    super(1, filters, kernelSize, options)
  }
}

/** Convolution over images: [batch, height, width, channels]. Kernel [height, width, in / groups, filters]. */
export class Conv2D extends Conv {
  override readonly className: string = 'Conv2D'
  constructor(filters: number, kernelSize: number | readonly number[], options: ConvLayerOptions = {}) {
    super(2, filters, kernelSize, options)
  }
}

/** Convolution over volumes: [batch, depth, height, width, channels]. Kernel [depth, height, width, in / groups, filters]. */
export class Conv3D extends Conv {
  override readonly className: string = 'Conv3D'
  constructor(filters: number, kernelSize: number | readonly number[], options: ConvLayerOptions = {}) {
    super(3, filters, kernelSize, options)
  }
}
