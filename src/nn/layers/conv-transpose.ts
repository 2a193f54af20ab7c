import {
  type ConvTransposeOptions,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
} from '../../tensor/functional/index.js'
import type { Parameter, Tensor, TensorLike } from '../../tensor/index.js'
import { type Activation, getActivation } from '../activations.js'
import { type InputShapes, Layer } from '../layer.js'
import { type ConvLayerOptions, channelAxis, convSettings, layoutOf, type SpatialRank } from './conv.js'
import { checkCount, kernelSettings, knownExtent, listOf, singleShape } from './options.js'

export interface ConvTransposeLayerOptions extends Omit<ConvLayerOptions, 'groups' | 'padding'> {
  padding?: 'valid' | 'same'
  /** Extra extent at the end of the output; by default what makes the extent strides * input. */
  outputPadding?: number | readonly number[] | null
}

const CONV: Record<SpatialRank, (x: TensorLike, weight: TensorLike, options: ConvTransposeOptions) => Tensor> = {
  1: convTranspose1d,
  2: convTranspose2d,
  3: convTranspose3d,
}

/** The gradient of a convolution with respect to its input, as a layer. Kernel [...window, filters, in]. */
export abstract class ConvTranspose extends Layer {
  kernel!: Parameter
  bias: Parameter | null = null
  private readonly activation: Activation
  private readonly settings: ReturnType<typeof convSettings>
  private readonly outputPadding: number[] | null

  constructor(
    private readonly rank: SpatialRank,
    readonly filters: number,
    kernelSize: number | readonly number[],
    private readonly options: ConvTransposeLayerOptions = {},
  ) {
    const layer = `Conv${rank}DTranspose`
    const settings = convSettings(layer, rank, kernelSize, options, ['valid', 'same'])
    const given = options.outputPadding ?? null
    const outputPadding = given === null ? null : listOf(layer, 'outputPadding', given, rank, 0)
    super(options, { filters, ...settings, outputPadding, ...kernelSettings(options) })
    checkCount(layer, 'filters', filters)
    this.settings = settings
    this.outputPadding = outputPadding
    this.activation = getActivation(options.activation)
  }

  override build(inputShape: InputShapes): void {
    const { kernelSize, dataFormat } = this.settings
    const channels = knownExtent(this, singleShape(this, inputShape, this.rank + 2), channelAxis(dataFormat))
    const o = kernelSettings(this.options)
    this.kernel = this.addWeight('kernel', [...kernelSize, this.filters, channels], {
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
      padding: padding as 'valid' | 'same',
      dilation: dilationRate,
      layout: layoutOf(dataFormat),
      kernelLayout: 'channelsLast',
      ...(this.outputPadding ? { outputPadding: this.outputPadding } : {}),
    })
    return this.activation(y)
  }
}

/** Transposed convolution over steps. Kernel [size, filters, in]. */
export class Conv1DTranspose extends ConvTranspose {
  override readonly className: string = 'Conv1DTranspose'
  constructor(filters: number, kernelSize: number | readonly number[], options: ConvTransposeLayerOptions = {}) {
    super(1, filters, kernelSize, options)
  }
}

/** Transposed convolution over images. Kernel [height, width, filters, in]. */
export class Conv2DTranspose extends ConvTranspose {
  override readonly className: string = 'Conv2DTranspose'
  constructor(filters: number, kernelSize: number | readonly number[], options: ConvTransposeLayerOptions = {}) {
    super(2, filters, kernelSize, options)
  }
}

/** Transposed convolution over volumes. Kernel [depth, height, width, filters, in]. */
export class Conv3DTranspose extends ConvTranspose {
  override readonly className: string = 'Conv3DTranspose'
  constructor(filters: number, kernelSize: number | readonly number[], options: ConvTransposeLayerOptions = {}) {
    super(3, filters, kernelSize, options)
  }
}
