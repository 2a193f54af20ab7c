/** Classes of characters as the patterns of byte-level tokenizers tell them apart, in a table by unit. */
import { NEWER_THAN_PATTERNS } from '../unicode/classes.js'
import { lazy } from '../unicode/ranges.js'

export const UNKNOWN = 0
export const LETTER = 1
export const NUMBER = 2
export const SPACE = 3
export const OTHER = 4
/** Half of a character: ask {@link classAt}. */
export const SURROGATE = 5

const patterns = lazy(() => {
  const newer = NEWER_THAN_PATTERNS()
  const known = (property: string): RegExp => new RegExp(`^[\\p{${property}}--[${newer}]]$`, 'v')
  return { letter: known('L'), number: known('N'), space: /^\p{White_Space}$/u }
})

function classify(char: string): number {
  const { letter, number, space } = patterns()
  if (letter.test(char)) return LETTER
  if (number.test(char)) return NUMBER
  return space.test(char) ? SPACE : OTHER
}

/** Class of each unit; {@link UNKNOWN} until asked for. */
export const unitClasses = new Uint8Array(65536).fill(SURROGATE, 0xd800, 0xe000)

const astral = new Map<number, number>()

/** Class of the character at `i`. */
export function classAt(text: string, i: number): number {
  const unit = text.charCodeAt(i)
  const known = unitClasses[unit]
  if (known !== UNKNOWN && known !== SURROGATE) return known
  if (known === UNKNOWN) {
    unitClasses[unit] = classify(String.fromCharCode(unit))
    return unitClasses[unit]
  }
  const c = text.codePointAt(i)!
  let found = astral.get(c)
  if (found === undefined) {
    found = classify(String.fromCodePoint(c))
    if (astral.size < 50_000) astral.set(c, found)
  }
  return found
}

/** Where the run of characters of a class that starts at `i` ends. */
export function runEnd(text: string, i: number, end: number, kind: number): number {
  while (i < end) {
    const quick = unitClasses[text.charCodeAt(i)]
    if (quick === kind) i++
    else if (quick !== UNKNOWN && quick !== SURROGATE) return i
    else {
      if (classAt(text, i) !== kind) return i
      i += quick === SURROGATE ? 2 : 1
    }
  }
  return end
}
