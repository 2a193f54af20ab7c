import { processCharacters, processWords, wordErrorRate } from '../../audio/metrics/index.js'
import type { BleuOptions, ChrfOptions } from '../../text/metrics/index.js'
import {
  corpusBleu,
  corpusChrf,
  corpusTer,
  entityReport,
  entityScores,
  sentenceBleu,
  sentenceChrf,
  tagAccuracy,
} from '../../text/metrics/index.js'
import * as m from '../../train/metrics/evaluation/index.js'
import { type CocoDataset, type CocoDetection, cocoEvaluate } from '../../vision/metrics/index.js'
import type { Reference } from './compare.js'

/** Inputs of a case and what it expects, by name. */
export interface MetricCase {
  readonly inputs: Readonly<Record<string, unknown>>
  readonly expected: Reference
}

/** Computes what a case expects, under the same names. Undefined for a name that this build lacks. */
export type Compute = (inputs: MetricCase['inputs'], name: string) => unknown

type Table<I> = Readonly<Record<string, (inputs: I, argument: string) => unknown>>

/** Looks a name up in a table; `name@5` hands 5 to the entry `name`. */
const named =
  <I>(table: Table<I>): Compute =>
  (inputs, name) => {
    const [key, argument = ''] = name.split('@')
    return table[key]?.(inputs as I, argument)
  }

interface Classes {
  readonly y_true: number[]
  readonly y_pred: number[]
  readonly proba: number[][]
  readonly score: number[]
}

const classesOf = (i: Classes): number[] => Array.from(i.proba[0].keys())

const averaged = (average: 'micro' | 'macro' | 'weighted'): Table<Classes> => ({
  [`precision_${average}`]: (i) => m.precisionScore(i.y_true, i.y_pred, { average }),
  [`recall_${average}`]: (i) => m.recallScore(i.y_true, i.y_pred, { average }),
  [`f1_${average}`]: (i) => m.f1Score(i.y_true, i.y_pred, { average }),
})

const classification = named<Classes>({
  accuracy: (i) => m.accuracyScore(i.y_true, i.y_pred),
  balanced_accuracy: (i) => m.balancedAccuracyScore(i.y_true, i.y_pred),
  confusion: (i) => m.confusionMatrix(i.y_true, i.y_pred),
  kappa: (i) => m.cohenKappaScore(i.y_true, i.y_pred),
  mcc: (i) => m.matthewsCorrcoef(i.y_true, i.y_pred),
  log_loss: (i) => m.logLoss(i.y_true, i.proba, { labels: classesOf(i) }),
  top2: (i) => (i.proba[0].length > 2 ? m.topKAccuracyScore(i.y_true, i.proba, { k: 2, labels: classesOf(i) }) : null),
  ...averaged('micro'),
  ...averaged('macro'),
  ...averaged('weighted'),
  per_class: (i) => {
    const scores = m.precisionRecallFscoreSupport(i.y_true, i.y_pred, { average: null, labels: classesOf(i) })
    return [scores.precision, scores.recall, scores.fscore, scores.support]
  },
  classification_report: (i) => m.classificationReport(i.y_true, i.y_pred),
  roc_auc: (i) => m.rocAucScore(i.y_true, i.score),
  average_precision: (i) => m.averagePrecisionScore(i.y_true, i.score),
  brier: (i) => m.brierScoreLoss(i.y_true, i.score),
  roc_curve: (i) => {
    const { fpr, tpr, thresholds } = m.rocCurve(i.y_true, i.score, { dropIntermediate: false })
    return [fpr, tpr, thresholds]
  },
  pr_curve: (i) => {
    const { precision, recall, thresholds } = m.precisionRecallCurve(i.y_true, i.score)
    return [precision, recall, thresholds]
  },
  roc_auc_ovr_macro: (i) => m.rocAucScore(i.y_true, i.proba, { multiClass: 'ovr' }),
  roc_auc_ovo: (i) => m.rocAucScore(i.y_true, i.proba, { multiClass: 'ovo' }),
})

