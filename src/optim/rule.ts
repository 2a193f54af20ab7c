import type { Tensor } from '../tensor/index.js'

/** Named auxiliary tensors of one parameter (momentum, second moments, ...). */
export type Slots = Readonly<Record<string, Tensor>>

/** What a rule may know of a parameter when its slots are made. */
export interface ParamInfo {
  readonly name: string
  readonly shape: readonly number[]
}

/** One slot. A bare name stands for zeros of the parameter's shape. */
export type SlotSpec =
  | string
  | {
      readonly name: string
      /** The parameter's shape unless given, as for the factors of a second moment. */
      readonly shape?: readonly number[]
      /** Value of every element before the first update (default 0). */
      readonly initial?: number
    }

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
  /** The slots of a parameter and how they start. @throws RangeError for a parameter that the rule cannot update */
  slots(options: O, param: ParamInfo): readonly SlotSpec[]
  /** Numbers for update number `t` (1 for the first) at learning rate `lr`. */
  scalars(options: O, t: number, lr: number): Scalars<N>
  update(param: Tensor, grad: Tensor, slots: Slots, s: ScalarTensors<N>, options: O, info: ParamInfo): Update
}
