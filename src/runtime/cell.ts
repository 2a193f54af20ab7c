import { apply, type DType, isFloat, type Shape, sameShape, shapeText, type Value } from '../ir/index.js'
import type { Buffer } from './buffer.js'
import { bufferOf, leafValue } from './realised.js'
import { belongsToState, traceOfCells } from './trace.js'

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

/** Dtypes that state of f32 can be stored in. */
export type StorageType = 'f32' | 'f16' | 'bf16'

/** The wide forms of stored values. Held weakly: a graph that uses one keeps it, and nothing else should. */
const widened = new WeakMap<Value, WeakRef<Value>>()

/** One node for every stored value, so that gradients meet in it. */
function widen(stored: Value, dtype: DType): Value {
  const known = widened.get(stored)?.deref()
  if (known && !bufferOf(known)) return known
  const wide = apply('convert', [stored], { dtype })
  belongsToState(wide.node)
  widened.set(stored, new WeakRef(wide))
  return wide
}

/**
 * State with a stable identity: weights, optimizer slots, statistics, counters. A trace records which cells it reads (they become
 * inputs, resolved at each call) and writes (they become outputs whose memory is taken over from the old value).
 */
export class Cell {
  readonly id = nextCell++
  private weak: WeakRef<Cell> | null = null

  /** What readers see where it is not what is stored. */
  private wide: DType | null = null

  constructor(private current: Value) {}

  get shape(): Shape {
    return this.current.shape
  }

  get dtype(): DType {
    return this.wide ?? this.current.dtype
  }

  /** Dtype that the value lies in memory in. */
  get storage(): DType {
    return this.current.dtype
  }

  /**
   * Keeps the value in another dtype from now on: writes round to it, reads give f32 as before.
   * @throws TypeError for state that is not f32
   */
  store(dtype: StorageType): void {
    if (this.dtype !== 'f32' || !isFloat(dtype))
      throw new TypeError(`only state of f32 can be stored in f32, f16 or bf16, got ${this.dtype} and ${dtype}`)
    if (dtype === this.storage) return
    const value = apply('convert', [this.current], { dtype })
    this.wide = dtype === 'f32' ? null : 'f32'
    this.settle(value)
  }

  /** The present value: a traced one inside `jit`, else what was last written. */
  read(): Value {
    const trace = traceOfCells()
    const stored = trace ? trace.readCell(this, this.current) : this.current
    return this.wide ? widen(stored, this.wide) : stored
  }

  private narrow(value: Value): Value {
    return this.wide && value.dtype === this.wide ? apply('convert', [value], { dtype: this.storage }) : value
  }

  /**
   * Replaces the value.
   * @throws Error when shape or dtype change, or inside the body of scan or while.
   */
  write(value: Value): void {
    if (!sameShape(value.shape, this.current.shape) || value.dtype !== this.dtype) {
      throw new Error(
        `a cell of ${this.dtype}${shapeText(this.shape)} cannot take ${value.dtype}${shapeText(value.shape)}: shapes and dtypes of state are fixed`,
      )
    }
    const trace = traceOfCells('write')
    if (trace) trace.writeCell(this, this.narrow(value))
    else this.settle(value)
  }

  /** Takes a value outside of any trace. */
  settle(value: Value): void {
    this.current = this.narrow(value)
    if (bufferOf(this.current)) this.settled()
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

  /** The value outside of any trace, as it is stored. */
  get outer(): Value {
    return this.current
  }
}
