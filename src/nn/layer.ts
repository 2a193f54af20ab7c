import { Flag } from '../runtime/index.js'
import { type DType, finish, isFloat, Parameter, type Shape, type Steps, Tensor, zeros } from '../tensor/index.js'
import { type Constraint, type ConstraintLike, getConstraint } from './constraints.js'
import { getInitializer, type InitializerLike } from './initializers.js'
import { layerConfig } from './layer-config.js'
import { type Child, Module, setParameterTrainable } from './module.js'
import { automaticName } from './names.js'
import { getRegularizer, type Regularizer, type RegularizerLike } from './regularizers.js'
import { type PartialShape, SymbolicTensor } from './symbolic.js'

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
  constraint?: ConstraintLike
  /** Default: the layer's dtype. */
  dtype?: DType
}

interface Weight {
  readonly name: string
  readonly parameter: Parameter
  /** As declared: freezing does not change the order of weights. */
  readonly trainable: boolean
  readonly regularizer: ReturnType<typeof getRegularizer>
  readonly constraint: ReturnType<typeof getConstraint>
}

type Inputs = Tensor | Tensor[]
export type InputShapes = PartialShape | readonly PartialShape[]

// Extents that stand in for unknown ones; large enough for windows, different enough that windows tell them apart.
const STAND_INS = [96, 134]

const isParameterOf = (weights: readonly Weight[], child: Parameter | Module): boolean =>
  weights.some(({ parameter }) => parameter === child)

/**
 * A layer in Keras' sense. Subclasses give `className`, create weights in `build` (through {@link addWeight}) and compute in `call`.
 * Checkpoint keys are the names of weights under the property paths of layers.
 */
export abstract class Layer extends Module {
  /** Keras class name. */
  abstract readonly className: string
  /** Set where the layer stands for an operation of a functional Keras model: no mask comes out of it. */
  dropsMask = false
  /** Whether the mask of the input is that of the output, too. Layers that drop or make masks override {@link passMask}. */
  readonly supportsMasking: boolean = false
  protected assignedName: string | undefined
  built = false
  readonly inputShape: Shape | undefined
  readonly dtype: DType
  readonly activityRegularizer: Regularizer | null
  #calls = 0
  readonly #trainable: Flag<boolean>
  readonly #weights: Weight[] = []
  readonly #settings: object

  /** `settings`: the options that {@link config} writes, with their defaults filled in. */
  constructor(options: LayerOptions = {}, settings: object = {}) {
    super()
    this.assignedName = options.name
    this.inputShape = options.inputShape
    this.dtype = options.dtype ?? 'f32'
    this.#trainable = new Flag(options.trainable ?? true)
    this.activityRegularizer = getRegularizer(options.activityRegularizer)
    this.#settings = options.activityRegularizer
      ? { activityRegularizer: options.activityRegularizer, ...settings }
      : settings
  }

  get name(): string {
    this.assignedName ??= automaticName(this.className)
    return this.assignedName
  }

  set name(name: string) {
    this.assignedName = name
  }

  /** False while frozen: weights are not updated, and BatchNormalization uses its moving statistics. */
  get trainable(): boolean {
    return this.#trainable.get()
  }

  set trainable(trainable: boolean) {
    this.setTrainable(trainable)
  }

  protected override setTrainable(trainable: boolean): void {
    this.#trainable.set(trainable)
    super.setTrainable(trainable)
  }

  /** Creates weights for inputs of this shape (null = any extent). */
  build(_inputShape: InputShapes): void {}

  /** Computes the output. */
  abstract call(inputs: Inputs, context: CallContext): Inputs

  /**
   * Adds a weight. `name` is its checkpoint key within the layer, and the last part of its Keras path.
   * @throws Error when the layer has a weight of that name.
   */
  protected addWeight(name: string, shape: Shape, options: WeightOptions): Parameter {
    if (this.#weights.some((weight) => weight.name === name))
      throw new Error(`${this.className} ${this.name} has a weight '${name}' already; give another name`)
    const trainable = options.trainable ?? true
    const dtype = options.dtype ?? this.dtype
    const parameter = new Parameter(getInitializer(options.initializer)(shape, dtype), {
      trainable,
      name: `${this.name}/${name}`,
    })
    if (!this.#trainable.get()) setParameterTrainable(parameter, false)
    this.#weights.push({
      name,
      parameter,
      trainable,
      regularizer: getRegularizer(options.regularizer),
      constraint: getConstraint(options.constraint),
    })
    return parameter
  }

