import { type ConvOptions, conv1d, conv2d, conv3d, recur } from '../../tensor/functional/index.js'
import {
  add,
  cat,
  flip,
  mul,
  ones,
  type Parameter,
  reshape,
  select,
  type Tensor,
  type TensorLike,
  transpose,
  zeros,
} from '../../tensor/index.js'
import { type ActivationLike, getActivation } from '../activations.js'
import { getInitializer, type Initializer } from '../initializers.js'
import { type CallContext, type InputShapes, Layer } from '../layer.js'
import type { PartialShape } from '../symbolic.js'
import { type ConvLayerOptions, channelAxis, convSettings, layoutOf, type SpatialRank } from './conv.js'
import { checkCount, knownExtent, singleShape } from './options.js'
import { block, type RecurrentOptions, recurrentSettings } from './recurrent.js'

type Windows = Pick<ConvLayerOptions, 'strides' | 'padding' | 'dilationRate' | 'dataFormat'>

export interface ConvLSTMOptions
  extends Omit<RecurrentOptions, 'stateful' | 'zeroOutputForMask' | 'dropout' | 'recurrentDropout'>,
    Windows {
  /** Of the gates; default sigmoid. */
  recurrentActivation?: ActivationLike
  /** The bias of the forget gate starts at 1; default true. */
  unitForgetBias?: boolean
}

const CONV: Record<SpatialRank, (x: TensorLike, weight: TensorLike, options: ConvOptions) => Tensor> = {
  1: conv1d,
  2: conv2d,
  3: conv3d,
}

/**
 * LSTM over images whose products are convolutions (Shi et al. 2015). [batch, steps, ...space, channels] -> [batch, ...space, filters], or with
 * returnSequences [batch, steps, ...]. The state is convolved with padding 'same'. Masked steps keep the state. Weights: kernel
 * [...window, channels, 4 * filters], recurrent_kernel [...window, filters, 4 * filters], bias; gates input, forget, cell, output.
 */
export abstract class ConvLSTM extends Layer {
  override readonly supportsMasking = true
  kernel!: Parameter
  recurrentKernel!: Parameter
  bias: Parameter | null = null
  private readonly windows: ReturnType<typeof convSettings>
  private readonly recurrent: ReturnType<typeof recurrentSettings>

  constructor(
    private readonly rank: SpatialRank,
    readonly filters: number,
    kernelSize: number | readonly number[],
    private readonly options: ConvLSTMOptions = {},
  ) {
    const layer = `ConvLSTM${rank}D`
    const windows = convSettings(layer, rank, kernelSize, options, ['valid', 'same'])
    const recurrent = recurrentSettings(options)
    const { zeroOutputForMask: _, ...settings } = recurrent
    super(options, {
      filters,
      ...windows,
      ...settings,
      recurrentActivation: options.recurrentActivation ?? 'sigmoid',
      unitForgetBias: options.unitForgetBias ?? true,
    })
    checkCount(layer, 'filters', filters)
    if (recurrent.dropout > 0 || recurrent.recurrentDropout > 0 || recurrent.stateful)
      throw new RangeError(
        `${layer}: dropout and kept states are not supported; put a Dropout layer before it, or pass states in`,
      )
    this.windows = windows
    this.recurrent = recurrent
  }

  private get biasInitializer(): Initializer {
    const plain = getInitializer(this.recurrent.biasInitializer)
    if (this.options.unitForgetBias === false) return plain
    const { filters } = this
    return (_, dtype) => cat([plain([filters], dtype), ones([filters], { dtype }), plain([2 * filters], dtype)])
  }

  override build(inputShape: InputShapes): void {
    const first = Array.isArray(inputShape[0]) ? (inputShape[0] as PartialShape) : inputShape
    const shape = singleShape(this, first, this.rank + 3)
    const channels = knownExtent(this, shape, this.windows.dataFormat === 'channels_last' ? -1 : 2)
    const o = this.recurrent
    const width = 4 * this.filters
    this.kernel = this.addWeight('kernel', [...this.windows.kernelSize, channels, width], {
      initializer: o.kernelInitializer,
      regularizer: o.kernelRegularizer,
      constraint: o.kernelConstraint,
    })
    this.recurrentKernel = this.addWeight('recurrent_kernel', [...this.windows.kernelSize, this.filters, width], {
      initializer: o.recurrentInitializer,
      regularizer: o.recurrentRegularizer,
      constraint: o.recurrentConstraint,
    })
    if (o.useBias)
      this.bias = this.addWeight('bias', [width], {
        initializer: this.biasInitializer,
        regularizer: o.biasRegularizer,
        constraint: o.biasConstraint,
      })
  }

