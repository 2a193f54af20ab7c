import { writeSafetensors } from '../../formats/index.node.js'
import { hostArrays } from '../checkpoint.node.js'
import type { Logs } from '../history.js'
import { Callback, type Json } from './callback.js'
import { improves, type MonitorMode, monitored } from './monitor.js'

export interface ModelCheckpointOptions {
  monitor?: string
  mode?: MonitorMode
  saveBestOnly?: boolean
}

/**
 * Writes the weights after each epoch, or only when a value improved. `{epoch}` and logged names in the path are filled in:
 * `best-{epoch}-{val_loss}.safetensors`. Reference: keras.callbacks.ModelCheckpoint.
 */
export class ModelCheckpoint extends Callback {
  private best: number | null = null
  /** File written last. */
  lastPath: string | null = null

  constructor(
    private readonly path: string,
    private readonly options: ModelCheckpointOptions = {},
  ) {
    super()
  }

  override async onEpochEnd(epoch: number, logs: Logs): Promise<void> {
    const { monitor = 'val_loss', mode = 'auto', saveBestOnly = false } = this.options
    if (saveBestOnly) {
      const current = monitored('ModelCheckpoint', logs, monitor)
      if (this.best !== null && !improves(mode, monitor)(current, this.best, 0)) return
      this.best = current
    }
    this.lastPath = this.path.replace(/\{(\w+)\}/g, (whole, name: string) =>
      name === 'epoch' ? String(epoch + 1) : name in logs ? logs[name].toFixed(4) : whole,
    )
    await writeSafetensors(this.lastPath, await hostArrays(this.trainer.model.stateDict()), { format: 'pt' })
  }

  override state(): Json {
    return { best: this.best }
  }

  override restore(state: Json): void {
    this.best = (state as { best: number | null }).best
  }
}
