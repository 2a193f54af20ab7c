import {
  batchNorm,
  batchNormTrain,
  groupNorm,
  layerNorm,
  rmsNorm,
  runningStatistics,
} from '../../tensor/functional/index.js'
import { asTensor, ones, Parameter, type Tensor, type TensorLike, zeros } from '../../tensor/index.js'
import { Module } from '../module.js'

export interface NormModuleOptions {
  /** Added to the variance; default 1e-5. */
  eps?: number
  /** Learns weight and bias; default true. */
  affine?: boolean
}

const shapeOf = (shape: number | readonly number[]): readonly number[] => (typeof shape === 'number' ? [shape] : shape)

/** Normalises the last dimensions, which must be `normalizedShape`. Parameters: weight, bias of that shape. */
export class LayerNorm extends Module {
  readonly weight: Parameter | null
  readonly bias: Parameter | null
  private readonly eps: number

  constructor(
    readonly normalizedShape: number | readonly number[],
    options: NormModuleOptions & {
      /** False learns no bias; default true. */
      bias?: boolean
    } = {},
  ) {
    super()
    const affine = options.affine ?? true
    this.eps = options.eps ?? 1e-5
    this.weight = affine ? new Parameter(ones(shapeOf(normalizedShape))) : null
    this.bias = affine && (options.bias ?? true) ? new Parameter(zeros(shapeOf(normalizedShape))) : null
  }

  forward(x: TensorLike): Tensor {
    return layerNorm(x, this.normalizedShape, { weight: this.weight, bias: this.bias, eps: this.eps })
  }
}

/** Divides by the root mean square of the last dimensions. Parameter: weight. */
export class RMSNorm extends Module {
  readonly weight: Parameter
  private readonly eps: number | null

  constructor(
    readonly normalizedShape: number | readonly number[],
    options: { eps?: number | null } = {},
  ) {
    super()
    this.eps = options.eps ?? null
    this.weight = new Parameter(ones(shapeOf(normalizedShape)))
  }

  forward(x: TensorLike): Tensor {
    return rmsNorm(x, this.normalizedShape, { weight: this.weight, eps: this.eps })
  }
}

/** Normalises groups of channels of [batch, channels, ...]. Parameters: weight, bias [channels]. */
export class GroupNorm extends Module {
  readonly weight: Parameter | null
  readonly bias: Parameter | null
  private readonly eps: number

  constructor(
    readonly numGroups: number,
    readonly numChannels: number,
    options: NormModuleOptions = {},
  ) {
    super()
    const affine = options.affine ?? true
    this.eps = options.eps ?? 1e-5
    this.weight = affine ? new Parameter(ones([numChannels])) : null
    this.bias = affine ? new Parameter(zeros([numChannels])) : null
  }

  forward(x: TensorLike): Tensor {
    return groupNorm(x, this.numGroups, { weight: this.weight, bias: this.bias, eps: this.eps })
  }
}

/**
 * Normalises channels of [batch, channels, ...]: torch's BatchNorm1d to 3d. Parameters: weight, bias; buffers running_mean, running_var
 * (unbiased), num_batches_tracked.
 */
export class BatchNorm extends Module {
  readonly weight: Parameter | null
  readonly bias: Parameter | null
  readonly running_mean: Parameter
  readonly running_var: Parameter
  readonly num_batches_tracked: Parameter
  private readonly eps: number
  private readonly momentum: number

  constructor(
    readonly numFeatures: number,
    options: NormModuleOptions & {
      /** Share of the new statistics; default 0.1. */
      momentum?: number
    } = {},
  ) {
    super()
    const affine = options.affine ?? true
    const buffer = (value: Tensor): Parameter => new Parameter(value, { trainable: false })
    this.eps = options.eps ?? 1e-5
    this.momentum = options.momentum ?? 0.1
    this.weight = affine ? new Parameter(ones([numFeatures])) : null
    this.bias = affine ? new Parameter(zeros([numFeatures])) : null
    this.running_mean = buffer(zeros([numFeatures]))
    this.running_var = buffer(ones([numFeatures]))
    this.num_batches_tracked = buffer(zeros([], { dtype: 'i64' }))
  }

  forward(x: TensorLike): Tensor {
    const input = asTensor(x)
    const options = { weight: this.weight, bias: this.bias, eps: this.eps }
    if (!this.training) return batchNorm(input, this.running_mean, this.running_var, options)
    const { output, ...batch } = batchNormTrain(input, options)
    const next = runningStatistics({ mean: this.running_mean, variance: this.running_var }, batch, {
      momentum: this.momentum,
      convention: 'torch',
      count: input.size / this.numFeatures,
    })
    this.running_mean.value = next.mean
    this.running_var.value = next.variance
    this.num_batches_tracked.value = this.num_batches_tracked.value.add(1)
    return output
  }
}
