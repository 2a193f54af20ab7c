import type { Comparison } from './compare.js'
import type { CaseResult, Outcome } from './report.js'
import { UnsupportedError } from './unsupported.js'

export interface AreaOptions {
  /** Whether a case is wanted: tested against its id and `<file stem>/<id>`. */
  readonly wants: (stem: string, id: string) => boolean
  readonly onCase?: (result: CaseResult) => void
}

/** Runs the references of one area folder. */
export type AreaRunner = (folder: string, options: AreaOptions) => Promise<CaseResult[]>

/** Turns what a case does into its outcome: comparisons decide, missing functions are unsupported, other errors are failures. */
export async function runCase(id: string, compare: () => Promise<Comparison>): Promise<CaseResult> {
  return { id, outcome: await outcomeOf(compare) }
}

async function outcomeOf(compare: () => Promise<Comparison>): Promise<Outcome> {
  try {
    const { worst, reason } = await compare()
    return reason === null ? { kind: 'passed', worst } : { kind: 'failed', reason, worst }
  } catch (error) {
    if (error instanceof UnsupportedError) return { kind: 'unsupported', what: error.what }
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    return {
      kind: 'failed',
      reason: process.env.KAIMO_DEBUG && error instanceof Error ? (error.stack ?? reason) : reason,
      worst: null,
    }
  }
}

/** The filter of the command line as a predicate. @throws TypeError for a malformed expression. */
export function caseFilter(filter: string | undefined): AreaOptions['wants'] {
  if (filter === undefined) return () => true
  let pattern: RegExp
  try {
    pattern = new RegExp(filter)
  } catch (error) {
    throw new TypeError(`--filter: ${error instanceof Error ? error.message : String(error)}`)
  }
  return (stem, id) => pattern.test(id) || pattern.test(`${stem}/${id}`)
}
