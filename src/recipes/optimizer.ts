import { keras, type Optimizer, type Schedule } from '../optim/index.js'
import type { OptimizerSpec } from './schema.js'

export type ScheduleSpec = OptimizerSpec['schedule']

/** Warm-up from 0, then a fall to `finalFactor` of the rate over the rest of the run. */
export function scheduleFor(spec: ScheduleSpec, rate: number, totalSteps: number): Schedule | number {
  if (spec.type === 'constant') return rate
  const { warmupSteps, finalFactor, type } = spec
  return {
    at(step) {
      if (step < warmupSteps) return (rate * (step + 1)) / warmupSteps
      const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps))
      const falling = type === 'cosine' ? (1 + Math.cos(Math.PI * progress)) / 2 : 1 - progress
      return rate * (finalFactor + (1 - finalFactor) * falling)
    },
  }
}

/** The optimizer of a recipe for a run of `totalSteps` updates. */
export function optimizerFor(spec: OptimizerSpec, totalSteps: number): Optimizer {
  const { name, schedule, learningRate, ...options } = spec
  return keras[name]({ ...options, learningRate: scheduleFor(schedule, learningRate, totalSteps) }) as Optimizer
}
