import { dropout } from '../../tensor/functional/index.js'
import { narrow, ones, type Parameter, type Tensor } from '../../tensor/index.js'
import { type Activation, type ActivationLike, activationName, getActivation } from '../activations.js'
import type { ConstraintLike } from '../constraints.js'
import type { InitializerLike } from '../initializers.js'
import type { CallContext, InputShapes } from '../layer.js'
import type { RegularizerLike } from '../regularizers.js'
import type { PartialShape } from '../symbolic.js'
import { checkCount, checkRate, knownExtent, singleShape } from './options.js'
import {
  type Reading,
  type ReadingResult,
  SequenceLayer,
  type SequenceOptions,
  sequenceSettings,
} from './sequence-layer.js'

export interface RecurrentOptions extends SequenceOptions {
  /** Default tanh. */
  activation?: ActivationLike
  useBias?: boolean
  kernelInitializer?: InitializerLike
  recurrentInitializer?: InitializerLike
  biasInitializer?: InitializerLike
  kernelRegularizer?: RegularizerLike
  recurrentRegularizer?: RegularizerLike
  biasRegularizer?: RegularizerLike
  kernelConstraint?: ConstraintLike
  recurrentConstraint?: ConstraintLike
  biasConstraint?: ConstraintLike
  /** Share of the inputs that is dropped in training, the same at every step. */
  dropout?: number
  /** Share of the state that is dropped in training where it enters the gates, the same at every step. */
  recurrentDropout?: number
}

export const recurrentSettings = (options: RecurrentOptions) => ({
  ...sequenceSettings(options),
  activation: options.activation ?? 'tanh',
  useBias: options.useBias ?? true,
  kernelInitializer: options.kernelInitializer ?? 'glorot_uniform',
  recurrentInitializer: options.recurrentInitializer ?? 'orthogonal',
  biasInitializer: options.biasInitializer ?? 'zeros',
  kernelRegularizer: options.kernelRegularizer ?? null,
  recurrentRegularizer: options.recurrentRegularizer ?? null,
  biasRegularizer: options.biasRegularizer ?? null,
  kernelConstraint: options.kernelConstraint ?? null,
  recurrentConstraint: options.recurrentConstraint ?? null,
  biasConstraint: options.biasConstraint ?? null,
  dropout: options.dropout ?? 0,
  recurrentDropout: options.recurrentDropout ?? 0,
})

/** What a recurrent computation is given. */
export interface Sequence extends Reading {
  /** Multiplies the state where it enters the gates, [batch, units]. */
  readonly stateNoise: Tensor | null
}

/** Outputs at their steps, [steps, batch, units], and the states after the last step read. */
export type SequenceResult = Pick<ReadingResult, 'output' | 'states'>

/** The function of an activation option, or undefined where it is the standard one, for which there are kernels. */
export const unlessStandard = (like: ActivationLike, standard: string): Activation | undefined =>
  activationName(like) === standard ? undefined : getActivation(like)

type Clone = new (units: number, options: RecurrentOptions) => Recurrent

/**
 * A recurrent layer: [batch, steps, features] -> [batch, units] or [batch, steps, units]. Inputs may be a list with starting states
 * after the sequence. Weights: kernel [features, gates * units], recurrent_kernel [units, gates * units], bias.
 */
export abstract class Recurrent extends SequenceLayer {
  kernel!: Parameter
  recurrentKernel!: Parameter
  bias: Parameter | null = null
  protected readonly settings: ReturnType<typeof recurrentSettings>
  /** Tensors of its state. */
  protected readonly stateCount: number = 1

  constructor(
    layer: string,
    private readonly gates: number,
    readonly units: number,
    readonly options: RecurrentOptions,
    more: object = {},
  ) {
    const settings = recurrentSettings(options)
    super(options, { units, ...settings, ...more })
    checkCount(layer, 'units', units)
    checkRate(layer, settings.dropout)
    checkRate(layer, settings.recurrentDropout)
    this.settings = settings
  }

  /** Shape of the bias. */
  protected get biasShape(): number[] {
    return [this.gates * this.units]
  }

  /** Starting value of the bias where it is not plain. */
  protected get biasInitializer(): InitializerLike {
    return this.settings.biasInitializer
  }

  override build(inputShape: InputShapes): void {
    const first = Array.isArray(inputShape[0]) ? (inputShape[0] as PartialShape) : inputShape
    const features = knownExtent(this, singleShape(this, first, 3), -1)
    const o = this.settings
    const width = this.gates * this.units
    this.kernel = this.addWeight('kernel', [features, width], {
      initializer: o.kernelInitializer,
      regularizer: o.kernelRegularizer,
      constraint: o.kernelConstraint,
    })
    this.recurrentKernel = this.addWeight('recurrent_kernel', [this.units, width], {
      initializer: o.recurrentInitializer,
      regularizer: o.recurrentRegularizer,
      constraint: o.recurrentConstraint,
    })
    if (o.useBias)
      this.bias = this.addWeight('bias', this.biasShape, {
        initializer: this.biasInitializer,
        regularizer: o.biasRegularizer,
        constraint: o.biasConstraint,
      })
  }

  get stateSizes(): readonly number[] {
    return Array.from({ length: this.stateCount }, () => this.units)
  }

  /** Runs over all steps, without dropout of the inputs. */
  protected abstract sequence(given: Sequence): SequenceResult

  override over(given: Reading, { training }: CallContext): ReadingResult {
    const { dropout: rate, recurrentDropout } = this.settings
    const { x } = given
    const [, batch, features] = x.shape
    const input = dropout(x, { p: rate, training, noiseShape: [1, batch, features] })
    const one = ones([batch, this.units], { dtype: x.dtype })
    const stateNoise = training && recurrentDropout > 0 ? dropout(one, { p: recurrentDropout, training }) : null
    const { output, states } = this.sequence({ ...given, x: input, stateNoise })
    return { output, states, last: states[0] }
  }

  override variant(options: RecurrentOptions): Recurrent {
    return new (this.constructor as Clone)(this.units, { ...this.options, ...options })
  }
}

/** Block `i` of `units` columns: one gate. */
export const block = (x: Tensor, i: number, units: number): Tensor => narrow(x, -1, i * units, units)
