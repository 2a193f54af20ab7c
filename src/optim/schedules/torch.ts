import type { Schedule } from './schedule.js'
import { schedule } from './schedule.js'

// Reference: torch.optim.lr_scheduler (closed forms). Every function takes the optimizer's base rate first.

/** StepLR: base * gamma^floor(step / stepSize). */
export const stepLR = (base: number, { stepSize, gamma = 0.1 }: { stepSize: number; gamma?: number }): Schedule =>
  schedule((step) => base * gamma ** Math.floor(step / stepSize))

/** MultiStepLR: multiplies by gamma at each milestone. */
export const multiStepLR = (
  base: number,
  { milestones, gamma = 0.1 }: { milestones: readonly number[]; gamma?: number },
): Schedule => schedule((step) => base * gamma ** milestones.filter((milestone) => milestone <= step).length)

/** ExponentialLR: base * gamma^step. */
export const exponentialLR = (base: number, { gamma }: { gamma: number }): Schedule =>
  schedule((step) => base * gamma ** step)

/** ConstantLR: base * factor for the first totalIters steps (for all of them where that is 0, as torch's does). */
export const constantLR = (
  base: number,
  { factor = 1 / 3, totalIters = 5 }: { factor?: number; totalIters?: number } = {},
): Schedule => schedule((step) => (step < totalIters || totalIters === 0 ? base * factor : base))

/** LinearLR: the factor goes linearly from startFactor to endFactor over totalIters steps; it stays at the first where that is 0. */
export const linearLR = (
  base: number,
  {
    startFactor = 1 / 3,
    endFactor = 1,
    totalIters = 5,
  }: { startFactor?: number; endFactor?: number; totalIters?: number } = {},
): Schedule =>
  schedule(
    (step) => base * (startFactor + ((endFactor - startFactor) * Math.min(step, totalIters)) / Math.max(1, totalIters)),
  )

const cosineBetween = (from: number, to: number, fraction: number): number =>
  to + ((from - to) * (1 + Math.cos(Math.PI * fraction))) / 2

/** CosineAnnealingLR (Loshchilov and Hutter 2016, without restarts). Past tMax it rises again, as torch's does. */
export const cosineAnnealingLR = (base: number, { tMax, etaMin = 0 }: { tMax: number; etaMin?: number }): Schedule =>
  schedule((step) => cosineBetween(base, etaMin, step / tMax))

/** CosineAnnealingWarmRestarts: cycles of t0, t0 * tMult, ... steps. */
export function cosineAnnealingWarmRestarts(
  base: number,
  { t0, tMult = 1, etaMin = 0 }: { t0: number; tMult?: number; etaMin?: number },
): Schedule {
  return schedule((step) => {
    let length = t0
    let position = step
    while (position >= length) {
      position -= length
      length *= tMult
    }
    return cosineBetween(base, etaMin, position / length)
  })
}

/** PolynomialLR: base * (1 - step / totalIters)^power, then 0. */
export const polynomialLR = (
  base: number,
  { totalIters = 5, power = 1 }: { totalIters?: number; power?: number } = {},
): Schedule => schedule((step) => base * (1 - Math.min(step, totalIters) / Math.max(1, totalIters)) ** power)

export interface OneCycleOptions {
  maxLr: number
  /** Or `epochs` times `stepsPerEpoch`. */
  totalSteps?: number
  epochs?: number
  stepsPerEpoch?: number
  pctStart?: number
  annealStrategy?: 'cos' | 'linear'
  cycleMomentum?: boolean
  baseMomentum?: number
  maxMomentum?: number
  divFactor?: number
  finalDivFactor?: number
  threePhase?: boolean
}

const ANNEAL = {
  cos: (from: number, to: number, fraction: number): number => cosineBetween(from, to, fraction),
  linear: (from: number, to: number, fraction: number): number => from + (to - from) * fraction,
}

