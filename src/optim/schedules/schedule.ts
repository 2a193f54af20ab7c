/**
 * A learning rate as a function of the step: `at(0)` is used for the first update. Evaluated on the host before each update, so a
 * changing rate never recompiles anything.
 */
export interface Schedule {
  at(step: number): number
  /** Momentum (SGD) or beta1 (Adam) that goes with the rate, where the schedule cycles it too (OneCycleLR, CyclicLR). */
  momentumAt?(step: number): number
}

export type LearningRate = number | Schedule

export const rateAt = (rate: LearningRate, step: number): number => (typeof rate === 'number' ? rate : rate.at(step))

/** A schedule from a plain function. */
export const schedule = (at: (step: number) => number): Schedule => ({ at })
