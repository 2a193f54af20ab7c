import { allocateBuffer, beforeEachRun, currentTrace } from '../runtime/index.js'
import {
  add,
  asTensor,
  constant,
  div,
  eq,
  finish,
  full,
  gt,
  isUnconnected,
  lerp,
  mapGradients,
  mul,
  Parameter,
  type Steps,
  select,
  sub,
  type Tensor,
  where,
  zeros,
} from '../tensor/index.js'
import { clipEachNorm, clipGlobalNorm, clipGradNorm, clipGradValue } from './clip.js'
import type { ParamInfo, ScalarTensors, SlotSpec, Slots, UpdateRule } from './rule.js'
import { type LearningRate, rateAt } from './schedules/index.js'

/** Options every optimizer takes besides those of its rule. */
export interface CommonOptions {
  learningRate: LearningRate
  /** Decoupled decay in Keras' form: before the update, param -= param * weightDecay * lr. */
  weightDecay?: number | null
  /** Each gradient's 2-norm is limited (Keras `clipnorm`). */
  clipnorm?: number | null
  /** The common 2-norm of all gradients is limited (Keras `global_clipnorm`). */
  globalClipnorm?: number | null
  /** Each element is limited to [-clipvalue, clipvalue]. */
  clipvalue?: number | null
  /** The common 2-norm is limited as torch.nn.utils.clip_grad_norm_ does. */
  maxGradNorm?: number | null
  /** Keeps an exponential moving average of the parameters (Keras `use_ema`). */
  useEma?: boolean
  emaMomentum?: number
  /** Every so many updates the parameters are replaced by their average. */
  emaOverwriteFrequency?: number | null
  /** Gradients of so many steps are averaged before one update. As in Keras a moving average moves at every step. */
  gradientAccumulationSteps?: number | null
  /** What the loss was multiplied by before it was differentiated (Keras `loss_scale_factor`); gradients are divided by it. */
  lossScaleFactor?: number | null
  /**
   * Stores trainable f32 parameters of two or more dimensions in 16 bits and keeps f32 masters of them, which updates go to (Micikevicius et al.
   * 2018). Gradients stay f32, so that f16 needs no loss scaling.
   */
  weightStorage?: 'bf16' | 'f16' | null
  /** Lookahead (Zhang et al. 2019): every `k` updates slow weights move by `alpha` of the way and replace the parameters. */
  lookahead?: { readonly k: number; readonly alpha: number } | null
}

/** Parameters that share options. `learningRate` and `options` override the optimizer's. */
export interface ParamGroup<O> {
  params: readonly Parameter[]
  learningRate?: LearningRate
  options?: Partial<O>
}

interface Group<O> {
  readonly params: readonly Parameter[]
  readonly own: LearningRate | undefined
  readonly options: O
  readonly scalars: Parameter
  readonly names: readonly string[]
}

const SHARED = ['kerasDecay', 'emaMomentum', 'overwrite', 'apply', 'slowRate', 'slowStart'] as const
type Shared = (typeof SHARED)[number]

/** Serializable state: tensors by name, and the counters. */
export interface OptimizerState {
  readonly tensors: Readonly<Record<string, Parameter>>
  readonly counters: { readonly iterations: number; readonly microSteps: number; readonly learningRate: number | null }
}

/**
 * Applies an {@link UpdateRule} to parameters. `step(grads)` records the update; inside `jit` it becomes part of the compiled step,
 * and counters, schedules and bias corrections are computed on the host before each run.
 */
export class Optimizer<O = unknown, N extends string = string> {
  /** Updates done so far. */
  iterations = 0
  /** See {@link CommonOptions.weightStorage}; counts for parameters that are bound later. */
  weightStorage: 'bf16' | 'f16' | null
  private microSteps = 0
  private groups: Group<O>[] = []
  private readonly slotCells = new Map<Parameter, Record<string, Parameter>>()
  /** As parameters were when their slots were made: names may change later. */
  private readonly infos = new Map<Parameter, ParamInfo>()
  private rate: LearningRate
  private readonly prepare = (): void => this.prepareScalars()

