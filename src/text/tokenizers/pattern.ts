/** What a text is split or replaced by. */
import { Fields } from './config.js'
import { findAll, translateRegex } from './regex.js'

/** Finds the matches of a pattern, in order, without overlap. */
export type Finder = (text: string) => readonly (readonly [number, number])[]

/** Matches of a string that is not empty. */
export function stringFinder(needle: string): Finder {
  return (text) => {
    const found: [number, number][] = []
    if (needle.length === 0) return found
    for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + needle.length))
      found.push([at, at + needle.length])
    return found
  }
}

/** Matches of one code point at a time. */
export function characterFinder(matches: (c: number) => boolean): Finder {
  return (text) => {
    const found: [number, number][] = []
    for (let i = 0; i < text.length; ) {
      const c = text.codePointAt(i)!
      const end = i + (c > 0xffff ? 2 : 1)
      if (matches(c)) found.push([i, end])
      i = end
    }
    return found
  }
}

export function regexFinder(source: string): Finder {
  const pattern = translateRegex(source)
  return (text) => findAll(pattern, text)
}

/** `{ "String": ... }` or `{ "Regex": ... }`, as files hold patterns. */
export interface PatternSource {
  readonly kind: 'String' | 'Regex'
  readonly source: string
}

export function patternSource(value: unknown, where: string): PatternSource {
  const fields = Fields.of(value, where)
  const kind = fields.has('Regex') ? 'Regex' : 'String'
  return { kind, source: fields.string(kind) }
}

/** A pattern of a file: one of an empty string matches between any two characters, as an empty expression does. */
export const finderOf = ({ kind, source }: PatternSource): Finder =>
  kind === 'Regex' || source === '' ? regexFinder(source) : stringFinder(source)

export const SPLIT_BEHAVIORS = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const
export type SplitBehavior = (typeof SPLIT_BEHAVIORS)[number]

interface Piece {
  start: number
  end: number
  readonly match: boolean
}

/** Matches and what lies between them, over the whole text. */
function pieces(text: string, find: Finder, invert: boolean): Piece[] {
  const all: Piece[] = []
  let done = 0
  for (const [start, end] of find(text)) {
    if (start > done) all.push({ start: done, end: start, match: invert })
    all.push({ start, end, match: !invert })
    done = end
  }
  if (done < text.length) all.push({ start: done, end: text.length, match: invert })
  return all
}

/** Joins a piece to the one before it where `joins` says so. */
function joined(all: readonly Piece[], joins: (piece: Piece, previousMatch: boolean) => boolean): Piece[] {
  const out: Piece[] = []
  let previousMatch = false
  for (const piece of all) {
    const last = out[out.length - 1]
    if (last && joins(piece, previousMatch)) last.end = piece.end
    else out.push({ ...piece })
    previousMatch = piece.match
  }
  return out
}

function joinedBackwards(all: readonly Piece[]): Piece[] {
  const out: Piece[] = []
  let previousMatch = false
  for (const piece of [...all].reverse()) {
    const last = out[out.length - 1]
    if (last && piece.match && !previousMatch) last.start = piece.start
    else out.push({ ...piece })
    previousMatch = piece.match
  }
  return out.reverse()
}

const BEHAVIORS: Readonly<Record<SplitBehavior, (all: readonly Piece[]) => readonly Piece[]>> = {
  Removed: (all) => all.filter((piece) => !piece.match),
  Isolated: (all) => all,
  Contiguous: (all) => joined(all, (piece, previous) => piece.match === previous),
  MergedWithPrevious: (all) => joined(all, (piece, previous) => piece.match && !previous),
  MergedWithNext: joinedBackwards,
}

/** Ranges that a text is split into; empty ones are left out. */
export function splitRanges(
  text: string,
  find: Finder,
  behavior: SplitBehavior,
  invert = false,
): readonly { readonly start: number; readonly end: number }[] {
  return BEHAVIORS[behavior](pieces(text, find, invert)).filter(({ start, end }) => end > start)
}
