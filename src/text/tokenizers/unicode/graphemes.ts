/** Extended grapheme clusters (Unicode Standard Annex 29). */
import { lazy } from './ranges.js'

/** Runs around characters that may join their neighbours; between any two others stands a boundary. */
const joining = lazy(
  () =>
    /[\s\S]?[\p{M}\p{Grapheme_Extend}\p{Cf}\p{Emoji_Modifier}\p{Regional_Indicator}\r\u0e33\u0eb3\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]+[\s\S]?/u,
)
const segmenter = lazy(() => new Intl.Segmenter('en', { granularity: 'grapheme' }))

/** Calls `visit` with each cluster that may hold more than one character, and with each single character elsewhere. */
export function forEachGrapheme(text: string, visit: (grapheme: string) => void): void {
  if (!joining().test(text)) {
    for (const char of text) visit(char)
    return
  }
  const pattern = new RegExp(`(?:${joining().source})+`, 'gu')
  let done = 0
  for (const match of text.matchAll(pattern)) {
    for (const char of text.slice(done, match.index)) visit(char)
    for (const { segment } of segmenter().segment(match[0])) visit(segment)
    done = match.index + match[0].length
  }
  for (const char of text.slice(done)) visit(char)
}
