import { traceOfCells } from './trace.js'

/** A switch that traced code may branch on (train or eval, frozen or not): jit keeps one program for each combination it has met. */
export class Flag<T extends string | number | boolean> {
  constructor(private current: T) {}

  get(): T {
    traceOfCells()?.flags.set(this as Flag<string | number | boolean>, this.current)
    return this.current
  }

  set(value: T): void {
    this.current = value
  }
}
