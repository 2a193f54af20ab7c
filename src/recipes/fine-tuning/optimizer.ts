import type { PreTrainedModel } from '../../models/index.js'
import { type Optimizer, type Schedule, torch } from '../../optim/index.js'
import type { Parameter } from '../../tensor/index.js'
import { scheduleFor } from '../optimizer.js'
import type { FineTuningOptimizerSpec } from './schema.js'

/** Biases, norms and other vectors do not decay. */
const decays = (name: string, parameter: Parameter): boolean =>
  parameter.shape.length >= 2 && !name.endsWith('bias') && !/norm/i.test(name)

const LAYER = /(?:^|\.)(?:layers?|h|blocks?|albert_layer_groups)\.(\d+)\./
const EMBEDDINGS = /(?:^|\.)(?:embeddings?|embed_tokens|wte|wpe|tok_embeddings|position_embeddings|shared)(?:\.|$)/

/** Depth of a parameter: 0 for embeddings, 1 and up for layers; heads and what is above the layers come last. */
function depthsOf(names: readonly string[]): number[] {
  const layers = names.map((name) => LAYER.exec(name)).map((found) => (found ? Number(found[1]) + 1 : null))
  const top = layers.reduce<number>((most, layer) => Math.max(most, layer ?? 0), 0) + 1
  return names.map((name, i) => layers[i] ?? (EMBEDDINGS.test(name) ? 0 : top))
}

/** Parameters that share a rate and a decay. */
export interface TuningGroup {
  readonly names: readonly string[]
  readonly params: readonly Parameter[]
  /** Of the learning rate. */
  readonly scale: number
  readonly weightDecay: number
}

/** The trainable parameters of a model by layer and by whether they decay. */
export function tuningGroups(
  { weightDecay, layerDecay }: Pick<FineTuningOptimizerSpec, 'weightDecay' | 'layerDecay'>,
  model: PreTrainedModel,
): TuningGroup[] {
  const named = [...model.namedParameters()].filter(({ parameter }) => parameter.trainable)
  const depths = depthsOf(named.map(({ name }) => name))
  const top = Math.max(...depths)
  const groups = new Map<string, { names: string[]; params: Parameter[]; scale: number; weightDecay: number }>()
  for (const [i, { name, parameter }] of named.entries()) {
    const decay = decays(name, parameter) ? weightDecay : 0
    const scale = layerDecay ** (top - depths[i])
    const key = `${decay} ${scale}`
    const group = groups.get(key) ?? { names: [], params: [], scale, weightDecay: decay }
    group.names.push(name)
    group.params.push(parameter)
    groups.set(key, group)
  }
  return [...groups.values()]
}

/** AdamW for `updates` steps, with groups by decay and by layer. */
export function fineTuningOptimizer(spec: FineTuningOptimizerSpec, model: PreTrainedModel, updates: number): Optimizer {
  const { learningRate, beta1, beta2, epsilon, maxGradNorm, gradientAccumulationSteps, weightStorage } = spec
  const { type, warmupRatio, finalFactor } = spec.schedule
  const schedule =
    type === 'constant'
      ? ({ type } as const)
      : ({ type, warmupSteps: Math.round(warmupRatio * updates), finalFactor } as const)
  const rateFor = (scale: number): Schedule | number => scheduleFor(schedule, learningRate * scale, updates)
  const groups = tuningGroups(spec, model).map(({ params, scale, weightDecay }) => ({
    params,
    lr: rateFor(scale),
    weightDecay,
  }))
  return torch.adamw(groups, {
    lr: rateFor(1),
    betas: [beta1, beta2],
    eps: epsilon,
    maxGradNorm,
    weightStorage,
    gradientAccumulationSteps: gradientAccumulationSteps > 1 ? gradientAccumulationSteps : null,
  }) as Optimizer
}
