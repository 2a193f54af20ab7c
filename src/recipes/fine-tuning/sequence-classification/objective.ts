import type { LossFunction } from '../../../nn/index.js'
import { binaryCrossEntropyWithLogits, mseLoss } from '../../../tensor/functional/index.js'
import { reshape } from '../../../tensor/index.js'
import type { CompileOptions } from '../../../train/index.js'
import { classificationLoss } from '../../loss.js'
import type { Problem } from './schema.js'

export interface Objective {
  readonly loss: LossFunction
  readonly metrics: NonNullable<CompileOptions['metrics']>
}

/** Loss and metrics of each problem, as transformers' heads compute them. */
export const OBJECTIVES: {
  readonly [P in Problem]: (labelSmoothing: number) => Objective
} = {
  single_label_classification: (labelSmoothing) => ({
    loss: classificationLoss(labelSmoothing),
    metrics: ['accuracy'],
  }),
  multi_label_classification: () => ({
    loss: (targets, logits) => binaryCrossEntropyWithLogits(logits, targets, { reduction: 'none' }).mean(-1),
    metrics: [{ class_name: 'BinaryAccuracy', config: { name: 'accuracy', threshold: 0 } }],
  }),
  regression: () => ({
    loss: (targets, values) => mseLoss(values, reshape(targets, values.shape), { reduction: 'none' }).mean(-1),
    metrics: [{ class_name: 'MeanAbsoluteError', config: { name: 'mae' } }],
  }),
}

/** Names of what is logged of a problem. */
export const METRIC_NAMES: { readonly [P in Problem]: readonly string[] } = {
  single_label_classification: ['accuracy'],
  multi_label_classification: ['accuracy'],
  regression: ['mae'],
}
