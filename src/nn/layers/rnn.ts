import type { Tensor } from '../../tensor/index.js'
import type { CallContext, InputShapes, LayerOptions } from '../layer.js'
import type { Child } from '../module.js'
import type { PartialShape } from '../symbolic.js'
import { RnnCell, type StepResult } from './rnn-cell.js'
import {
  type Reading,
  type ReadingResult,
  SequenceLayer,
  type SequenceOptions,
  sequenceSettings,
} from './sequence-layer.js'

/** @throws TypeError unless `cell` is a cell */
function checkCell(layer: string, cell: unknown): RnnCell {
  if (cell instanceof RnnCell) return cell
  const got = typeof cell === 'object' && cell !== null ? cell.constructor.name : String(cell)
  throw new TypeError(`${layer}: expected cells (LSTMCell, GRUCell, SimpleRNNCell or another RnnCell), got ${got}`)
}

/** Cells on top of each other as one cell; its states are those of the first, then of the second, ... */
export class StackedRNNCells extends RnnCell {
  override readonly className: string = 'StackedRNNCells'
  readonly cells: readonly RnnCell[]

  constructor(cells: readonly RnnCell[], options: LayerOptions = {}) {
    super(options, { cells })
    if (!Array.isArray(cells) || cells.length === 0) throw new TypeError('StackedRNNCells: expected a list of cells')
    this.cells = cells.map((cell) => checkCell('StackedRNNCells', cell))
  }

  get stateSizes(): readonly number[] {
    return this.cells.flatMap((cell) => cell.stateSizes)
  }

  override get outputSize(): number {
    return this.cells[this.cells.length - 1].outputSize
  }

  override build(shapes: InputShapes): void {
    let shape = (Array.isArray(shapes[0]) ? shapes[0] : shapes) as PartialShape
    for (const cell of this.cells) {
      cell.ensureBuilt(shape)
      shape = [shape[0], cell.outputSize]
    }
  }

  /** Each cell with its part of the states. */
  private *parted(states: readonly Tensor[]): Generator<readonly [RnnCell, readonly Tensor[]]> {
    let at = 0
    for (const cell of this.cells) {
      const next = at + cell.stateSizes.length
      yield [cell, states.slice(at, next)]
      at = next
    }
  }

  override step(x: Tensor, states: readonly Tensor[], context: CallContext): StepResult {
    let output = x
    const after: Tensor[] = []
    for (const [cell, own] of this.parted(states)) {
      const next = cell.step(output, own, context)
      output = next.output
      after.push(...next.states)
    }
    return { output, states: after }
  }

  // A cell sees the outputs of the one below alone, so each may read the whole sequence before the next begins.
  override over(given: Reading, context: CallContext): ReadingResult {
    let { x } = given
    let last = x
    const after: Tensor[] = []
    for (const [cell, own] of this.parted(given.states)) {
      const result = cell.over({ ...given, x, states: own }, context)
      x = result.output
      last = result.last
      after.push(...result.states)
    }
    return { output: x, states: after, last }
  }

  override fresh(): RnnCell {
    return new StackedRNNCells(
      this.cells.map((cell) => cell.fresh()),
      { name: this.name },
    )
  }
}

export interface RNNOptions extends SequenceOptions {
  /** Kept for Keras' configs; the result is the same. */
  unroll?: boolean
}

/** Reads sequences with a cell, or with a list of cells on top of each other. With `returnState` the states of all cells follow the output. */
export class RNN extends SequenceLayer {
  override readonly className: string = 'RNN'
  readonly cell: RnnCell

  constructor(
    cell: RnnCell | readonly RnnCell[],
    private readonly options: RNNOptions = {},
  ) {
    const one = checkCell('RNN', Array.isArray(cell) ? new StackedRNNCells(cell) : cell)
    super(options, { cell: one, ...sequenceSettings(options), unroll: options.unroll ?? false })
    this.cell = one
  }

  protected override *children(): Iterable<Child> {
    if (this.cell) yield ['cell', this.cell]
  }

  get stateSizes(): readonly number[] {
    return this.cell.stateSizes
  }

  override build(inputShape: InputShapes): void {
    const shape = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as PartialShape
    if (shape.length < 3)
      throw new RangeError(
        `RNN ${this.name}: expected [batch, steps, ...features], got [${shape.map((n) => n ?? '?').join(', ')}]`,
      )
    this.cell.ensureBuilt([shape[0], ...shape.slice(2)])
  }

  override over(given: Reading, context: CallContext): ReadingResult {
    return this.cell.over(given, context)
  }

  override variant(options: SequenceOptions): SequenceLayer {
    return new RNN(this.cell.fresh(), { ...this.options, ...options })
  }
}
