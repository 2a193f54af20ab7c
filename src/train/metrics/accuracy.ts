import { crossentropy } from '../../nn/index.js'
import { any, argmax, constant, eq, gather, gt, lt, narrow, sum, type Tensor, unsqueeze } from '../../tensor/index.js'

/** 1 where an element is on the right side of the threshold. */
export const binaryAccuracy =
  (threshold = 0.5) =>
  (yTrue: Tensor, yPred: Tensor): Tensor =>
    eq(yTrue.to(yPred.dtype), gt(yPred, constant(threshold, yPred.dtype)).to(yPred.dtype)).to('f32')

/** 1 where the largest prediction is at the one-hot target: [..., classes] -> [...]. */
export const categoricalAccuracy = (yTrue: Tensor, yPred: Tensor): Tensor =>
  eq(argmax(yTrue, -1), argmax(yPred, -1)).to('f32')

/** 1 where the largest prediction is at the integer target: [...] -> [...]. */
export const sparseCategoricalAccuracy = (yTrue: Tensor, yPred: Tensor): Tensor =>
  eq(crossentropy.sparseLabels(yTrue, yPred), argmax(yPred, -1)).to('f32')

/**
 * 1 where the integer target is among the k largest predictions; equal predictions share their place, as in TensorFlow's `in_top_k`. With
 * `fromSortedIds` predictions are classes, the most likely first.
 */
export const sparseTopKCategoricalAccuracy =
  (k = 5, fromSortedIds = false) =>
  (yTrue: Tensor, yPred: Tensor): Tensor => {
    const labels = unsqueeze(crossentropy.sparseLabels(yTrue, yPred), -1)
    if (fromSortedIds) {
      const first = narrow(yPred, yPred.ndim - 1, 0, Math.min(k, yPred.shape[yPred.ndim - 1]))
      return any(eq(first.to('i32'), labels), -1).to('f32')
    }
    const larger = gt(yPred, gather(yPred, -1, labels)).to('i32')
    return lt(sum(larger, -1), k).to('f32')
  }

/** 1 where the one-hot target is among the k largest predictions. */
export const topKCategoricalAccuracy =
  (k = 5) =>
  (yTrue: Tensor, yPred: Tensor): Tensor =>
    sparseTopKCategoricalAccuracy(k)(argmax(yTrue, -1), yPred)

/** 1 where predictions equal targets. */
export const exactAccuracy = (yTrue: Tensor, yPred: Tensor): Tensor => eq(yTrue.to(yPred.dtype), yPred).to('f32')
