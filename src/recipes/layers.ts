import { type LayerSpec, layersModel } from '../models/index.js'
import type { Model } from '../nn/index.js'
import { RecipeError } from './schema.js'

export interface LayersTask {
  /** Shape of one example; null = any extent. */
  readonly shape: readonly (number | null)[]
  /** Null where examples are not ids. */
  readonly vocabSize: number | null
  /** Dimensions of the output, the batch among them, and how long its last one must be. */
  readonly outputRank: number
  readonly outputs: number
  readonly meaning: string
}

/**
 * The model of a recipe's list of layers.
 * @throws RecipeError where layers do not fit together, or do not end in what the task needs
 */
export function modelOfLayers(layers: readonly LayerSpec[], task: LayersTask): Model {
  const dtype = task.vocabSize === null ? 'f32' : 'i32'
  try {
    const model = layersModel(layers, { shape: task.shape, dtype, vocabSize: task.vocabSize })
    const { shape } = model.outputShapes([[null, ...task.shape]], [dtype])[0]
    if (shape.length === task.outputRank && shape.at(-1) === task.outputs) return model
    const given = shape.map((extent) => extent ?? 'any').join(', ')
    throw new RangeError(`the last layer must give ${task.outputs} numbers (${task.meaning}), it gives [${given}]`)
  } catch (error) {
    throw new RecipeError(`model.layers: ${error instanceof Error ? error.message : String(error)}`)
  }
}
