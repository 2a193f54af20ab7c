import { MultiBar, type SingleBar } from 'cli-progress'
import type { Logs } from '../history.js'
import { Callback } from './callback.js'

export interface ProgressOptions {
  /** Where to write. Default: standard error. */
  stream?: NodeJS.WriteStream
  /** Milliseconds between updates of running metrics. Default 250. */
  interval?: number
}

export function numberText(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  const size = Math.abs(value)
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(3) : value.toFixed(4)
}

/** `loss 0.1234 - accuracy 0.9876` */
export const logsText = (logs: Readonly<Logs>): string =>
  Object.entries(logs)
    .map(([name, value]) => `${name} ${numberText(value)}`)
    .join(' - ')

export function durationText(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)}s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes}m${Math.round(seconds % 60)}s` : `${Math.floor(minutes / 60)}h${minutes % 60}m`
}

/** A bar with the time to go and running metrics on a terminal; one plain line an epoch elsewhere. */
export class ProgressBar extends Callback {
  private bars: MultiBar | null = null
  private bar: SingleBar | null = null
  private startedAt = 0
  private shownAt = 0
  private batches = 0
  private readonly stream: NodeJS.WriteStream
  private readonly interval: number

  constructor(options: ProgressOptions = {}) {
    super()
    this.stream = options.stream ?? process.stderr
    this.interval = options.interval ?? 250
  }

  private get head(): string {
    return `epoch ${this.session.progress.epoch + 1}/${this.plan.epochs}`
  }

  override onTrainBegin(): void {
    if (!this.stream.isTTY) return
    const format = '{head} {bar} {value}/{total} {eta_text} {logs}'
    this.bars = new MultiBar({
      stream: this.stream,
      format,
      barsize: 24,
      hideCursor: true,
      clearOnComplete: true,
      barCompleteChar: '=',
      barIncompleteChar: '-',
    })
  }

  override onEpochBegin(): void {
    this.startedAt = performance.now()
    this.batches = 0
    const payload = { head: this.head, logs: '', eta_text: '' }
    this.bar = this.bars?.create(this.plan.steps ?? 0, this.session.progress.batch, payload) ?? null
  }

  override async onTrainBatchEnd(batch: number): Promise<void> {
    this.batches++
    const now = performance.now()
    if (!this.bar || now - this.shownAt < this.interval) return
    this.shownAt = now
    const perBatch = (now - this.startedAt) / this.batches
    const left = this.plan.steps === null ? null : ((this.plan.steps - batch - 1) * perBatch) / 1000
    const logs = await this.trainer.results()
    this.bar.update(batch + 1, {
      head: this.head,
      logs: logsText(logs),
      eta_text: left === null ? '' : `eta ${durationText(left)}`,
    })
  }

  override onEpochEnd(_epoch: number, logs: Logs): void {
    const seconds = (performance.now() - this.startedAt) / 1000
    const line = `${this.head} - ${durationText(seconds)} - ${logsText(logs)}`
    if (!this.bars || !this.bar) {
      this.stream.write(`${line}\n`)
      return
    }
    this.bar.stop()
    this.bars.remove(this.bar)
    this.bars.log(`${line}\n`)
    this.bars.update()
  }

  override onTrainEnd(): void {
    this.bars?.stop()
    this.bars = null
  }
}