  constructor(
    readonly rule: UpdateRule<O, N>,
    readonly options: O,
    readonly common: CommonOptions,
    groups: readonly Parameter[] | readonly ParamGroup<O>[] = [],
  ) {
    this.rate = common.learningRate
    this.weightStorage = common.weightStorage ?? null
    const { lookahead } = common
    if (lookahead && !(Number.isInteger(lookahead.k) && lookahead.k > 0 && lookahead.alpha > 0 && lookahead.alpha <= 1))
      throw new RangeError(
        `lookahead: expected an integer k > 0 and alpha in (0, 1], got k ${lookahead.k}, alpha ${lookahead.alpha}`,
      )
    if (groups.length > 0) this.bind(groups)
  }

  get name(): string {
    return this.rule.name
  }

  /** The learning rate that the next update uses. */
  get learningRate(): number {
    return rateAt(this.rate, this.iterations)
  }

  /** @throws Error when the rate follows a schedule. */
  set learningRate(value: number) {
    if (typeof this.rate !== 'number')
      throw new Error('the learning rate follows a schedule; give a number to the optimizer to set it by hand')
    this.rate = value
  }

  get hasSchedule(): boolean {
    return typeof this.rate !== 'number'
  }

  get parameters(): Parameter[] {
    return this.groups.flatMap((group) => group.params)
  }

  /** Says which parameters are updated. Binding the same parameters again keeps their state. */
  bind(groups: readonly Parameter[] | readonly ParamGroup<O>[]): this {
    const list: readonly ParamGroup<O>[] =
      groups[0] instanceof Parameter
        ? [{ params: groups as readonly Parameter[] }]
        : (groups as readonly ParamGroup<O>[])
    this.groups = list.map(({ params, learningRate, options }) => {
      const merged = { ...this.options, ...options } as O
      const names = [...Object.keys(this.rule.scalars(merged, 1, 0)), ...SHARED]
      return {
        params,
        own: learningRate,
        options: merged,
        names,
        scalars: new Parameter(zeros([names.length]), { trainable: false }),
      }
    })
    for (const group of this.groups) for (const param of group.params) this.createSlots(param, group.options)
    return this
  }

  private createSlots(param: Parameter, options: O): void {
    if (this.slotCells.has(param)) return
    const info = { name: param.name, shape: param.shape }
    const { weightStorage } = this
    const stores = weightStorage && param.trainable && param.dtype === 'f32' && param.shape.length > 1
    const specs = this.rule.slots(options, info).map(slotOf)
    const common: string[] = []
    if (this.common.useEma) common.push('ema')
    if (this.common.lookahead) common.push('slow')
    if ((this.common.gradientAccumulationSteps ?? 1) > 1) common.push('gradient_accumulator')
    const cells: Record<string, Parameter> = {}
    for (const { name, shape = param.shape, initial = 0 } of [...specs, ...common.map(slotOf)]) {
      cells[name] = new Parameter(full(shape, initial, { dtype: param.dtype }), {
        trainable: false,
        name: `${param.name}/${name}`,
      })
    }
    if (stores || param.storage !== param.dtype) {
      if (currentTrace())
        throw new Error(
          `${this.name}: weights stored in 16 bits must be bound before the first compiled step: call bind()`,
        )
      cells.master = new Parameter(param.stored.to(param.dtype), {
        trainable: false,
        name: `${param.name}/master`,
      })
      if (stores) param.store(weightStorage)
    }
    this.slotCells.set(param, cells)
    this.infos.set(param, info)
  }

  private prepareScalars(): void {
    const every = this.common.gradientAccumulationSteps ?? 1
    this.microSteps++
    const apply = this.microSteps % every === 0
    const t = this.iterations + 1
    const frequency = this.common.emaOverwriteFrequency
    for (const group of this.groups) {
      const lr = rateAt(group.own ?? this.rate, this.iterations)
      const shared: Record<Shared, number> = {
        kerasDecay: lr * (this.common.weightDecay ?? 0),
        emaMomentum: this.iterations === 0 ? 0 : (this.common.emaMomentum ?? 0.99),
        overwrite: frequency && t % frequency === 0 ? 1 : 0,
        apply: apply ? 1 : 0,
        slowRate: this.common.lookahead && t % this.common.lookahead.k === 0 ? this.common.lookahead.alpha : 0,
        slowStart: t === 1 ? 1 : 0,
      }
      // V8 keeps objects made by spreading alive until a full collection: not one a step.
      const numbers: Record<string, number> = Object.assign({}, this.rule.scalars(group.options, t, lr), shared)
      const buffer = allocateBuffer('f32', [group.names.length])
      group.names.forEach((name, i) => {
        buffer.array[i] = numbers[name]
      })
      group.scalars.cell.adopt(buffer)
    }
    if (apply) this.iterations++
  }

