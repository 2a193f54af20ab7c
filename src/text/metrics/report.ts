/** Scores of one class or average. */
export interface ReportRow {
  readonly precision: number
  readonly recall: number
  readonly 'f1-score': number
  readonly support: number
}

const COLUMNS = ['precision', 'recall', 'f1-score', 'support'] as const

/** A table of rows by name, averages ("... avg", accuracy) set apart, as scikit-learn and seqeval print theirs. `support` stands beside a plain number. */
export function formatReport(
  report: Readonly<Record<string, ReportRow | number>>,
  support: number,
  digits: number,
): string {
  const names = Object.keys(report)
  const width = Math.max(...names.map((name) => name.length), 'weighted avg'.length, digits)
  const line = (name: string, cells: string[]): string =>
    `${name.padStart(width)} ${cells.map((cell) => ` ${cell.padStart(9)}`).join('')}`
  const cellsOf = (row: ReportRow | number): string[] =>
    typeof row === 'number'
      ? ['', '', row.toFixed(digits), String(support)]
      : [...COLUMNS.slice(0, 3).map((key) => row[key].toFixed(digits)), String(row.support)]
  const isAverage = (name: string): boolean => name === 'accuracy' || / avg$/.test(name)
  const part = (average: boolean): string =>
    names
      .filter((name) => isAverage(name) === average)
      .map((name) => `${line(name, cellsOf(report[name]))}\n`)
      .join('')
  return `${line('', [...COLUMNS])}\n\n${part(false)}\n${part(true)}`
}
