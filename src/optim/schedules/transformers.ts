import type { Schedule } from './schedule.js'
import { schedule } from './schedule.js'

// Reference: transformers.optimization (get_*_schedule*). Every function takes the optimizer's base rate first.

const warm = (step: number, warmup: number): number | null => (step < warmup ? step / Math.max(1, warmup) : null)

const progress = (step: number, warmup: number, total: number): number => (step - warmup) / Math.max(1, total - warmup)

interface Warmup {
  numWarmupSteps: number
}
interface WarmupTraining extends Warmup {
  numTrainingSteps: number
}

/** get_constant_schedule. */
export const constant = (base: number): Schedule => schedule(() => base)

/** get_constant_schedule_with_warmup. */
export const constantWithWarmup = (base: number, { numWarmupSteps }: Warmup): Schedule =>
  schedule((step) => base * (warm(step, numWarmupSteps) ?? 1))

/** get_linear_schedule_with_warmup: up to base, then down to 0. */
export const linear = (base: number, { numWarmupSteps, numTrainingSteps }: WarmupTraining): Schedule =>
  schedule(
    (step) =>
      base *
      (warm(step, numWarmupSteps) ??
        Math.max(0, (numTrainingSteps - step) / Math.max(1, numTrainingSteps - numWarmupSteps))),
  )

/** get_cosine_schedule_with_warmup. */
export const cosine = (
  base: number,
  { numWarmupSteps, numTrainingSteps, numCycles = 0.5 }: WarmupTraining & { numCycles?: number },
): Schedule =>
  schedule((step) => {
    const p = progress(step, numWarmupSteps, numTrainingSteps)
    return base * (warm(step, numWarmupSteps) ?? Math.max(0, 0.5 * (1 + Math.cos(Math.PI * numCycles * 2 * p))))
  })

/** get_cosine_with_hard_restarts_schedule_with_warmup. */
export const cosineWithRestarts = (
  base: number,
  { numWarmupSteps, numTrainingSteps, numCycles = 1 }: WarmupTraining & { numCycles?: number },
): Schedule =>
  schedule((step) => {
    const rising = warm(step, numWarmupSteps)
    if (rising !== null) return base * rising
    const p = progress(step, numWarmupSteps, numTrainingSteps)
    return p >= 1 ? 0 : base * Math.max(0, 0.5 * (1 + Math.cos(Math.PI * ((numCycles * p) % 1))))
  })

/** get_polynomial_decay_schedule_with_warmup. */
export const polynomial = (
  base: number,
  { numWarmupSteps, numTrainingSteps, lrEnd = 1e-7, power = 1 }: WarmupTraining & { lrEnd?: number; power?: number },
): Schedule =>
  schedule((step) => {
    const rising = warm(step, numWarmupSteps)
    if (rising !== null) return base * rising
    if (step > numTrainingSteps) return lrEnd
    const remaining = 1 - (step - numWarmupSteps) / (numTrainingSteps - numWarmupSteps)
    return (base - lrEnd) * remaining ** power + lrEnd
  })

/** get_inverse_sqrt_schedule. */
export const inverseSqrt = (
  base: number,
  { numWarmupSteps, timescale = numWarmupSteps || 10_000 }: Warmup & { timescale?: number },
): Schedule =>
  schedule(
    (step) => base * (warm(step, numWarmupSteps) ?? 1 / Math.sqrt((step + timescale - numWarmupSteps) / timescale)),
  )

export interface WsdOptions extends Warmup {
  numDecaySteps: number
  numStableSteps?: number
  numTrainingSteps?: number
  warmupType?: keyof typeof SHAPES
  decayType?: keyof typeof SHAPES
  minLrRatio?: number
  numCycles?: number
}

const SHAPES = {
  linear: (fraction: number): number => fraction,
  cosine: (fraction: number, cycles: number): number =>
    Math.max(0, 0.5 * (1 - Math.cos(Math.PI * cycles * 2 * fraction))),
  '1-sqrt': (fraction: number): number => 1 - Math.sqrt(1 - fraction),
}

/** get_wsd_schedule: warm up, stay, decay to minLrRatio. */
export function wsd(base: number, options: WsdOptions): Schedule {
  const {
    numWarmupSteps,
    numDecaySteps,
    warmupType = 'linear',
    decayType = 'cosine',
    minLrRatio = 0,
    numCycles = 0.5,
  } = options
  const stable = options.numStableSteps ?? (options.numTrainingSteps ?? 0) - numWarmupSteps - numDecaySteps
  const scale = (factor: number): number => factor * (1 - minLrRatio) + minLrRatio
  return schedule((step) => {
    if (step < numWarmupSteps)
      return base * Math.max(0, scale(SHAPES[warmupType](step / Math.max(1, numWarmupSteps), numCycles)))
    if (step < numWarmupSteps + stable) return base
    if (step >= numWarmupSteps + stable + numDecaySteps) return base * minLrRatio
    const fraction = (step - numWarmupSteps - stable) / Math.max(1, numDecaySteps)
    const falling =
      decayType === 'cosine'
        ? Math.max(0, 0.5 * (1 + Math.cos(Math.PI * numCycles * 2 * fraction)))
        : decayType === 'linear'
          ? 1 - fraction
          : 1 - Math.sqrt(fraction)
    return base * Math.max(0, scale(falling))
  })
}

interface FloorOptions extends WarmupTraining {
  numCycles?: number
  minLr?: number
  minLrRate?: number
}

/** The rate after warmup at a fraction of the way: a cosine from `base` to its floor. */
function cosineToFloor(
  base: number,
  { numCycles = 0.5, minLr, minLrRate }: FloorOptions,
): (fraction: number) => number {
  const floor = minLrRate ?? (minLr ?? 0) / base
  return (fraction) => {
    const factor = 0.5 * (1 + Math.cos(Math.PI * numCycles * 2 * fraction))
    return base * Math.max(0, factor * (1 - floor) + floor)
  }
}

/** get_cosine_with_min_lr_schedule_with_warmup. */
export const cosineWithMinLr = (base: number, options: FloorOptions): Schedule => {
  const { numWarmupSteps, numTrainingSteps } = options
  const falling = cosineToFloor(base, options)
  return schedule((step) => {
    const rising = warm(step, numWarmupSteps)
    return rising === null ? falling(progress(step, numWarmupSteps, numTrainingSteps)) : base * rising
  })
}

/**
 * get_cosine_with_min_lr_schedule_with_warmup_lr_rate: steps count from 1, and the warmup starts at `warmupLrRate` of the base where that is
 * given.
 */
export const cosineWithMinLrWarmupRate = (
  base: number,
  options: FloorOptions & { warmupLrRate?: number },
): Schedule => {
  const { numWarmupSteps, numTrainingSteps, warmupLrRate } = options
  const falling = cosineToFloor(base, options)
  return schedule((step) => {
    if (step >= numWarmupSteps) return falling(progress(step + 1, numWarmupSteps, numTrainingSteps))
    return warmupLrRate === undefined
      ? (base * (step + 1)) / Math.max(1, numWarmupSteps)
      : base * (warmupLrRate + ((1 - warmupLrRate) * step) / Math.max(1, numWarmupSteps - 1))
  })
}
