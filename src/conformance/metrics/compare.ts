import { type Comparison, joinComparisons } from '../compare.js'
import type { Difference } from '../report.js'

/** A value of a reference: numbers may be written as "NaN", "Infinity" or "-Infinity". */
export type Reference = number | string | null | readonly Reference[] | { readonly [name: string]: Reference }

const TOLERANCE = 1e-6
const TEXT: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
}

const fail = (reason: string): Comparison => ({ worst: null, reason })

function compareNumbers(got: unknown, want: number, where: string, tolerance: number): Comparison {
  if (typeof got !== 'number') return fail(`${where} is ${String(got)}, expected ${want}`)
  const same = Object.is(got, want) || got === want
  const error = same ? 0 : Math.abs(got - want)
  const ratio = same
    ? 0
    : Number.isFinite(error)
      ? error / (tolerance * Math.max(1, Math.abs(want)))
      : Number.POSITIVE_INFINITY
  const worst: Difference = { where, error: Number.isNaN(error) ? Number.POSITIVE_INFINITY : error, ratio }
  return { worst, reason: ratio > 1 ? `${where} is ${got}, expected ${want}` : null }
}

/** Compares nested results with a reference: numbers within `tolerance` (relative above 1), everything else exactly. */
export function compareNested(got: unknown, want: Reference, where: string, tolerance = TOLERANCE): Comparison {
  if (typeof want === 'number') return compareNumbers(got, want, where, tolerance)
  if (typeof want === 'string' && want in TEXT) return compareNumbers(got, TEXT[want], where, tolerance)
  if (want === null || typeof want === 'string')
    return (got ?? null) === want ? { worst: null, reason: null } : fail(`${where} is ${String(got)}, expected ${want}`)
  if (typeof got !== 'object' || got === null)
    return fail(`${where} is ${String(got)}, expected ${Array.isArray(want) ? 'a list' : 'an object'}`)
  if (Array.isArray(want)) {
    const list = got as ArrayLike<unknown>
    if (list.length !== want.length) return fail(`${where} has ${list.length} entries, expected ${want.length}`)
    return joinComparisons(
      (want as readonly Reference[]).map((value, i) => compareNested(list[i], value, `${where}[${i}]`, tolerance)),
    )
  }
  const record = got as Record<string, unknown>
  const names = Object.keys(want)
  const extra = Object.keys(record).find((name) => !names.includes(name))
  if (extra !== undefined) return fail(`${where} has '${extra}', which is not expected`)
  const fields = want as Readonly<Record<string, Reference>>
  return joinComparisons(names.map((name) => compareNested(record[name], fields[name], `${where}.${name}`, tolerance)))
}
