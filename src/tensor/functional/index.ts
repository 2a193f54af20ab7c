/** Functions in the manner of torch's `F`: pure, on tensors, with options objects. */

export {
  celu,
  elu,
  gelu,
  glu,
  hardshrink,
  hardsigmoid,
  hardswish,
  hardtanh,
  leakyRelu,
  logSigmoid,
  mish,
  prelu,
  quickGelu,
  relu,
  relu6,
  selu,
  silu,
  softplus,
  softshrink,
  softsign,
  swish,
  tanhshrink,
  threshold,
} from '../ops/activations.js'
export { linear } from '../ops/matmul.js'
export { logSoftmax, softmax, softmin } from '../ops/softmax.js'
export { type AttentionOptions, attentionWeights, scaledDotProductAttention } from './attention.js'
export {
  type BatchNormOptions,
  type BatchNormStatistics,
  batchNorm,
  batchNormTrain,
  type RunningOptions,
  runningStatistics,
} from './batch-norm.js'
export * from './boxes.js'
export { FUNCTIONAL_COMPOSITES } from './composites.js'
export * from './conv.js'
export * from './conv-transpose.js'
export * from './ctc.js'
export * from './deform-conv.js'
export * from './dropout.js'
export * from './grid-sample.js'
export { type GruLayerOptions, gruLayer, type HiddenStates } from './gru.js'
export { type InterpolateOptions, type InterpolationMode, interpolate } from './interpolate.js'
export * from './keras-recurrent.js'
export * from './linear-cross-entropy.js'
export { linearInt8, type QuantizedRows, quantizeRows } from './linear-int8.js'
export * from './loss.js'
export {
  type ClassLossOptions,
  type CrossEntropyOptions,
  crossEntropy,
  type MultiMarginOptions,
  multiMarginLoss,
  nllLoss,
} from './loss-class.js'
export * from './loss-embedding.js'
export { type LstmLayerOptions, type LstmStates, type LstmWeights, lstmLayer } from './lstm.js'
export { type MultiHeadAttention, type MultiHeadAttentionOptions, multiHeadAttention } from './multi-head.js'
export * from './nms.js'
export {
  type GroupNormOptions,
  groupNorm,
  instanceNorm,
  layerNorm,
  layerNormAxes,
  type NormOptions,
  type RmsNormOptions,
  rmsNorm,
  rmsNormAxes,
} from './norm.js'
export * from './norm-response.js'
export * from './pool.js'
export {
  type AdaptivePoolOptions,
  type AdaptiveSize,
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  adaptiveMaxPool1d,
  adaptiveMaxPool1dWithIndices,
  adaptiveMaxPool2d,
  adaptiveMaxPool2dWithIndices,
  adaptiveMaxPool3d,
  adaptiveMaxPool3dWithIndices,
  type GlobalPoolOptions,
  globalAvgPool,
  globalMaxPool,
  lpPool1d,
  lpPool2d,
  lpPool3d,
  type MaxUnpoolOptions,
  maxUnpool1d,
  maxUnpool2d,
  maxUnpool3d,
} from './pool-adaptive.js'
export { type LayerOptions, lengthMask, type RecurrentWeights, recur } from './recurrent.js'
export type { LossOptions, Reduction } from './reduction.js'
export * from './rnn.js'
export type { OutputSize, RoiOptions } from './roi.js'
export { psRoiAlign, type RoiAlignOptions, roiAlign } from './roi-align.js'
export * from './roi-pool.js'
export * from './rotary.js'
export * from './spatial.js'
export * from './unfold.js'
