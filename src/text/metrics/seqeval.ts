import { detectScheme, type Entity, getEntities, type Scheme, strictEntities } from './entities.js'
import { formatReport, type ReportRow } from './report.js'

// Reference: seqeval.metrics.

export type Sequences = readonly (readonly string[])[]

export interface SeqevalOptions {
  /** 'strict' counts only entities that keep the scheme's rules; as conlleval, forgiving, where absent. */
  readonly mode?: 'strict' | null
  /** Of strict mode; found from the true tags where absent. */
  readonly scheme?: Scheme | null
  /** Tags end in their prefix: PER-B. */
  readonly suffix?: boolean
  /** What a division by zero gives. Default 0. */
  readonly zeroDivision?: 0 | 1
}

export type EntityAverage = 'micro' | 'macro' | 'weighted'

function checkSequences(yTrue: Sequences, yPred: Sequences): void {
  if (yTrue.length !== yPred.length)
    throw new RangeError(`expected as many sequences on both sides, got ${yTrue.length} and ${yPred.length}`)
  for (const [i, labels] of yTrue.entries())
    if (labels.length !== yPred[i].length)
      throw new RangeError(
        `sequence ${i}: expected as many tags on both sides, got ${labels.length} and ${yPred[i].length}`,
      )
}

interface TypeCounts {
  readonly type: string
  readonly hits: number
  readonly predicted: number
  readonly actual: number
}

const key = (entity: Entity): string => `${entity.type} ${entity.start} ${entity.end}`

function entitiesOf(sequences: Sequences, options: SeqevalOptions, scheme: Scheme | null): Entity[][] {
  const { suffix = false } = options
  return sequences.map((labels) => (scheme ? strictEntities(labels, scheme, suffix) : getEntities(labels, suffix)))
}

function countTypes(yTrue: Sequences, yPred: Sequences, options: SeqevalOptions): TypeCounts[] {
  checkSequences(yTrue, yPred)
  const scheme = options.mode === 'strict' ? (options.scheme ?? detectScheme(yTrue, options.suffix)) : null
  const [truth, guess] = [entitiesOf(yTrue, options, scheme), entitiesOf(yPred, options, scheme)]
  const counts = new Map<string, { hits: number; predicted: number; actual: number }>()
  const at = (type: string): { hits: number; predicted: number; actual: number } => {
    const known = counts.get(type) ?? { hits: 0, predicted: 0, actual: 0 }
    counts.set(type, known)
    return known
  }
  for (const [i, entities] of truth.entries()) {
    const found = new Set(guess[i].map(key))
    for (const entity of entities) {
      at(entity.type).actual++
      if (found.has(key(entity))) at(entity.type).hits++
    }
    for (const entity of guess[i]) at(entity.type).predicted++
  }
  return [...counts].map(([type, count]) => ({ type, ...count })).sort((a, b) => (a.type < b.type ? -1 : 1))
}

function rowOf(counts: Omit<TypeCounts, 'type'>, beta: number, zero: number): ReportRow {
  const precision = counts.predicted === 0 ? zero : counts.hits / counts.predicted
  const recall = counts.actual === 0 ? zero : counts.hits / counts.actual
  if (beta === Number.POSITIVE_INFINITY) return { precision, recall, 'f1-score': recall, support: counts.actual }
  const scale = beta ** 2 * precision + recall
  const fscore = ((1 + beta ** 2) * precision * recall) / (scale === 0 ? 1 : scale)
  return { precision, recall, 'f1-score': fscore, support: counts.actual }
}

const PARTS = ['precision', 'recall', 'f1-score'] as const

function averageRow(counts: readonly TypeCounts[], average: EntityAverage, beta: number, zero: number): ReportRow {
  const sum = (part: 'hits' | 'predicted' | 'actual'): number => counts.reduce((all, count) => all + count[part], 0)
  const totals = { hits: sum('hits'), predicted: sum('predicted'), actual: sum('actual') }
  if (average === 'micro') return rowOf(totals, beta, zero)
  if (average === 'weighted' && totals.actual === 0) {
    const unless = totals.predicted === 0 ? zero : 0
    return { precision: unless, recall: zero, 'f1-score': unless, support: 0 }
  }
  const rows = counts.map((count) => rowOf(count, beta, zero))
  const weights = rows.map((row) => (average === 'weighted' ? row.support : 1))
  const all = weights.reduce((a, b) => a + b, 0)
  const mean = (part: (typeof PARTS)[number]): number => rows.reduce((s, row, i) => s + row[part] * weights[i], 0) / all
  return { precision: mean('precision'), recall: mean('recall'), 'f1-score': mean('f1-score'), support: totals.actual }
}

/** Precision, recall, F-beta and number of true entities, over all types ('micro', the default) or averaged over them. */
export function entityScores(
  yTrue: Sequences,
  yPred: Sequences,
  options: SeqevalOptions & { readonly average?: EntityAverage; readonly beta?: number } = {},
): ReportRow {
  const counts = countTypes(yTrue, yPred, options)
  return averageRow(counts, options.average ?? 'micro', options.beta ?? 1, options.zeroDivision ?? 0)
}

/** Share of tags that are equal. */
export function tagAccuracy(yTrue: Sequences, yPred: Sequences): number {
  checkSequences(yTrue, yPred)
  const [truth, guess] = [yTrue.flat(), yPred.flat()]
  return truth.filter((label, i) => label === guess[i]).length / truth.length
}

/** Scores of each entity type and 'micro avg', 'macro avg', 'weighted avg' (seqeval's classification_report with output_dict). */
export function entityReport(
  yTrue: Sequences,
  yPred: Sequences,
  options: SeqevalOptions = {},
): Record<string, ReportRow> {
  const counts = countTypes(yTrue, yPred, options)
  const zero = options.zeroDivision ?? 0
  const report: Record<string, ReportRow> = {}
  for (const count of counts) report[count.type] = rowOf(count, 1, zero)
  for (const average of ['micro', 'macro', 'weighted'] as const)
    report[`${average} avg`] = averageRow(counts, average, 1, zero)
  return report
}

/** {@link entityReport} as a table to read, with `digits` decimals (default 2). */
export function entityReportText(
  yTrue: Sequences,
  yPred: Sequences,
  options: SeqevalOptions & { readonly digits?: number } = {},
): string {
  const report = entityReport(yTrue, yPred, options)
  return formatReport(report, report['micro avg'].support, options.digits ?? 2)
}