/** OneCycleLR (Smith and Topin 2017). */
export function oneCycleLR(_base: number, options: OneCycleOptions): Schedule {
  const {
    maxLr,
    totalSteps = (options.epochs ?? Number.NaN) * (options.stepsPerEpoch ?? Number.NaN),
    pctStart = 0.3,
    annealStrategy = 'cos',
    divFactor = 25,
    finalDivFactor = 1e4,
    threePhase = false,
  } = options
  const { cycleMomentum = true, baseMomentum = 0.85, maxMomentum = 0.95 } = options
  if (!(Number.isInteger(totalSteps) && totalSteps > 0))
    throw new RangeError('OneCycleLR needs totalSteps, or epochs and stepsPerEpoch, as positive integers')
  const initial = maxLr / divFactor
  const minimum = initial / finalDivFactor
  const up = pctStart * totalSteps - 1
  type Phase = { end: number; lr: readonly [number, number]; momentum: readonly [number, number] }
  const rising: Phase = { end: up, lr: [initial, maxLr], momentum: [maxMomentum, baseMomentum] }
  const phases: Phase[] = threePhase
    ? [
        rising,
        { end: 2 * up, lr: [maxLr, initial], momentum: [baseMomentum, maxMomentum] },
        { end: totalSteps - 1, lr: [initial, minimum], momentum: [maxMomentum, maxMomentum] },
      ]
    : [rising, { end: totalSteps - 1, lr: [maxLr, minimum], momentum: [baseMomentum, maxMomentum] }]
  const anneal = ANNEAL[annealStrategy]
  const at = (step: number, of: (phase: Phase) => readonly [number, number]): number => {
    if (step > totalSteps)
      throw new RangeError(`OneCycleLR was made for ${totalSteps} steps, step ${step} was asked for`)
    let start = 0
    for (const [i, phase] of phases.entries()) {
      if (step <= phase.end || i === phases.length - 1)
        return anneal(...of(phase), (step - start) / (phase.end - start))
      start = phase.end
    }
    return of(phases[0])[0]
  }
  const lr = (step: number): number => at(step, (phase) => phase.lr)
  return cycleMomentum ? { at: lr, momentumAt: (step) => at(step, (phase) => phase.momentum) } : { at: lr }
}

export interface CyclicOptions {
  baseLr: number
  maxLr: number
  stepSizeUp?: number
  stepSizeDown?: number
  mode?: 'triangular' | 'triangular2' | 'exp_range'
  gamma?: number
  cycleMomentum?: boolean
  baseMomentum?: number
  maxMomentum?: number
}

/** CyclicLR (Smith 2015). */
export function cyclicLR(_base: number, options: CyclicOptions): Schedule {
  const { baseLr, maxLr, stepSizeUp = 2000, stepSizeDown = stepSizeUp, mode = 'triangular', gamma = 1 } = options
  const { cycleMomentum = true, baseMomentum = 0.8, maxMomentum = 0.9 } = options
  const total = stepSizeUp + stepSizeDown
  const ratio = stepSizeUp / total
  const amplitude = {
    triangular: () => 1,
    triangular2: (cycle: number) => 1 / 2 ** (cycle - 1),
    exp_range: (_cycle: number, step: number) => gamma ** step,
  }[mode]
  const height = (step: number): number => {
    const cycle = Math.floor(1 + step / total)
    const x = 1 + step / total - cycle
    const scale = x <= ratio ? x / ratio : (x - 1) / (ratio - 1)
    return scale * amplitude(cycle, step)
  }
  const at = (step: number): number => baseLr + (maxLr - baseLr) * height(step)
  return cycleMomentum
    ? { at, momentumAt: (step) => maxMomentum - (maxMomentum - baseMomentum) * height(step) }
    : { at }
}

/** SequentialLR: each schedule starts from step 0 at its milestone. */
export function sequentialLR(
  schedules: readonly Schedule[],
  { milestones }: { milestones: readonly number[] },
): Schedule {
  if (milestones.length !== schedules.length - 1)
    throw new RangeError(
      `${schedules.length} schedules need ${schedules.length - 1} milestones, got ${milestones.length}`,
    )
  return schedule((step) => {
    const index = milestones.filter((milestone) => milestone <= step).length
    return schedules[index].at(index === 0 ? step : step - milestones[index - 1])
  })
}
