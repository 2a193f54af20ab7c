/** Runs `task` after the events that are pending. */
export function later(task: () => void): void {
  if (typeof setImmediate === 'function') {
    setImmediate(task)
    return
  }
  // Browsers: a timer would wait 4 ms.
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = () => {
    port1.close()
    task()
  }
  port2.postMessage(undefined)
}

/** Longest that a loop over items may hold up timers and input. */
const SLICE_MS = 8

/**
 * Lets pending events run now and then: a loop that awaits nothing but items at hand would otherwise block the event loop
 * to its end.
 */
export class Breather {
  #since = performance.now()

  /** A promise to wait for where the slice is used up. */
  pause(): Promise<void> | undefined {
    if (performance.now() - this.#since < SLICE_MS) return undefined
    return new Promise((resolve) => {
      later(() => {
        this.#since = performance.now()
        resolve()
      })
    })
  }
}
