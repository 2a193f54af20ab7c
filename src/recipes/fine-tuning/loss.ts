import type { LossFunction } from '../../nn/index.js'
import { crossEntropy } from '../../tensor/functional/index.js'
import { reshape } from '../../tensor/index.js'

/** Targets with this number are passed over. */
export const IGNORED = -100

/** Mean cross-entropy of logits [..., classes] with targets [...] over those that are not {@link IGNORED}, as transformers' heads have it. */
export const maskedClassLoss =
  (labelSmoothing: number): LossFunction =>
  (targets, logits) =>
    crossEntropy(reshape(logits, [-1, logits.shape[logits.ndim - 1]]), reshape(targets, [-1]), {
      labelSmoothing,
      ignoreIndex: IGNORED,
    })