  protected override *children(): Iterable<Child> {
    for (const { name, parameter } of this.#weights) yield [name, parameter]
    for (const child of super.children()) if (!isParameterOf(this.#weights, child[1])) yield child
  }

  /** Layers held directly. */
  protected get sublayers(): Layer[] {
    return [...this.children()].map(([, child]) => child).filter((child) => child instanceof Layer)
  }

  /** Layers held directly, with their property names. */
  get parts(): (readonly [name: string, layer: Layer])[] {
    return [...this.children()].flatMap(([name, child]) => (child instanceof Layer ? [[name, child] as const] : []))
  }

  /** Weights in Keras' order: as created, trainable ones first, those of layers inside after them. */
  get weights(): Parameter[] {
    const own = [true, false].flatMap((trainable) => this.#weights.filter((weight) => weight.trainable === trainable))
    const all = [...own.map(({ parameter }) => parameter), ...this.sublayers.flatMap((layer) => layer.weights)]
    return [...new Set(all)]
  }

  /** {@link weights} as Keras' files hold them. */
  get savedWeights(): Parameter[] {
    return this.weights
  }

  /** {@link call} in steps: layers of layers pause after each. */
  // biome-ignore lint/correctness/useYield: a layer alone is one step
  *callSteps(inputs: Inputs, context: CallContext): Steps<Inputs> {
    return this.call(inputs, context)
  }

  /** Builds on first use and runs the layer. */
  run(inputs: Inputs, context: CallContext): Inputs {
    return finish(this.runSteps(inputs, context))
  }

  /** {@link run} in steps, for generator functions that `jit` traces. */
  *runSteps(inputs: Inputs, context: CallContext): Steps<Inputs> {
    this.ensureBuilt(Array.isArray(inputs) ? inputs.map((input) => input.shape) : inputs.shape)
    const outputs = yield* this.callSteps(inputs, context)
    this.collectLosses(outputs, context)
    if (!this.dropsMask) this.passMask(inputs, outputs, context)
    return outputs
  }

  private collectLosses(outputs: Inputs, context: CallContext): void {
    const { activityRegularizer } = this
    if (!activityRegularizer) return
    for (const output of Array.isArray(outputs) ? outputs : [outputs]) {
      const penalty = activityRegularizer(output)
      // Keras divides activity penalties by the batch size.
      context.losses.push(output.ndim > 0 ? penalty.div(output.shape[0]) : penalty)
    }
  }

  /** Hands the mask of the input on to the output. Override where a layer makes a mask. */
  protected passMask(inputs: Inputs, outputs: Inputs, context: CallContext): void {
    if (!this.supportsMasking || Array.isArray(outputs)) return
    const mask = context.masks.get(Array.isArray(inputs) ? inputs[0] : inputs)
    if (mask && !context.masks.has(outputs)) context.masks.set(outputs, mask)
  }

  ensureBuilt(inputShape: InputShapes): void {
    if (this.built) return
    this.build(inputShape)
    this.built = true
  }

  /** Penalties on trainable weights, as scalars. */
  regularizationLosses(): Tensor[] {
    const own = this.#weights.flatMap(({ parameter, regularizer }) =>
      regularizer && parameter.trainable ? [regularizer(parameter.value)] : [],
    )
    return [...own, ...this.sublayers.flatMap((layer) => layer.regularizationLosses())]
  }

  /** Projects constrained weights onto what they may be; `fit` does so after each update. */
  applyConstraints(
    project: (parameter: Parameter, constraint: Constraint) => void = (parameter, constraint) => {
      parameter.value = constraint(parameter.value)
    },
  ): void {
    for (const { parameter, constraint } of this.#weights)
      if (constraint && parameter.trainable) project(parameter, constraint)
    for (const layer of this.sublayers) layer.applyConstraints(project)
  }

  /**
   * Connects the layer in a functional model: `nn.dense(8).apply(x)`.
   * @throws RangeError when the layer has several outputs: use {@link applyAll}.
   */
  apply(inputs: SymbolicTensor | readonly SymbolicTensor[]): SymbolicTensor {
    const outputs = this.applyAll(inputs)
    if (outputs.length !== 1)
      throw new RangeError(`${this.className} ${this.name} has ${outputs.length} outputs; connect it with applyAll()`)
    return outputs[0]
  }

  /** {@link apply} for layers with several outputs. */
  applyAll(inputs: SymbolicTensor | readonly SymbolicTensor[]): SymbolicTensor[] {
    const list: readonly SymbolicTensor[] = inputs instanceof SymbolicTensor ? [inputs] : inputs
    const shapes = list.map((input) => input.shape)
    this.ensureBuilt(list.length === 1 && !this.takesList ? shapes[0] : shapes)
    const dtypes = list.map((input) => input.dtype)
    const source = { layer: this, inputs: list, index: this.#calls++ }
    return this.outputShapes(shapes, dtypes).map(
      ({ shape, dtype }, i) => new SymbolicTensor(shape, dtype, source, i, this.name),
    )
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
    shapes: readonly PartialShape[],
    dtypes: readonly DType[],
  ): { shape: (number | null)[]; dtype: DType }[] {
    const probe = (unknown: number): Tensor[] => {
      const inputs = shapes.map((shape, i) =>
        zeros(
          shape.map((extent) => extent ?? unknown),
          { dtype: dtypes[i] },
        ),
      )
      const outputs = this.call(inputs.length === 1 && !this.takesList ? inputs[0] : inputs, callContext(false))
      return Array.isArray(outputs) ? outputs : [outputs]
    }
    const known = shapes.every((shape) => !shape.includes(null))
    const first = probe(STAND_INS[0])
    const second = known ? first : probe(STAND_INS[1])
    return first.map((output, i) => ({
      shape: output.shape.map((extent, d) => (extent === second[i].shape[d] ? extent : null)),
      dtype: output.dtype,
    }))
  }

  /** True for layers whose `call` takes an array (merging layers). */
  get takesList(): boolean {
    return false
  }

  /** How Keras' configs write the arguments of a use of the layer, given those of {@link applyAll}. */
  inboundArguments(inputs: readonly unknown[]): unknown[] {
    return this.takesList ? [inputs] : [...inputs]
  }

  /** Inputs as the floats that weights are. */
  protected toFloat(x: Tensor): Tensor {
    return isFloat(x.dtype) ? x : x.to(this.dtype)
  }

  /** Keras' get_config: what makes an equal layer, in Keras' spelling. */
  config(): Record<string, unknown> {
    return layerConfig(this, this.#settings)
  }

  override toString(): string {
    return `${this.className}(${this.name})`
  }
}

export const isTensor = (x: unknown): x is Tensor => x instanceof Tensor
