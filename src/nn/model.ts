import type { DType, Shape, Tensor } from '../tensor/index.js'
import { type CallContext, callContext, Layer, type LayerOptions } from './layer.js'
import type { Module } from './module.js'
import { SymbolicTensor } from './symbolic.js'

let inputs = 0

/** An input of a functional model. `shape` is that of one example, without the batch. */
export function input(
  shape: readonly (number | null)[],
  options: { name?: string; dtype?: DType; batchSize?: number } = {},
): SymbolicTensor {
  const name = options.name ?? (inputs === 0 ? 'input_layer' : `input_layer_${inputs}`)
  inputs++
  return new SymbolicTensor([options.batchSize ?? null, ...shape], options.dtype ?? 'f32', null, [], name)
}

export type Inputs = Tensor | Tensor[]

/**
 * A model: a layer made of layers. Training methods (`compile`, `fit`, `evaluate`, `predict`) come with `kaimo/train`, which the main
 * entry loads.
 */
export abstract class Model extends Layer {
  /** Layers in order of construction, without inputs. */
  abstract readonly layers: readonly Layer[]
  /** Shapes of the inputs with the batch first; null until known. */
  abstract readonly inputShapes: readonly (readonly (number | null)[])[] | null
  /** Names of outputs, for metrics of models with several. */
  abstract readonly outputNames: readonly string[]

  protected override children(): Iterable<readonly [string, Module]> {
    return this.layers.map((layer) => [layer.name, layer] as const)
  }

  override get weights() {
    return this.layers.flatMap((layer) => layer.weights)
  }

  override regularizationLosses(): Tensor[] {
    return this.layers.flatMap((layer) => layer.regularizationLosses())
  }

  override get takesList(): boolean {
    return (this.inputShapes?.length ?? 1) > 1
  }

  /** Runs the model in its present mode; takes one tensor, or one for each input. */
  override forward(x: Tensor): Tensor
  override forward(x: Inputs): Inputs
  override forward(x: Inputs): Inputs {
    return this.run(x, callContext(this.training))
  }

  /** Copies of all weights in Keras' order, as row-major data. */
  async getWeights(): Promise<{ shape: Shape; data: ArrayLike<number | bigint> }[]> {
    return Promise.all(this.weights.map(async (weight) => ({ shape: weight.shape, data: await weight.value.data() })))
  }
}

/** Layers one after another. */
export class Sequential extends Model {
  override readonly className: string = 'Sequential'
  private readonly list: Layer[] = []
  private declared: { shape: readonly (number | null)[]; dtype: DType } | null = null

  constructor(layers: readonly (Layer | SymbolicTensor)[] = [], options: LayerOptions = {}) {
    super(options)
    for (const layer of layers) this.add(layer)
  }

  get layers(): readonly Layer[] {
    return this.list
  }

  get inputShapes(): readonly (readonly (number | null)[])[] | null {
    return this.declared ? [this.declared.shape] : null
  }

  get outputNames(): readonly string[] {
    return [this.list.at(-1)?.name ?? 'output']
  }

  /** Appends a layer; an input (or `inputShape` of the first layer) lets weights be created at once. */
  add(layer: Layer | SymbolicTensor): this {
    if (layer instanceof SymbolicTensor) {
      if (this.list.length > 0 || this.declared) throw new Error('an input must come first in a Sequential model')
      this.declared = { shape: layer.shape, dtype: layer.dtype }
      return this
    }
    if (this.list.some((other) => other.name === layer.name))
      throw new Error(`two layers are named '${layer.name}'; give one another name`)
    if (this.list.length === 0 && !this.declared && layer.inputShape)
      this.declared = { shape: [null, ...layer.inputShape], dtype: inputDType(layer) }
    this.list.push(layer)
    if (this.declared) this.buildFrom(this.declared.shape, this.declared.dtype)
    return this
  }

  private buildFrom(shape: readonly (number | null)[], dtype: DType): void {
    let current = { shape: [...shape], dtype }
    for (const layer of this.list) {
      layer.ensureBuilt(current.shape)
      current = layer.outputShapes([current.shape], [current.dtype])[0]
    }
    this.built = true
  }

  override build(inputShape: readonly (number | null)[]): void {
    if (this.list.length === 0) throw new Error('a Sequential model needs at least one layer')
    if (!this.declared) this.declared = { shape: [null, ...inputShape.slice(1)], dtype: inputDType(this.list[0]) }
    this.buildFrom(this.declared.shape, this.declared.dtype)
  }

  override call(x: Inputs, context: CallContext): Inputs {
    let current = x
    for (const layer of this.list) current = layer.run(current, context)
    return current
  }

  override config(): Record<string, unknown> {
    return {
      name: this.name,
      layers: this.list.map((layer) => ({ class_name: layer.className, config: layer.config() })),
    }
  }
}

const inputDType = (layer: Layer): DType => (layer.className === 'Embedding' ? 'i32' : 'f32')

/** A model given by its inputs and outputs (Keras' functional API). */
export class Functional extends Model {
  override readonly className: string = 'Functional'
  readonly layers: readonly Layer[]
  readonly outputNames: readonly string[]
  private readonly sequence: readonly SymbolicTensor[]

  constructor(
    readonly inputs: readonly SymbolicTensor[],
    readonly outputs: readonly SymbolicTensor[],
    options: LayerOptions = {},
  ) {
    super(options)
    this.sequence = topological(inputs, outputs)
    this.layers = [...new Set(this.sequence.map((tensor) => tensor.layer).filter((layer) => layer !== null))]
    this.outputNames = outputs.map((output) => output.layer?.name ?? output.name ?? 'output')
    this.built = true
  }

  get inputShapes(): readonly (readonly (number | null)[])[] {
    return this.inputs.map((tensor) => tensor.shape)
  }

  override call(x: Inputs, context: CallContext): Inputs {
    const given = Array.isArray(x) ? x : [x]
    if (given.length !== this.inputs.length)
      throw new RangeError(`${this.name} takes ${this.inputs.length} input(s), got ${given.length}`)
    const values = new Map<SymbolicTensor, Tensor>(this.inputs.map((tensor, i) => [tensor, given[i]]))
    for (const tensor of this.sequence) {
      if (values.has(tensor) || !tensor.layer) continue
      const args = tensor.inputs.map((source) => values.get(source) as Tensor)
      values.set(
        tensor,
        tensor.layer.run(args.length === 1 && !tensor.layer.takesList ? args[0] : args, context) as Tensor,
      )
    }
    const results = this.outputs.map((output) => values.get(output) as Tensor)
    return results.length === 1 ? results[0] : results
  }

  override config(): Record<string, unknown> {
    return {
      name: this.name,
      layers: this.layers.map((layer) => ({ class_name: layer.className, config: layer.config() })),
    }
  }
}

function topological(from: readonly SymbolicTensor[], to: readonly SymbolicTensor[]): SymbolicTensor[] {
  const order: SymbolicTensor[] = []
  const seen = new Set<SymbolicTensor>()
  const stack = [...to].reverse().map((tensor) => ({ tensor, expanded: false }))
  while (stack.length > 0) {
    const { tensor, expanded } = stack.pop() as { tensor: SymbolicTensor; expanded: boolean }
    if (expanded) order.push(tensor)
    if (expanded || seen.has(tensor)) continue
    seen.add(tensor)
    if (tensor.layer === null && !from.includes(tensor))
      throw new Error(`the outputs depend on input '${tensor.name}', which is not among the model's inputs`)
    stack.push({ tensor, expanded: true })
    for (const source of [...tensor.inputs].reverse()) stack.push({ tensor: source, expanded: false })
  }
  return order
}
