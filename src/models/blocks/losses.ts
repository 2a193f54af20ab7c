import type { torch } from '../../nn/index.js'
import {
  binaryCrossEntropyWithLogits,
  crossEntropy,
  linearCrossEntropy,
  mseLoss,
} from '../../tensor/functional/index.js'
import { asTensor, clamp, isInteger, pad, reshape, type Tensor, type TensorLike, tensor } from '../../tensor/index.js'
import type { BaseConfig, ProblemType } from '../pretrained/config.js'

/** Mean cross entropy of scores [..., C] against class indices [...]; labels of `ignoreIndex` (default -100) do not count. */
export function tokenLoss(logits: Tensor, labels: TensorLike, ignoreIndex = -100): Tensor {
  const classes = logits.shape[logits.ndim - 1]
  return crossEntropy(reshape(logits, [-1, classes]), reshape(asTensor(labels), [-1]), { ignoreIndex })
}

/** The token after each, [B, T]; -100 after the last. */
function following(labels: TensorLike): Tensor {
  const given = asTensor(labels)
  return pad(given, [0, 1], { value: -100 }).narrow(-1, 1, given.shape[given.ndim - 1])
}

/** Cross entropy of each token's scores [B, T, C] against the token that follows. */
export const causalLoss = (logits: Tensor, labels: TensorLike): Tensor => tokenLoss(logits, following(labels))

/** {@link causalLoss} of the scores that `head` gives of states [B, T, W], without holding them. */
export const causalHeadLoss = (states: Tensor, { weight, bias }: torch.Linear, labels: TensorLike): Tensor =>
  linearCrossEntropy(states, weight, following(labels), { bias })

/** Labels written as a plain list, one number a text, are class indices, as integers in Python are. */
function classLabels(labels: TensorLike, count: number): Tensor {
  const indices = Array.isArray(labels) && count > 1 && labels.every((label) => Number.isInteger(label))
  return indices ? tensor(labels as readonly number[], { dtype: 'i32' }) : asTensor(labels)
}

function problemOf(config: BaseConfig, labels: Tensor): ProblemType {
  if (config.problem_type) return config.problem_type
  if (config.num_labels === 1) return 'regression'
  return isInteger(labels.dtype) ? 'single_label_classification' : 'multi_label_classification'
}

const CLASS_LOSSES: { readonly [P in ProblemType]: (logits: Tensor, labels: Tensor) => Tensor } = {
  regression: (logits, labels) => mseLoss(logits, reshape(labels.to(logits.dtype), logits.shape)),
  single_label_classification: (logits, labels) => tokenLoss(logits, labels),
  multi_label_classification: (logits, labels) => binaryCrossEntropyWithLogits(logits, labels.to(logits.dtype)),
}

/** Loss of scores [B, C] by the config's problem type; where it states none, labels' dtype and C decide as in transformers. */
export function classLoss(config: BaseConfig, logits: Tensor, labels: TensorLike): Tensor {
  const given = classLabels(labels, config.num_labels)
  const problem = problemOf(config, given)
  if (!Object.hasOwn(CLASS_LOSSES, problem)) throw new RangeError(`unknown problem_type '${problem}'`)
  return CLASS_LOSSES[problem](logits, given)
}

/** Mean of the losses of the first and last token of an answer, scores [B, T]; places outside of the text do not count. */
export function spanLoss(start: Tensor, end: Tensor, starts: TensorLike, ends: TensorLike): Tensor {
  const tokens = start.shape[1]
  const one = (scores: Tensor, places: TensorLike): Tensor =>
    tokenLoss(scores, clamp(reshape(asTensor(places), [-1]), 0, tokens), tokens)
  return one(start, starts).add(one(end, ends)).div(2)
}
