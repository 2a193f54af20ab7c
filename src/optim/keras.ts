import { type CommonOptions, Optimizer } from './optimizer.js'
import {
  type KerasAdamOptions,
  type KerasRMSpropOptions,
  type KerasSGDOptions,
  kerasAdam,
  kerasRMSprop,
  kerasSGD,
} from './rules/keras.js'

// Optimizers with keras.optimizers' names (in camelCase), defaults and exact semantics. Parameters are bound by `compile`, `bind` or the first step.

type Common = Partial<CommonOptions>

const common = (options: Common, defaults: { learningRate: number; weightDecay?: number }): CommonOptions => {
  const { learningRate, weightDecay, clipnorm, globalClipnorm, clipvalue, maxGradNorm } = options
  const { useEma, emaMomentum, emaOverwriteFrequency, gradientAccumulationSteps } = options
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
