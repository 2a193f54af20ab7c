/**
 * Normalization forms (Unicode Standard Annex 15) that say for each character of the result where it came from, as the Rust tokenizers
 * count it: 0 stands in for one character of the input, 1 was added, -n stands in for one and swallows the n that follow.
 */
import { CodePointSet, codePointMap, lazy, rangesOf } from './ranges.js'
import { COMBINING_CLASSES, NORMALIZATION_INERT } from './tables.js'

export type NormalizationForm = 'NFC' | 'NFD' | 'NFKC' | 'NFKD'

const combiningClasses = lazy(() => codePointMap(COMBINING_CLASSES))
const inert = lazy(() => new CodePointSet(NORMALIZATION_INERT))
const inertPattern = lazy(() => {
  const source = rangesOf(NORMALIZATION_INERT).map(([a, b]) => `\\u{${a.toString(16)}}-\\u{${b.toString(16)}}`)
  return new RegExp(`([${source.join('')}]+)`, 'u')
})

/** The text alone. Characters younger than the tokenizers' tables stay as they are. */
export function normalizeText(text: string, form: NormalizationForm): string {
  if (!inertPattern().test(text)) return text.normalize(form)
  return text
    .split(inertPattern())
    .map((part, i) => (i % 2 === 1 ? part : part.normalize(form)))
    .join('')
}

/** Code points of a result with what each did to the input. */
export interface Transformation {
  readonly codePoints: number[]
  readonly changes: number[]
}

const decomposed: Record<'NFD' | 'NFKD', Map<number, number[]>> = { NFD: new Map(), NFKD: new Map() }

function decompose(c: number, form: 'NFD' | 'NFKD'): number[] {
  const cache = decomposed[form]
  let parts = cache.get(c)
  if (!parts) {
    parts = inert().has(c) ? [c] : Array.from(String.fromCodePoint(c).normalize(form), (part) => part.codePointAt(0)!)
    if (cache.size < 50_000) cache.set(c, parts)
  }
  return parts
}

/** Sorts what follows a starter by combining class, keeping the order within a class. */
function sortMarks(result: Transformation, from: number): void {
  const { codePoints, changes } = result
  const classes = combiningClasses()
  for (let i = from + 1; i < codePoints.length; i++) {
    const [c, change] = [codePoints[i], changes[i]]
    let at = i
    for (; at > from && classes[codePoints[at - 1]] > classes[c]; at--) {
      codePoints[at] = codePoints[at - 1]
      changes[at] = changes[at - 1]
    }
    codePoints[at] = c
    changes[at] = change
  }
}

function decomposeText(text: string, form: 'NFD' | 'NFKD'): Transformation {
  const result: Transformation = { codePoints: [], changes: [] }
  const classes = combiningClasses()
  let pending = 0
  for (const char of text) {
    const c = char.codePointAt(0)!
    const parts = c < 0x80 ? [c] : decompose(c, form)
    for (let i = 0; i < parts.length; i++) {
      if (classes[parts[i]] === 0) {
        if (result.codePoints.length - pending > 1) sortMarks(result, pending)
        pending = result.codePoints.length
      }
      result.codePoints.push(parts[i])
      result.changes.push(i === 0 ? 0 : 1)
      // A starter is settled; marks after it wait for the next one.
      if (classes[parts[i]] === 0) pending = result.codePoints.length
    }
  }
  sortMarks(result, pending)
  return result
}

const composed = new Map<string, number>()

/** The character that two compose to, or -1. */
function compose(a: number, b: number): number {
  if (b < 0x300) return -1
  const pair = String.fromCodePoint(a, b)
  let whole = composed.get(pair)
  if (whole === undefined) {
    const joined = pair.normalize('NFC')
    const c = joined.codePointAt(0)!
    whole = !inert().has(c) && joined.length === (c > 0xffff ? 2 : 1) ? c : -1
    if (composed.size < 50_000) composed.set(pair, whole)
  }
  return whole
}

/** Composes in place of the starter; the starter's change gathers those of what it swallowed. */
function composeText(input: Transformation): Transformation {
  const { codePoints, changes } = input
  const out: Transformation = { codePoints: [], changes: [] }
  const classes = combiningClasses()
  let starter = -1
  let lastClass = -1
  for (let i = 0; i < codePoints.length; i++) {
    const kind = classes[codePoints[i]]
    if (starter >= 0 && (lastClass < 0 || lastClass < kind)) {
      const whole = compose(out.codePoints[starter], codePoints[i])
      if (whole >= 0) {
        out.codePoints[starter] = whole
        out.changes[starter] += changes[i] - 1
        continue
      }
    }
    if (kind === 0) {
      starter = out.codePoints.length
      lastClass = -1
    } else if (starter >= 0) lastClass = kind
    out.codePoints.push(codePoints[i])
    out.changes.push(changes[i])
  }
  return out
}

/** The normalization form of a text with its changes. */
export function normalizeTracked(text: string, form: NormalizationForm): Transformation {
  if (form === 'NFD' || form === 'NFKD') return decomposeText(text, form)
  return composeText(decomposeText(text, form === 'NFC' ? 'NFD' : 'NFKD'))
}
