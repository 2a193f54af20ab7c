import { Optimizer } from './optimizer.js'
import { commonOf, type Extras, groupsOf, type Params, withDefaults } from './options.js'
import {
  relativeStep as relativeRate,
  type TransformersAdafactorOptions,
  transformersAdafactor,
} from './rules/adafactor.js'
import type { LearningRate } from './schedules/index.js'

// Optimizers with the names, defaults and exact semantics of the transformers library.

export interface AdafactorInput extends Partial<TransformersAdafactorOptions>, Extras {
  /** Only without `relativeStep`. */
  lr?: LearningRate | null
  /** The rate is min(1e-2, 1 / sqrt(t)). */
  relativeStep?: boolean
  /** The relative step starts at 1e-6 * t. */
  warmupInit?: boolean
}

/**
 * transformers.Adafactor(params, { lr, eps = [1e-30, 1e-3], clipThreshold = 1, decayRate = -0.8, beta1 = null, weightDecay,
 * scaleParameter = true, relativeStep = true, warmupInit = false }).
 * @throws RangeError for an `lr` beside relativeStep, none without it, or a warm-up without it
 */
export function adafactor(
  params: Params<TransformersAdafactorOptions>,
  options: AdafactorInput = {},
): Optimizer<TransformersAdafactorOptions> {
  const { lr = null, relativeStep = true, warmupInit = false } = options
  if (relativeStep && lr !== null) throw new RangeError('adafactor: give either lr or relativeStep, not both')
  if (!relativeStep && lr === null) throw new RangeError('adafactor: without relativeStep an lr is needed')
  if (!relativeStep && warmupInit) throw new RangeError('adafactor: warmupInit needs relativeStep')
  const rate = lr ?? { at: (step: number) => relativeRate(step + 1, warmupInit) }
  const own = withDefaults<TransformersAdafactorOptions>(
    'adafactor',
    {
      eps: [1e-30, 1e-3],
      clipThreshold: 1,
      decayRate: -0.8,
      beta1: null,
      weightDecay: 0,
      scaleParameter: true,
    },
    options,
  )
  return new Optimizer(transformersAdafactor, own, commonOf(rate, options), groupsOf(params))
}