interface Values {
  readonly y_true: number[]
  readonly y_pred: number[]
}

/** numpy's round: half to even, by scaling. */
const rounded = (values: number[], digits: number): number[] => {
  const scale = 10 ** digits
  return values.map((value) => {
    const scaled = value * scale
    const nearest = Math.round(scaled)
    return (Math.abs(scaled % 1) === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest) / scale
  })
}

const regression = named<Values>({
  mse: (i) => m.meanSquaredError(i.y_true, i.y_pred),
  mae: (i) => m.meanAbsoluteError(i.y_true, i.y_pred),
  rmse: (i) => m.rootMeanSquaredError(i.y_true, i.y_pred),
  r2: (i) => m.r2Score(i.y_true, i.y_pred),
  explained_variance: (i) => m.explainedVarianceScore(i.y_true, i.y_pred),
  max_error: (i) => m.maxError(i.y_true, i.y_pred),
  median_ae: (i) => m.medianAbsoluteError(i.y_true, i.y_pred),
  pearson: (i) => m.pearsonr(i.y_true, i.y_pred),
  spearman: (i) => m.spearmanr(i.y_true, i.y_pred),
  spearman_ties: (i) => m.spearmanr(rounded(i.y_true, 0), rounded(i.y_pred, 0)),
  kendall: (i) => m.kendalltau(rounded(i.y_true, 1), rounded(i.y_pred, 1)),
})

interface Ranked {
  readonly relevance: number[][]
  readonly scores: number[][]
  readonly binary_relevance: number[][]
}

const ranking = named<Ranked>({
  ndcg: (i, k) => m.ndcgScore(i.relevance, i.scores, { k: Number(k) }),
  dcg: (i, k) => m.dcgScore(i.relevance, i.scores, { k: Number(k) }),
  hit_rate: (i, k) => m.hitRateAtK(i.binary_relevance, i.scores, Number(k)),
  recall: (i, k) => m.recallAtK(i.binary_relevance, i.scores, Number(k)),
  precision: (i, k) => m.precisionAtK(i.binary_relevance, i.scores, Number(k)),
  mrr: (i) => m.meanReciprocalRank(i.binary_relevance, i.scores),
  map: (i) => m.meanAveragePrecision(i.binary_relevance, i.scores),
  lrap: (i) => m.labelRankingAveragePrecisionScore(i.binary_relevance, i.scores),
})

interface Tagged {
  readonly y_true: string[][]
  readonly y_pred: string[][]
}

const seqeval = named<Tagged>({
  accuracy: (i) => tagAccuracy(i.y_true, i.y_pred),
  precision: (i) => entityScores(i.y_true, i.y_pred).precision,
  recall: (i) => entityScores(i.y_true, i.y_pred).recall,
  f1: (i) => entityScores(i.y_true, i.y_pred)['f1-score'],
  f1_macro: (i) => entityScores(i.y_true, i.y_pred, { average: 'macro' })['f1-score'],
  report: (i) => entityReport(i.y_true, i.y_pred),
  strict_iob2: (i) => entityReport(i.y_true, i.y_pred, { mode: 'strict', scheme: 'IOB2' }),
})

interface Texts {
  readonly hyp: string[]
  readonly ref: string[]
}

const wer = named<Texts>({
  wer: (i) => processWords(i.ref, i.hyp).wer,
  mer: (i) => processWords(i.ref, i.hyp).mer,
  wil: (i) => processWords(i.ref, i.hyp).wil,
  wip: (i) => processWords(i.ref, i.hyp).wip,
  sub: (i) => processWords(i.ref, i.hyp).substitutions,
  ins: (i) => processWords(i.ref, i.hyp).insertions,
  dele: (i) => processWords(i.ref, i.hyp).deletions,
  hits: (i) => processWords(i.ref, i.hyp).hits,
  cer: (i) => processCharacters(i.ref, i.hyp).cer,
  per_sentence_wer: (i) => i.ref.map((text, n) => wordErrorRate(text, i.hyp[n])),
})

