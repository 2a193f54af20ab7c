import { type DType, finish, type Steps } from '../tensor/index.js'
import type { CallContext, Layer, LayerOptions } from './layer.js'
import { kerasDType, serializeLayer } from './layer-config.js'
import { type Inputs, Model } from './model.js'
import { automaticName } from './names.js'
import { type PartialShape, SymbolicTensor } from './symbolic.js'

interface Known {
  readonly shape: PartialShape
  readonly dtype: DType
}

const inputDType = (layer: Layer): DType => (layer.className === 'Embedding' ? 'i32' : 'f32')

/** Layers one after another. */
export class Sequential extends Model {
  override readonly className: string = 'Sequential'
  readonly #list: Layer[] = []
  #input: (Known & { readonly name: string }) | null = null
  /** What each built layer gives. */
  readonly #outputs: Known[] = []

  constructor(layers: readonly (Layer | SymbolicTensor)[] = [], options: LayerOptions = {}) {
    super(options)
    for (const layer of layers) this.add(layer)
  }

  get layers(): readonly Layer[] {
    return this.#list
  }

  get inputShapes(): readonly PartialShape[] | null {
    return this.#input ? [this.#input.shape] : null
  }

  get outputNames(): readonly string[] {
    return [this.#list.at(-1)?.name ?? 'output']
  }

  /** Appends a layer; an input (or `inputShape` of the first layer) lets weights be created at once. */
  add(layer: Layer | SymbolicTensor): this {
    if (layer instanceof SymbolicTensor) {
      if (this.#list.length > 0 || this.#input) throw new Error('an input must come first in a Sequential model')
      if (layer.source) throw new Error('a Sequential model begins with an input, not with the output of a layer')
      this.#declare(layer.shape, layer.dtype, layer.name)
      return this
    }
    if (this.#list.some((other) => other.name === layer.name))
      throw new Error(`two layers are named '${layer.name}'; give one another name`)
    if (this.#list.length === 0 && !this.#input && layer.inputShape)
      this.#declare([null, ...layer.inputShape], inputDType(layer))
    this.#list.push(layer)
    if (this.#input) this.#buildRest()
    return this
  }

  #declare(shape: PartialShape, dtype: DType, name = automaticName('InputLayer')): void {
    this.#input = { shape, dtype, name }
  }

  /** Builds the layers that are not built yet. */
  #buildRest(): void {
    let current: Known = this.#outputs.at(-1) ?? (this.#input as Known)
    for (const layer of this.#list.slice(this.#outputs.length)) {
      layer.ensureBuilt(current.shape)
      current = layer.outputShapes([current.shape], [current.dtype])[0]
      this.#outputs.push(current)
    }
    this.built = true
  }

  override build(inputShape: PartialShape): void {
    if (this.#list.length === 0) throw new Error('a Sequential model needs at least one layer')
    if (!this.#input) this.#declare([null, ...inputShape.slice(1)], inputDType(this.#list[0]))
    this.#buildRest()
  }

  override call(x: Inputs, context: CallContext): Inputs {
    return finish(this.callSteps(x, context))
  }

  override *callSteps(x: Inputs, context: CallContext): Steps<Inputs> {
    if (!Array.isArray(x)) this.checkInputs(x.shape)
    let current = x
    for (const layer of this.#list) {
      current = yield* layer.runSteps(current, context)
      yield
    }
    return current
  }

  override summaryRows() {
    let from: string[] = []
    return this.#list.map((layer, i) => {
      const row = { layer, name: layer.name, shape: this.#outputs[i]?.shape ?? null, from }
      from = [layer.name]
      return row
    })
  }

  override config(): Record<string, unknown> {
    const first = this.#input && {
      module: 'keras.layers',
      class_name: 'InputLayer',
      config: { batch_shape: this.#input.shape, dtype: kerasDType(this.#input.dtype), name: this.#input.name },
      registered_name: null,
    }
    const layers = [...(first ? [first] : []), ...this.#list.map(serializeLayer)]
    return {
      name: this.name,
      trainable: this.trainable,
      dtype: kerasDType(this.dtype),
      layers,
      build_input_shape: this.#input?.shape ?? null,
    }
  }
}
