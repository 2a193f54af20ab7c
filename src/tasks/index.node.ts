/** Models by task: `pipeline('text-classification')`. */
export type { ClassifyImageOptions, ImageClassification, ImageClassifier } from './image-classification.node.js'
export type { ImageInput } from './image-input.node.js'
export { type LoadedModel, loadModelFolder } from './model-folder.node.js'
export {
  loadTaskModel,
  type Pipelines,
  pipeline,
  pipelineFor,
  TASKS,
  type TaskName,
  taskOfModel,
} from './pipeline.node.js'
export { embeddedModels, resolveModel } from './resolve.node.js'
export type { TextClassifier } from './text-classification.node.js'
export type { GenerateOptions, Generation, TextGenerator } from './text-generation.node.js'
export type { Classification, ClassifyOptions, LabelScore } from './types.js'
