import { type AlignedText, isAscii } from '../aligned-text.js'
import type { Transformation } from '../unicode/normalize.js'

export interface Normalizer {
  /** Normalizes in place and keeps the alignment. */
  apply(text: AlignedText): void
  /** The normalized text alone: the same text as {@link apply} gives. */
  normalize(text: string): string
}

/** Lower case of each character by itself: a sigma at the end of a word is as any other. */
export function lowercaseText(text: string): string {
  if (!text.includes('\u03a3')) return text.toLowerCase()
  return Array.from(text, (char) => char.toLowerCase()).join('')
}

export function lowercaseTracked(text: AlignedText): void {
  if (isAscii(text.text)) {
    text.replaceUnits(text.text.toLowerCase())
    return
  }
  const result: Transformation = { codePoints: [], changes: [] }
  let changed = false
  for (const char of text.text) {
    const lower = char.toLowerCase()
    if (lower !== char) changed = true
    let first = true
    for (const part of lower) {
      result.codePoints.push(part.codePointAt(0)!)
      result.changes.push(first ? 0 : 1)
      first = false
    }
  }
  if (changed) text.transform(result)
}