interface Misc {
  readonly log_probs: number[][]
  readonly targets: number[]
  readonly mask: number[]
  readonly mask_true: number[]
  readonly mask_pred: number[]
  readonly cluster_a: number[]
  readonly cluster_b: number[]
  readonly X: number[][]
}

const misc = named<Misc>({
  perplexity: (i) => m.perplexity(i.log_probs, i.targets),
  perplexity_masked: (i) => m.perplexity(i.log_probs, i.targets, { mask: i.mask }),
  jaccard_macro: (i) => m.jaccardScore(i.mask_true, i.mask_pred, { average: 'macro' }),
  jaccard_per_class: (i) => m.jaccardPerClass(i.mask_true, i.mask_pred),
  mean_iou: (i) => m.jaccardScore(i.mask_true, i.mask_pred, { average: 'macro' }),
  dice_per_class: (i) => m.precisionRecallFscoreSupport(i.mask_true, i.mask_pred).fscore,
  ari: (i) => m.adjustedRandScore(i.cluster_a, i.cluster_b),
  nmi: (i) => m.normalizedMutualInfoScore(i.cluster_a, i.cluster_b),
  silhouette: (i) => m.silhouetteScore(i.X, i.cluster_b),
  hamming: (i) => m.hammingLoss(i.mask_true, i.mask_pred),
  ppl_note: () => 'exp(mean nll)',
})

const coco: Compute = (inputs, name) => {
  const { stats, perCategoryAP } = cocoEvaluate(inputs.gt as CocoDataset, inputs.dets as CocoDetection[])
  return name === 'per_category_AP' ? perCategoryAP : stats[name]
}

/** Cases whose expectations are named values. */
export const KINDS: Readonly<Record<string, Compute>> = {
  classification,
  regression,
  ranking,
  seqeval,
  wer,
  misc,
  coco_map: coco,
}

/** One line of a case of machine translation scores. */
export interface TranslationScore {
  readonly metric: string
  readonly tokenize?: BleuOptions['tokenize']
  readonly args?: Readonly<Record<string, unknown>>
  readonly refs2?: readonly string[]
}

const OPTION_NAMES: Readonly<Record<string, string>> = { use_effective_order: 'effectiveOrder' }

/** Python's spelling of options in ours. */
function optionsOf(args: TranslationScore['args']): Record<string, unknown> {
  const camel = (name: string): string => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
  return Object.fromEntries(
    Object.entries(args ?? {}).map(([name, value]) => [OPTION_NAMES[name] ?? camel(name), value]),
  )
}

/** Scores of translations, under the names of the reference. */
export const TRANSLATION: Readonly<Record<string, (texts: Texts, score: TranslationScore) => Record<string, unknown>>> =
  {
    bleu: ({ hyp, ref }, { tokenize, args }) => {
      const options: BleuOptions = { ...optionsOf(args), tokenize }
      const { score, precisions, bp, sysLen, refLen } = corpusBleu(hyp, [ref], options)
      return { score, precisions, bp, sys_len: sysLen, ref_len: refLen }
    },
    sentence_bleu: ({ hyp, ref }, { args }) => ({
      scores: hyp.map((line, i) => sentenceBleu(line, [ref[i]], optionsOf(args)).score),
    }),
    bleu_two_refs: ({ hyp, ref }, { refs2 = [], args }) => ({
      score: corpusBleu(hyp, [ref, refs2], optionsOf(args)).score,
    }),
    chrf: ({ hyp, ref }, { args }) => {
      const options: ChrfOptions = optionsOf(args)
      return {
        score: corpusChrf(hyp, [ref], options),
        sentence: hyp.map((line, i) => sentenceChrf(line, [ref[i]], options)),
      }
    },
    ter: ({ hyp, ref }, { args }) => ({ score: corpusTer(hyp, [ref], optionsOf(args)).score }),
  }
