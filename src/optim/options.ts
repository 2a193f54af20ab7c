import type { Parameter } from '../tensor/index.js'
import { type CommonOptions, Optimizer, type ParamGroup } from './optimizer.js'
import type { UpdateRule } from './rule.js'
import { type LearningRate, rateAt } from './schedules/index.js'

// Shared by the factories of optimizers with torch's calling form.

/** A parameter group as in torch: options beside `params` override the defaults. */
export type TorchGroup<O> = { params: readonly Parameter[]; lr?: LearningRate } & Partial<O>

/** Parameters that share all options, or groups of them. */
export type Params<O> = readonly Parameter[] | readonly TorchGroup<O>[]

const EXTRAS = [
  'maxGradNorm',
  'globalClipnorm',
  'gradientAccumulationSteps',
  'useEma',
  'emaMomentum',
  'emaOverwriteFrequency',
  'lookahead',
  'weightStorage',
] as const

/** Common options beside the ones that the origin knows. */
export type Extras = Pick<CommonOptions, (typeof EXTRAS)[number]>

export function groupsOf<O>(params: Params<O>): readonly Parameter[] | ParamGroup<O>[] {
  return (params as readonly object[]).every((item) => 'params' in item)
    ? (params as readonly TorchGroup<O>[]).map(({ params: list, lr, ...options }) => ({
        params: list,
        learningRate: lr,
        options: options as unknown as Partial<O>,
      }))
    : (params as readonly Parameter[])
}

export function commonOf(learningRate: LearningRate, extras: Extras): CommonOptions {
  return { learningRate, ...Object.fromEntries(EXTRAS.map((name) => [name, extras[name]])) }
}

interface Range {
  readonly min: number
  readonly max?: number
  /** Whether `max` itself is excluded. */
  readonly open?: boolean
}

const NONNEGATIVE: Range = { min: 0 }
const FRACTION: Range = { min: 0, max: 1, open: true }

/** What numbers of these names must satisfy; each number of a list must. */
const RANGES: Readonly<Record<string, Range>> = {
  lr: NONNEGATIVE,
  lrDecay: NONNEGATIVE,
  weightDecay: NONNEGATIVE,
  muonWeightDecay: NONNEGATIVE,
  adamWeightDecay: NONNEGATIVE,
  initialAccumulatorValue: NONNEGATIVE,
  eps: NONNEGATIVE,
  epsilon: NONNEGATIVE,
  momentumDecay: NONNEGATIVE,
  momentum: NONNEGATIVE,
  stepSizes: NONNEGATIVE,
  l1RegularizationStrength: NONNEGATIVE,
  l2RegularizationStrength: NONNEGATIVE,
  l2ShrinkageRegularizationStrength: NONNEGATIVE,
  nsSteps: { min: 0, max: 100, open: true },
  learningRatePower: { min: Number.NEGATIVE_INFINITY, max: 0 },
  rho: { min: 0, max: 1 },
  betas: FRACTION,
  beta1: FRACTION,
  beta2: FRACTION,
  adamBeta1: FRACTION,
  adamBeta2: FRACTION,
}

function check(owner: string, option: string, value: unknown): void {
  const range = RANGES[option]
  if (!range) return
  for (const item of Array.isArray(value) ? value : [value]) {
    if (typeof item !== 'number') continue
    const { min, max = Number.POSITIVE_INFINITY, open = false } = range
    if (item >= min && (open ? item < max : item <= max)) continue
    const bounds = range.max === undefined ? `at least ${min}` : `in [${min}, ${max}${open ? ')' : ']'}`
    throw new RangeError(`${owner}: ${option} must be ${bounds}, got ${item}`)
  }
}

/**
 * `defaults` with what `given` has of them.
 * @throws RangeError for a number out of its range
 */
export function withDefaults<O extends object>(owner: string, defaults: O, given: Partial<O>): O {
  const merged = { ...defaults }
  for (const name of Object.keys(defaults) as (keyof O & string)[]) {
    const value = given[name]
    if (value !== undefined) merged[name] = value as O[typeof name]
    check(owner, name, merged[name])
  }
  return merged
}

/** What a factory of torch's form takes. */
export type TorchInput<O> = { lr?: LearningRate } & Partial<O> & Extras

export type TorchFactory<O> = (params: Params<O>, options?: TorchInput<O>) => Optimizer<O>

/** The factory of a rule. */
export function torchFactory<O extends object, N extends string>(
  rule: UpdateRule<O, N>,
  defaults: O & { lr: number },
): TorchFactory<O> {
  const { lr: defaultRate, ...own } = defaults
  return (params, options = {}) => {
    const lr = options.lr ?? defaultRate
    check(rule.name, 'lr', lr)
    const merged = withDefaults(rule.name, own as unknown as O, options)
    return new Optimizer(rule, merged, commonOf(lr, options), groupsOf(params)) as unknown as Optimizer<O>
  }
}

/** The rate of the first update. */
export const initialRate = (lr: LearningRate): number => rateAt(lr, 0)
