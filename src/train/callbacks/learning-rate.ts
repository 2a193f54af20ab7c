import type { Logs } from '../history.js'
import { Callback, type Json } from './callback.js'
import { improves, type MonitorMode, monitored } from './monitor.js'

export interface ReduceLROnPlateauOptions {
  monitor?: string
  factor?: number
  patience?: number
  mode?: MonitorMode
  minDelta?: number
  cooldown?: number
  minLr?: number
}

/** Lowers the learning rate when a value stops improving; logs `learning_rate`. Reference: keras.callbacks.ReduceLROnPlateau. */
export class ReduceLROnPlateau extends Callback {
  private best: number | null = null
  private wait = 0
  private cooldownLeft = 0
  private readonly options: Required<ReduceLROnPlateauOptions>
  private readonly isBetter: (current: number, best: number, minDelta: number) => boolean

  constructor(options: ReduceLROnPlateauOptions = {}) {
    super()
    this.options = {
      monitor: 'val_loss',
      factor: 0.1,
      patience: 10,
      mode: 'auto',
      minDelta: 1e-4,
      cooldown: 0,
      minLr: 0,
      ...options,
    }
    if (this.options.factor >= 1)
      throw new RangeError(`ReduceLROnPlateau: factor must be below 1, got ${this.options.factor}`)
    this.isBetter = improves(this.options.mode, this.options.monitor)
  }

  override onEpochEnd(_epoch: number, logs: Logs): void {
    const { monitor, factor, patience, minDelta, cooldown, minLr } = this.options
    const { optimizer } = this.trainer
    logs.learning_rate = Math.fround(optimizer.learningRate)
    const current = monitored('ReduceLROnPlateau', logs, monitor)
    const cooling = this.cooldownLeft > 0
    if (cooling) {
      this.cooldownLeft--
      this.wait = 0
    }
    if (this.best === null || this.isBetter(current, this.best, minDelta)) {
      this.best = current
      this.wait = 0
    } else if (!(this.cooldownLeft > 0)) {
      this.wait++
      if (this.wait >= patience && optimizer.learningRate > minLr) {
        optimizer.learningRate = Math.max(Math.fround(optimizer.learningRate) * factor, minLr)
        this.cooldownLeft = cooldown
        this.wait = 0
      }
    }
  }

  override state(): Json {
    return { best: this.best, wait: this.wait, cooldownLeft: this.cooldownLeft }
  }

  override restore(state: Json): void {
    const { best, wait, cooldownLeft } = state as { best: number | null; wait: number; cooldownLeft: number }
    this.best = best
    this.wait = wait
    this.cooldownLeft = cooldownLeft
  }
}

/** Sets the learning rate at the start of each epoch; logs `learning_rate`. Reference: keras.callbacks.LearningRateScheduler. */
export class LearningRateScheduler extends Callback {
  constructor(private readonly schedule: (epoch: number, learningRate: number) => number) {
    super()
  }

  override onEpochBegin(epoch: number): void {
    const { optimizer } = this.trainer
    const rate = this.schedule(epoch, optimizer.learningRate)
    if (!Number.isFinite(rate))
      throw new RangeError(`LearningRateScheduler: the schedule gave ${rate} for epoch ${epoch}, expected a number`)
    optimizer.learningRate = rate
  }

  override onEpochEnd(_epoch: number, logs: Logs): void {
    logs.learning_rate = Math.fround(this.trainer.optimizer.learningRate)
  }
}
