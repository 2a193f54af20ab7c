import { input, type KerasObject, type Layer, layerFromConfig, type Model, Sequential } from '../nn/index.js'
import { snakeName } from '../nn/names.js'
import { toSnake } from '../nn/serial.js'

/** One layer by Keras' name with its options in camelCase: `{ "type": "Conv2D", "filters": 32, "kernelSize": 3 }`. */
export interface LayerSpec {
  readonly type: string
  readonly [option: string]: unknown
}

export interface LayersFault {
  /** Place of the layer in the list. */
  readonly layer: number
  readonly message: string
}

const isLayerSpec = (value: unknown): value is LayerSpec =>
  typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'

/** A layer as Keras writes it; nested layers (of Bidirectional, TimeDistributed) too. */
function kerasObject({ type, ...options }: LayerSpec, name: string): KerasObject {
  const config = Object.entries(options).map(([key, value]) => [
    toSnake(key),
    isLayerSpec(value) ? kerasObject(value, `${name}_${snakeName(value.type)}`) : value,
  ])
  return { class_name: type, config: { name, ...Object.fromEntries(config) } }
}

/** Keras' automatic names, counted from the start of this model: `dense`, `dense_1`. */
function namesFor(specs: readonly LayerSpec[]): string[] {
  const counts = new Map<string, number>()
  return specs.map(({ type, name }) => {
    if (typeof name === 'string') return name
    const base = snakeName(type)
    const count = counts.get(base) ?? 0
    counts.set(base, count + 1)
    return count === 0 ? base : `${base}_${count}`
  })
}

/** Options that the layer does not have. */
function unknownOptions(layer: Layer, spec: LayerSpec): string[] {
  const known = Object.keys(layer.config())
  return Object.keys(spec).filter((key) => key !== 'type' && !known.includes(toSnake(key)))
}

/** An embedding's `inputDim` may be left out: it is the size of the vocabulary. */
const withVocabulary = (spec: LayerSpec, vocabSize: number | null): LayerSpec =>
  spec.type === 'Embedding' && spec.inputDim === undefined && vocabSize !== null
    ? { ...spec, inputDim: vocabSize }
    : spec

function makeLayers(specs: readonly LayerSpec[], vocabSize: number | null): { layers: Layer[]; faults: LayersFault[] } {
  const names = namesFor(specs)
  const layers: Layer[] = []
  const faults: LayersFault[] = []
  for (const [i, given] of specs.entries()) {
    const spec = withVocabulary(given, vocabSize)
    try {
      const layer = layerFromConfig(kerasObject(spec, names[i]))
      for (const option of unknownOptions(layer, spec))
        faults.push({ layer: i, message: `${spec.type} has no option '${option}'` })
      layers.push(layer)
    } catch (error) {
      faults.push({ layer: i, message: error instanceof Error ? error.message : String(error) })
    }
  }
  return { layers, faults }
}

/** What is wrong with a list of layers, as far as it can be told without data. */
export const faultsOfLayers = (specs: readonly LayerSpec[]): LayersFault[] => makeLayers(specs, 2).faults

export interface LayersInput {
  /** Shape of one example; null = any extent. */
  readonly shape: readonly (number | null)[]
  readonly dtype: 'f32' | 'i32'
  readonly vocabSize: number | null
}

/**
 * A stack of layers on an input.
 * @throws RangeError naming the first layer at fault
 */
export function layersModel(specs: readonly LayerSpec[], { shape, dtype, vocabSize }: LayersInput): Model {
  const { layers, faults } = makeLayers(specs, vocabSize)
  if (faults.length > 0) throw new RangeError(`layers.${faults[0].layer}: ${faults[0].message}`)
  return new Sequential([input(shape, { dtype, name: 'input' }), ...layers], { name: 'model' })
}