  private convolve(x: Tensor, weight: TensorLike, options: Partial<ConvOptions>): Tensor {
    const layout = layoutOf(this.windows.dataFormat)
    return CONV[this.rank](x, weight, { layout, kernelLayout: 'channelsLast', ...options })
  }

  override call(inputs: Tensor | Tensor[], context: CallContext): Tensor | Tensor[] {
    const [given, ...states] = Array.isArray(inputs) ? inputs : [inputs]
    const { strides, padding, dilationRate } = this.windows
    const { goBackwards, returnSequences, returnState } = this.recurrent
    const x = transpose(this.toFloat(given), 0, 1)
    const [steps, batch] = x.shape
    // All steps are convolved with the input's kernel at once.
    const flat = this.convolve(reshape(x, [steps * batch, ...x.shape.slice(2)]), this.kernel, {
      bias: this.bias,
      stride: strides,
      padding,
      dilation: dilationRate,
    })
    const projected = reshape(flat, [steps, batch, ...flat.shape.slice(1)])
    const [hs, cs] = this.recurse(projected, states, context.masks.get(given), goBackwards)
    const at = goBackwards ? 0 : steps - 1
    const last = [select(hs, 0, at), select(cs, 0, at)]
    const sequences = transpose(hs, 0, 1)
    const result = !returnSequences ? last[0] : goBackwards ? flip(sequences, 1) : sequences
    return returnState ? [result, ...last] : result
  }

  private recurse(projected: Tensor, states: readonly Tensor[], mask: Tensor | undefined, reverse: boolean): Tensor[] {
    const axis = channelAxis(this.windows.dataFormat)
    const [activation, gate] = [this.recurrent.activation, this.options.recurrentActivation ?? 'sigmoid'].map(
      getActivation,
    )
    const shape = projected.shape.slice(1)
    shape[axis === -1 ? shape.length - 1 : 1] = this.filters
    const weight = this.recurrentKernel.value
    const part = (z: Tensor, i: number): Tensor =>
      axis === -1 ? block(z, i, this.filters) : z.narrow(1, i * this.filters, this.filters)
    const step = ([h, c]: readonly Tensor[], x: Tensor): Tensor[] => {
      const z = add(x, this.convolve(h, weight, { padding: 'same' }))
      const cell = add(mul(gate(part(z, 1)), c), mul(gate(part(z, 0)), activation(part(z, 2))))
      return [mul(gate(part(z, 3)), activation(cell)), cell]
    }
    const zero = zeros(shape, { dtype: projected.dtype })
    const shown = mask
      ? reshape(transpose(mask, 0, 1), [...projected.shape.slice(0, 2), ...shape.slice(2).map(() => 1)])
      : null
    return recur(step, states.length > 0 ? states : [zero, zero], projected, shown, reverse)
  }

  protected override passMask(inputs: Tensor | Tensor[], outputs: Tensor | Tensor[], context: CallContext): void {
    const mask = context.masks.get(Array.isArray(inputs) ? inputs[0] : inputs)
    if (mask && this.recurrent.returnSequences) context.masks.set(Array.isArray(outputs) ? outputs[0] : outputs, mask)
  }
}

/** {@link ConvLSTM} over rows: [batch, steps, length, channels]. */
export class ConvLSTM1D extends ConvLSTM {
  override readonly className: string = 'ConvLSTM1D'
  constructor(filters: number, kernelSize: number | readonly number[], options: ConvLSTMOptions = {}) {
    super(1, filters, kernelSize, options)
  }
}

/** {@link ConvLSTM} over images: [batch, steps, height, width, channels]. */
export class ConvLSTM2D extends ConvLSTM {
  override readonly className: string = 'ConvLSTM2D'
  constructor(filters: number, kernelSize: number | readonly number[], options: ConvLSTMOptions = {}) {
    super(2, filters, kernelSize, options)
  }
}

/** {@link ConvLSTM} over volumes: [batch, steps, depth, height, width, channels]. */
export class ConvLSTM3D extends ConvLSTM {
  override readonly className: string = 'ConvLSTM3D'
  constructor(filters: number, kernelSize: number | readonly number[], options: ConvLSTMOptions = {}) {
    super(3, filters, kernelSize, options)
  }
}
