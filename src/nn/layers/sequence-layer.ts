import { flip, Parameter, select, type Tensor, transpose, unsqueeze, where, zeros } from '../../tensor/index.js'
import { type CallContext, Layer, type LayerOptions } from '../layer.js'

export interface SequenceOptions extends LayerOptions {
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

export const sequenceSettings = (options: SequenceOptions) => ({
  returnSequences: options.returnSequences ?? false,
  returnState: options.returnState ?? false,
  goBackwards: options.goBackwards ?? false,
  zeroOutputForMask: options.zeroOutputForMask ?? false,
  stateful: options.stateful ?? false,
})

export type SequenceSettings = ReturnType<typeof sequenceSettings>

/** What is read; time comes first. */
export interface Reading {
  /** [steps, batch, features] */
  readonly x: Tensor
  /** Starting states [batch, units]; empty for zeros. */
  readonly states: readonly Tensor[]
  /** bool [steps, batch] */
  readonly mask: Tensor | null
  readonly reverse: boolean
}

/** Outputs at their steps, [steps, batch, units], the states after the last step read, and the output there. */
export interface ReadingResult {
  readonly output: Tensor
  readonly states: readonly Tensor[]
  readonly last: Tensor
}

/**
 * A layer that reads sequences step by step: [batch, steps, features] -> [batch, units] or [batch, steps, units]. Inputs may be a list with
 * starting states after the sequence.
 */
export abstract class SequenceLayer extends Layer {
  override readonly supportsMasking = true
  readonly #settings: SequenceSettings
  #kept: readonly Parameter[] = []

  constructor(options: SequenceOptions, settings: object) {
    super(options, settings)
    this.#settings = sequenceSettings(options)
  }

  get returnSequences(): boolean {
    return this.#settings.returnSequences
  }

  get returnState(): boolean {
    return this.#settings.returnState
  }

  get goBackwards(): boolean {
    return this.#settings.goBackwards
  }

  /** Widths of the tensors of the state. */
  abstract get stateSizes(): readonly number[]

  /** Runs over all steps. */
  abstract over(given: Reading, context: CallContext): ReadingResult

  /** An equal layer with other options and weights of its own. */
  abstract variant(options: SequenceOptions): SequenceLayer

  /** States that a stateful layer goes on from. */
  private keptStates(batch: number, dtype: Tensor['dtype']): readonly Tensor[] {
    if (this.#kept.length === 0)
      this.#kept = this.stateSizes.map((units) => new Parameter(zeros([batch, units], { dtype }), { trainable: false }))
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

  /** Outputs at the steps they belong to (time first), whatever the direction, and final states. */
  aligned(x: Tensor, states: readonly Tensor[], context: CallContext): ReadingResult {
    const { goBackwards, zeroOutputForMask, stateful } = this.#settings
    const given = this.toFloat(x)
    const found = context.masks.get(x)
    const mask = found ? transpose(found, 0, 1) : null
    const start = stateful && states.length === 0 ? this.keptStates(given.shape[0], given.dtype) : states
    const result = this.over({ x: transpose(given, 0, 1), states: start, mask, reverse: goBackwards }, context)
    if (stateful && start !== states) for (const [i, state] of result.states.entries()) this.#kept[i].value = state
    if (!mask || !zeroOutputForMask) return result
    const read = select(mask, 0, goBackwards ? 0 : mask.shape[0] - 1)
    return {
      ...result,
      output: where(unsqueeze(mask, 2), result.output, 0),
      last: where(unsqueeze(read, 1), result.last, 0),
    }
  }

  override call(inputs: Tensor | Tensor[], context: CallContext): Tensor | Tensor[] {
    const [x, ...states] = Array.isArray(inputs) ? inputs : [inputs]
    const { output, states: final, last } = this.aligned(x, states, context)
    const result = this.returnSequences ? this.inReadingOrder(output) : last
    return this.returnState ? [result, ...final] : result
  }

  private inReadingOrder(output: Tensor): Tensor {
    const sequences = transpose(output, 0, 1)
    return this.goBackwards ? flip(sequences, 1) : sequences
  }

  protected override passMask(inputs: Tensor | Tensor[], outputs: Tensor | Tensor[], context: CallContext): void {
    const mask = context.masks.get(Array.isArray(inputs) ? inputs[0] : inputs)
    if (mask && this.returnSequences) context.masks.set(Array.isArray(outputs) ? outputs[0] : outputs, mask)
  }

  override inboundArguments(inputs: readonly unknown[]): unknown[] {
    const [x, ...states] = inputs
    return states.length > 0 ? [x, states] : [x]
  }
}
