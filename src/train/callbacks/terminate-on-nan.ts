import { Callback } from './callback.js'

/** Ends training when the loss of a batch is not a finite number. Reference: keras.callbacks.TerminateOnNaN. */
export class TerminateOnNaN extends Callback {
  override readonly acceptsNonFiniteLoss = true

  override onLossKnown(_batch: number, loss: number): void {
    if (!Number.isFinite(loss)) this.trainer.stopTraining = true
  }
}
