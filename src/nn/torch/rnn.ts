import {
  gru,
  type LstmResult,
  type LstmWeights,
  lstm,
  type RecurrentResult,
  rnn,
  type StackOptions,
} from '../../tensor/functional/index.js'
import type { Parameter, TensorLike } from '../../tensor/index.js'
import { type Child, Module } from '../module.js'
import { uniformParameter } from './linear.js'

export interface RecurrentModuleOptions {
  /** Layers on top of each other; default 1. */
  numLayers?: number
  /** Learns biases; default true. */
  bias?: boolean
  /** Inputs are [batch, steps, features] instead of [steps, batch, features]; default false. */
  batchFirst?: boolean
  /** Share dropped between layers in training; default 0. */
  dropout?: number
  /** Default false. */
  bidirectional?: boolean
}

export interface RecurrentInputs extends Pick<StackOptions, 'h0' | 'lengths'> {
  /** LSTM alone. */
  c0?: TensorLike | null
}

/** Parameters weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 (_l1, ..., _reverse; weight_hr_l0 with a projection): torch's names. */
abstract class RecurrentModule extends Module {
  private readonly named: Record<string, Parameter> = {}
  protected readonly weights: readonly LstmWeights[]

  constructor(
    gates: number,
    readonly inputSize: number,
    readonly hiddenSize: number,
    protected readonly options: RecurrentModuleOptions,
    projection = 0,
  ) {
    super()
    const { numLayers = 1, bias = true, bidirectional = false } = options
    if (!(Number.isInteger(numLayers) && numLayers > 0 && Number.isInteger(hiddenSize) && hiddenSize > 0))
      throw new RangeError(`expected at least one layer and unit, got ${numLayers} and ${hiddenSize}`)
    const directions = bidirectional ? 2 : 1
    const state = projection || hiddenSize
    const weights: LstmWeights[] = []
    for (let layer = 0; layer < numLayers; layer++)
      for (let way = 0; way < directions; way++) {
        const make = (name: string, shape: readonly number[]): Parameter => {
          const parameter = uniformParameter(shape, hiddenSize)
          this.named[`${name}_l${layer}${way === 1 ? '_reverse' : ''}`] = parameter
          return parameter
        }
        weights.push({
          weightIh: make('weight_ih', [gates * hiddenSize, layer === 0 ? inputSize : directions * state]),
          weightHh: make('weight_hh', [gates * hiddenSize, state]),
          biasIh: bias ? make('bias_ih', [gates * hiddenSize]) : null,
          biasHh: bias ? make('bias_hh', [gates * hiddenSize]) : null,
          weightHr: projection ? make('weight_hr', [projection, hiddenSize]) : null,
        })
      }
    this.weights = weights
  }

  protected override *children(): Iterable<Child> {
    yield* Object.entries(this.named)
  }

  protected stack(inputs: RecurrentInputs): StackOptions {
    const { batchFirst, bidirectional, dropout } = this.options
    return { batchFirst, bidirectional, dropout, training: this.training, h0: inputs.h0, lengths: inputs.lengths }
  }
}

/** torch.nn.LSTM; `lengths` stand for packed sequences. */
export class LSTM extends RecurrentModule {
  constructor(
    inputSize: number,
    hiddenSize: number,
    options: RecurrentModuleOptions & {
      /** Projects outputs to so many features; default 0: not. */
      projSize?: number
    } = {},
  ) {
    super(4, inputSize, hiddenSize, options, options.projSize)
  }

  forward(x: TensorLike, inputs: RecurrentInputs = {}): LstmResult {
    return lstm(x, this.weights, { ...this.stack(inputs), c0: inputs.c0 })
  }
}

/** torch.nn.GRU; `lengths` stand for packed sequences. */
export class GRU extends RecurrentModule {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentModuleOptions = {}) {
    super(3, inputSize, hiddenSize, options)
  }

  forward(x: TensorLike, inputs: RecurrentInputs = {}): RecurrentResult {
    return gru(x, this.weights, this.stack(inputs))
  }
}

/** torch.nn.RNN; `lengths` stand for packed sequences. */
export class RNN extends RecurrentModule {
  constructor(
    inputSize: number,
    hiddenSize: number,
    private readonly own: RecurrentModuleOptions & {
      /** Default tanh. */
      nonlinearity?: 'tanh' | 'relu'
    } = {},
  ) {
    super(1, inputSize, hiddenSize, own)
  }

  forward(x: TensorLike, inputs: RecurrentInputs = {}): RecurrentResult {
    return rnn(x, this.weights, { ...this.stack(inputs), nonlinearity: this.own.nonlinearity })
  }
}
