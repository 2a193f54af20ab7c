import { type CommonOptions, Optimizer } from './optimizer.js'
import { withDefaults } from './options.js'
import type { UpdateRule } from './rule.js'
import { type KerasAdadeltaOptions, kerasAdadelta } from './rules/adadelta.js'
import { type KerasAdafactorOptions, kerasAdafactor } from './rules/adafactor.js'
import { type KerasAdagradOptions, kerasAdagrad } from './rules/adagrad.js'
import { type KerasAdamaxOptions, kerasAdamax } from './rules/adamax.js'
import { type KerasFtrlOptions, kerasFtrl } from './rules/ftrl.js'
import {
  type KerasAdamOptions,
  type KerasRMSpropOptions,
  type KerasSGDOptions,
  kerasAdam,
  kerasRMSprop,
  kerasSGD,
} from './rules/keras.js'
import { type KerasLambOptions, kerasLamb } from './rules/lamb.js'
import { type KerasLionOptions, kerasLion } from './rules/lion.js'
import { type KerasMuonOptions, kerasMuon } from './rules/muon.js'
import { type KerasNadamOptions, kerasNadam } from './rules/nadam.js'

// Optimizers with keras.optimizers' names (in camelCase), defaults and exact semantics. Parameters are bound by `compile`, `bind` or the first step.

type Common = Partial<CommonOptions>

const common = (options: Common, defaults: { learningRate: number; weightDecay?: number }): CommonOptions => {
  const { learningRate, weightDecay, clipnorm, globalClipnorm, clipvalue, maxGradNorm } = options
  const { useEma, emaMomentum, emaOverwriteFrequency, gradientAccumulationSteps, lookahead, weightStorage } = options
  const { lossScaleFactor } = options
  return {
    learningRate: learningRate ?? defaults.learningRate,
    weightDecay: weightDecay ?? defaults.weightDecay ?? null,
    clipnorm,
    globalClipnorm,
    clipvalue,
    maxGradNorm,
    useEma,
    emaMomentum,
    emaOverwriteFrequency,
    gradientAccumulationSteps,
    lossScaleFactor,
    lookahead,
    weightStorage,
  }
}

/** keras.optimizers.SGD: { learningRate = 0.01, momentum, nesterov }. */
export function sgd(options: Common & Partial<KerasSGDOptions> = {}): Optimizer<KerasSGDOptions> {
  const { momentum = 0, nesterov = false } = options
  if (momentum < 0 || momentum > 1) throw new RangeError(`sgd: momentum must lie in [0, 1], got ${momentum}`)
  return new Optimizer(kerasSGD, { momentum, nesterov }, common(options, { learningRate: 0.01 }))
}

/** keras.optimizers.Adam: { learningRate = 0.001, beta1, beta2, epsilon = 1e-7, amsgrad }. */
export function adam(options: Common & Partial<KerasAdamOptions> = {}): Optimizer<KerasAdamOptions> {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, amsgrad = false } = options
  return new Optimizer(kerasAdam, { beta1, beta2, epsilon, amsgrad }, common(options, { learningRate: 0.001 }))
}

/** keras.optimizers.AdamW: Adam with decoupled weightDecay = 0.004. */
export function adamw(options: Common & Partial<KerasAdamOptions> = {}): Optimizer<KerasAdamOptions> {
  return adam({ ...options, weightDecay: options.weightDecay ?? 0.004 })
}

/** keras.optimizers.RMSprop: { learningRate = 0.001, rho = 0.9, momentum, epsilon = 1e-7, centered }. */
export function rmsprop(options: Common & Partial<KerasRMSpropOptions> = {}): Optimizer<KerasRMSpropOptions> {
  const { rho = 0.9, momentum = 0, epsilon = 1e-7, centered = false } = options
  return new Optimizer(kerasRMSprop, { rho, momentum, epsilon, centered }, common(options, { learningRate: 0.001 }))
}

type Factory<O> = (options?: Common & Partial<O>) => Optimizer<O>

