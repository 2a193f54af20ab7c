import { add, matmul, type Parameter, type Tensor } from '../../tensor/index.js'
import { type Activation, getActivation } from '../activations.js'
import { type InputShapes, Layer } from '../layer.js'
import { LowRank, type LowRankOptions, lowRankSettings } from './low-rank.js'
import { checkCount, type KernelOptions, kernelSettings, knownExtent, singleShape } from './options.js'

/** activation(x @ kernel + bias): [..., in] -> [..., units]. Keras Dense. Weights: kernel [in, units], bias [units], lora_kernel_a, lora_kernel_b. */
export class Dense extends Layer {
  override readonly className: string = 'Dense'
  override readonly supportsMasking = true
  kernel!: Parameter
  bias: Parameter | null = null
  private readonly activation: Activation
  #lowRank: LowRank | null = null

  constructor(
    readonly units: number,
    readonly options: KernelOptions & LowRankOptions = {},
  ) {
    super(options, { units, ...kernelSettings(options), ...lowRankSettings(options) })
    checkCount('Dense', 'units', units)
    this.activation = getActivation(options.activation)
  }

  override build(inputShape: InputShapes): void {
    const features = knownExtent(this, singleShape(this, inputShape), -1)
    const o = kernelSettings(this.options)
    this.kernel = this.addWeight('kernel', [features, this.units], {
      initializer: o.kernelInitializer,
      regularizer: o.kernelRegularizer,
      constraint: o.kernelConstraint,
    })
    if (o.useBias)
      this.bias = this.addWeight('bias', [this.units], {
        initializer: o.biasInitializer,
        regularizer: o.biasRegularizer,
        constraint: o.biasConstraint,
      })
    if (!this.options.loraRank) return
    if (o.kernelConstraint) throw new RangeError(`Dense ${this.name}: loraRank and kernelConstraint exclude each other`)
    this.#lowRank = new LowRank(this.kernel, this.options, 'kernel', (name, shape, initializer) =>
      this.addWeight(name, shape, { initializer, regularizer: o.kernelRegularizer }),
    )
  }

  override get savedWeights(): Parameter[] {
    return this.#lowRank?.saved(this.weights) ?? this.weights
  }

  override call(x: Tensor): Tensor {
    const linear = matmul(this.toFloat(x), this.#lowRank?.whole ?? this.kernel)
    return this.activation(this.bias ? add(linear, this.bias) : linear)
  }
}
