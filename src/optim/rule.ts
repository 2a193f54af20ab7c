import type { Tensor } from '../tensor/index.js'

/** Named auxiliary tensors of one parameter (momentum, second moments, ...), all of the parameter's shape unless stated. */
export type Slots = Readonly<Record<string, Tensor>>

/** Host numbers of one update of one group, handed to the program as float32 inputs, so that no change of them recompiles. */
export type Scalars<N extends string> = Readonly<Record<N, number>>

/** The same numbers inside the program: scalars. */
export type ScalarTensors<N extends string> = Readonly<Record<N, Tensor>>

export interface Update {
  readonly param: Tensor
  readonly slots: Slots
}

/**
 * An update rule as pure functions: `scalars` runs on the host in double precision, `update` records the tensor program.
 * O holds options that may differ between parameter groups.
 */
export interface UpdateRule<O, N extends string> {
  readonly name: string
  /** Names of the slots, and how they start: zeros, or a copy of the parameter. */
  slots(options: O): readonly string[]
  /** Numbers for update number `t` (1 for the first) at learning rate `lr`. */
  scalars(options: O, t: number, lr: number): Scalars<N>
  update(param: Tensor, grad: Tensor, slots: Slots, s: ScalarTensors<N>, options: O): Update
}
