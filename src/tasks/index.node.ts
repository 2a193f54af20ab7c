/** Models by task: `pipeline('text-classification')`. */
export {
  AGGREGATIONS,
  type AggregationStrategy,
  type Entity,
  type EntityGroup,
  type TokenEntity,
} from './entities.js'
export {
  type FeatureExtractor,
  type FeatureOptions,
  type Features,
  POOLINGS,
  type Pooling,
} from './feature-extraction.js'
export type { FillMaskOptions, MaskFiller, MaskFilling } from './fill-mask.js'
export type { ClassifyImageOptions, ImageClassification, ImageClassifier } from './image-classification.node.js'
export type { ImageInput } from './image-input.node.js'
export { type LoadedModel, loadModelFolder } from './model-folder.node.js'
export { type FoundModel, findSource, type PipelineOptions } from './open.node.js'
export { findForTask, pipeline, type TaskLike } from './pipeline.node.js'
export type { Answer, AnswerOptions, Question, QuestionAnswerer } from './question-answering.js'
export {
  openTask,
  type Pipelines,
  TASK_ALIASES,
  TASKS,
  type TaskAlias,
  type TaskName,
  taskNamed,
  taskOfModel,
} from './registry.node.js'
export type { RankedDocument, Reranker, RerankOptions } from './reranking.js'
export { embeddedModels, resolveModel } from './resolve.node.js'
export type { SearchIndex, SearchOptions, SearchResult, SemanticSearcher } from './semantic-search.node.js'
export type { SentenceComparer, Similarity, SimilarityOptions } from './sentence-similarity.js'
export type { ClassifyTextOptions, TextClassifier, TextPair } from './text-classification.js'
export type { GenerateOptions, Generation, TextGenerator } from './text-generation.js'
export type { LengthOptions, RowArray, RunOptions } from './text-model.js'
export type { RewriteOptions, RewriteTask, TextRewriter } from './text2text.js'
export type { TokenClassifier, TokenClassifyOptions } from './token-classification.js'
export type { Classification, ClassifyOptions, LabelScore, ScoreFunction } from './types.js'
export type { ZeroShotClassification, ZeroShotClassifier, ZeroShotOptions } from './zero-shot-classification.js'
