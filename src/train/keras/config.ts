import { FormatError } from '../../formats/errors.js'
import { isRecord } from '../../formats/strict-json.js'
import { Functional, isKerasObject, type KerasObject, type Model, modelFromConfig, Sequential } from '../../nn/index.js'

type Json = Record<string, unknown>

/** Keras 2 wrote uses of layers as `[[["name", node, tensor, {}], ...]]`; Keras 3 names the arguments. */
function modernNode(node: unknown): unknown {
  if (!Array.isArray(node)) return node
  const histories = node.flatMap((item) =>
    Array.isArray(item) && typeof item[0] === 'string'
      ? [{ class_name: '__keras_tensor__', config: { keras_history: item.slice(0, 3) } }]
      : [],
  )
  return { args: [histories.length === 1 ? histories[0] : histories], kwargs: {} }
}

function modernEntry(entry: unknown): unknown {
  if (!isRecord(entry)) return entry
  const nodes = Array.isArray(entry.inbound_nodes) ? { inbound_nodes: entry.inbound_nodes.map(modernNode) } : {}
  const config = isKerasObject(entry) && isRecord(entry.config) ? { config: modernConfig(entry.config) } : {}
  return { ...entry, ...nodes, ...config }
}

/** Lists of layers in Keras 2's form, as Keras 3 writes them. */
function modernConfig(config: Json): Json {
  const layers = Array.isArray(config.layers) ? { layers: config.layers.map(modernEntry) } : {}
  const inner = isRecord(config.layer) ? { layer: modernEntry(config.layer) } : {}
  return { ...config, ...layers, ...inner }
}

/** A model from the JSON of its architecture. @throws FormatError saying what cannot be made of it */
export function modelFromJson(json: unknown, source: string): Model {
  if (!isKerasObject(json) || !isRecord(json.config)) {
    throw new FormatError(`${source}: expected a model as { class_name, config }`)
  }
  // Keras 2 called functional models by the name of their class.
  const className = json.class_name === 'Model' ? 'Functional' : json.class_name
  try {
    return modelFromConfig({ ...json, class_name: className, config: modernConfig(json.config) })
  } catch (error) {
    throw new FormatError(`${source}: ${(error as Error).message}`, { cause: error })
  }
}

/** The architecture of a built model. @throws TypeError, Error for what cannot be written */
export function modelJson(model: Model): KerasObject {
  if (!(model instanceof Sequential || model instanceof Functional)) {
    throw new TypeError(`${model.className} ${model.name} cannot be written as a config; save its weights alone`)
  }
  if (!model.built)
    throw new Error(`${model.name} has no weights yet: give an input shape, or run it once before saving`)
  return model.toConfig()
}
