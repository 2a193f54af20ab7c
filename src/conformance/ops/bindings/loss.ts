import * as Fn from '../../../tensor/functional/index.js'
import type { Tensor } from '../../../tensor/index.js'
import { type Args, type BindingTable, bindings } from '../signature.js'

type Loss<O> = (x: Tensor, target: Tensor, options: O) => Tensor

const reduction = (a: Args): Fn.Reduction => a.string('reduction') as Fn.Reduction
const weight = (a: Args): Tensor | null => a.maybeTensor('weight') ?? null

/** A loss of an input and a target with options besides the reduction. */
const loss =
  <O>(fn: Loss<O & { reduction: Fn.Reduction }>, options: (a: Args) => O) =>
  (a: Args): Tensor =>
    fn(a.tensor('input'), a.tensor('target'), { ...options(a), reduction: reduction(a) })

const none = (): Record<never, never> => ({})
const margin = (a: Args): { margin: number } => ({ margin: a.number('margin') })

const LEGACY = 'size_average=None, reduce=None, reduction="mean"'

function ctcLoss(a: Args): Tensor {
  return Fn.ctcLoss(a.tensor('log_probs'), a.tensor('targets'), a.tensor('input_lengths'), a.tensor('target_lengths'), {
    blank: a.int('blank'),
    reduction: reduction(a),
    zeroInfinity: a.bool('zero_infinity'),
  })
}

/** Losses. */
export const LOSS: BindingTable = bindings({
  [`F.mse_loss(input, target, ${LEGACY})`]: loss(Fn.mseLoss, none),
  [`F.l1_loss(input, target, ${LEGACY})`]: loss(Fn.l1Loss, none),
  [`F.smooth_l1_loss(input, target, ${LEGACY}, beta=1.0)`]: loss(Fn.smoothL1Loss, (a) => ({ beta: a.number('beta') })),
  'F.huber_loss(input, target, reduction="mean", delta=1.0)': loss(Fn.huberLoss, (a) => ({ delta: a.number('delta') })),
  [`F.binary_cross_entropy(input, target, weight=None, ${LEGACY})`]: loss(Fn.binaryCrossEntropy, (a) => ({
    weight: weight(a),
  })),
  [`F.binary_cross_entropy_with_logits(input, target, weight=None, ${LEGACY}, pos_weight=None)`]: loss(
    Fn.binaryCrossEntropyWithLogits,
    (a) => ({ weight: weight(a), posWeight: a.maybeTensor('pos_weight') ?? null }),
  ),
  'F.cross_entropy(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0)':
    loss(Fn.crossEntropy, (a) => ({
      weight: weight(a),
      ignoreIndex: a.int('ignore_index'),
      labelSmoothing: a.number('label_smoothing'),
    })),
  'F.nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean")': loss(
    Fn.nllLoss,
    (a) => ({ weight: weight(a), ignoreIndex: a.int('ignore_index') }),
  ),
  [`F.kl_div(input, target, ${LEGACY}, log_target=False)`]: (a) =>
    Fn.klDiv(a.tensor('input'), a.tensor('target'), {
      reduction: a.string('reduction') as Fn.Reduction | 'batchmean',
      logTarget: a.bool('log_target'),
    }),
  'F.gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean")': (a) =>
    Fn.gaussianNllLoss(a.tensor('input'), a.tensor('target'), a.tensor('var'), {
      full: a.bool('full'),
      eps: a.number('eps'),
      reduction: reduction(a),
    }),
  'F.poisson_nll_loss(input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None, reduction="mean")':
    loss(Fn.poissonNllLoss, (a) => ({ logInput: a.bool('log_input'), full: a.bool('full'), eps: a.number('eps') })),
  [`F.soft_margin_loss(input, target, ${LEGACY})`]: loss(Fn.softMarginLoss, none),
  [`F.multilabel_soft_margin_loss(input, target, weight=None, ${LEGACY})`]: loss(Fn.multilabelSoftMarginLoss, (a) => ({
    weight: weight(a),
  })),
  [`F.hinge_embedding_loss(input, target, margin=1.0, ${LEGACY})`]: loss(Fn.hingeEmbeddingLoss, margin),
  [`F.multi_margin_loss(input, target, p=1, margin=1.0, weight=None, ${LEGACY})`]: loss(Fn.multiMarginLoss, (a) => ({
    ...margin(a),
    p: a.number('p'),
    weight: weight(a),
  })),
  [`F.cosine_embedding_loss(input1, input2, target, margin=0.0, ${LEGACY})`]: (a) =>
    Fn.cosineEmbeddingLoss(a.tensor('input1'), a.tensor('input2'), a.tensor('target'), {
      ...margin(a),
      reduction: reduction(a),
    }),
  [`F.margin_ranking_loss(input1, input2, target, margin=0.0, ${LEGACY})`]: (a) =>
    Fn.marginRankingLoss(a.tensor('input1'), a.tensor('input2'), a.tensor('target'), {
      ...margin(a),
      reduction: reduction(a),
    }),
  [`F.triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2.0, eps=1e-6, swap=False, ${LEGACY})`]: (a) =>
    Fn.tripletMarginLoss(a.tensor('anchor'), a.tensor('positive'), a.tensor('negative'), {
      ...margin(a),
      p: a.number('p'),
      eps: a.number('eps'),
      swap: a.bool('swap'),
      reduction: reduction(a),
    }),
  'F.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False)':
    ctcLoss,
  'tv.sigmoid_focal_loss(inputs, targets, alpha=0.25, gamma=2.0, reduction="none")': (a) =>
    Fn.sigmoidFocalLoss(a.tensor('inputs'), a.tensor('targets'), {
      alpha: a.number('alpha'),
      gamma: a.number('gamma'),
      reduction: reduction(a),
    }),
})
