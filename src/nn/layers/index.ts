export * from './activation.js'
export * from './adaptive-pooling.js'
export * from './attention.js'
export {
  type AugmentationOptions,
  type Factor,
  type FlipMode,
  RandomBrightness,
  RandomContrast,
  RandomCrop,
  RandomFlip,
  RandomRotation,
  RandomTranslation,
  RandomZoom,
  type WarpLayerOptions,
} from './augmentation.js'
export * from './batch-normalization.js'
export { CategoryEncoding, type CategoryMode, Discretization, type DiscretizationOptions } from './categories.js'
export {
  AutoContrast,
  type ColorOptions,
  RandomColorDegeneration,
  RandomGrayscale,
  RandomHue,
  RandomInvert,
  RandomPosterization,
  RandomSaturation,
  RandomSharpness,
  Solarization,
} from './color-augmentation.js'
export * from './conv.js'
export * from './conv-lstm.js'
export * from './conv-transpose.js'
export * from './core.js'
export * from './dense.js'
export * from './depthwise-conv.js'
export * from './dot-attention.js'
export * from './einsum-dense.js'
export * from './embedding.js'
export * from './grouped-query-attention.js'
export * from './gru.js'
export * from './integer-lookup.js'
export type { LowRankOptions } from './low-rank.js'
export * from './lstm.js'
export * from './merging.js'
export * from './normalization.js'
export type { DataFormat, KernelOptions } from './options.js'
export * from './pooling.js'
export * from './preprocessing.js'
export * from './random-erasing.js'
export { Recurrent, type RecurrentOptions } from './recurrent.js'
export * from './regularization.js'
export type { Interpolation } from './resample.js'
export * from './reshaping.js'
export * from './rnn.js'
export { type CellOptions, GRUCell, LSTMCell, RnnCell, SimpleRNNCell, type StepResult } from './rnn-cell.js'
export { SequenceLayer, type SequenceOptions } from './sequence-layer.js'
export * from './simple-rnn.js'
export * from './spectral-normalization.js'
export type { FillMode } from './warp.js'
export * from './wrappers.js'
