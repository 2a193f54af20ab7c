import type { DType, Shape } from '../ir/index.js'
import { bufferOf, Cell, Flag, type StorageType } from '../runtime/index.js'
import { Tensor } from './tensor.js'

/**
 * Named state with a stable identity: weights, statistics, optimizer slots. Functions take it wherever they take a tensor.
 * `value` reads and replaces the contents; inside `jit` both become inputs and outputs of the compiled program.
 */
export class Parameter {
  /** Identity for the runtime. */
  readonly cell: Cell
  private readonly trainableFlag: Flag<boolean>

  constructor(
    initial: Tensor,
    readonly options: { readonly trainable?: boolean; name?: string } = {},
  ) {
    this.cell = new Cell(initial.value)
    if (!bufferOf(initial.value)) this.cell.settle(initial.value)
    this.trainableFlag = new Flag(options.trainable ?? true)
  }

  /** Whether optimizers update it. */
  get trainable(): boolean {
    return this.trainableFlag.get()
  }

  set trainable(trainable: boolean) {
    this.trainableFlag.set(trainable)
  }

  get name(): string {
    return this.options.name ?? ''
  }

  set name(name: string) {
    this.options.name = name
  }

  get shape(): Shape {
    return this.cell.shape
  }

  get dtype(): DType {
    return this.cell.dtype
  }

  /** Dtype that the contents lie in memory in; differs from `dtype` after {@link store}. */
  get storage(): DType {
    return this.cell.storage
  }

  /**
   * Stores an f32 parameter in 16 bits (or in f32 again): half the memory and half the reading. It is an f32 parameter all the same: reads widen,
   * writes round to the nearest, and gradients are f32.
   * @throws TypeError where the dtype is not f32
   */
  store(dtype: StorageType): this {
    this.cell.store(dtype)
    return this
  }

  /** The contents as they are stored, outside of any trace. */
  get stored(): Tensor {
    return new Tensor(this.cell.outer)
  }

  get value(): Tensor {
    return new Tensor(this.cell.read())
  }

  /** @throws Error when shape or dtype would change. */
  set value(next: Tensor) {
    this.cell.write(next.value)
  }

  toString(): string {
    return `Parameter(${this.name || 'unnamed'}: ${this.dtype}[${this.shape.join(', ')}])`
  }
}
