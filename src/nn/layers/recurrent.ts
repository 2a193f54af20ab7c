import { dropout } from '../../tensor/functional/index.js'
import { flip, narrow, ones, Parameter, type Tensor, transpose, unsqueeze, where, zeros } from '../../tensor/index.js'
import { type Activation, type ActivationLike, activationName, getActivation } from '../activations.js'
import type { ConstraintLike } from '../constraints.js'
import type { InitializerLike } from '../initializers.js'
import { type CallContext, type InputShapes, Layer, type LayerOptions } from '../layer.js'
import type { RegularizerLike } from '../regularizers.js'
import type { PartialShape } from '../symbolic.js'
import { checkCount, checkRate, knownExtent, singleShape } from './options.js'

export interface RecurrentOptions extends LayerOptions {
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
  /** Gives the output of every step [batch, steps, units], not of the last alone [batch, units]. */
  returnSequences?: boolean
  /** Gives the last states, too: the output is a list. */
  returnState?: boolean
  /** Reads the steps from the last to the first; outputs stand in the order of reading. */
  goBackwards?: boolean
  /** Outputs of masked steps are 0 instead of those of the step before. */
  zeroOutputForMask?: boolean
  /**
   * Starts from the states that the batch before ended with, in training and out of it, until `resetState()`. All batches must have one size. The
   * states belong to no checkpoint.
   */
  stateful?: boolean
}

export const recurrentSettings = (options: RecurrentOptions) => ({
  returnSequences: options.returnSequences ?? false,
  returnState: options.returnState ?? false,
  goBackwards: options.goBackwards ?? false,
  zeroOutputForMask: options.zeroOutputForMask ?? false,
  stateful: options.stateful ?? false,
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

/** What a recurrent computation is given; time comes first. */
export interface Sequence {
  /** [steps, batch, features] */
  readonly x: Tensor
  /** Starting states [batch, units]; empty for zeros. */
  readonly states: readonly Tensor[]
  /** bool [steps, batch] */
  readonly mask: Tensor | null
  readonly reverse: boolean
  /** Multiplies the state where it enters the gates, [batch, units]. */
  readonly stateNoise: Tensor | null
}

/** Outputs at their steps, [steps, batch, units], and the states after the last step read. */
export interface SequenceResult {
  readonly output: Tensor
  readonly states: readonly Tensor[]
}

/** The function of an activation option, or undefined where it is the standard one, for which there are kernels. */
export const unlessStandard = (like: ActivationLike, standard: string): Activation | undefined =>
  activationName(like) === standard ? undefined : getActivation(like)

type Clone = new (units: number, options: RecurrentOptions) => Recurrent

/**
 * A recurrent layer: [batch, steps, features] -> [batch, units] or [batch, steps, units]. Inputs may be a list with starting states
 * after the sequence. Weights: kernel [features, gates * units], recurrent_kernel [units, gates * units], bias.
 */
export abstract class Recurrent extends Layer {
  override readonly supportsMasking = true
  kernel!: Parameter
  recurrentKernel!: Parameter
  bias: Parameter | null = null
  protected readonly settings: ReturnType<typeof recurrentSettings>
  /** Tensors of its state. */
  protected readonly stateCount: number = 1
  #kept: readonly Parameter[] = []

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

  get returnSequences(): boolean {
    return this.settings.returnSequences
  }

  get returnState(): boolean {
    return this.settings.returnState
  }

  get goBackwards(): boolean {
    return this.settings.goBackwards
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

  /** States that a stateful layer goes on from. */
  private keptStates(batch: number, dtype: Tensor['dtype']): readonly Tensor[] {
    if (this.#kept.length === 0)
      this.#kept = Array.from(
        { length: this.stateCount },
        () => new Parameter(zeros([batch, this.units], { dtype }), { trainable: false }),
      )
    const [{ shape }] = this.#kept
    if (shape[0] !== batch)
      throw new RangeError(
        `${this.className} ${this.name}: a stateful layer needs batches of one size, got ${batch} after ${shape[0]}`,
      )
    return this.#kept.map((state) => state.value)
  }

  /** Lets a stateful layer start from zeros again. */
  resetState(): void {
    for (const state of this.#kept) state.value = zeros(state.shape, { dtype: state.dtype })
  }

  /** Runs over all steps. */
  protected abstract sequence(given: Sequence): SequenceResult

  /** Outputs at the steps they belong to (time first), whatever the direction, and final states. */
  aligned(x: Tensor, states: readonly Tensor[], context: CallContext): SequenceResult & { mask: Tensor | null } {
    const { dropout: rate, recurrentDropout, goBackwards, zeroOutputForMask } = this.settings
    const { training } = context
    const given = this.toFloat(x)
    const [batch, , features] = given.shape
    const input = dropout(given, { p: rate, training, noiseShape: [batch, 1, features] })
    const found = context.masks.get(x)
    const mask = found ? transpose(found, 0, 1) : null
    const one = ones([batch, this.units], { dtype: given.dtype })
    const stateNoise = training && recurrentDropout > 0 ? dropout(one, { p: recurrentDropout, training }) : null
    const { stateful } = this.settings
    const start = stateful && states.length === 0 ? this.keptStates(batch, given.dtype) : states
    const result = this.sequence({ x: transpose(input, 0, 1), states: start, mask, reverse: goBackwards, stateNoise })
    if (stateful && start !== states) for (const [i, state] of result.states.entries()) this.#kept[i].value = state
    if (!mask || !zeroOutputForMask) return { ...result, mask }
    return { ...result, output: where(unsqueeze(mask, 2), result.output, 0), mask }
  }

  override call(inputs: Tensor | Tensor[], context: CallContext): Tensor | Tensor[] {
    const [x, ...states] = Array.isArray(inputs) ? inputs : [inputs]
    const { output, states: last } = this.aligned(x, states, context)
    const result = this.settings.returnSequences ? this.inReadingOrder(output) : last[0]
    return this.settings.returnState ? [result, ...last] : result
  }

  private inReadingOrder(output: Tensor): Tensor {
    const sequences = transpose(output, 0, 1)
    return this.settings.goBackwards ? flip(sequences, 1) : sequences
  }

  protected override passMask(inputs: Tensor | Tensor[], outputs: Tensor | Tensor[], context: CallContext): void {
    const mask = context.masks.get(Array.isArray(inputs) ? inputs[0] : inputs)
    if (mask && this.settings.returnSequences) context.masks.set(Array.isArray(outputs) ? outputs[0] : outputs, mask)
  }

  override inboundArguments(inputs: readonly unknown[]): unknown[] {
    const [x, ...states] = inputs
    return states.length > 0 ? [x, states] : [x]
  }

  /** An equal layer with other options and weights of its own. */
  variant(options: RecurrentOptions): Recurrent {
    return new (this.constructor as Clone)(this.units, { ...this.options, ...options })
  }
}

/** Block `i` of `units` columns: one gate. */
export const block = (x: Tensor, i: number, units: number): Tensor => narrow(x, -1, i * units, units)
