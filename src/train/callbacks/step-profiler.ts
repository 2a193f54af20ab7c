import { type Profile, startProfile } from '../../runtime/index.js'
import { Callback } from './callback.js'

export interface StepProfilerOptions {
  /** Batches that run before: compilation and cold caches are not what is looked for. Default 10. */
  readonly skip?: number
  /** Batches that are timed. Default 20. */
  readonly steps?: number
}

/** Times every kernel of some training steps in the first epoch of a run; `fit({ profile: true })` uses it. */
export class StepProfiler extends Callback {
  /** Null until the steps have run; a run that ends earlier leaves what there was. */
  profile: Profile | null = null
  private readonly skip: number
  private readonly steps: number
  private running: { stop(): Profile } | null = null
  private seen = 0

  constructor({ skip = 10, steps = 20 }: StepProfilerOptions = {}) {
    super()
    this.skip = skip
    this.steps = steps
  }

  override onTrainBatchBegin(): void {
    if (this.seen === this.skip) this.running = startProfile()
    this.seen++
  }

  override onTrainBatchEnd(): void {
    if (this.seen >= this.skip + this.steps) this.finish()
  }

  override onEpochEnd(): void {
    this.finish()
  }

  private finish(): void {
    if (this.running) this.profile = this.running.stop()
    this.running = null
  }
}
