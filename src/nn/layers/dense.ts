import { add, matmul, type Parameter, type Shape, type Tensor } from '../../tensor/index.js'
import { type Activation, type ActivationLike, activationName, getActivation } from '../activations.js'
import type { InitializerLike } from '../initializers.js'
import { Layer, type LayerOptions } from '../layer.js'
import type { RegularizerLike } from '../regularizers.js'

/** Options shared by layers with a kernel and a bias. */
export interface KernelOptions extends LayerOptions {
  activation?: ActivationLike
  useBias?: boolean
  kernelInitializer?: InitializerLike
  biasInitializer?: InitializerLike
  kernelRegularizer?: RegularizerLike
  biasRegularizer?: RegularizerLike
}

/** activation(x @ kernel + bias): [..., in] -> [..., units]. Keras Dense. */
export class Dense extends Layer {
  override readonly className = 'Dense'
  kernel!: Parameter
  bias: Parameter | null = null
  private readonly activation: Activation

  constructor(
    readonly units: number,
    readonly options: KernelOptions = {},
  ) {
    super(options)
    if (!Number.isInteger(units) || units < 1)
      throw new RangeError(`Dense: units must be a positive integer, got ${units}`)
    this.activation = getActivation(options.activation)
  }

  override build(inputShape: Shape): void {
    const features = inputShape.at(-1)
    if (features === undefined || features === null)
      throw new RangeError(
        `Dense ${this.name}: the last dimension of the input must be known, got [${inputShape.join(', ')}]`,
      )
    const {
      kernelInitializer = 'glorot_uniform',
      biasInitializer = 'zeros',
      kernelRegularizer,
      biasRegularizer,
      useBias = true,
    } = this.options
    this.kernel = this.addWeight('kernel', [features, this.units], {
      initializer: kernelInitializer,
      regularizer: kernelRegularizer,
    })
    if (useBias)
      this.bias = this.addWeight('bias', [this.units], { initializer: biasInitializer, regularizer: biasRegularizer })
  }

  override call(x: Tensor): Tensor {
    const linear = matmul(x, this.kernel)
    return this.activation(this.bias ? add(linear, this.bias) : linear)
  }

  override config(): Record<string, unknown> {
    return {
      name: this.name,
      units: this.units,
      activation: activationName(this.options.activation),
      use_bias: this.options.useBias ?? true,
    }
  }
}
