import { depthwiseConv1d, depthwiseConv2d, separableConv1d, separableConv2d } from '../../tensor/functional/index.js'
import type { Parameter, Tensor } from '../../tensor/index.js'
import { type Activation, type ActivationLike, getActivation } from '../activations.js'
import type { ConstraintLike } from '../constraints.js'
import type { InitializerLike } from '../initializers.js'
import { type InputShapes, Layer, type LayerOptions } from '../layer.js'
import type { RegularizerLike } from '../regularizers.js'
import { type ConvLayerOptions, channelAxis, convSettings, layoutOf } from './conv.js'
import { checkCount, knownExtent, singleShape } from './options.js'

export interface DepthwiseOptions
  extends LayerOptions,
    Pick<ConvLayerOptions, 'strides' | 'dilationRate' | 'dataFormat'> {
  padding?: 'valid' | 'same' | 'causal'
  /** Filters for each input channel; default 1. */
  depthMultiplier?: number
  activation?: ActivationLike
  useBias?: boolean
  depthwiseInitializer?: InitializerLike
  depthwiseRegularizer?: RegularizerLike
  depthwiseConstraint?: ConstraintLike
  biasInitializer?: InitializerLike
  biasRegularizer?: RegularizerLike
  biasConstraint?: ConstraintLike
}

export interface SeparableOptions extends DepthwiseOptions {
  pointwiseInitializer?: InitializerLike
  pointwiseRegularizer?: RegularizerLike
  pointwiseConstraint?: ConstraintLike
}

const depthwiseSettings = (options: DepthwiseOptions) => ({
  depthMultiplier: options.depthMultiplier ?? 1,
  activation: options.activation ?? 'linear',
  useBias: options.useBias ?? true,
  depthwiseInitializer: options.depthwiseInitializer ?? 'glorot_uniform',
  depthwiseRegularizer: options.depthwiseRegularizer ?? null,
  depthwiseConstraint: options.depthwiseConstraint ?? null,
  biasInitializer: options.biasInitializer ?? 'zeros',
  biasRegularizer: options.biasRegularizer ?? null,
  biasConstraint: options.biasConstraint ?? null,
})

type Rank = 1 | 2

abstract class DepthwiseBase extends Layer {
  bias: Parameter | null = null
  protected readonly activation: Activation
  protected readonly settings: ReturnType<typeof depthwiseSettings> & ReturnType<typeof convSettings>

  constructor(
    protected readonly rank: Rank,
    layer: string,
    kernelSize: number | readonly number[],
    options: DepthwiseOptions,
    more: object,
  ) {
    const paddings = rank === 1 ? (['valid', 'same', 'causal'] as const) : (['valid', 'same'] as const)
    const settings = { ...convSettings(layer, rank, kernelSize, options, paddings), ...depthwiseSettings(options) }
    super(options, { ...more, ...settings })
    checkCount(layer, 'depthMultiplier', settings.depthMultiplier)
    this.settings = settings
    this.activation = getActivation(options.activation)
  }

  protected channels(inputShape: InputShapes): number {
    return knownExtent(this, singleShape(this, inputShape, this.rank + 2), channelAxis(this.settings.dataFormat))
  }

  protected addDepthwise(name: string, channels: number): Parameter {
    const o = this.settings
    return this.addWeight(name, [...o.kernelSize, channels, o.depthMultiplier], {
      initializer: o.depthwiseInitializer,
      regularizer: o.depthwiseRegularizer,
      constraint: o.depthwiseConstraint,
    })
  }

  protected addBias(filters: number): void {
    const o = this.settings
    if (!o.useBias) return
    this.bias = this.addWeight('bias', [filters], {
      initializer: o.biasInitializer,
      regularizer: o.biasRegularizer,
      constraint: o.biasConstraint,
    })
  }

