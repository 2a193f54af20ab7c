import { add, constant, div, mean, movedim, mul, neg, sum, type Tensor } from '../../tensor/index.js'
import * as crossentropy from './crossentropy.js'
import * as pointwise from './pointwise.js'

/** Per-example losses: (targets, predictions) -> one value for each position (or one in all). */
export type LossFunction = (yTrue: Tensor, yPred: Tensor) => Tensor

type Config = Record<string, unknown>

const crossentropyOptions = (config: Config): crossentropy.CrossentropyOptions => ({
  fromLogits: (config.from_logits ?? config.fromLogits ?? false) as boolean,
  labelSmoothing: (config.label_smoothing ?? config.labelSmoothing ?? 0) as number,
})

const focalOptions = (config: Config): crossentropy.FocalOptions => ({
  ...crossentropyOptions(config),
  gamma: (config.gamma ?? 2) as number,
  alpha: (config.alpha ?? 0.25) as number,
  applyClassBalancing: (config.apply_class_balancing ?? config.applyClassBalancing ?? false) as boolean,
})

/** Makers by Keras' name without underscores; options in Keras' spelling or camelCase. */
const BY_NAME: Record<string, (config: Config) => LossFunction> = {
  meansquarederror: () => pointwise.meanSquaredError,
  meanabsoluteerror: () => pointwise.meanAbsoluteError,
  meanabsolutepercentageerror: () => pointwise.meanAbsolutePercentageError,
  meansquaredlogarithmicerror: () => pointwise.meanSquaredLogarithmicError,
  huber: (config) => pointwise.huber((config.delta ?? 1) as number),
  logcosh: () => pointwise.logCosh,
  cosinesimilarity: () => (y, p) => neg(pointwise.cosineSimilarity(y, p)),
  kldivergence: () => pointwise.klDivergence,
  poisson: () => pointwise.poisson,
  hinge: () => pointwise.hinge,
  squaredhinge: () => pointwise.squaredHinge,
  categoricalhinge: () => pointwise.categoricalHinge,
  binarycrossentropy: (config) => crossentropy.binaryCrossentropy(crossentropyOptions(config)),
  categoricalcrossentropy: (config) => crossentropy.categoricalCrossentropy(crossentropyOptions(config)),
  sparsecategoricalcrossentropy: (config) =>
    crossentropy.sparseCategoricalCrossentropy({
      fromLogits: (config.from_logits ?? config.fromLogits ?? false) as boolean,
      ignoreClass: (config.ignore_class ?? config.ignoreClass ?? null) as number | null,
    }),
  binaryfocalcrossentropy: (config) => crossentropy.binaryFocalCrossentropy(focalOptions(config)),
  categoricalfocalcrossentropy: (config) => crossentropy.categoricalFocalCrossentropy(focalOptions(config)),
  categoricalgeneralizedcrossentropy: (config) =>
    crossentropy.categoricalGeneralizedCrossEntropy({ q: (config.q ?? 0.5) as number }),
  ctc: () => crossentropy.ctc,
  dice: (config) => crossentropy.dice(config),
  tversky: (config) => crossentropy.tversky(config),
}

const ALIASES: Record<string, string> = {
  mse: 'meansquarederror',
  mae: 'meanabsoluteerror',
  mape: 'meanabsolutepercentageerror',
  msle: 'meansquaredlogarithmicerror',
  bce: 'binarycrossentropy',
  kld: 'kldivergence',
  kl: 'kldivergence',
  huberloss: 'huber',
}

/** What `compile` takes as a loss: a function, a name (Keras' spelling or camelCase), or a name with options. */
export type LossLike = LossFunction | string | { class_name: string; config: Config }

const MEANS = ['sum_over_batch_size', 'mean', 'auto']

const canonical = (name: string): string => {
  const key = name.replaceAll('_', '').toLowerCase()
  return ALIASES[key] ?? key
}

/** @throws RangeError naming the unknown loss and the known ones. */
export function getLoss(like: LossLike, config: Config = {}): LossFunction {
  if (typeof like === 'function') return like
  const name = typeof like === 'string' ? like : like.class_name
  const make = BY_NAME[canonical(name)]
  if (!make) throw new RangeError(`unknown loss '${name}'; known: ${Object.keys(BY_NAME).join(', ')}`)
  const options = typeof like === 'string' ? config : like.config
  return reduced(name, alongAxis(make(options), options.axis), options.reduction)
}

/** A function of the last dimension taken along another one; targets of lower rank (integer classes) lack that dimension. */
export function alongAxis(values: LossFunction, axis: unknown): LossFunction {
  if (typeof axis !== 'number' || axis === -1) return values
  return (y, p) => values(y.ndim === p.ndim ? movedim(y, axis, -1) : y, movedim(p, axis, -1))
}

/** Keras' default reduction is what {@link reduceLoss} does; others are put into the losses. */
function reduced(name: string, loss: LossFunction, reduction: unknown): LossFunction {
  if (reduction === undefined || reduction === null || MEANS.includes(reduction as string)) return loss
  if (reduction !== 'sum')
    throw new RangeError(
      `${name}: reduction must be 'sum_over_batch_size', 'mean' or 'sum', got '${String(reduction)}'`,
    )
  return (y, p) => {
    const losses = loss(y, p)
    return mul(losses, constant(losses.size, losses.dtype))
  }
}

/** `x` in the rank of `like`, with extents of 1 for what it lacks. */
const inRankOf = (like: Tensor, x: Tensor): Tensor =>
  x.ndim < like.ndim ? x.reshape([...x.shape, ...like.shape.slice(x.ndim).map(() => 1)]) : x

/**
 * Keras' sum_over_batch_size: mean over all positions of losses * weights (weights do not enter the divisor), over those that `mask`
 * shows where there is one.
 */
export function reduceLoss(losses: Tensor, sampleWeight?: Tensor | null, mask?: Tensor | null): Tensor {
  let weights = sampleWeight ? inRankOf(losses, sampleWeight.to(losses.dtype)) : null
  if (mask && mask.ndim <= losses.ndim) {
    const shown = mask.to(losses.dtype)
    const share = div(constant(mask.size, losses.dtype), add(sum(shown), constant(1e-7, losses.dtype)))
    const scaled = inRankOf(losses, mul(shown, share))
    weights = weights ? mul(weights, scaled) : scaled
  }
  return mean(weights ? mul(losses, weights) : losses)
}

export { crossentropy, pointwise }
