/** Architectures that recipes and checkpoints name, and the `config.json` of a model folder. */
export { type Architecture, architecture, type ModelSizes, type TextTask } from './architecture.js'
export * from './config.js'
export { faultsOfLayers, type LayerSpec, type LayersFault, layersModel } from './layers-model.js'
export * from './registry.js'
