import { batchNorm, batchNormTrain, runningStatistics } from '../../tensor/functional/index.js'
import {
  add,
  div,
  movedim,
  type Parameter,
  square,
  sub,
  sum,
  type Tensor,
  unsqueeze,
  where,
} from '../../tensor/index.js'
import type { ConstraintLike } from '../constraints.js'
import type { InitializerLike } from '../initializers.js'
import { type CallContext, type InputShapes, Layer, type LayerOptions } from '../layer.js'
import type { RegularizerLike } from '../regularizers.js'
import { knownExtent, singleShape } from './options.js'

export interface AffineOptions extends LayerOptions {
  /** Learns a shift (beta); default true. */
  center?: boolean
  /** Learns a scale (gamma); default true. */
  scale?: boolean
  betaInitializer?: InitializerLike
  gammaInitializer?: InitializerLike
  betaRegularizer?: RegularizerLike
  gammaRegularizer?: RegularizerLike
  betaConstraint?: ConstraintLike
  gammaConstraint?: ConstraintLike
}

export const affineSettings = (options: AffineOptions) => ({
  center: options.center ?? true,
  scale: options.scale ?? true,
  betaInitializer: options.betaInitializer ?? 'zeros',
  gammaInitializer: options.gammaInitializer ?? 'ones',
  betaRegularizer: options.betaRegularizer ?? null,
  gammaRegularizer: options.gammaRegularizer ?? null,
  betaConstraint: options.betaConstraint ?? null,
  gammaConstraint: options.gammaConstraint ?? null,
})

/** Layers that scale by gamma and shift by beta. */
export abstract class AffineLayer extends Layer {
  override readonly supportsMasking = true
  gamma: Parameter | null = null
  beta: Parameter | null = null

  constructor(
    private readonly affineOptions: AffineOptions,
    settings: object,
  ) {
    super(affineOptions, { ...settings, ...affineSettings(affineOptions) })
  }

  protected addAffine(shape: readonly number[], { shift = true } = {}): void {
    const o = affineSettings(this.affineOptions)
    if (o.scale)
      this.gamma = this.addWeight('gamma', shape, {
        initializer: o.gammaInitializer,
        regularizer: o.gammaRegularizer,
        constraint: o.gammaConstraint,
      })
    if (o.center && shift)
      this.beta = this.addWeight('beta', shape, {
        initializer: o.betaInitializer,
        regularizer: o.betaRegularizer,
        constraint: o.betaConstraint,
      })
  }
}

export interface BatchNormalizationOptions extends AffineOptions {
  /** Dimension of the channels; default the last. */
  axis?: number
  /** Share of the old moving statistics that an update keeps; default 0.99. */
  momentum?: number
  /** Added to the variance; default 1e-3. */
  epsilon?: number
  movingMeanInitializer?: InitializerLike
  movingVarianceInitializer?: InitializerLike
}

/**
 * Normalises channels by the statistics of the batch in training, by moving statistics otherwise and while frozen (Ioffe & Szegedy 2015).
 * Weights: gamma, beta, moving_mean, moving_variance, [channels] each; the last two do not train.
 */
export class BatchNormalization extends AffineLayer {
  override readonly className: string = 'BatchNormalization'
  movingMean!: Parameter
  movingVariance!: Parameter
  private readonly axis: number
  private readonly momentum: number
  private readonly epsilon: number

  constructor(private readonly options: BatchNormalizationOptions = {}) {
    // Keras writes the axis as a number; old configs hold a list of one.
    const axis = [options.axis ?? -1].flat()[0]
    const momentum = options.momentum ?? 0.99
    const epsilon = options.epsilon ?? 1e-3
    super(options, {
      axis,
      momentum,
      epsilon,
      movingMeanInitializer: options.movingMeanInitializer ?? 'zeros',
      movingVarianceInitializer: options.movingVarianceInitializer ?? 'ones',
    })
    this.axis = axis
    this.momentum = momentum
    this.epsilon = epsilon
  }

  override build(inputShape: InputShapes): void {
    const shape = [knownExtent(this, singleShape(this, inputShape), this.axis)]
    this.addAffine(shape)
    this.movingMean = this.addWeight('moving_mean', shape, {
      initializer: this.options.movingMeanInitializer ?? 'zeros',
      trainable: false,
    })
    this.movingVariance = this.addWeight('moving_variance', shape, {
      initializer: this.options.movingVarianceInitializer ?? 'ones',
      trainable: false,
    })
  }

  override call(x: Tensor, context: CallContext): Tensor {
    const axis = this.axis < 0 ? this.axis + x.ndim : this.axis
    // Channels elsewhere than first or last are moved to the end.
    const moved = axis !== 1 && axis !== x.ndim - 1
    const input = this.toFloat(moved ? movedim(x, axis, -1) : x)
    const last = moved || axis === x.ndim - 1
    const mask = context.masks.get(x)
    const masked = mask && context.training && this.trainable
    if (masked && (!last || moved || mask.ndim !== x.ndim - 1))
      throw new RangeError(
        `BatchNormalization ${this.name}: a mask of [${mask.shape.join(', ')}] needs channels that stand last, in [${x.shape.join(', ')}] they are dimension ${axis}`,
      )
    const output = masked ? this.normaliseShown(input, mask) : this.normalise(input, context, last)
    return moved ? movedim(output, -1, axis) : output
  }

  /** Statistics of the positions that the mask shows; all positions are normalised. */
  private normaliseShown(x: Tensor, mask: Tensor): Tensor {
    const dims = Array.from({ length: x.ndim - 1 }, (_, i) => i)
    const shown = unsqueeze(mask, -1)
    // Keras adds its epsilon to the count.
    const count = add(sum(mask.to(x.dtype)), 1e-7)
    const meanOf = (values: Tensor): Tensor => div(sum(where(shown, values, 0), dims), count)
    const mean = meanOf(x)
    const variance = meanOf(square(sub(x, mean)))
    const running = { mean: this.movingMean, variance: this.movingVariance }
    const options = { momentum: this.momentum, convention: 'keras', count: x.size / mean.shape[0] } as const
    const next = runningStatistics(running, { mean, variance }, options)
    this.movingMean.value = next.mean
    this.movingVariance.value = next.variance
    return batchNorm(x, mean, variance, {
      weight: this.gamma,
      bias: this.beta,
      eps: this.epsilon,
      layout: 'channelsLast',
    })
  }

  private normalise(x: Tensor, context: CallContext, last: boolean): Tensor {
    const options = {
      weight: this.gamma,
      bias: this.beta,
      eps: this.epsilon,
      layout: last ? 'channelsLast' : 'channelsFirst',
    } as const
    if (!context.training || !this.trainable) return batchNorm(x, this.movingMean, this.movingVariance, options)
    const { output, ...batch } = batchNormTrain(x, options)
    const count = x.size / this.movingMean.shape[0]
    const running = { mean: this.movingMean, variance: this.movingVariance }
    const next = runningStatistics(running, batch, { momentum: this.momentum, convention: 'keras', count })
    this.movingMean.value = next.mean
    this.movingVariance.value = next.variance
    return output
  }
}