  /**
   * Updates the bound parameters that are trainable. `grads` holds one gradient for each bound parameter, in order; those that the loss does
   * not depend on stay as they are, decay included.
   * @throws RangeError when the counts differ.
   */
  step(grads: readonly Tensor[], params?: readonly Parameter[]): void {
    finish(this.steps(grads, params))
  }

  /** {@link step} with a pause after each parameter, for generator functions that `jit` traces. */
  *steps(grads: readonly Tensor[], params?: readonly Parameter[]): Steps<void> {
    if (this.groups.length === 0 && params) this.bind(params)
    const bound = this.parameters
    if (bound.length === 0)
      throw new Error(`${this.name}: no parameters are bound; pass them to the constructor or call bind(parameters)`)
    if (grads.length !== bound.length)
      throw new RangeError(
        `${this.name}.step: expected ${bound.length} gradients, one for each bound parameter, got ${grads.length}`,
      )
    beforeEachRun(this.prepare)
    const clipped = new Map<Parameter, Tensor>()
    const trainable = bound.filter((param) => param.trainable)
    const places = new Map(bound.map((param, i) => [param, i]))
    const scale = this.common.lossScaleFactor
    const own = trainable.map((param) => grads[places.get(param) as number])
    const incoming = scale ? mapGradients(own, (grad) => div(grad, constant(scale, grad.dtype))) : own
    const applies = (this.common.gradientAccumulationSteps ?? 1) > 1
    const ready = applies ? trainable.map((param, i) => this.accumulate(param, incoming[i])) : incoming
    for (const [i, grad] of this.clip(ready).entries()) clipped.set(trainable[i], grad)
    for (const group of this.groups) yield* this.updateGroup(group, clipped)
  }

  private accumulate(param: Parameter, grad: Tensor): Tensor {
    if (isUnconnected(grad)) return grad
    const accumulator = this.slots(param).gradient_accumulator
    const total = add(accumulator.value, grad)
    accumulator.value = total
    return div(total, constant(this.common.gradientAccumulationSteps as number, total.dtype))
  }

  private clip(grads: readonly Tensor[]): readonly Tensor[] {
    const { clipnorm, globalClipnorm, clipvalue, maxGradNorm } = this.common
    if (grads.length === 0) return grads
    if (maxGradNorm) return clipGradNorm(grads, maxGradNorm).grads
    if (clipnorm) return clipEachNorm(grads, clipnorm)
    if (globalClipnorm) return clipGlobalNorm(grads, globalClipnorm)
    if (clipvalue) return clipGradValue(grads, clipvalue)
    return grads
  }

  private *updateGroup(group: Group<O>, grads: ReadonlyMap<Parameter, Tensor>): Steps<void> {
    const vector = group.scalars.value
    const scalars: Record<string, Tensor> = {}
    group.names.forEach((name, i) => {
      scalars[name] = select(vector, 0, i)
    })
    for (const param of group.params) {
      const grad = grads.get(param)
      yield
      if (grad) this.updateParameter(param, grad, scalars as ScalarTensors<N | Shared>, group.options)
    }
  }

  private updateParameter(param: Parameter, grad: Tensor, scalars: ScalarTensors<N | Shared>, options: O): void {
    const s = param.dtype === 'f32' ? scalars : castAll(scalars, param)
    const cells = this.slots(param)
    const old: Record<string, Tensor> = {}
    const info = this.infos.get(param) as ParamInfo
    for (const { name } of this.rule.slots(options, info).map(slotOf)) {
      old[name] = cells[name].value
    }
    const before = this.masterOf(param)
    const decayed = this.common.weightDecay ? sub(before, mul(before, s.kerasDecay)) : before
    const update = isUnconnected(grad)
      ? { param: before, slots: {} }
      : this.rule.update(decayed, grad, old as Slots, s, options, info)
    const next: Record<string, Tensor> = { ...update.slots }
    let value = update.param
    if (this.common.lookahead) {
      const zero = constant(0, s.slowRate.dtype)
      const slow = where(gt(s.slowStart, zero), before, cells.slow.value)
      next.slow = add(slow, mul(sub(value, slow), s.slowRate))
      value = where(gt(s.slowRate, zero), next.slow, value)
    }
    const accumulator = cells.gradient_accumulator
    const applied = accumulator ? gt(s.apply, constant(0, s.apply.dtype)) : null
    const settled = (fresh: Tensor, stale: Tensor): Tensor => (applied ? where(applied, fresh, stale) : fresh)
    for (const [name, fresh] of Object.entries(next)) cells[name].value = settled(fresh, cells[name].value)
    value = this.average(settled(value, before), cells, s)
    param.value = value
    if (cells.master) cells.master.value = value
    if (accumulator && applied) {
      const total = accumulator.value
      accumulator.value = where(applied, mul(total, asTensor(0, total.dtype)), total)
    }
  }

