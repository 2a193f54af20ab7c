import type { Steps } from '../ir/index.js'

/** Longest that steps run without a pause, in milliseconds, but for the last step of a slice. */
const SLICE = 4

/** What other work the event loop has comes first: `setImmediate` where there is one, since timers wait a millisecond. */
const nextTurn = (): Promise<void> =>
  new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve)
    else setTimeout(resolve, 0)
  })

/** Runs all steps with pauses in which the event loop gets its turn. */
export async function finishInSlices<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    const end = performance.now() + SLICE
    do {
      const step = steps.next()
      if (step.done) return step.value
    } while (performance.now() < end)
    await nextTurn()
  }
}
