/**
 * Work in small steps: a generator that yields wherever a pause does no harm. One driver runs it at once ({@link finish}), another
 * gives the event loop its turn in between (`finishInSlices` of the runtime).
 */
export type Steps<T> = Generator<void, T, void>

/** Runs all steps without a pause. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}

/** How many nodes make one step, where each takes a few microseconds. */
export const NODES_A_STEP = 16
