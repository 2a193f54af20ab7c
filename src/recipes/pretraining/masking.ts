import { Role, type TokenRow } from './rows.js'
import type { MaskingSpec } from './schema.js'

export interface Vocabulary {
  readonly maskId: number
  /** Ids to draw random tokens from. */
  readonly ids: readonly number[]
}

/** A row as the model reads it, with the tokens that it is to guess. */
export interface MaskedRow {
  readonly ids: Int32Array
  /** Places in the row, ascending, and what stood there. */
  readonly positions: readonly number[]
  readonly labels: readonly number[]
}

type Random = () => number
type Unit = readonly [start: number, end: number]

const LONGEST_SPAN = 10

/** Runs of tokens that are hidden together, in the order of the row. */
function unitsOf({ roles }: TokenRow, unit: MaskingSpec['unit']): Unit[] {
  const units: [number, number][] = []
  for (const [i, role] of roles.entries()) {
    if (role === Role.special) continue
    if (unit !== 'token' && role === Role.continuesWord && units.at(-1)?.[1] === i)
      (units.at(-1) as [number, number])[1] = i + 1
    else units.push([i, i + 1])
  }
  return units
}

/** Length of a run: geometric with this mean before it is cut. */
function spanLength(mean: number, random: Random): number {
  let length = 1
  while (length < LONGEST_SPAN && random() >= 1 / mean) length++
  return length
}

/** Most tokens of a row that are hidden. */
export const mostMasked = (tokens: number, fraction: number): number => Math.max(1, Math.round(tokens * fraction))

function choose(row: TokenRow, { fraction, unit, meanSpan }: MaskingSpec, random: Random): number[] {
  const units = unitsOf(row, unit)
  const tokens = units.reduce((sum, [start, end]) => sum + end - start, 0)
  const wanted = tokens === 0 ? 0 : mostMasked(tokens, fraction)
  const order = units.map((_, i) => i)
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[order[i], order[j]] = [order[j], order[i]]
  }
  const chosen = new Set<number>()
  for (const first of order) {
    if (chosen.size >= wanted) break
    const length = unit === 'span' ? spanLength(meanSpan, random) : 1
    for (let i = first; i < Math.min(first + length, units.length); i++) {
      const [start, end] = units[i]
      // A word that does not fit is passed over, as in BERT's own data; a run ends at a gap.
      if (chosen.size + end - start > wanted || (i > first && units[i - 1][1] !== start)) break
      for (let at = start; at < end; at++) chosen.add(at)
    }
  }
  // One word alone may be longer than the share.
  if (chosen.size === 0 && order.length > 0) chosen.add(units[order[0]][0])
  return [...chosen].sort((a, b) => a - b)
}

/** Hides tokens of a row for the model to guess: 80/10/10 of 15 % by default (Devlin et al. 2019). */
export function maskRow(row: TokenRow, spec: MaskingSpec, vocabulary: Vocabulary, random: Random): MaskedRow {
  const positions = choose(row, spec, random)
  const labels = positions.map((at) => row.ids[at])
  const ids = row.ids.slice()
  for (const at of positions) {
    const draw = random()
    if (draw < spec.maskToken) ids[at] = vocabulary.maskId
    else if (draw < spec.maskToken + spec.randomToken)
      ids[at] = vocabulary.ids[Math.floor(random() * vocabulary.ids.length)]
  }
  return { ids, positions, labels }
}