/** The factory of a rule; every one of Keras' optimizers below has the default rate 0.001. */
const factory =
  <O extends object, N extends string>(rule: UpdateRule<O, N>, defaults: O): Factory<O> =>
  (options = {}) =>
    new Optimizer(
      rule,
      withDefaults<O>(rule.name, defaults, options),
      common(options, { learningRate: 0.001 }),
    ) as unknown as Optimizer<O>

const ADAM_LIKE = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7 }

/** keras.optimizers.Adagrad: { learningRate = 0.001, initialAccumulatorValue = 0.1, epsilon = 1e-7 }. */
export const adagrad: Factory<KerasAdagradOptions> = factory(kerasAdagrad, {
  initialAccumulatorValue: 0.1,
  epsilon: 1e-7,
})

/** keras.optimizers.Adadelta: { learningRate = 0.001, rho = 0.95, epsilon = 1e-7 }. */
export const adadelta: Factory<KerasAdadeltaOptions> = factory(kerasAdadelta, { rho: 0.95, epsilon: 1e-7 })

/** keras.optimizers.Adamax: { learningRate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 }. */
export const adamax: Factory<KerasAdamaxOptions> = factory(kerasAdamax, ADAM_LIKE)

/** keras.optimizers.Nadam: { learningRate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 }. */
export const nadam: Factory<KerasNadamOptions> = factory(kerasNadam, ADAM_LIKE)

/** keras.optimizers.Lamb: { learningRate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 }. */
export const lamb: Factory<KerasLambOptions> = factory(kerasLamb, ADAM_LIKE)

/** keras.optimizers.Lion: { learningRate = 0.001, beta1 = 0.9, beta2 = 0.99 }. */
export const lion: Factory<KerasLionOptions> = factory(kerasLion, { beta1: 0.9, beta2: 0.99 })

/**
 * keras.optimizers.Ftrl: { learningRate = 0.001, learningRatePower = -0.5, initialAccumulatorValue = 0.1, l1RegularizationStrength,
 * l2RegularizationStrength, l2ShrinkageRegularizationStrength, beta }.
 */
export const ftrl: Factory<KerasFtrlOptions> = factory(kerasFtrl, {
  learningRatePower: -0.5,
  initialAccumulatorValue: 0.1,
  l1RegularizationStrength: 0,
  l2RegularizationStrength: 0,
  l2ShrinkageRegularizationStrength: 0,
  beta: 0,
})

/**
 * keras.optimizers.Adafactor: { learningRate = 0.001, beta2Decay = -0.8, epsilon1 = 1e-30, epsilon2 = 1e-3, clipThreshold = 1,
 * relativeStep = true }.
 */
export const adafactor: Factory<KerasAdafactorOptions> = factory(kerasAdafactor, {
  beta2Decay: -0.8,
  epsilon1: 1e-30,
  epsilon2: 1e-3,
  clipThreshold: 1,
  relativeStep: true,
})

const muonFactory: Factory<KerasMuonOptions> = factory(kerasMuon, {
  adamBeta1: 0.9,
  adamBeta2: 0.999,
  epsilon: 1e-7,
  excludeLayers: [],
  excludeEmbeddings: true,
  muonA: 3.4445,
  muonB: -4.775,
  muonC: 2.0315,
  adamLrRatio: 1,
  momentum: 0.95,
  nsSteps: 5,
  nesterov: true,
  rmsRate: 0.2,
  muonWeightDecay: 0.004,
  adamWeightDecay: 0.004,
})

/**
 * keras.optimizers.Muon: { learningRate = 0.001, momentum = 0.95, nesterov = true, nsSteps = 5, muonA, muonB, muonC, rmsRate = 0.2,
 * weightDecay = 0.004 (matrices), excludeLayers, excludeEmbeddings = true, adamBeta1, adamBeta2, epsilon, adamLrRatio,
 * adamWeightDecay = 0.004 }. What is not a matrix, embeddings and excluded layers are updated by AdamW.
 */
export const muon: Factory<Omit<KerasMuonOptions, 'muonWeightDecay'>> = ({ weightDecay, ...options } = {}) =>
  muonFactory({ ...options, muonWeightDecay: weightDecay })
