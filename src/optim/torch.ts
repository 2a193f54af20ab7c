import type { Parameter } from '../tensor/index.js'
import { type CommonOptions, Optimizer, type ParamGroup } from './optimizer.js'
import {
  type TorchAdamOptions,
  type TorchRMSpropOptions,
  type TorchSGDOptions,
  torchAdam,
  torchRMSprop,
  torchSGD,
} from './rules/torch.js'
import type { LearningRate } from './schedules/index.js'

// Optimizers with torch.optim's names, defaults and exact semantics.

type Params<O> = readonly Parameter[] | readonly TorchGroup<O>[]
type Extras = Pick<
  CommonOptions,
  'maxGradNorm' | 'gradientAccumulationSteps' | 'useEma' | 'emaMomentum' | 'emaOverwriteFrequency'
>

/** A parameter group as in torch: options beside `params` override the defaults. */
export type TorchGroup<O> = { params: readonly Parameter[]; lr?: LearningRate } & Partial<O>

const EXTRAS = ['maxGradNorm', 'gradientAccumulationSteps', 'useEma', 'emaMomentum', 'emaOverwriteFrequency'] as const

function groupsOf<O>(params: Params<O>): readonly Parameter[] | ParamGroup<O>[] {
  return (params as readonly object[]).every((item) => 'params' in item)
    ? (params as readonly TorchGroup<O>[]).map(({ params: list, lr, ...options }) => ({
        params: list,
        learningRate: lr,
        options: options as unknown as Partial<O>,
      }))
    : (params as readonly Parameter[])
}

function commonOf(learningRate: LearningRate, extras: Extras): CommonOptions {
  return { learningRate, ...Object.fromEntries(EXTRAS.map((name) => [name, extras[name]])) }
}

/** torch.optim.SGD(params, { lr = 1e-3, momentum, dampening, weightDecay (L2), nesterov, maximize }). */
export function sgd(
  params: Params<TorchSGDOptions>,
  options: { lr?: LearningRate } & Partial<TorchSGDOptions> & Extras = {},
): Optimizer<TorchSGDOptions> {
  const { lr = 1e-3, momentum = 0, dampening = 0, weightDecay = 0, nesterov = false, maximize = false } = options
  if (nesterov && (momentum <= 0 || dampening !== 0))
    throw new RangeError('sgd: nesterov needs a momentum and zero dampening')
  return new Optimizer(
    torchSGD,
    { momentum, dampening, weightDecay, nesterov, maximize },
    commonOf(lr, options),
    groupsOf(params),
  )
}

type AdamInput = { lr?: LearningRate } & Partial<Omit<TorchAdamOptions, 'decoupledWeightDecay'>> & Extras

function adamWith(
  params: Params<TorchAdamOptions>,
  options: AdamInput,
  weightDecay: number,
  decoupledWeightDecay: boolean,
): Optimizer<TorchAdamOptions> {
  const { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8, amsgrad = false, maximize = false } = options
  const own = { betas, eps, weightDecay, amsgrad, maximize, decoupledWeightDecay }
  return new Optimizer(torchAdam, own, commonOf(lr, options), groupsOf(params))
}

/** torch.optim.Adam(params, { lr = 1e-3, betas, eps = 1e-8, weightDecay (L2), amsgrad, maximize }). */
export const adam = (params: Params<TorchAdamOptions>, options: AdamInput = {}): Optimizer<TorchAdamOptions> =>
  adamWith(params, options, options.weightDecay ?? 0, false)

/** torch.optim.AdamW(params, { ..., weightDecay = 0.01 (decoupled) }). */
export const adamw = (params: Params<TorchAdamOptions>, options: AdamInput = {}): Optimizer<TorchAdamOptions> =>
  adamWith(params, options, options.weightDecay ?? 0.01, true)

/** torch.optim.RMSprop(params, { lr = 1e-2, alpha = 0.99, eps = 1e-8, weightDecay (L2), momentum, centered, maximize }). */
export function rmsprop(
  params: Params<TorchRMSpropOptions>,
  options: { lr?: LearningRate } & Partial<TorchRMSpropOptions> & Extras = {},
): Optimizer<TorchRMSpropOptions> {
  const {
    lr = 1e-2,
    alpha = 0.99,
    eps = 1e-8,
    weightDecay = 0,
    momentum = 0,
    centered = false,
    maximize = false,
  } = options
  return new Optimizer(
    torchRMSprop,
    { alpha, eps, weightDecay, momentum, centered, maximize },
    commonOf(lr, options),
    groupsOf(params),
  )
}
