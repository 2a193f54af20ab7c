import { type DType, Parameter, type Shape, Tensor, zeros } from '../tensor/index.js'
import { getInitializer, type InitializerLike } from './initializers.js'
import { Module } from './module.js'
import { getRegularizer, type Regularizer, type RegularizerLike } from './regularizers.js'
import { SymbolicTensor } from './symbolic.js'

/** What one forward pass shares between layers. */
export interface CallContext {
  /** Dropout drops and normalisation uses batch statistics. */
  readonly training: boolean
  /** Penalties on activities, collected as layers run. */
  readonly losses: Tensor[]
  /** Masks that travel with tensors (bool [batch, steps]): Embedding with maskZero makes one, recurrent layers use it. */
  readonly masks: Map<Tensor, Tensor>
}

export const callContext = (training: boolean): CallContext => ({ training, losses: [], masks: new Map() })

export interface LayerOptions {
  name?: string
  trainable?: boolean
  dtype?: DType
  /** Shape of one example, without the batch: makes the first layer of a Sequential self-describing. */
  inputShape?: Shape
  activityRegularizer?: RegularizerLike
}

export interface WeightOptions {
  initializer: InitializerLike
  trainable?: boolean
  regularizer?: RegularizerLike
}

const counters = new Map<string, number>()

/** `Conv2D` -> `conv2d`, `conv2d_1`, ...: Keras' automatic names. */
function automaticName(className: string): string {
  const base = className
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/_?(\d)_?D$/i, '$1d')
    .toLowerCase()
  const count = counters.get(base) ?? 0
  counters.set(base, count + 1)
  return count === 0 ? base : `${base}_${count}`
}

/** Starts automatic layer names over (as keras.utils.clear_session does). */
export const resetNames = (): void => counters.clear()

type Inputs = Tensor | Tensor[]
type SymbolicInputs = SymbolicTensor | SymbolicTensor[]

/**
 * A layer in Keras' sense. Subclasses give `className`, create weights in `build` (through {@link addWeight}) and compute in `call`.
 * Weights are properties of the layer, so their paths are checkpoint keys.
 */
export abstract class Layer extends Module {
  /** Keras class name. */
  abstract readonly className: string
  protected assignedName: string | undefined
  built = false
  readonly inputShape: Shape | undefined
  readonly dtype: DType
  readonly activityRegularizer: Regularizer | null
  private readonly startsTrainable: boolean
  private readonly penalties: { readonly parameter: Parameter; readonly regularizer: Regularizer }[] = []
  private readonly order: Parameter[] = []

  constructor(options: LayerOptions = {}) {
    super()
    this.assignedName = options.name
    this.inputShape = options.inputShape
    this.dtype = options.dtype ?? 'f32'
    this.startsTrainable = options.trainable ?? true
    this.activityRegularizer = getRegularizer(options.activityRegularizer)
  }

  get name(): string {
    this.assignedName ??= automaticName(this.className)
    return this.assignedName
  }

  set name(name: string) {
    this.assignedName = name
  }

  /** Creates weights for inputs of this shape (null = any extent). */
  build(_inputShape: readonly (number | null)[] | readonly (readonly (number | null)[])[]): void {}

  /** Computes the output. */
  abstract call(inputs: Inputs, context: CallContext): Inputs

  /** Adds a weight. `name` is its name in Keras' weight paths. */
  protected addWeight(name: string, shape: Shape, options: WeightOptions): Parameter {
    const trainable = (options.trainable ?? true) && this.startsTrainable
    const parameter = new Parameter(getInitializer(options.initializer)(shape, this.dtype), {
      trainable,
      name: `${this.name}/${name}`,
    })
    const regularizer = getRegularizer(options.regularizer)
    if (regularizer) this.penalties.push({ parameter, regularizer })
    this.order.push(parameter)
    return parameter
  }

