import type { Schedule } from './schedule.js'
import { schedule } from './schedule.js'

// Reference: keras.optimizers.schedules. Keras computes in float32, so every operation here is rounded to float32.

const f = Math.fround
const pow = (base: number, exponent: number): number => f(f(base) ** f(exponent))
const cosine = (fraction: number): number => f(f(0.5) * f(1 + f(Math.cos(f(f(Math.PI) * fraction)))))

export interface ExponentialDecayOptions {
  initialLearningRate: number
  decaySteps: number
  decayRate: number
  staircase?: boolean
}

/** ExponentialDecay: initial * rate^(step / decaySteps). */
export const exponentialDecay = ({
  initialLearningRate,
  decaySteps,
  decayRate,
  staircase = false,
}: ExponentialDecayOptions): Schedule =>
  schedule((step) => {
    const p = f(step / decaySteps)
    return f(f(initialLearningRate) * pow(decayRate, staircase ? Math.floor(p) : p))
  })

/** PiecewiseConstantDecay: values[i] up to and including boundaries[i]. */
export const piecewiseConstantDecay = ({
  boundaries,
  values,
}: {
  boundaries: readonly number[]
  values: readonly number[]
}): Schedule => {
  if (values.length !== boundaries.length + 1)
    throw new RangeError(`${boundaries.length} boundaries need ${boundaries.length + 1} values, got ${values.length}`)
  return schedule((step) => f(values[boundaries.filter((boundary) => step > boundary).length]))
}

export interface PolynomialDecayOptions {
  initialLearningRate: number
  decaySteps: number
  endLearningRate?: number
  power?: number
  cycle?: boolean
}

/** PolynomialDecay, optionally starting over with a longer period (cycle). */
export const polynomialDecay = ({
  initialLearningRate,
  decaySteps,
  endLearningRate = 1e-4,
  power = 1,
  cycle = false,
}: PolynomialDecayOptions): Schedule =>
  schedule((step) => {
    const length = cycle ? f(decaySteps * (step === 0 ? 1 : Math.ceil(step / decaySteps))) : decaySteps
    const p = f((cycle ? step : Math.min(step, decaySteps)) / length)
    return f(f(f(f(initialLearningRate) - f(endLearningRate)) * pow(f(1 - p), power)) + f(endLearningRate))
  })

export interface InverseTimeDecayOptions extends ExponentialDecayOptions {}

/** InverseTimeDecay: initial / (1 + rate * step / decaySteps). */
export const inverseTimeDecay = ({
  initialLearningRate,
  decaySteps,
  decayRate,
  staircase = false,
}: InverseTimeDecayOptions): Schedule =>
  schedule((step) => {
    const p = f(step / decaySteps)
    return f(f(initialLearningRate) / f(1 + f(f(decayRate) * (staircase ? Math.floor(p) : p))))
  })

export interface CosineDecayOptions {
  initialLearningRate: number
  decaySteps: number
  alpha?: number
  warmupTarget?: number | null
  warmupSteps?: number
}

/** CosineDecay with optional linear warm-up from initialLearningRate to warmupTarget. */
export const cosineDecay = ({
  initialLearningRate,
  decaySteps,
  alpha = 0,
  warmupTarget = null,
  warmupSteps = 0,
}: CosineDecayOptions): Schedule =>
  schedule((step) => {
    const decay = (at: number, from: number): number => {
      const scaled = f(f(f(1 - alpha) * cosine(f(at / decaySteps))) + f(alpha))
      return f(f(from) * scaled)
    }
    if (warmupTarget === null) return decay(Math.min(step, decaySteps), initialLearningRate)
    const total = Math.min(step, decaySteps + warmupSteps)
    if (total >= warmupSteps) return decay(total - warmupSteps, warmupTarget)
    return f(f(f(f(warmupTarget) - f(initialLearningRate)) * f(total / warmupSteps)) + f(initialLearningRate))
  })

export interface CosineDecayRestartsOptions {
  initialLearningRate: number
  firstDecaySteps: number
  tMul?: number
  mMul?: number
  alpha?: number
}

/** CosineDecayRestarts: periods grow by tMul, peaks shrink by mMul. */
export const cosineDecayRestarts = ({
  initialLearningRate,
  firstDecaySteps,
  tMul = 2,
  mMul = 1,
  alpha = 0,
}: CosineDecayRestartsOptions): Schedule =>
  schedule((step) => {
    let fraction = f(step / firstDecaySteps)
    let restart = Math.floor(fraction)
    if (tMul === 1) fraction = f(fraction - restart)
    else {
      restart = Math.floor(f(f(Math.log(f(1 - f(fraction * f(1 - tMul))))) / f(Math.log(tMul))))
      const sum = f(f(1 - pow(tMul, restart)) / f(1 - tMul))
      fraction = f(f(fraction - sum) / pow(tMul, restart))
    }
    const decayed = f(f(f(1 - alpha) * f(pow(mMul, restart) * cosine(fraction))) + f(alpha))
    return f(f(initialLearningRate) * decayed)
  })
