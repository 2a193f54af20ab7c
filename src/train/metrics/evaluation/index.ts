/** Scores of whole arrays on the host, named and defined as in scikit-learn and SciPy. */
export * from './association.js'
export * from './classification.js'
export * from './clustering.js'
export * from './confusion-matrix.js'
export * from './curves.js'
export type { Label, Matrix, Numbers, Targets, Weighted } from './labels.js'
export * from './perplexity.js'
export {
  type Averaging,
  type FscoreOptions,
  f1Score,
  fbetaScore,
  jaccardPerClass,
  jaccardScore,
  multilabelConfusionMatrix,
  precisionRecallFscoreSupport,
  precisionScore,
  recallScore,
  type Scores,
  type SetOptions,
} from './precision-recall.js'
export * from './ranking.js'
export * from './regression.js'
export * from './report.js'