  /** Weights in Keras' order: as created, trainable first. */
  get weights(): Parameter[] {
    const own = [...this.order]
    for (const [, child] of this.children()) if (child instanceof Layer) own.push(...child.weights)
    return own
  }

  /** Builds on first use and runs the layer. */
  run(inputs: Inputs, context: CallContext): Inputs {
    this.ensureBuilt(Array.isArray(inputs) ? inputs.map((input) => input.shape) : inputs.shape)
    const outputs = this.call(inputs, context)
    this.collectLosses(outputs, context)
    this.passMask(inputs, outputs, context)
    return outputs
  }

  private collectLosses(outputs: Inputs, context: CallContext): void {
    const { activityRegularizer } = this
    if (!activityRegularizer) return
    for (const output of Array.isArray(outputs) ? outputs : [outputs]) {
      // Keras divides activity penalties by the batch size.
      context.losses.push(activityRegularizer(output).div(output.shape[0]))
    }
  }

  /** Hands the mask of the input on to the output. Override where a layer uses up or drops masks. */
  protected passMask(inputs: Inputs, outputs: Inputs, context: CallContext): void {
    if (Array.isArray(inputs) || Array.isArray(outputs)) return
    const mask = context.masks.get(inputs)
    if (mask && !context.masks.has(outputs)) context.masks.set(outputs, mask)
  }

  ensureBuilt(inputShape: readonly (number | null)[] | readonly (readonly (number | null)[])[]): void {
    if (this.built) return
    this.build(inputShape)
    this.built = true
  }

  /** Penalties on weights, as scalars. */
  regularizationLosses(): Tensor[] {
    const own = this.penalties.map(({ parameter, regularizer }) => regularizer(parameter.value))
    for (const [, child] of this.children()) if (child instanceof Layer) own.push(...child.regularizationLosses())
    return own
  }

  /** Connects the layer in a functional model: `nn.dense(8).apply(x)`. */
  apply(inputs: SymbolicTensor): SymbolicTensor
  apply(inputs: SymbolicInputs): SymbolicTensor
  apply(inputs: SymbolicInputs): SymbolicTensor {
    const list = Array.isArray(inputs) ? inputs : [inputs]
    const shapes = list.map((input) => input.shape)
    this.ensureBuilt(Array.isArray(inputs) ? shapes : shapes[0])
    const [output] = this.outputShapes(
      shapes,
      list.map((input) => input.dtype),
    )
    return new SymbolicTensor(output.shape, output.dtype, this, list)
  }

  /** Eager call: `layer.forward(x)` in the module's present mode. */
  forward(inputs: Tensor): Tensor {
    return this.run(inputs, callContext(this.training)) as Tensor
  }

  /**
   * Output shapes, found by recording the call on inputs with a stand-in for every unknown extent and comparing two stand-ins:
   * nothing is computed.
   */
  outputShapes(
    shapes: readonly (readonly (number | null)[])[],
    dtypes: readonly DType[],
  ): { shape: (number | null)[]; dtype: DType }[] {
    const [first, second] = [4, 6].map((unknown) => {
      const inputs = shapes.map((shape, i) =>
        zeros(
          shape.map((extent) => extent ?? unknown),
          { dtype: dtypes[i] },
        ),
      )
      const outputs = this.call(inputs.length === 1 && !this.takesList ? inputs[0] : inputs, callContext(false))
      return Array.isArray(outputs) ? outputs : [outputs]
    })
    return first.map((output, i) => ({
      shape: output.shape.map((extent, d) => (extent === second[i].shape[d] ? extent : null)),
      dtype: output.dtype,
    }))
  }

  /** True for layers whose `call` takes an array (merging layers). */
  get takesList(): boolean {
    return false
  }

  /** Keras' get_config: what makes an equal layer. */
  abstract config(): Record<string, unknown>

  override toString(): string {
    return `${this.className}(${this.name})`
  }
}

export const isTensor = (x: unknown): x is Tensor => x instanceof Tensor
