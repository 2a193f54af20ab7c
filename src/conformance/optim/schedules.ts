import { schedules } from '../../optim/index.js'
import { type Comparison, compareValues, joinComparisons, type Tolerance, type Values } from '../compare.js'
import type { GoldenCase } from '../golden.js'
import { fromJson, type PyValue } from '../ops/values.js'
import type { Expr } from '../python/ast.js'
import { parsePython } from '../python/parser.js'
import { UnsupportedError } from '../unsupported.js'
import { camelCase, camelOptions } from './options.js'

type Schedule = schedules.Schedule
type Options = Record<string, PyValue>

export interface ScheduleCase extends GoldenCase {
  readonly scheduler: string
  readonly base_lr?: number
  readonly options?: Readonly<Record<string, unknown>>
  /** Rate at step 0, 1, ... */
  readonly lr?: readonly number[]
  readonly momentum?: readonly number[]
  /** ReduceLROnPlateau: the metric of each epoch, and the rate after it. */
  readonly metrics?: readonly number[]
  readonly lr_after_step?: readonly number[]
}

const { keras, torch, transformers } = schedules
type Factory = (base: number, options: never) => Schedule
const kerasSchedule =
  <O>(make: (options: O) => Schedule): Factory =>
  (_base, options) =>
    make(options)

const FACTORIES: Readonly<Record<string, Factory>> = {
  'torch.optim.lr_scheduler.StepLR': torch.stepLR,
  'torch.optim.lr_scheduler.MultiStepLR': torch.multiStepLR,
  'torch.optim.lr_scheduler.ExponentialLR': torch.exponentialLR,
  'torch.optim.lr_scheduler.ConstantLR': torch.constantLR,
  'torch.optim.lr_scheduler.LinearLR': torch.linearLR,
  'torch.optim.lr_scheduler.CosineAnnealingLR': torch.cosineAnnealingLR,
  'torch.optim.lr_scheduler.CosineAnnealingWarmRestarts': torch.cosineAnnealingWarmRestarts,
  'torch.optim.lr_scheduler.PolynomialLR': torch.polynomialLR,
  'torch.optim.lr_scheduler.OneCycleLR': torch.oneCycleLR,
  'torch.optim.lr_scheduler.CyclicLR': torch.cyclicLR,
  'transformers.get_constant_schedule': transformers.constant,
  'transformers.get_constant_schedule_with_warmup': transformers.constantWithWarmup,
  'transformers.get_linear_schedule_with_warmup': transformers.linear,
  'transformers.get_cosine_schedule_with_warmup': transformers.cosine,
  'transformers.get_cosine_with_hard_restarts_schedule_with_warmup': transformers.cosineWithRestarts,
  'transformers.get_polynomial_decay_schedule_with_warmup': transformers.polynomial,
  'transformers.get_inverse_sqrt_schedule': transformers.inverseSqrt,
  'transformers.get_wsd_schedule': transformers.wsd,
  'transformers.get_cosine_with_min_lr_schedule_with_warmup': transformers.cosineWithMinLr,
  'transformers.get_cosine_with_min_lr_schedule_with_warmup_lr_rate': transformers.cosineWithMinLrWarmupRate,
  'keras.optimizers.schedules.ExponentialDecay': kerasSchedule(keras.exponentialDecay),
  'keras.optimizers.schedules.PiecewiseConstantDecay': kerasSchedule(keras.piecewiseConstantDecay),
  'keras.optimizers.schedules.PolynomialDecay': kerasSchedule(keras.polynomialDecay),
  'keras.optimizers.schedules.InverseTimeDecay': kerasSchedule(keras.inverseTimeDecay),
  'keras.optimizers.schedules.CosineDecay': kerasSchedule(keras.cosineDecay),
  'keras.optimizers.schedules.CosineDecayRestarts': kerasSchedule(keras.cosineDecayRestarts),
}

/** Names of positional parameters, for schedules that a reference writes as a call. */
const POSITIONAL: Readonly<Record<string, readonly string[]>> = {
  LinearLR: ['start_factor', 'end_factor', 'total_iters'],
  CosineAnnealingLR: ['T_max', 'eta_min'],
  ConstantLR: ['factor', 'total_iters'],
  ExponentialLR: ['gamma'],
  StepLR: ['step_size', 'gamma'],
  MultiStepLR: ['milestones', 'gamma'],
  PolynomialLR: ['total_iters', 'power'],
  CosineAnnealingWarmRestarts: ['T_0', 'T_mult', 'eta_min'],
}

