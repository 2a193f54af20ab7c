/** String operations as Python defines them, over code points, where JavaScript's differ. */

// str.isspace: JavaScript's \s has U+FEFF besides, and lacks U+001C to U+001F and U+0085.
const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000'
const SPACES = new RegExp(`[${SPACE}]+`)
const LEADING = new RegExp(`^[${SPACE}]+`)
const ONLY_SPACE = new RegExp(`^[${SPACE}]+$`)
const SPACE_CHARACTER = new RegExp(`^[${SPACE}]$`)

/** str.split() without arguments. */
export const splitWords = (text: string): string[] => text.split(SPACES).filter((word) => word !== '')

/** str.isspace(). */
export const isSpace = (text: string): boolean => ONLY_SPACE.test(text)

/** str.lstrip(), of white space or of any of `characters`. */
export function stripStart(text: string, characters?: string | null): string {
  if (characters === undefined || characters === null) return text.replace(LEADING, '')
  const set = new Set(characters)
  let at = 0
  for (const character of text) {
    if (!set.has(character)) break
    at += character.length
  }
  return text.slice(at)
}

/** str.rstrip(), of white space or of any of `characters`. Linear in the length of the text. */
export function stripEnd(text: string, characters?: string | null): string {
  const set = characters === undefined || characters === null ? null : new Set(characters)
  let end = text.length
  while (end > 0) {
    const pair = end > 1 && isLowSurrogate(text.charCodeAt(end - 1)) && isHighSurrogate(text.charCodeAt(end - 2))
    const character = text.slice(end - (pair ? 2 : 1), end)
    if (!(set ? set.has(character) : SPACE_CHARACTER.test(character))) break
    end -= character.length
  }
  return text.slice(0, end)
}

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00
const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit < 0xe000

/** str.strip(), of white space or of any of `characters`. */
export const strip = (text: string, characters?: string | null): string =>
  stripEnd(stripStart(text, characters), characters)

/** Counts of equal keys. */
export function counter(keys: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return counts
}
