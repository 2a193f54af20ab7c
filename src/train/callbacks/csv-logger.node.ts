import { createWriteStream, existsSync, readFileSync, type WriteStream } from 'node:fs'
import type { Logs } from '../history.js'
import { Callback } from './callback.js'

const field = (value: string): string => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value)

/** Writes one line an epoch: epoch and every logged number. Reference: keras.callbacks.CSVLogger. */
export class CSVLogger extends Callback {
  private stream: WriteStream | null = null
  private columns: string[] | null = null
  private failure: Error | null = null

  constructor(
    private readonly path: string,
    private readonly options: { append?: boolean; separator?: string } = {},
  ) {
    super()
  }

  override onTrainBegin(): void {
    const append = this.options.append ?? false
    if (append && existsSync(this.path)) {
      const [head] = readFileSync(this.path, 'utf8').split('\n', 1)
      if (head) this.columns = head.split(this.separator)
    }
    this.stream = createWriteStream(this.path, { flags: append ? 'a' : 'w' })
    this.stream.on('error', (error) => {
      this.failure = error
    })
  }

  private get separator(): string {
    return this.options.separator ?? ','
  }

  override onEpochEnd(epoch: number, logs: Logs): Promise<void> {
    if (!this.columns) {
      this.columns = ['epoch', ...Object.keys(logs).sort()]
      this.write(this.columns.map(field).join(this.separator))
    }
    this.write(
      this.columns
        .map((name) => (name === 'epoch' ? String(epoch) : name in logs ? String(logs[name]) : 'NA'))
        .join(this.separator),
    )
    return this.check()
  }

  override onTrainEnd(): Promise<void> {
    return new Promise((resolve) => this.stream?.end(resolve) ?? resolve())
  }

  private write(line: string): void {
    this.stream?.write(`${line}\n`)
  }

  private async check(): Promise<void> {
    if (this.failure) throw new Error(`CSVLogger: cannot write ${this.path}: ${this.failure.message}`)
  }
}
