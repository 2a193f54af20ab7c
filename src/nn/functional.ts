import { finish, type Steps, type Tensor } from '../tensor/index.js'
import type { CallContext, Layer, LayerOptions } from './layer.js'
import { kerasDType, serializeLayer } from './layer-config.js'
import { type Inputs, Model } from './model.js'
import type { LayerCall, PartialShape, SymbolicTensor } from './symbolic.js'

export interface FunctionalOptions extends LayerOptions {
  /** Order of the layers, where it is known from elsewhere. */
  layers?: readonly Layer[]
}

/** A model given by its inputs and outputs (Keras' functional API). */
export class Functional extends Model {
  override readonly className: string = 'Functional'
  readonly layers: readonly Layer[]
  readonly outputNames: readonly string[]
  readonly #calls: readonly LayerCall[]

  constructor(
    readonly inputs: readonly SymbolicTensor[],
    readonly outputs: readonly SymbolicTensor[],
    options: FunctionalOptions = {},
  ) {
    super(options)
    if (outputs.length === 0) throw new RangeError('a model needs at least one output')
    for (const tensor of inputs)
      if (tensor.source) throw new RangeError(`${tensor} is not an input: make inputs with nn.input(shape)`)
    this.#calls = callsInOrder(inputs, outputs)
    this.layers = options.layers ?? kerasOrder(this.#calls, outputs)
    this.outputNames = outputs.map((output) => output.layer?.name ?? output.name ?? 'output')
    const names = this.layers.map((layer) => layer.name)
    const twice = names.find((name, i) => names.indexOf(name) !== i)
    if (twice) throw new Error(`two layers are named '${twice}'; give one another name`)
    this.built = true
  }

  get inputShapes(): readonly PartialShape[] {
    return this.inputs.map((tensor) => tensor.shape)
  }

  override call(x: Inputs, context: CallContext): Inputs {
    return finish(this.callSteps(x, context))
  }

  override *callSteps(x: Inputs, context: CallContext): Steps<Inputs> {
    const given = Array.isArray(x) ? x : [x]
    this.checkInputs(given.map((tensor) => tensor.shape))
    const inputs = new Map(this.inputs.map((tensor, i) => [tensor, given[i]]))
    const results = new Map<LayerCall, Tensor[]>()
    const valueAt = (tensor: SymbolicTensor): Tensor =>
      (tensor.source ? results.get(tensor.source)?.[tensor.index] : inputs.get(tensor)) as Tensor
    for (const call of this.#calls) {
      const args = call.inputs.map(valueAt)
      const output = yield* call.layer.runSteps(args.length === 1 && !call.layer.takesList ? args[0] : args, context)
      results.set(call, Array.isArray(output) ? output : [output])
      yield
    }
    const outputs = this.outputs.map(valueAt)
    return outputs.length === 1 ? outputs[0] : outputs
  }

  override summaryRows() {
    const shapes = new Map<LayerCall, PartialShape>()
    for (const tensor of [...this.outputs, ...this.#calls.flatMap((call) => call.inputs)])
      if (tensor.source && tensor.index === 0) shapes.set(tensor.source, tensor.shape)
    const nameOf = (tensor: SymbolicTensor): string => tensor.layer?.name ?? tensor.name ?? 'input'
    const rows = this.layers.map((layer) => {
      const calls = this.#calls.filter((call) => call.layer === layer)
      const shape = calls.map((call) => shapes.get(call)).find((known) => known) ?? null
      return { layer, name: layer.name, shape, from: calls.flatMap((call) => call.inputs.map(nameOf)) }
    })
    const inputs = this.inputs.map((tensor) => ({ layer: null, name: nameOf(tensor), shape: tensor.shape, from: [] }))
    return [...inputs, ...rows]
  }

  override config(): Record<string, unknown> {
    // Uses of a layer are numbered within this model: the layer may be part of others, too.
    const numbers = new Map<LayerCall, number>()
    for (const layer of this.layers) {
      for (const [i, call] of this.#calls.filter((candidate) => candidate.layer === layer).entries())
        numbers.set(call, i)
    }
    const history = (tensor: SymbolicTensor): [string, number, number] => [
      tensor.layer?.name ?? (tensor.name as string),
      tensor.source ? (numbers.get(tensor.source) ?? 0) : 0,
      tensor.index,
    ]
    const write = (tensor: SymbolicTensor): object => ({
      class_name: '__keras_tensor__',
      config: { shape: tensor.shape, dtype: kerasDType(tensor.dtype), keras_history: history(tensor) },
    })
    const inputs = this.inputs.map(({ shape, dtype, name }) => ({
      module: 'keras.layers',
      class_name: 'InputLayer',
      config: { batch_shape: shape, dtype: kerasDType(dtype), name },
      registered_name: null,
      name,
      inbound_nodes: [],
    }))
    const layers = this.layers.map((layer) => ({
      ...serializeLayer(layer),
      name: layer.name,
      inbound_nodes: this.#calls
        .filter((call) => call.layer === layer)
        .map((call) => ({ args: layer.inboundArguments(call.inputs.map(write)), kwargs: {} })),
    }))
    return {
      name: this.name,
      trainable: this.trainable,
      layers: [...inputs, ...layers],
      input_layers: this.inputs.map(history),
      output_layers: this.outputs.map(history),
    }
  }
}

/** A functional model: `nn.model({ inputs, outputs })`, each one tensor or a list. */
export function model(options: {
  inputs: SymbolicTensor | readonly SymbolicTensor[]
  outputs: SymbolicTensor | readonly SymbolicTensor[]
  name?: string
}): Functional {
  const list = (x: SymbolicTensor | readonly SymbolicTensor[]): readonly SymbolicTensor[] =>
    Array.isArray(x) ? x : [x as SymbolicTensor]
  return new Functional(list(options.inputs), list(options.outputs), { name: options.name })
}

/** Every use of a layer that the outputs need, each after those it depends on. */
function callsInOrder(from: readonly SymbolicTensor[], to: readonly SymbolicTensor[]): LayerCall[] {
  const order = new Set<LayerCall>()
  const entered = new Set<LayerCall>()
  const stack = [...to].reverse().map((tensor) => ({ tensor, expanded: false }))
  while (stack.length > 0) {
    const { tensor, expanded } = stack.pop() as { tensor: SymbolicTensor; expanded: boolean }
    const { source } = tensor
    if (!source) {
      if (!from.includes(tensor))
        throw new Error(`the outputs depend on input '${tensor.name}', which is not among the model's inputs`)
      continue
    }
    if (expanded) order.add(source)
    if (expanded || entered.has(source)) continue
    entered.add(source)
    stack.push({ tensor, expanded: true })
    for (const needed of [...source.inputs].reverse()) stack.push({ tensor: needed, expanded: false })
  }
  return [...order]
}

/**
 * Layers as Keras lists them, on which the order of weights hangs: by their distance from the outputs, the farthest first; layers of
 * one distance in the order in which a walk from the outputs meets them.
 */
function kerasOrder(calls: readonly LayerCall[], outputs: readonly SymbolicTensor[]): Layer[] {
  const met = new Map<Layer, number>()
  const walk = [...outputs].reverse()
  const seen = new Set<LayerCall>()
  while (walk.length > 0) {
    const { source } = walk.pop() as SymbolicTensor
    if (!source || seen.has(source)) continue
    seen.add(source)
    if (!met.has(source.layer)) met.set(source.layer, met.size)
    walk.push(...[...source.inputs].reverse())
  }
  const callDepths = new Map<LayerCall, number>()
  const depths = new Map<Layer, number>()
  for (const call of [...calls].reverse()) {
    const depth = Math.max(callDepths.get(call) ?? 0, depths.get(call.layer) ?? 0)
    depths.set(call.layer, depth)
    for (const { source } of call.inputs)
      if (source) callDepths.set(source, Math.max(callDepths.get(source) ?? 0, depth + 1))
  }
  const order = (layer: Layer): [number, number] => [-(depths.get(layer) ?? 0), met.get(layer) ?? 0]
  return [...depths.keys()].sort((a, b) => order(a)[0] - order(b)[0] || order(a)[1] - order(b)[1])
}
