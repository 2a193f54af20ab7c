/** Methods of models that read and write files. */
import { Model } from '../nn/index.js'
import { loadKerasWeights } from './keras/files.node.js'
import { loadWeights, type SaveModelOptions, saveModel } from './model-io.node.js'

declare module '../nn/model.js' {
  interface Model {
    /** Writes a model folder, or a file for Keras where the name ends in `.keras`, `.weights.h5` or `.h5`. Keras' `save`. */
    save(path: string, options?: SaveModelOptions): Promise<void>
    /** Reads weights from a safetensors file by property path, or from a file of Keras. Both sides must agree. */
    loadWeights(path: string, options?: { signal?: AbortSignal }): Promise<void>
  }
}

const methods: Pick<Model, 'save' | 'loadWeights'> & ThisType<Model> = {
  save(path, options) {
    return saveModel(this, path, options)
  },
  loadWeights(path, options) {
    return path.endsWith('.safetensors') ? loadWeights(this, path, options) : loadKerasWeights(this, path, options)
  },
}

Object.assign(Model.prototype, methods)
