/** Classes of code points that normalizers and pre-tokenizers ask for, with the versions of Unicode of the Rust tokenizers. */
import { CodePointSet, lazy, rangesOf } from './ranges.js'
import { CLEANED, COMBINING_MARKS, NONSPACING_MARKS, PUNCTUATION, UNICODE_17 } from './tables.js'

const nonspacingMarks = lazy(() => new CodePointSet(NONSPACING_MARKS))
const combiningMarks = lazy(() => new CodePointSet(COMBINING_MARKS))
const punctuation = lazy(() => new CodePointSet(PUNCTUATION))
const cleaned = lazy(() => new CodePointSet(CLEANED))

/** The property White_Space, which differs from JavaScript's `\s` in U+0085 and U+FEFF. */
export function isWhitespace(c: number): boolean {
  if (c < 0x80) return c === 0x20 || (c >= 0x09 && c <= 0x0d)
  if (c < 0x1680) return c === 0x85 || c === 0xa0
  return (
    c === 0x1680 ||
    (c >= 0x2000 && c <= 0x200a) ||
    c === 0x2028 ||
    c === 0x2029 ||
    c === 0x202f ||
    c === 0x205f ||
    c === 0x3000
  )
}

/** Punctuation of Unicode and of ASCII (which counts `$+<=>^`|~` too). */
export const isPunctuation = (c: number): boolean =>
  c < 0x80
    ? (c > 0x20 && c < 0x30) || (c > 0x39 && c < 0x41) || (c > 0x5a && c < 0x61) || (c > 0x7a && c < 0x7f)
    : punctuation().has(c)

export const isNonspacingMark = (c: number): boolean => c >= 0x300 && nonspacingMarks().has(c)
export const isCombiningMark = (c: number): boolean => c >= 0x300 && combiningMarks().has(c)

/** What cleaning for BERT removes. */
export const isCleaned = (c: number): boolean => (c >= 0x20 && c < 0x7f ? false : cleaned().has(c))

/** The ideographs that BERT surrounds with spaces. */
export const isChineseCharacter = (c: number): boolean =>
  c >= 0x3400 &&
  ((c >= 0x4e00 && c <= 0x9fff) ||
    c <= 0x4dbf ||
    (c >= 0xf900 && c <= 0xfaff) ||
    (c >= 0x20000 && c <= 0x2a6df) ||
    (c >= 0x2a700 && c <= 0x2b81f) ||
    (c >= 0x2b920 && c <= 0x2ceaf) ||
    (c >= 0x2f800 && c <= 0x2fa1f))

/** Source of the code points that patterns of Unicode 16 do not know, for use in a class of a regular expression. */
export const NEWER_THAN_PATTERNS = lazy(() =>
  rangesOf(UNICODE_17)
    .map(([a, b]) => (a === b ? `\\u{${a.toString(16)}}` : `\\u{${a.toString(16)}}-\\u{${b.toString(16)}}`))
    .join(''),
)

const newer = lazy(() => new CodePointSet(UNICODE_17))
const NUMERIC = /^\p{N}$/u
/** General category N, as the standard library of Rust has it. */
export const isNumeric = (c: number): boolean =>
  c < 0x80 ? c >= 0x30 && c <= 0x39 : NUMERIC.test(String.fromCodePoint(c))

const WORD = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u
/** `\w` of Rust's regular expressions. */
export function isWordCharacter(c: number): boolean {
  if (c < 0x80) return (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x5a) || c === 0x5f || (c >= 0x61 && c <= 0x7a)
  return WORD.test(String.fromCodePoint(c)) && !newer().has(c)
}
