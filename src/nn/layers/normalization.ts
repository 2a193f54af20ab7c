import { groupNorm, layerNormAxes, rmsNormAxes } from '../../tensor/functional/index.js'
import { add, constant, mul, type Parameter, rsqrt, square, sum, type Tensor, variance } from '../../tensor/index.js'
import { type InputShapes, Layer, type LayerOptions } from '../layer.js'
import { AffineLayer, type AffineOptions } from './batch-normalization.js'
import { checkCount, knownExtent, singleShape } from './options.js'

type Axes = number | readonly number[]

const axesList = (axis: Axes): number[] => (typeof axis === 'number' ? [axis] : [...axis])
const inOrder = (axes: readonly number[], rank: number): number[] =>
  axes.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b)

export interface LayerNormalizationOptions extends AffineOptions {
  /** Dimensions that are normalised together; default the last. */
  axis?: Axes
  /** Default 1e-3. */
  epsilon?: number
}

/** Normalises each example over `axis` (Ba, Kiros & Hinton 2016). Weights: gamma, beta of the shape of those dimensions. */
export class LayerNormalization extends AffineLayer {
  override readonly className: string = 'LayerNormalization'
  private readonly axis: number[]
  private readonly epsilon: number
  private readonly rmsScaling: boolean

  constructor(options: LayerNormalizationOptions & { rmsScaling?: boolean } = {}) {
    const axis = axesList(options.axis ?? -1)
    const epsilon = options.epsilon ?? 1e-3
    const rmsScaling = options.rmsScaling ?? false
    super(options, { axis, epsilon, rmsScaling })
    this.axis = axis
    this.epsilon = epsilon
    this.rmsScaling = rmsScaling
  }

  override build(inputShape: InputShapes): void {
    const shape = singleShape(this, inputShape)
    const extents = inOrder(this.axis, shape.length).map((axis) => knownExtent(this, shape, axis))
    this.addAffine(extents, { shift: !this.rmsScaling })
  }

  override call(x: Tensor): Tensor {
    const input = this.toFloat(x)
    const axes = inOrder(this.axis, x.ndim)
    if (!this.rmsScaling) return layerNormAxes(input, axes, { weight: this.gamma, bias: this.beta, eps: this.epsilon })
    // Keras divides by the deviation without centring first.
    const spread = variance(input, axes, { correction: 0, keepdim: true })
    const scaled = mul(input, rsqrt(add(spread, constant(this.epsilon, input.dtype))))
    const shape = input.shape.map((extent, dim) => (axes.includes(dim) ? extent : 1))
    return this.gamma ? mul(scaled, this.gamma.value.reshape(shape)) : scaled
  }
}

export interface GroupNormalizationOptions extends AffineOptions {
  /** Default 32; -1: one group a channel. */
  groups?: number
  /** Dimension of the channels; default the last. */
  axis?: number
  /** Default 1e-3. */
  epsilon?: number
}

/** Normalises groups of channels of each example (Wu & He 2018). Weights: gamma, beta [channels]. */
export class GroupNormalization extends AffineLayer {
  override readonly className: string = 'GroupNormalization'
  private readonly groups: number
  private readonly axis: number
  private readonly epsilon: number

  constructor(options: GroupNormalizationOptions = {}) {
    const groups = options.groups ?? 32
    const axis = options.axis ?? -1
    const epsilon = options.epsilon ?? 1e-3
    super(options, { groups, axis, epsilon })
    if (groups !== -1) checkCount('GroupNormalization', 'groups', groups)
    this.groups = groups
    this.axis = axis
    this.epsilon = epsilon
  }

  override build(inputShape: InputShapes): void {
    const shape = singleShape(this, inputShape)
    const axis = this.axis < 0 ? this.axis + shape.length : this.axis
    if (axis !== 1 && axis !== shape.length - 1)
      throw new RangeError(`GroupNormalization ${this.name}: axis must be 1 or the last, got ${this.axis}`)
    const channels = knownExtent(this, shape, axis)
    if (this.groups !== -1 && channels % this.groups !== 0)
      throw new RangeError(
        `GroupNormalization ${this.name}: ${channels} channels do not divide into ${this.groups} groups`,
      )
    this.addAffine([channels])
  }

  override call(x: Tensor): Tensor {
    const last = this.axis === -1 || this.axis === x.ndim - 1
    const channels = x.shape[last ? x.ndim - 1 : 1]
    return groupNorm(this.toFloat(x), this.groups === -1 ? channels : this.groups, {
      weight: this.gamma,
      bias: this.beta,
      eps: this.epsilon,
      layout: last ? 'channelsLast' : 'channelsFirst',
    })
  }
}

export interface RMSNormalizationOptions extends LayerOptions {
  axis?: Axes
  /** Default 1e-6. */
  epsilon?: number
}

/** Divides by the root mean square over `axis`, then scales (Zhang & Sennrich 2019). Weight: scale. */
export class RMSNormalization extends Layer {
  override readonly className: string = 'RMSNormalization'
  override readonly supportsMasking = true
  scale!: Parameter
  private readonly axis: number[]
  private readonly epsilon: number

  constructor(options: RMSNormalizationOptions = {}) {
    const axis = axesList(options.axis ?? -1)
    const epsilon = options.epsilon ?? 1e-6
    super(options, { axis, epsilon })
    this.axis = axis
    this.epsilon = epsilon
  }

  override build(inputShape: InputShapes): void {
    const shape = singleShape(this, inputShape)
    const extents = inOrder(this.axis, shape.length).map((axis) => knownExtent(this, shape, axis))
    this.scale = this.addWeight('scale', extents, { initializer: 'ones' })
  }

  override call(x: Tensor): Tensor {
    return rmsNormAxes(this.toFloat(x), inOrder(this.axis, x.ndim), { weight: this.scale, eps: this.epsilon })
  }
}

/** Scales each example to a 2-norm of 1 along `axis`. */
export class UnitNormalization extends Layer {
  override readonly className: string = 'UnitNormalization'
  override readonly supportsMasking = true
  private readonly axis: Axes

  constructor(options: LayerOptions & { axis?: Axes } = {}) {
    const axis = options.axis ?? -1
    super(options, { axis })
    this.axis = axis
  }

  override call(x: Tensor): Tensor {
    const input = this.toFloat(x)
    const squares = sum(square(input), axesList(this.axis), { keepdim: true })
    return mul(input, rsqrt(squares.clamp(1e-12)))
  }
}
