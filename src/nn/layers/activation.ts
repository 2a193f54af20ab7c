import {
  elu,
  exp,
  ge,
  leakyRelu,
  minimum,
  mul,
  neg,
  type Parameter,
  relu,
  softmax,
  sub,
  type Tensor,
  where,
} from '../../tensor/index.js'
import { type Activation as ActivationFunction, type ActivationLike, getActivation } from '../activations.js'
import type { ConstraintLike } from '../constraints.js'
import type { InitializerLike } from '../initializers.js'
import { type InputShapes, Layer, type LayerOptions } from '../layer.js'
import type { RegularizerLike } from '../regularizers.js'
import { knownExtent, singleShape } from './options.js'

abstract class Elementwise extends Layer {
  override readonly supportsMasking = true
}

/** Applies an activation by name or function. */
export class Activation extends Elementwise {
  override readonly className: string = 'Activation'
  private readonly activation: ActivationFunction

  constructor(activation: ActivationLike, options: LayerOptions = {}) {
    super(options, { activation })
    this.activation = getActivation(activation)
  }

  override call(x: Tensor): Tensor {
    return this.activation(x)
  }
}

export interface ReLUOptions extends LayerOptions {
  /** Upper limit; none by default. */
  maxValue?: number | null
  /** Slope below the threshold; default 0. */
  negativeSlope?: number
  /** Default 0. */
  threshold?: number
}

/** max(x, 0), with Keras' variations. */
export class ReLU extends Elementwise {
  override readonly className: string = 'ReLU'
  private readonly settings: Required<Pick<ReLUOptions, 'maxValue' | 'negativeSlope' | 'threshold'>>

  constructor(options: ReLUOptions = {}) {
    const settings = {
      maxValue: options.maxValue ?? null,
      negativeSlope: options.negativeSlope ?? 0,
      threshold: options.threshold ?? 0,
    }
    super(options, settings)
    this.settings = settings
  }

  override call(x: Tensor): Tensor {
    const { maxValue, negativeSlope, threshold } = this.settings
    const plain = threshold === 0 && negativeSlope === 0
    const value = plain ? relu(x) : where(ge(x, threshold), x, mul(sub(x, threshold), negativeSlope))
    return maxValue === null ? value : minimum(value, maxValue)
  }
}

/** x above 0, negativeSlope * x below. */
export class LeakyReLU extends Elementwise {
  override readonly className: string = 'LeakyReLU'
  private readonly slope: number

  constructor(options: LayerOptions & { negativeSlope?: number } = {}) {
    const negativeSlope = options.negativeSlope ?? 0.3
    super(options, { negativeSlope })
    this.slope = negativeSlope
  }

  override call(x: Tensor): Tensor {
    return leakyRelu(x, this.slope)
  }
}

export interface PReLUOptions extends LayerOptions {
  alphaInitializer?: InitializerLike
  alphaRegularizer?: RegularizerLike
  alphaConstraint?: ConstraintLike
  /** Dimensions (from 1) along which the slope is shared. */
  sharedAxes?: readonly number[] | null
}

/** Leaky ReLU whose slope is learned (He et al. 2015). Weight: alpha, of the shape of one example. */
export class PReLU extends Elementwise {
  override readonly className: string = 'PReLU'
  alpha!: Parameter

  constructor(private readonly options: PReLUOptions = {}) {
    super(options, {
      alphaInitializer: options.alphaInitializer ?? 'zeros',
      alphaRegularizer: options.alphaRegularizer ?? null,
      alphaConstraint: options.alphaConstraint ?? null,
      sharedAxes: options.sharedAxes ?? null,
    })
  }

  override build(inputShape: InputShapes): void {
    const shape = singleShape(this, inputShape)
    const shared = this.options.sharedAxes ?? []
    const extents = shape.slice(1).map((_, i) => (shared.includes(i + 1) ? 1 : knownExtent(this, shape, i + 1)))
    this.alpha = this.addWeight('alpha', extents, {
      initializer: this.options.alphaInitializer ?? 'zeros',
      regularizer: this.options.alphaRegularizer,
      constraint: this.options.alphaConstraint,
    })
  }

  override call(x: Tensor): Tensor {
    return sub(relu(x), mul(relu(neg(x)), this.alpha))
  }
}

/** x above 0, alpha * (e^x - 1) below (Clevert et al. 2016). */
export class ELU extends Elementwise {
  override readonly className: string = 'ELU'
  private readonly alpha: number

  constructor(options: LayerOptions & { alpha?: number } = {}) {
    const alpha = options.alpha ?? 1
    super(options, { alpha })
    this.alpha = alpha
  }

  override call(x: Tensor): Tensor {
    return elu(x, this.alpha)
  }
}

/** Softmax along one dimension, or over several together. */
export class Softmax extends Elementwise {
  override readonly className: string = 'Softmax'
  private readonly axis: number | readonly number[]

  constructor(options: LayerOptions & { axis?: number | readonly number[] } = {}) {
    const axis = options.axis ?? -1
    super(options, { axis })
    this.axis = axis
  }

  override call(x: Tensor): Tensor {
    const { axis } = this
    if (typeof axis === 'number') return softmax(x, axis)
    if (axis.length === 1) return softmax(x, axis[0])
    const shifted = exp(sub(x, x.amax([...axis], { keepdim: true }).stopGradient()))
    return shifted.div(shifted.sum([...axis], { keepdim: true }))
  }
}
