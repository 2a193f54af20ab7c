import type { Tensor } from '../../tensor/index.js'
import type { Progress } from '../fit.js'
import type { Logs } from '../history.js'
import type { Trainer } from '../trainer.js'

/** Plain data that a checkpoint can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

export interface FitPlan {
  readonly epochs: number
  /** Batches an epoch, where known. */
  readonly steps: number | null
  readonly examples: number | null
  readonly metrics: readonly string[]
}

/** What one run of `fit` shares with its callbacks. */
export interface FitSession {
  readonly trainer: Trainer
  readonly plan: FitPlan
  /** Epoch, batch and history; a callback may restore them in `onTrainBegin`. */
  readonly progress: Progress
  /** All callbacks of the run, in order. */
  readonly callbacks: readonly Callback[]
}

type Maybe = void | Promise<void>

/**
 * Hooks into training, as in Keras. `logs` may be added to: what `onEpochEnd` adds lands in the history.
 * Reading batch logs waits for the step, so callbacks that want them say so.
 */
export abstract class Callback {
  /** Set by `fit`. */
  protected session!: FitSession
  /** Ask for logs at the end of every batch. */
  readonly wantsBatchLogs: boolean = false

  /** True for callbacks that deal with a loss that is not finite themselves; otherwise `fit` stops with an error. */
  readonly acceptsNonFiniteLoss: boolean = false

  attach(session: FitSession): void {
    this.session = session
  }

  protected get trainer(): Trainer {
    return this.session.trainer
  }

  protected get plan(): FitPlan {
    return this.session.plan
  }

  onTrainBegin(): Maybe {}
  onTrainEnd(_logs: Readonly<Logs>): Maybe {}
  onEpochBegin(_epoch: number): Maybe {}
  onEpochEnd(_epoch: number, _logs: Logs): Maybe {}
  onTrainBatchBegin(_batch: number): Maybe {}
  /** `logs` is null unless {@link wantsBatchLogs}. */
  onTrainBatchEnd(_batch: number, _logs: Readonly<Logs> | null): Maybe {}

  /** The loss of a batch, told a few batches late so that steps need not wait for it. */
  onLossKnown(_batch: number, _loss: number): Maybe {}

  /** After the epoch is part of the progress: where checkpoints are written. */
  onEpochSaved(): Maybe {}

  /** State for checkpoints; null when there is none. */
  state(): Json {
    return null
  }

  restore(_state: Json): void {}

  /** Tensors for checkpoints, by name. */
  tensors(): Readonly<Record<string, Tensor>> {
    return {}
  }

  restoreTensors(_tensors: Readonly<Record<string, Tensor>>): void {}
}
