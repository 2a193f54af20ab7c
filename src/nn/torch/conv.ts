import { conv1d, conv2d, type PerDim, perDim } from '../../tensor/functional/index.js'
import type { Parameter, Tensor, TensorLike } from '../../tensor/index.js'
import { Module } from '../module.js'
import { uniformParameter } from './linear.js'

export interface ConvModuleOptions {
  /** Default 1. */
  stride?: PerDim
  /** Default 0. */
  padding?: PerDim | 'same' | 'valid'
  /** Default 1. */
  dilation?: PerDim
  /** Default 1. */
  groups?: number
  bias?: boolean
}

abstract class Conv extends Module {
  readonly weight: Parameter
  readonly bias: Parameter | null

  constructor(
    rank: number,
    inChannels: number,
    outChannels: number,
    kernelSize: PerDim,
    protected readonly options: ConvModuleOptions,
  ) {
    super()
    const groups = options.groups ?? 1
    if (inChannels % groups !== 0 || outChannels % groups !== 0)
      throw new RangeError(
        `Conv${rank}d: ${inChannels} and ${outChannels} channels do not divide into ${groups} groups`,
      )
    const kernel = perDim(`Conv${rank}d`, 'kernelSize', kernelSize, rank, 1)
    const fanIn = kernel.reduce((product, extent) => product * extent, inChannels / groups)
    this.weight = uniformParameter([outChannels, inChannels / groups, ...kernel], fanIn)
    this.bias = (options.bias ?? true) ? uniformParameter([outChannels], fanIn) : null
  }

  protected get call() {
    const { stride, padding, dilation, groups } = this.options
    return { stride, padding, dilation, groups, bias: this.bias }
  }
}

/** [batch, in, length] -> [batch, out, length']. Parameters: weight [out, in / groups, k], bias [out]. */
export class Conv1d extends Conv {
  constructor(inChannels: number, outChannels: number, kernelSize: PerDim, options: ConvModuleOptions = {}) {
    super(1, inChannels, outChannels, kernelSize, options)
  }

  forward(x: TensorLike): Tensor {
    return conv1d(x, this.weight, this.call)
  }
}

/** [batch, in, height, width] -> [batch, out, height', width']. Parameters: weight [out, in / groups, kh, kw], bias [out]. */
export class Conv2d extends Conv {
  constructor(inChannels: number, outChannels: number, kernelSize: PerDim, options: ConvModuleOptions = {}) {
    super(2, inChannels, outChannels, kernelSize, options)
  }

  forward(x: TensorLike): Tensor {
    return conv2d(x, this.weight, this.call)
  }
}
