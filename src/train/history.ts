import type { Profile } from '../runtime/index.js'

/** Numbers of one epoch: `loss`, metrics, and the same with the prefix `val_`. */
export type Logs = Record<string, number>

/** What `fit` returns: for each name one number an epoch. */
export class History {
  readonly epoch: number[] = []
  readonly history: Record<string, number[]> = {}
  /** Where the time of some steps went, if `fit` was asked for it: see `summarizeProfile`, `profileSvg` and `chromeTrace`. */
  profile: Profile | null = null

  /** Takes one epoch in. */
  add(epoch: number, logs: Readonly<Logs>): void {
    this.epoch.push(epoch)
    for (const [name, value] of Object.entries(logs)) {
      const list = this.history[name] ?? []
      list.push(value)
      this.history[name] = list
    }
  }

  /** The last value of a name. */
  last(name: string): number | undefined {
    return this.history[name]?.at(-1)
  }
}