/** A schedule by its dotted name in its library. @throws UnsupportedError */
export function scheduleNamed(name: string, base: number, options: Options): Schedule {
  const factory = FACTORIES[name] as unknown as ((base: number, options: Options) => Schedule) | undefined
  if (!factory) throw new UnsupportedError(name)
  return factory(base, options)
}

function numbersOf(expr: Expr): number | number[] {
  if (expr.kind === 'number') return expr.value
  if (expr.kind === 'list' || expr.kind === 'tuple') return expr.items.map((item) => numbersOf(item) as number)
  throw new UnsupportedError(`a schedule argument of kind ${expr.kind}`)
}

/** `LinearLR(0.1, total_iters=5)`. */
function scheduleCall(expr: Expr, base: number): Schedule {
  if (expr.kind !== 'call' || expr.callee.kind !== 'name') throw new UnsupportedError('a schedule that is not a call')
  const name = expr.callee.name
  const options: Options = {}
  expr.args.forEach((arg, i) => {
    if (arg.kind === 'keyword') options[camelCase(arg.name)] = numbersOf(arg.value)
    else options[camelCase(POSITIONAL[name]?.[i] ?? '')] = numbersOf(arg.value)
  })
  return scheduleNamed(`torch.optim.lr_scheduler.${name}`, base, options)
}

/** `SequentialLR[LinearLR(0.1,total_iters=5), CosineAnnealingLR(20)] milestones=[5]`. */
function sequential(text: string, base: number): Schedule {
  const [list, milestones] = text.split(' milestones=').map(parsePython)
  if (list.kind !== 'subscript' || milestones === undefined) throw new UnsupportedError(text)
  const parts = list.index.kind === 'tuple' ? list.index.items : [list.index]
  return torch.sequentialLR(
    parts.map((part) => scheduleCall(part, base)),
    { milestones: numbersOf(milestones) as number[] },
  )
}

const isKeras = (record: ScheduleCase): boolean => record.scheduler.startsWith('keras.')

const numbersLike = (record: ScheduleCase, numbers: readonly unknown[]): Values => ({
  dtype: isKeras(record) ? 'f32' : 'f64',
  shape: [numbers.length],
  data: numbers.map((number) => Number(fromJson(number))),
})

/** One unit in the last place of a float32 of this magnitude. */
const float32Step = (numbers: readonly unknown[]): number =>
  Math.max(...numbers.map((number) => Math.abs(Number(fromJson(number))))) * 2 ** -23

// Keras computes its schedules in float32, with a cosine that is not always the nearest float, and its sum with 1 cancels; the others
// compute in Python's double precision.
const toleranceOf = (record: ScheduleCase): Tolerance =>
  isKeras(record) ? { atol: float32Step(record.lr ?? []), rtol: 1e-9 } : { atol: 1e-16, rtol: 1e-9 }

function comparePlateau(record: ScheduleCase): Comparison {
  const plateau = new schedules.ReduceLROnPlateau(record.base_lr ?? 0, camelOptions(record.options ?? {}))
  const got = (record.metrics ?? []).map((metric) => plateau.step(metric))
  return compareValues(
    numbersLike(record, got),
    numbersLike(record, record.lr_after_step ?? []),
    toleranceOf(record),
    'lr_after_step',
  )
}

/** Compares the rate (and momentum, where it cycles) at every step. */
export function compareSchedule(record: ScheduleCase): Comparison {
  if (record.scheduler === 'ReduceLROnPlateau') return comparePlateau(record)
  const base = record.base_lr ?? 0
  const made = record.scheduler.startsWith('SequentialLR')
    ? sequential(record.scheduler, base)
    : scheduleNamed(record.scheduler, base, camelOptions(record.options ?? {}))
  const at = (wanted: readonly number[] | undefined, read: (step: number) => number, where: string): Comparison[] =>
    wanted
      ? [
          compareValues(
            numbersLike(
              record,
              wanted.map((_, t) => read(t)),
            ),
            numbersLike(record, wanted),
            toleranceOf(record),
            where,
          ),
        ]
      : []
  return joinComparisons([
    ...at(record.lr, (t) => made.at(t), 'lr'),
    ...at(record.momentum, (t) => made.momentumAt?.(t) ?? Number.NaN, 'momentum'),
  ])
}
