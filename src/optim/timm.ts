import type { Optimizer } from './optimizer.js'
import { initialRate, type Params, type TorchInput, torchFactory } from './options.js'
import { type TimmLambOptions, timmLamb } from './rules/lamb.js'
import { type TimmLionOptions, timmLion } from './rules/lion.js'

// Optimizers with the names, defaults and exact semantics of timm.optim.

const lionFactory = torchFactory(timmLion, {
  lr: 1e-4,
  betas: [0.9, 0.99],
  weightDecay: 0,
  caution: false,
  correctedWeightDecay: false,
  maxLrSnapshot: 1e-4,
  maximize: false,
})

/** The largest rate that corrected decay is relative to: the first one unless given. */
function largestRate(
  owner: string,
  options: TorchInput<{ correctedWeightDecay: boolean; maxLrSnapshot: number }>,
  lr: number,
): number {
  const largest = options.maxLrSnapshot ?? initialRate(options.lr ?? lr)
  if (options.correctedWeightDecay && !(largest > 0))
    throw new RangeError(
      `${owner}: correctedWeightDecay needs a positive largest rate, got ${largest}; give maxLrSnapshot`,
    )
  return largest
}

/** timm.optim.Lion(params, { lr = 1e-4, betas = [0.9, 0.99], weightDecay (decoupled), caution, correctedWeightDecay, maximize }). */
export const lion = (
  params: Params<TimmLionOptions>,
  options: TorchInput<TimmLionOptions> = {},
): Optimizer<TimmLionOptions> => lionFactory(params, { ...options, maxLrSnapshot: largestRate('lion', options, 1e-4) })

const lambFactory = torchFactory(timmLamb, {
  lr: 1e-3,
  biasCorrection: true,
  betas: [0.9, 0.999],
  eps: 1e-6,
  weightDecay: 0.01,
  gradAveraging: true,
  trustClip: false,
  alwaysAdapt: false,
  caution: false,
  decoupledDecay: false,
  correctedWeightDecay: false,
  maxLrSnapshot: 1e-3,
})

/**
 * timm.optim.Lamb(params, { lr = 1e-3, biasCorrection = true, betas, eps = 1e-6, weightDecay = 0.01, gradAveraging = true,
 * maxGradNorm = 1 (null: none), trustClip, alwaysAdapt, caution, decoupledDecay, correctedWeightDecay }).
 */
export function lamb(
  params: Params<TimmLambOptions>,
  { maxGradNorm = 1, ...options }: TorchInput<TimmLambOptions> = {},
): Optimizer<TimmLambOptions> {
  const largest = largestRate('lamb', options, 1e-3)
  // timm divides by max(norm / limit, 1), without the 1e-6 of torch's clipping.
  return lambFactory(params, { ...options, maxLrSnapshot: largest, globalClipnorm: maxGradNorm })
}
