export interface PlateauOptions {
  mode?: 'min' | 'max'
  factor?: number
  patience?: number
  threshold?: number
  thresholdMode?: 'rel' | 'abs'
  cooldown?: number
  minLr?: number
  eps?: number
}

/** Lowers a rate when a metric stops improving. Reference: torch.optim.lr_scheduler.ReduceLROnPlateau. */
export class ReduceLROnPlateau {
  private best: number
  private badEpochs = 0
  private cooldownLeft = 0
  private readonly options: Required<PlateauOptions>

  constructor(
    /** The present learning rate. */
    public lr: number,
    options: PlateauOptions = {},
  ) {
    this.options = {
      mode: 'min',
      factor: 0.1,
      patience: 10,
      threshold: 1e-4,
      thresholdMode: 'rel',
      cooldown: 0,
      minLr: 0,
      eps: 1e-8,
      ...options,
    }
    if (this.options.factor >= 1)
      throw new RangeError(`ReduceLROnPlateau: factor must be below 1, got ${this.options.factor}`)
    this.best = this.options.mode === 'min' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
  }

  private isBetter(metric: number): boolean {
    const { mode, threshold, thresholdMode } = this.options
    const sign = mode === 'min' ? -1 : 1
    const margin = thresholdMode === 'rel' ? this.best * (1 + sign * threshold) : this.best + sign * threshold
    if (!Number.isFinite(this.best)) return mode === 'min' ? metric < this.best : metric > this.best
    return mode === 'min' ? metric < margin : metric > margin
  }

  /** Takes the metric of one epoch and returns the rate to use from now on. */
  step(metric: number): number {
    const { patience, factor, cooldown, minLr, eps } = this.options
    if (this.isBetter(metric)) {
      this.best = metric
      this.badEpochs = 0
    } else this.badEpochs++
    if (this.cooldownLeft > 0) {
      this.cooldownLeft--
      this.badEpochs = 0
    }
    if (this.badEpochs > patience) {
      const next = Math.max(this.lr * factor, minLr)
      if (this.lr - next > eps) this.lr = next
      this.cooldownLeft = cooldown
      this.badEpochs = 0
    }
    return this.lr
  }
}
