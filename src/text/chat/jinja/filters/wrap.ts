// Reference: Python's textwrap.wrap, without changes of white space.

const WS = '[\\t\\n\\v\\f\\r ]'
const NWS = '[^\\t\\n\\v\\f\\r ]'
const WORD = '[\\p{L}\\p{N}_!"\'&.,?]'
const LETTER = '[\\p{L}_]'
const LETTER_OR_DIGIT = '[\\p{L}\\p{N}_]'

const WITH_HYPHENS = new RegExp(
  `${WS}+|(?<=${WORD})-{2,}(?=${LETTER_OR_DIGIT})|${NWS}+?(?:-(?:(?<=${LETTER}{2}-)|(?<=${LETTER}-${WORD}-))(?=${LETTER}-?${LETTER})|(?=${WS}|$)|(?<=${WORD})(?=-{2,}${LETTER_OR_DIGIT}))`,
  'gu',
)
const PLAIN = new RegExp(`${WS}+|${NWS}+`, 'gu')

const size = (text: string): number => [...text].length
const isBlank = (text: string): boolean => text.trim() === ''

/** Lines of at most `width` characters, broken at spaces, after hyphens, and where asked for within long words. */
export function wrapText(text: string, width: number, breakLongWords: boolean, breakOnHyphens: boolean): string[] {
  const chunks = (text.match(breakOnHyphens ? WITH_HYPHENS : PLAIN) ?? []).reverse()
  const lines: string[] = []
  while (chunks.length > 0) {
    if (lines.length > 0 && isBlank(chunks[chunks.length - 1])) chunks.pop()
    const line: string[] = []
    let length = 0
    while (chunks.length > 0 && length + size(chunks[chunks.length - 1]) <= width) {
      const chunk = chunks.pop() ?? ''
      line.push(chunk)
      length += size(chunk)
    }
    const long = chunks[chunks.length - 1]
    if (long !== undefined && size(long) > width)
      splitLong(chunks, line, Math.max(width - length, 1), breakLongWords, breakOnHyphens)
    if (line.length > 0 && isBlank(line[line.length - 1])) line.pop()
    if (line.length > 0) lines.push(line.join(''))
  }
  return lines
}

/** Moves what fits of a word that is longer than a line. */
function splitLong(
  chunks: string[],
  line: string[],
  space: number,
  breakLongWords: boolean,
  breakOnHyphens: boolean,
): void {
  if (!breakLongWords) {
    if (line.length === 0) line.push(chunks.pop() ?? '')
    return
  }
  const characters = [...(chunks.pop() ?? '')]
  let end = space
  if (breakOnHyphens && characters.length > space) {
    const hyphen = characters.slice(0, space).lastIndexOf('-')
    if (hyphen > 0 && characters.slice(0, hyphen).some((c) => c !== '-')) end = hyphen + 1
  }
  line.push(characters.slice(0, end).join(''))
  chunks.push(characters.slice(end).join(''))
}
