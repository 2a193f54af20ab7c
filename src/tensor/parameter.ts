import { type DType, type Shape, splat } from '../ir/index.js'
import { bufferOf, Cell, Flag, type StorageType } from '../runtime/index.js'
import { Tensor } from './tensor.js'

/** What a parameter is computed from that holds nothing itself (weight norm, spectral norm). */
export interface Derivation {
  readonly shape: Shape
  readonly dtype: DType
  /** By their names in state dicts, below `parametrizations.<name of the parameter>`. */
  readonly sources: Readonly<Record<string, Parameter>>
  /** Names of sources in older files: what follows the name of the parameter, and the source. */
  readonly legacy: Readonly<Record<string, string>>
  /** The parameter's value. */
  read(): Tensor
  /** Gives the sources values for which {@link read} gives `value`, where there are any. */
  write(value: Tensor): void
}

/**
 * Named state with a stable identity: weights, statistics, optimizer slots. Functions take it wherever they take a tensor.
 * `value` reads and replaces the contents; inside `jit` both become inputs and outputs of the compiled program.
 */
export class Parameter {
  /** Identity for the runtime. */
  readonly cell: Cell
  private readonly trainableFlag: Flag<boolean>
  #derivation: Derivation | null = null

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
    return this.#derivation?.shape ?? this.cell.shape
  }

  get dtype(): DType {
    return this.#derivation?.dtype ?? this.cell.dtype
  }

  /** Set while the value is computed from other parameters; those are trained and saved in its place. */
  get derivation(): Derivation | null {
    return this.#derivation
  }

  /** Computes the value from other parameters from now on (the own memory is let go), or, with null, holds the present value itself again. */
  derive(derivation: Derivation | null): this {
    const held = derivation ? new Tensor(splat(0, [], derivation.dtype)) : this.value
    this.#derivation = derivation
    this.cell.settle(held.value)
    return this
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
    if (this.#derivation) throw new TypeError(`${this} is computed from other parameters; store those`)
    this.cell.store(dtype)
    return this
  }

  /** The contents as they are stored, outside of any trace. */
  get stored(): Tensor {
    return this.#derivation?.read() ?? new Tensor(this.cell.outer)
  }

  get value(): Tensor {
    return this.#derivation?.read() ?? new Tensor(this.cell.read())
  }

  /** @throws Error when shape or dtype would change. */
  set value(next: Tensor) {
    if (this.#derivation) this.#derivation.write(next)
    else this.cell.write(next.value)
  }

  toString(): string {
    return `Parameter(${this.name || 'unnamed'}: ${this.dtype}[${this.shape.join(', ')}])`
  }
}
