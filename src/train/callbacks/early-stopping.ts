import { type Tensor, tensor } from '../../tensor/index.js'
import type { Logs } from '../history.js'
import { Callback, type Json } from './callback.js'
import { improves, type MonitorMode, monitored } from './monitor.js'

export interface EarlyStoppingOptions {
  monitor?: string
  minDelta?: number
  patience?: number
  mode?: MonitorMode
  baseline?: number | null
  restoreBestWeights?: boolean
  startFromEpoch?: number
}

/** Ends training when a value stops improving. Reference: keras.callbacks.EarlyStopping. */
export class EarlyStopping extends Callback {
  private best: number | null = null
  private bestEpoch = 0
  private wait = 0
  private bestWeights: Tensor[] | null = null
  private readonly options: Required<EarlyStoppingOptions>
  private readonly isBetter: (current: number, best: number, minDelta: number) => boolean

  constructor(options: EarlyStoppingOptions = {}) {
    super()
    this.options = {
      monitor: 'val_loss',
      minDelta: 0,
      patience: 0,
      mode: 'auto',
      baseline: null,
      restoreBestWeights: false,
      startFromEpoch: 0,
      ...options,
    }
    this.isBetter = improves(this.options.mode, this.options.monitor)
  }

  /** Epoch (from 0) with the best value so far. */
  get epochOfBest(): number {
    return this.bestEpoch
  }

  override async onEpochEnd(epoch: number, logs: Logs): Promise<void> {
    const { monitor, minDelta, patience, baseline, restoreBestWeights, startFromEpoch } = this.options
    if (epoch < startFromEpoch) return
    const current = monitored('EarlyStopping', logs, monitor)
    if (restoreBestWeights && this.bestWeights === null) this.bestWeights = await this.snapshot()
    this.wait++
    if (this.best === null || this.isBetter(current, this.best, minDelta)) {
      this.best = current
      this.bestEpoch = epoch
      if (restoreBestWeights) this.bestWeights = await this.snapshot()
      if (baseline === null || this.isBetter(current, baseline, minDelta)) this.wait = 0
      return
    }
    if (this.wait >= patience && epoch > 0) this.trainer.stopTraining = true
  }

  override onTrainEnd(): void {
    if (this.bestWeights) this.trainer.model.setWeights(this.bestWeights)
  }

  private async snapshot(): Promise<Tensor[]> {
    return Promise.all(
      this.trainer.model.weights.map(async (weight) =>
        tensor(await weight.value.data(), { shape: weight.shape, dtype: weight.dtype }),
      ),
    )
  }

  override state(): Json {
    return { best: this.best, bestEpoch: this.bestEpoch, wait: this.wait }
  }

  override restore(state: Json): void {
    const { best, bestEpoch, wait } = state as { best: number | null; bestEpoch: number; wait: number }
    this.best = best
    this.bestEpoch = bestEpoch
    this.wait = wait
  }

  override tensors(): Readonly<Record<string, Tensor>> {
    return Object.fromEntries((this.bestWeights ?? []).map((weight, i) => [`best.${i}`, weight]))
  }

  override restoreTensors(tensors: Readonly<Record<string, Tensor>>): void {
    const count = Object.keys(tensors).length
    if (count > 0) this.bestWeights = Array.from({ length: count }, (_, i) => tensors[`best.${i}`])
  }
}
