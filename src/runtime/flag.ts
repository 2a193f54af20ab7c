import { traceOfCells } from './trace.js'

/** A switch that traced code may branch on (train or eval, frozen or not): jit keeps one program for each combination it has met. */
export class Flag<T extends string | number | boolean> {
  constructor(private current: T) {}

  get(): T {
    const flags = traceOfCells()?.flags
    const key = this as Flag<string | number | boolean>
    // What a trace has read once holds for all of it, whatever is set in its pauses.
    if (flags?.has(key)) return flags.get(key) as T
    flags?.set(key, this.current)
    return this.current
  }

  set(value: T): void {
    this.current = value
  }
}
