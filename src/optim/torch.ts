import { Optimizer } from './optimizer.js'
import { commonOf, type Extras, groupsOf, type Params, type TorchFactory, torchFactory } from './options.js'
import { type TorchAdadeltaOptions, torchAdadelta } from './rules/adadelta.js'
import { type TorchAdafactorOptions, torchAdafactor } from './rules/adafactor.js'
import { type TorchAdagradOptions, torchAdagrad } from './rules/adagrad.js'
import { type TorchAdamaxOptions, torchAdamax } from './rules/adamax.js'
import { ADJUST_LR, type TorchMuonOptions, torchMuon } from './rules/muon.js'
import { type TorchNAdamOptions, torchNAdam } from './rules/nadam.js'
import { type TorchRAdamOptions, torchRAdam } from './rules/radam.js'
import { type TorchRpropOptions, torchRprop } from './rules/rprop.js'
import {
  type TorchAdamOptions,
  type TorchRMSpropOptions,
  type TorchSGDOptions,
  torchAdam,
  torchRMSprop,
  torchSGD,
} from './rules/torch.js'
import type { LearningRate } from './schedules/index.js'

export type { TorchGroup } from './options.js'

// Optimizers with torch.optim's names, defaults and exact semantics.

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

type AdamInput = { lr?: LearningRate } & Partial<TorchAdamOptions> & Extras
type AdamWInput = Omit<AdamInput, 'decoupledWeightDecay'>

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

/** torch.optim.Adam(params, { lr = 1e-3, betas, eps = 1e-8, weightDecay (L2 unless decoupledWeightDecay), amsgrad, maximize }). */
export const adam = (params: Params<TorchAdamOptions>, options: AdamInput = {}): Optimizer<TorchAdamOptions> =>
  adamWith(params, options, options.weightDecay ?? 0, options.decoupledWeightDecay ?? false)

/** torch.optim.AdamW(params, { ..., weightDecay = 0.01 (decoupled) }). */
export const adamw = (params: Params<TorchAdamOptions>, options: AdamWInput = {}): Optimizer<TorchAdamOptions> =>
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

/** torch.optim.Adagrad(params, { lr = 1e-2, lrDecay, weightDecay (L2), initialAccumulatorValue, eps = 1e-10, maximize }). */
export const adagrad: TorchFactory<TorchAdagradOptions> = torchFactory(torchAdagrad, {
  lr: 1e-2,
  lrDecay: 0,
  weightDecay: 0,
  initialAccumulatorValue: 0,
  eps: 1e-10,
  maximize: false,
})

/** torch.optim.Adadelta(params, { lr = 1, rho = 0.9, eps = 1e-6, weightDecay (L2), maximize }). */
export const adadelta: TorchFactory<TorchAdadeltaOptions> = torchFactory(torchAdadelta, {
  lr: 1,
  rho: 0.9,
  eps: 1e-6,
  weightDecay: 0,
  maximize: false,
})

/** torch.optim.Adamax(params, { lr = 2e-3, betas, eps = 1e-8, weightDecay (L2), maximize }). */
export const adamax: TorchFactory<TorchAdamaxOptions> = torchFactory(torchAdamax, {
  lr: 2e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  maximize: false,
})

/** torch.optim.NAdam(params, { lr = 2e-3, betas, eps = 1e-8, weightDecay, momentumDecay = 4e-3, decoupledWeightDecay, maximize }). */
export const nadam: TorchFactory<TorchNAdamOptions> = torchFactory(torchNAdam, {
  lr: 2e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  momentumDecay: 4e-3,
  decoupledWeightDecay: false,
  maximize: false,
})

/** torch.optim.RAdam(params, { lr = 1e-3, betas, eps = 1e-8, weightDecay, decoupledWeightDecay, maximize }). */
export const radam: TorchFactory<TorchRAdamOptions> = torchFactory(torchRAdam, {
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  decoupledWeightDecay: false,
  maximize: false,
})

/** torch.optim.Rprop(params, { lr = 1e-2, etas = [0.5, 1.2], stepSizes = [1e-6, 50], maximize }). */
export const rprop: TorchFactory<TorchRpropOptions> = torchFactory(torchRprop, {
  lr: 1e-2,
  etas: [0.5, 1.2],
  stepSizes: [1e-6, 50],
  maximize: false,
})

/** torch.optim.Adafactor(params, { lr = 1e-2, beta2Decay = -0.8, eps = [null, 1e-3], d = 1, weightDecay (decoupled), maximize }). */
export const adafactor: TorchFactory<TorchAdafactorOptions> = torchFactory(torchAdafactor, {
  lr: 1e-2,
  beta2Decay: -0.8,
  eps: [null, 1e-3],
  d: 1,
  weightDecay: 0,
  maximize: false,
})

const muonFactory = torchFactory(torchMuon, {
  lr: 1e-3,
  weightDecay: 0.1,
  momentum: 0.95,
  nesterov: true,
  nsCoefficients: [3.4445, -4.775, 2.0315],
  eps: 1e-7,
  nsSteps: 5,
  adjustLrFn: null,
})

/**
 * torch.optim.Muon(params, { lr = 1e-3, weightDecay = 0.1 (decoupled), momentum = 0.95, nesterov = true, nsCoefficients, eps = 1e-7,
 * nsSteps = 5, adjustLrFn }), for matrices only.
 */
export const muon: TorchFactory<TorchMuonOptions> = (params, options = {}) => {
  const { adjustLrFn } = options
  if (adjustLrFn && !ADJUST_LR.includes(adjustLrFn))
    throw new RangeError(`muon: adjustLrFn must be one of ${ADJUST_LR.join(', ')} or null, got '${adjustLrFn}'`)
  return muonFactory(params, options)
}
