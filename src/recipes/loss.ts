import type { LossFunction } from '../nn/index.js'
import { crossEntropy } from '../tensor/functional/index.js'
import { reshape } from '../tensor/index.js'

/**
 * Cross-entropy of logits [..., classes] with integer targets [...], one value for each target. Smoothing spreads that share of the
 * target evenly over all classes (Szegedy et al. 2016).
 */
export const classificationLoss =
  (labelSmoothing: number): LossFunction =>
  (labels, logits) => {
    const classes = logits.shape[logits.ndim - 1]
    const rows = reshape(logits, [-1, classes])
    const losses = crossEntropy(rows, reshape(labels, [-1]), { labelSmoothing, reduction: 'none' })
    return reshape(losses, labels.shape)
  }
