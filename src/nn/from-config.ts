import { Functional } from './functional.js'
import type { Layer } from './layer.js'
import { dtypeFromKeras } from './layer-config.js'
import { LAYER_TYPES, type LayerType } from './layer-types.js'
import { input, type Model } from './model.js'
import { OPERATIONS, operationAsLayer } from './operations.js'
import { Sequential } from './sequential.js'
import { camelKeys, isKerasObject, type KerasObject } from './serial.js'
import type { PartialShape, SymbolicTensor } from './symbolic.js'

type Config = Record<string, unknown>
/** Makes a layer from its options: Keras' config with names in camelCase. */
export type LayerMaker = (options: Config) => Layer

const custom = new Map<string, LayerMaker>()

/**
 * Makes a layer class known by its `className`, so that models with it can be loaded. `make` gets what `config()` gave, with names in
 * camelCase.
 * @throws Error when the name is taken.
 */
export function registerLayer(name: string, make: LayerMaker): void {
  if (name in LAYER_TYPES || custom.has(name)) throw new Error(`a layer class '${name}' is known already`)
  custom.set(name, make)
}

// Keras' older files name some classes as its sources do.
const types: Readonly<Record<string, LayerType>> = {
  ...LAYER_TYPES,
  GroupedQueryAttention: LAYER_TYPES.GroupQueryAttention,
}

/** Plain values for tuples and layers for nested layers. */
function revive(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revive)
  if (typeof value !== 'object' || value === null) return value
  if ('class_name' in value && value.class_name === '__tuple__' && 'items' in value) return revive(value.items)
  return isKerasObject(value) && isLayerClass(value.class_name) ? layerFromConfig(value) : value
}

const MODELS = ['Sequential', 'Functional', 'Model']
const isLayerClass = (name: string): boolean => name in types || custom.has(name) || MODELS.includes(name)

function optionsOf(config: Config): Config {
  const options = camelKeys(
    Object.fromEntries(Object.entries(config).map(([key, value]) => [key, reviveOption(key, value)])),
  )
  const shape = (config.batch_shape ?? config.batch_input_shape) as PartialShape | undefined
  return { ...options, dtype: dtypeFromKeras(config.dtype), ...(shape ? { inputShape: shape.slice(1) } : {}) }
}

// Activations and the like have class names, too, some of them those of layers.
const reviveOption = (key: string, value: unknown): unknown =>
  /(activation|initializer|regularizer|constraint|dtype)$/.test(key) ? value : revive(value)

/**
 * Makes a layer from how Keras writes it: `{ class_name, config }`.
 * @throws RangeError naming an unknown class and the known ones.
 */
export function layerFromConfig(object: KerasObject): Layer {
  if (!isKerasObject(object))
    throw new TypeError(`a layer config needs class_name and config, got ${JSON.stringify(object)?.slice(0, 80)}`)
  const { class_name: name, config } = object
  if (typeof config !== 'object' || config === null)
    throw new TypeError(`the config of ${name} must be an object, got ${JSON.stringify(config)}`)
  if (MODELS.includes(name)) return modelFromConfig(object)
  const make = custom.get(name)
  if (make) return make(optionsOf(config))
  const type = Object.hasOwn(types, name) ? types[name] : undefined
  if (!type)
    throw new RangeError(
      `unknown layer class '${name}'; known: ${[...Object.keys(types), ...custom.keys()].join(', ')}. Make others known with registerLayer()`,
    )
  const options = optionsOf(config)
  const Class = type.layer as unknown as new (...args: unknown[]) => Layer
  // A missing option by position takes the default of the constructor.
  return new Class(...type.positional.map((option) => options[option] ?? undefined), options)
}

/** One layer of a functional config. */
interface Entry extends KerasObject {
  readonly name: string
  readonly inbound_nodes: readonly { readonly args: unknown; readonly kwargs?: Config }[]
}

type History = readonly [layer: string, node: number, tensor: number]

const isHistory = (value: unknown): value is History =>
  Array.isArray(value) && value.length === 3 && typeof value[0] === 'string'

/** One history, or a list or record of them, as a list. */
const historyList = (value: unknown): unknown[] =>
  isHistory(value) ? [value] : Object.values((value ?? []) as Record<string, unknown>)

