import { formatReport, type ReportRow } from '../../../text/metrics/report.js'
import { total } from './average.js'
import { isMatrix, type Label, list, type Targets, uniqueLabels } from './labels.js'
import { type Averaging, type FscoreOptions, precisionRecallFscoreSupport } from './precision-recall.js'

export type { ReportRow } from '../../../text/metrics/report.js'

export interface ReportOptions extends Pick<FscoreOptions, 'labels' | 'sampleWeight' | 'zeroDivision'> {
  /** Names of the labels, in their order. */
  readonly targetNames?: readonly string[] | null
}

/** Rows by name; `accuracy` is one number where every example has one class and all classes are reported. */
export type ClassificationReport = Record<string, ReportRow | number>

function averages(yTrue: Targets, isAccuracy: boolean): [string, Exclude<Averaging, null>][] {
  const named: [string, Exclude<Averaging, null>][] = [
    [isAccuracy ? 'accuracy' : 'micro avg', 'micro'],
    ['macro avg', 'macro'],
    ['weighted avg', 'weighted'],
  ]
  return isMatrix(yTrue) ? [...named, ['samples avg', 'samples']] : named
}

/** Precision, recall, F1 and support of each class and their averages (sklearn.metrics.classification_report with output_dict). */
export function classificationReport(
  yTrue: Targets,
  yPred: Targets,
  options: ReportOptions = {},
): ClassificationReport {
  const { labels: _labels, targetNames, ...rest } = options
  const multilabel = isMatrix(yTrue)
  const present: Label[] = isMatrix(yTrue)
    ? Array.from({ length: yTrue[0].length }, (_, i) => i)
    : uniqueLabels(yTrue, yPred as ArrayLike<Label>)
  const labels = options.labels ? list(options.labels) : present
  if (targetNames && targetNames.length !== labels.length)
    throw new RangeError(`classificationReport: ${labels.length} labels but ${targetNames.length} targetNames`)
  const covered = !options.labels || present.every((label) => labels.includes(label))
  const scores = precisionRecallFscoreSupport(yTrue, yPred, { ...rest, labels, average: null })
  const report: ClassificationReport = {}
  for (const [i, label] of labels.entries())
    report[targetNames?.[i] ?? String(label)] = {
      precision: scores.precision[i],
      recall: scores.recall[i],
      'f1-score': scores.fscore[i],
      support: scores.support[i],
    }
  const support = total(scores.support)
  for (const [name, average] of averages(yTrue, !multilabel && covered)) {
    const { precision, recall, fscore } = precisionRecallFscoreSupport(yTrue, yPred, { ...rest, labels, average })
    report[name] = name === 'accuracy' ? precision : { precision, recall, 'f1-score': fscore, support }
  }
  return report
}

/** {@link classificationReport} as a table to read, with `digits` decimals (default 2). */
export function classificationReportText(
  yTrue: Targets,
  yPred: Targets,
  options: ReportOptions & { readonly digits?: number } = {},
): string {
  const report = classificationReport(yTrue, yPred, options)
  const support = (report['macro avg'] as ReportRow).support
  return formatReport(report, support, options.digits ?? 2)
}
