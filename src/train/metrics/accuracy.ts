import { crossentropy } from '../../nn/index.js'
import { any, argmax, constant, eq, gt, mean, type Tensor, topK, unsqueeze } from '../../tensor/index.js'

/** Share of elements on the right side of the threshold: [n, d] -> [n]. */
export const binaryAccuracy =
  (threshold = 0.5) =>
  (yTrue: Tensor, yPred: Tensor): Tensor =>
    mean(eq(yTrue.to(yPred.dtype), gt(yPred, constant(threshold, yPred.dtype)).to(yPred.dtype)).to('f32'), -1)

/** 1 where the largest prediction is at the one-hot target: [..., classes] -> [...]. */
export const categoricalAccuracy = (yTrue: Tensor, yPred: Tensor): Tensor =>
  eq(argmax(yTrue, -1), argmax(yPred, -1)).to('f32')

/** 1 where the largest prediction is at the integer target: [...] -> [...]. */
export const sparseCategoricalAccuracy = (yTrue: Tensor, yPred: Tensor): Tensor =>
  eq(crossentropy.sparseLabels(yTrue, yPred), argmax(yPred, -1)).to('f32')

/** 1 where the integer target is among the k largest predictions. */
export const sparseTopKCategoricalAccuracy =
  (k = 5) =>
  (yTrue: Tensor, yPred: Tensor): Tensor => {
    const labels = crossentropy.sparseLabels(yTrue, yPred)
    return any(eq(topK(yPred, k).indices, unsqueeze(labels, -1)), -1).to('f32')
  }

/** 1 where the one-hot target is among the k largest predictions. */
export const topKCategoricalAccuracy =
  (k = 5) =>
  (yTrue: Tensor, yPred: Tensor): Tensor =>
    sparseTopKCategoricalAccuracy(k)(argmax(yTrue, -1), yPred)

/** 1 where predictions equal targets. */
export const exactAccuracy = (yTrue: Tensor, yPred: Tensor): Tensor => eq(yTrue.to(yPred.dtype), yPred).to('f32')