/** The tensors among the arguments of a call, in order. */
function historiesIn(value: unknown): History[] {
  if (Array.isArray(value)) return value.flatMap(historiesIn)
  if (typeof value !== 'object' || value === null) return []
  if (!('class_name' in value) || value.class_name !== '__keras_tensor__')
    return Object.values(value).flatMap(historiesIn)
  const history = (value as unknown as KerasObject).config?.keras_history
  if (!isHistory(history))
    throw new TypeError(`a tensor of a functional config has no keras_history: ${JSON.stringify(value)}`)
  return [history]
}

const KEYWORDS = ['query', 'value', 'key', 'attention_mask', 'initial_state']
// Masks travel with the tensors here; Keras writes those that its layers hand on as arguments.
const MASKS = ['mask', 'query_mask', 'value_mask', 'key_mask']

/** An operation on tensors that Keras lists among the layers (`a + b`, masks of embeddings). */
const isOperation = (entry: Entry): boolean => /\bops\b/.test(entry.module ?? '')

function argumentsOf(entry: Entry, node: Entry['inbound_nodes'][number]): History[] {
  const keywords = node.kwargs ?? {}
  for (const [name, value] of Object.entries(keywords))
    if (historiesIn(value).length > 0 && !KEYWORDS.includes(name) && !MASKS.includes(name))
      throw new RangeError(`${entry.class_name} ${entry.name}: a tensor as the argument '${name}' is not supported`)
  return [...historiesIn(node.args), ...KEYWORDS.flatMap((name) => historiesIn(keywords[name]))]
}

/** @throws RangeError for operations that are no layers. */
function operationLayer(entry: Entry): Layer {
  const object = operationAsLayer(entry)
  if (!object)
    throw new RangeError(
      `the model uses the Keras operation '${entry.class_name}' (${entry.name}) on tensors directly; only ${OPERATIONS.join(', ')} of tensors and numbers are supported there, else use layers`,
    )
  const layer = layerFromConfig(object)
  // Operations hand no masks on.
  layer.dropsMask = true
  return layer
}

// Options of calls in Keras that are options of layers here.
const CALL_OPTIONS = ['use_causal_mask', 'return_attention_scores']

function layerOf(entry: Entry): Layer {
  const keywords = entry.inbound_nodes[0]?.kwargs ?? {}
  const given = CALL_OPTIONS.filter((name) => keywords[name]).map((name) => [name, true])
  return layerFromConfig({ ...entry, config: { ...entry.config, ...Object.fromEntries(given) } })
}

function inputOf({ config }: KerasObject): SymbolicTensor {
  const shape = (config.batch_shape ?? config.batch_input_shape) as PartialShape | undefined
  if (!Array.isArray(shape)) throw new TypeError(`InputLayer ${String(config.name)} has no batch_shape`)
  return input(shape.slice(1), {
    name: config.name as string | undefined,
    dtype: dtypeFromKeras(config.dtype),
    ...(typeof shape[0] === 'number' ? { batchSize: shape[0] } : {}),
  })
}

/** Rebuilds the graph of a functional model. */
class GraphReader {
  private readonly layers = new Map<string, Layer>()
  private readonly made = new Map<string, SymbolicTensor[]>()

  constructor(private readonly config: Config) {}

  private static key = (layer: string, node: number): string => `${node}:${layer}`

  private tensor([layer, node, index]: History): SymbolicTensor | undefined {
    return this.made.get(GraphReader.key(layer, node))?.[index]
  }

  read(): Functional {
    const entries = this.neededEntries()
    let pending: { entry: Entry; node: number }[] = []
    for (const entry of entries) {
      if (entry.class_name === 'InputLayer') {
        this.made.set(GraphReader.key(entry.name ?? (entry.config.name as string), 0), [inputOf(entry)])
        continue
      }
      this.layers.set(entry.name, isOperation(entry) ? operationLayer(entry) : layerOf(entry))
      pending.push(...entry.inbound_nodes.map((_, node) => ({ entry, node })))
    }
    // A node may come before those it depends on: layers are listed by depth, shared ones by their deepest use.
    while (pending.length > 0) {
      const left = pending.filter(({ entry, node }) => !this.connect(entry, node))
      if (left.length === pending.length)
        throw new Error(
          `the functional config is not a graph: inputs of ${[...new Set(left.map(({ entry }) => entry.name))].join(', ')} are missing`,
        )
      pending = left
    }
    return new Functional(this.list('input_layers'), this.list('output_layers'), {
      name: this.config.name as string | undefined,
      layers: [...this.layers.values()],
    })
  }

