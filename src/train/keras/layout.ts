import { GroupQueryAttention, type Layer, Model, Recurrent, StackedRNNCells, snakeName } from '../../nn/index.js'
import type { Parameter } from '../../tensor/index.js'

/** Weights of one layer and their place in Keras' weight files. */
export interface WeightGroup {
  /** Path in the file, without `vars`: `layers/bidirectional/forward_layer/cell`. */
  readonly path: string
  readonly layer: Layer
  readonly weights: readonly Parameter[]
}

/** Names of Keras' properties that differ from ours. */
const PROPERTIES: Readonly<Record<string, string>> = {
  query: 'query_dense',
  gate: 'gate_dense',
  key: 'key_dense',
  value: 'value_dense',
  attention_output: 'output_dense',
}

const join = (path: string, name: string): string => (path === '' ? name : `${path}/${name}`)

/** Classes that have another name in Keras' sources than for users. */
const PYTHON_NAMES: Readonly<Record<string, string>> = { GroupQueryAttention: 'grouped_query_attention' }

/** `dense`, `dense_1`, ...: Keras numbers the layers of a list by their classes, not by their names. */
function numbered(layers: readonly Layer[]): (readonly [name: string, layer: Layer])[] {
  const used = new Map<string, number>()
  return layers.map((layer) => {
    const base = PYTHON_NAMES[layer.className] ?? snakeName(layer.className)
    const count = used.get(base) ?? 0
    used.set(base, count + 1)
    return [count === 0 ? base : `${base}_${count}`, layer]
  })
}

/** Layers inside of a layer with the names of Keras' properties. */
function partsOf(layer: Layer): (readonly [property: string, part: Layer])[] {
  const within = (folder: string, layers: readonly Layer[]) =>
    numbered(layers).map(([name, part]) => [`${folder}/${name}`, part] as const)
  if (layer instanceof Model) return within('layers', layer.layers)
  if (layer instanceof StackedRNNCells) return within('cells', layer.cells)
  const hidden = layer instanceof GroupQueryAttention ? '_' : ''
  return layer.parts.map(([name, part]) => [`${hidden}${PROPERTIES[name] ?? name}`, part])
}

/**
 * Where Keras 3 keeps the weights of a model. A layer that is reached twice is kept under its first path.
 * Source: keras/src/saving/saving_lib.py (`_save_state`, `_save_container_state`).
 */
export function weightGroups(model: Model): WeightGroup[] {
  const groups: WeightGroup[] = []
  const seen = new Set<Layer>()
  const visit = (layer: Layer, path: string): void => {
    if (seen.has(layer)) return
    seen.add(layer)
    const inner = new Set(layer.parts.flatMap(([, part]) => part.weights))
    const own = layer.savedWeights.filter((weight) => !inner.has(weight))
    // Keras puts the weights of recurrent layers into their cell.
    if (own.length > 0)
      groups.push({ path: layer instanceof Recurrent ? join(path, 'cell') : path, layer, weights: own })
    for (const [property, part] of partsOf(layer)) visit(part, join(path, property))
  }
  visit(model, '')
  return groups
}
