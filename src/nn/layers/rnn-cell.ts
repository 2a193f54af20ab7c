import { recur } from '../../tensor/functional/index.js'
import { select, type Tensor, zeros } from '../../tensor/index.js'
import { type CallContext, type InputShapes, Layer, type LayerOptions } from '../layer.js'
import type { Child } from '../module.js'
import type { PartialShape } from '../symbolic.js'
import { GRU, type GRUOptions } from './gru.js'
import { LSTM, type LSTMOptions } from './lstm.js'
import type { Recurrent, RecurrentOptions } from './recurrent.js'
import type { Reading, ReadingResult, SequenceOptions } from './sequence-layer.js'
import { SimpleRNN } from './simple-rnn.js'

/** Options of a recurrent layer without those of reading. */
export type CellOptions<O extends RecurrentOptions> = Omit<O, Exclude<keyof SequenceOptions, keyof LayerOptions>>

/** Output and states of one step, [batch, units] each. */
export interface StepResult {
  readonly output: Tensor
  readonly states: readonly Tensor[]
}

/**
 * One step of a recurrent network, for {@link RNN}. Called by itself it takes a list, the input [batch, features] and the states [batch, units], and
 * gives one, the output and the new states. Cells of your own define `stateSizes` and `step`.
 */
export abstract class RnnCell extends Layer {
  /** Widths of the tensors of the state. */
  abstract readonly stateSizes: readonly number[]

  /** Width of the output. */
  get outputSize(): number {
    return this.stateSizes[0]
  }

  override get takesList(): boolean {
    return true
  }

  /** Reads one step. */
  abstract step(x: Tensor, states: readonly Tensor[], context: CallContext): StepResult

  /** An equal cell of the same name with weights of its own. @throws TypeError for cells that do not define it */
  fresh(): RnnCell {
    throw new TypeError(`${this.className} ${this.name}: define fresh() for layers that need two of a cell`)
  }

  /** Starting states where none are given. */
  protected start({ x, states }: Reading): readonly Tensor[] {
    return states.length > 0 ? states : this.stateSizes.map((units) => zeros([x.shape[1], units], { dtype: x.dtype }))
  }

  /** Reads a whole sequence; masked steps repeat the output before them and leave the states. */
  over(given: Reading, context: CallContext): ReadingResult {
    const { x, mask, reverse } = given
    const first = [zeros([x.shape[1], this.outputSize], { dtype: x.dtype }), ...this.start(given)]
    const step = ([, ...states]: readonly Tensor[], item: Tensor): readonly Tensor[] => {
      const next = this.step(item, states, context)
      return [next.output, ...next.states]
    }
    const all = recur(step, first, x, mask, reverse)
    const [last, ...states] = x.shape[0] === 0 ? first : all.map((of) => select(of, 0, reverse ? 0 : x.shape[0] - 1))
    return { output: all[0], states, last }
  }

  override call(inputs: Tensor | Tensor[], context: CallContext): Tensor[] {
    const [x, ...states] = Array.isArray(inputs) ? inputs : [inputs]
    if (states.length !== this.stateSizes.length)
      throw new RangeError(
        `${this.className} ${this.name}: expected an input and ${this.stateSizes.length} states, got ${states.length} states`,
      )
    const next = this.step(this.toFloat(x), states, context)
    return [next.output, ...next.states]
  }
}

const firstShape = (shapes: InputShapes): PartialShape =>
  Array.isArray(shapes[0]) ? (shapes[0] as PartialShape) : (shapes as PartialShape)

/** The cell of a recurrent layer, which reads sequences with that layer's kernels. */
abstract class LayerCell<O extends RecurrentOptions> extends RnnCell {
  readonly #layer: Recurrent

  constructor(
    Of: new (units: number, options: O) => Recurrent,
    readonly units: number,
    private readonly options: CellOptions<O>,
  ) {
    super(options)
    this.#layer = new Of(units, options as O)
  }

  get stateSizes(): readonly number[] {
    return this.#layer.stateSizes
  }

  protected override *children(): Iterable<Child> {
    // The constructor of the base runs before there is a layer.
    if (#layer in this) for (const { name, parameter } of this.#layer.namedParameters()) yield [name, parameter]
  }

  override get weights() {
    return this.#layer.weights
  }

  protected override setTrainable(trainable: boolean): void {
    super.setTrainable(trainable)
    this.#layer.trainable = trainable
  }

  override regularizationLosses(): Tensor[] {
    return this.#layer.regularizationLosses()
  }

  override applyConstraints(...project: Parameters<Layer['applyConstraints']>): void {
    this.#layer.applyConstraints(...project)
  }

  override build(shapes: InputShapes): void {
    const shape = firstShape(shapes)
    this.#layer.name = this.name
    this.#layer.ensureBuilt([shape[0], null, ...shape.slice(1)])
  }

  override over(given: Reading, context: CallContext): ReadingResult {
    return this.#layer.over(given, context)
  }

  override step(x: Tensor, states: readonly Tensor[], context: CallContext): StepResult {
    const result = this.#layer.over({ x: x.unsqueeze(0), states, mask: null, reverse: false }, context)
    return { output: result.last, states: result.states }
  }

  override fresh(): RnnCell {
    const Own = this.constructor as new (units: number, options: CellOptions<O>) => RnnCell
    return new Own(this.units, { ...this.options, name: this.name })
  }

  override config(): Record<string, unknown> {
    const {
      return_sequences: _,
      return_state: __,
      go_backwards: ___,
      zero_output_for_mask: ____,
      stateful: _____,
      ...own
    } = this.#layer.config()
    return { ...own, name: this.name, trainable: this.trainable }
  }
}

/** One step of {@link LSTM}; states h and c. Weights: kernel [features, 4 units], recurrent_kernel [units, 4 units], bias [4 units]. */
export class LSTMCell extends LayerCell<LSTMOptions> {
  override readonly className: string = 'LSTMCell'

  constructor(units: number, options: CellOptions<LSTMOptions> = {}) {
    super(LSTM, units, options)
  }
}

/** One step of {@link GRU}. Weights: kernel [features, 3 units], recurrent_kernel [units, 3 units], bias [2, 3 units]. */
export class GRUCell extends LayerCell<GRUOptions> {
  override readonly className: string = 'GRUCell'

  constructor(units: number, options: CellOptions<GRUOptions> = {}) {
    super(GRU, units, options)
  }
}

/** One step of {@link SimpleRNN}. Weights: kernel [features, units], recurrent_kernel [units, units], bias [units]. */
export class SimpleRNNCell extends LayerCell<RecurrentOptions> {
  override readonly className: string = 'SimpleRNNCell'

  constructor(units: number, options: CellOptions<RecurrentOptions> = {}) {
    super(SimpleRNN, units, options)
  }
}