  /** All layers, and those operations that the outputs need other than for masks. */
  private neededEntries(): Entry[] {
    const entries = (this.config.layers ?? []) as Entry[]
    const byName = new Map(entries.map((entry) => [entry.name, entry]))
    const needed = new Set<string>()
    const names = historyList(this.config.output_layers).flatMap((value) => (isHistory(value) ? [value[0]] : []))
    while (names.length > 0) {
      const name = names.pop() as string
      const entry = byName.get(name)
      if (!entry || needed.has(name)) continue
      needed.add(name)
      for (const node of entry.inbound_nodes ?? []) {
        this.checkMasks(entry, node, byName)
        names.push(...argumentsOf(entry, node).map(([source]) => source))
      }
    }
    return entries.filter((entry) => needed.has(entry.name) || !isOperation(entry))
  }

  private checkMasks(entry: Entry, node: Entry['inbound_nodes'][number], byName: ReadonlyMap<string, Entry>): void {
    for (const name of MASKS)
      for (const [source] of historiesIn(node.kwargs?.[name])) {
        const maker = byName.get(source)
        if (maker && !isOperation(maker))
          throw new RangeError(
            `${entry.class_name} ${entry.name}: a mask from the layer ${source} is not supported; masks come from Embedding and Masking`,
          )
      }
  }

  private connect(entry: Entry, node: number): boolean {
    const inputs = argumentsOf(entry, entry.inbound_nodes[node]).map((history) => this.tensor(history))
    if (inputs.some((tensor) => tensor === undefined)) return false
    const layer = this.layers.get(entry.name) as Layer
    const list = inputs as SymbolicTensor[]
    this.made.set(
      GraphReader.key(entry.name, node),
      layer.applyAll(list.length === 1 && !layer.takesList ? list[0] : list),
    )
    return true
  }

  /** Inputs or outputs: one history, or a list or record of them. */
  private list(key: 'input_layers' | 'output_layers'): SymbolicTensor[] {
    return historyList(this.config[key]).map((history) => {
      const tensor = isHistory(history) ? this.tensor(history) : undefined
      if (!tensor) throw new Error(`the functional config has no tensor ${JSON.stringify(history)} (${key})`)
      return tensor
    })
  }
}

function sequentialFromConfig(config: Config): Sequential {
  const layers = ((config.layers ?? []) as KerasObject[]).map((object) =>
    object.class_name === 'InputLayer' ? inputOf(object) : layerFromConfig(object),
  )
  const model = new Sequential(layers, { name: config.name as string | undefined })
  const shape = config.build_input_shape
  if (!model.built && model.layers.length > 0 && Array.isArray(shape)) model.ensureBuilt(shape)
  return model
}

/**
 * Makes a model from Keras' `model.to_json()` (Keras 3), or from `model.toConfig()`, with fresh weights.
 * @throws RangeError naming an unknown layer class and the known ones.
 */
export function modelFromConfig(json: KerasObject | string): Model {
  const object = (typeof json === 'string' ? JSON.parse(json) : json) as KerasObject
  if (!isKerasObject(object))
    throw new TypeError(`a model config needs class_name and config, got ${JSON.stringify(object)?.slice(0, 80)}`)
  const config = object.config ?? {}
  if (object.class_name === 'Sequential') return frozenIf(config, sequentialFromConfig(config))
  if (object.class_name === 'Functional' || object.class_name === 'Model')
    return frozenIf(config, new GraphReader(config).read())
  throw new RangeError(`unknown model class '${object.class_name}'; known: Sequential, Functional`)
}

function frozenIf<M extends Model>(config: Config, model: M): M {
  if (config.trainable === false) model.freeze()
  return model
}
