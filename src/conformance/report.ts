/** Outcome of one case. */
export type Outcome =
  | { readonly kind: 'passed'; readonly worst: Difference | null }
  | { readonly kind: 'failed'; readonly reason: string; readonly worst: Difference | null }
  /** Not run because this build lacks `what`. Counted as skipped, by name. */
  | { readonly kind: 'unsupported'; readonly what: string }

/** The largest difference of a comparison, measured against what is allowed. */
export interface Difference {
  /** Which array it was found in: `out/0`, `grad/x`, ... */
  readonly where: string
  readonly error: number
  /** `error` over the tolerance: at most 1 where the comparison holds. */
  readonly ratio: number
}

export interface CaseResult {
  /** `<area>/<file>/<id>` without the area. */
  readonly id: string
  readonly outcome: Outcome
}

export interface AreaReport {
  readonly area: string
  readonly passed: number
  readonly failed: number
  readonly unsupported: number
  /** The case that came closest to its tolerance, or went furthest beyond it. */
  readonly worst: (Difference & { readonly case: string }) | null
  readonly failures: readonly { readonly case: string; readonly reason: string }[]
  /** What is missing, with the number of cases that need it. */
  readonly missing: Readonly<Record<string, number>>
}

export interface ConformanceReport {
  readonly backend: string
  readonly areas: readonly AreaReport[]
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export function areaReport(area: string, results: readonly CaseResult[]): AreaReport {
  const failures: { case: string; reason: string }[] = []
  const missing: Record<string, number> = {}
  let worst: AreaReport['worst'] = null
  let passed = 0
  for (const { id, outcome } of results) {
    if (outcome.kind === 'unsupported') {
      missing[outcome.what] = (missing[outcome.what] ?? 0) + 1
      continue
    }
    if (outcome.kind === 'failed') failures.push({ case: id, reason: outcome.reason })
    else passed++
    const difference = outcome.worst
    if (difference && (!worst || !(difference.ratio <= worst.ratio))) worst = { ...difference, case: id }
  }
  const unsupported = results.length - passed - failures.length
  return { area, passed, failed: failures.length, unsupported, worst, failures, missing }
}

export function summarize(backend: string, areas: readonly AreaReport[]): ConformanceReport {
  const total = (key: 'passed' | 'failed' | 'unsupported'): number => areas.reduce((sum, area) => sum + area[key], 0)
  return { backend, areas, passed: total('passed'), failed: total('failed'), skipped: total('unsupported') }
}

export const summaryLine = ({ passed, failed, skipped }: ConformanceReport): string =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`
