import { type DType, type Shape, sameShape, shapeText, type Value } from '../ir/index.js'
import type { Buffer } from './buffer.js'
import { bufferOf, leafValue } from './realised.js'
import { traceOfCells } from './trace.js'

// Held weakly: state that nobody can reach any more need not be computed.
const pending = new Set<WeakRef<Cell>>()

/** Cells whose new value is still a pending graph. The next read of anything computes them too, in one program. */
export function pendingCells(): Cell[] {
  const cells: Cell[] = []
  for (const ref of pending) {
    const cell = ref.deref()
    if (cell) cells.push(cell)
    else pending.delete(ref)
  }
  return cells
}

let nextCell = 1

/**
 * State with a stable identity: weights, optimizer slots, statistics, counters. A trace records which cells it reads (they become
 * inputs, resolved at each call) and writes (they become outputs whose memory is taken over from the old value).
 */
export class Cell {
  readonly id = nextCell++
  private weak: WeakRef<Cell> | null = null

  constructor(private current: Value) {}

  get shape(): Shape {
    return this.current.shape
  }

  get dtype(): DType {
    return this.current.dtype
  }

  /** The present value: a traced one inside `jit`, else what was last written. */
  read(): Value {
    const trace = traceOfCells()
    return trace ? trace.readCell(this, this.current) : this.current
  }

  /**
   * Replaces the value.
   * @throws Error when shape or dtype change, or inside the body of scan or while.
   */
  write(value: Value): void {
    if (!sameShape(value.shape, this.current.shape) || value.dtype !== this.current.dtype) {
      throw new Error(
        `a cell of ${this.dtype}${shapeText(this.shape)} cannot take ${value.dtype}${shapeText(value.shape)}: shapes and dtypes of state are fixed`,
      )
    }
    const trace = traceOfCells('write')
    if (trace) trace.writeCell(this, value)
    else this.settle(value)
  }

  /** Takes a value outside of any trace. */
  settle(value: Value): void {
    this.current = value
    if (bufferOf(value)) this.settled()
    else {
      this.weak ??= new WeakRef<Cell>(this)
      pending.add(this.weak)
    }
  }

  /** The value was realised: it is pending no more. */
  settled(): void {
    if (this.weak) pending.delete(this.weak)
  }

  /** Takes over a buffer that a compiled step wrote. */
  adopt(buffer: Buffer): void {
    this.settle(leafValue(buffer))
  }

  /** The value outside of any trace. */
  get outer(): Value {
    return this.current
  }
}