  /** Moves the moving average, if one is kept, towards `value`; returns what the parameter becomes. */
  private average(value: Tensor, cells: Readonly<Record<string, Parameter>>, s: ScalarTensors<Shared>): Tensor {
    if (!this.common.useEma) return value
    const average = lerp(value, cells.ema.value, s.emaMomentum)
    cells.ema.value = average
    if (!this.common.emaOverwriteFrequency) return value
    return where(gt(s.overwrite, constant(0, s.overwrite.dtype)), average, value)
  }

  /** A parameter in full precision: its master, but for what was written to the parameter since. */
  private masterOf(param: Parameter): Tensor {
    const { master } = this.slots(param)
    const stored = param.value
    if (!master) return stored
    const rounded = master.value.to(param.storage).to(param.dtype)
    return where(eq(rounded, stored), master.value, stored)
  }

  /** Replaces a parameter by a function of it, in full precision (constraints, averages). */
  project(param: Parameter, projection: (value: Tensor) => Tensor): void {
    const master = this.slotCells.get(param)?.master
    const value = projection(master ? this.masterOf(param) : param.value)
    if (master) master.value = value
    param.value = value
  }

  /** Auxiliary state of a bound parameter by name. */
  slots(param: Parameter): Readonly<Record<string, Parameter>> {
    const cells = this.slotCells.get(param)
    if (!cells) throw new Error(`${this.name}: parameter ${param.name || '(unnamed)'} is not bound`)
    return cells
  }

  /** Exchanges parameters and their moving averages (Keras evaluates and saves with the averages). */
  swapEma(): void {
    for (const param of this.parameters) {
      const { ema } = this.slots(param)
      if (!ema) throw new Error(`${this.name}: no moving average is kept; set useEma`)
      const average = ema.value
      ema.value = this.masterOf(param)
      this.project(param, () => average)
    }
  }

  /** Puts the moving averages, if there are any, in the place of the parameters (Keras does so when `fit` ends). */
  finalizeEma(): void {
    for (const param of this.parameters) {
      const { ema } = this.slots(param)
      if (ema && this.iterations > 0) this.project(param, () => ema.value)
    }
  }

  /** State to save: slots by `<parameter>/<slot>` and the counters. */
  state(): OptimizerState {
    const tensors: Record<string, Parameter> = {}
    const taken = new Set<string>()
    this.parameters.forEach((param, i) => {
      // Layers of models inside of models may have equal names.
      const name = param.name && !taken.has(param.name) ? param.name : `${param.name}#${i}`
      taken.add(name)
      for (const [slot, cell] of Object.entries(this.slots(param))) tensors[`${name}/${slot}`] = cell
    })
    return {
      tensors,
      counters: {
        iterations: this.iterations,
        microSteps: this.microSteps,
        learningRate: typeof this.rate === 'number' ? this.rate : null,
      },
    }
  }

  /** Restores the counters; the tensors are restored through the parameters that {@link state} returns. */
  restoreCounters(counters: OptimizerState['counters']): void {
    this.iterations = counters.iterations
    this.microSteps = counters.microSteps
    if (counters.learningRate !== null && typeof this.rate === 'number') this.rate = counters.learningRate
  }
}

/** A slot by its name alone has the parameter's shape and starts at zero. */
const slotOf = (spec: SlotSpec): Exclude<SlotSpec, string> => (typeof spec === 'string' ? { name: spec } : spec)

function castAll<N extends string>(scalars: ScalarTensors<N>, like: Parameter): ScalarTensors<N> {
  return Object.fromEntries(Object.entries<Tensor>(scalars).map(([name, s]) => [name, s.to(like.dtype)])) as Record<
    N,
    Tensor
  >
}