  protected get functionOptions() {
    const { strides, padding, dilationRate, dataFormat } = this.settings
    return {
      bias: this.bias,
      stride: strides,
      padding,
      dilation: dilationRate,
      layout: layoutOf(dataFormat),
      kernelLayout: 'channelsLast',
    } as const
  }
}

abstract class DepthwiseConv extends DepthwiseBase {
  kernel!: Parameter

  override build(inputShape: InputShapes): void {
    const channels = this.channels(inputShape)
    this.kernel = this.addDepthwise('kernel', channels)
    this.addBias(channels * this.settings.depthMultiplier)
  }

  override call(x: Tensor): Tensor {
    const convolve = this.rank === 1 ? depthwiseConv1d : depthwiseConv2d
    return this.activation(convolve(this.toFloat(x), this.kernel, this.functionOptions))
  }
}

/** Each channel of [batch, steps, channels] convolved with its own filters. Kernel [size, in, depthMultiplier]. */
export class DepthwiseConv1D extends DepthwiseConv {
  override readonly className: string = 'DepthwiseConv1D'
  constructor(kernelSize: number | readonly number[], options: DepthwiseOptions = {}) {
    super(1, 'DepthwiseConv1D', kernelSize, options, {})
  }
}

/** Each channel of [batch, height, width, channels] convolved with its own filters. Kernel [height, width, in, depthMultiplier]. */
export class DepthwiseConv2D extends DepthwiseConv {
  override readonly className: string = 'DepthwiseConv2D'
  constructor(kernelSize: number | readonly number[], options: DepthwiseOptions = {}) {
    super(2, 'DepthwiseConv2D', kernelSize, options, {})
  }
}

abstract class SeparableConv extends DepthwiseBase {
  depthwiseKernel!: Parameter
  pointwiseKernel!: Parameter

  constructor(
    rank: Rank,
    layer: string,
    readonly filters: number,
    kernelSize: number | readonly number[],
    private readonly options: SeparableOptions,
  ) {
    super(rank, layer, kernelSize, options, {
      filters,
      pointwiseInitializer: options.pointwiseInitializer ?? 'glorot_uniform',
      pointwiseRegularizer: options.pointwiseRegularizer ?? null,
      pointwiseConstraint: options.pointwiseConstraint ?? null,
    })
    checkCount(layer, 'filters', filters)
  }

  override build(inputShape: InputShapes): void {
    const channels = this.channels(inputShape)
    const ones = new Array<number>(this.rank).fill(1)
    this.depthwiseKernel = this.addDepthwise('depthwise_kernel', channels)
    this.pointwiseKernel = this.addWeight(
      'pointwise_kernel',
      [...ones, channels * this.settings.depthMultiplier, this.filters],
      {
        initializer: this.options.pointwiseInitializer ?? 'glorot_uniform',
        regularizer: this.options.pointwiseRegularizer,
        constraint: this.options.pointwiseConstraint,
      },
    )
    this.addBias(this.filters)
  }

  override call(x: Tensor): Tensor {
    const convolve = this.rank === 1 ? separableConv1d : separableConv2d
    return this.activation(convolve(this.toFloat(x), this.depthwiseKernel, this.pointwiseKernel, this.functionOptions))
  }
}

/** Depthwise convolution over steps, then one of size 1 that mixes the channels. */
export class SeparableConv1D extends SeparableConv {
  override readonly className: string = 'SeparableConv1D'
  constructor(filters: number, kernelSize: number | readonly number[], options: SeparableOptions = {}) {
    super(1, 'SeparableConv1D', filters, kernelSize, options)
  }
}

/** Depthwise convolution over images, then one of size 1 that mixes the channels (Chollet 2017). */
export class SeparableConv2D extends SeparableConv {
  override readonly className: string = 'SeparableConv2D'
  constructor(filters: number, kernelSize: number | readonly number[], options: SeparableOptions = {}) {
    super(2, 'SeparableConv2D', filters, kernelSize, options)
  }
}
