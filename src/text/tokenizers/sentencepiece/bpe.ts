/** Byte-pair encoding by scores of pieces, as SentencePiece's library does it. */
import { Heap } from '../heap.js'
import { PIECE_TYPES, type SentencePiece } from './model-proto.js'
import type { PrefixMatcher } from './rules.js'

interface Candidate {
  readonly left: number
  readonly right: number
  readonly score: number
  readonly length: number
}

const before = (a: Candidate, b: Candidate): boolean => a.score > b.score || (a.score === b.score && a.left < b.left)

/** Splits a text into characters (symbols of the user stay whole) and merges the pair of the highest score, from the left where equal. */
export function mergePieces(
  text: string,
  pieces: readonly SentencePiece[],
  ids: ReadonlyMap<string, number>,
  matcher: PrefixMatcher,
): string[] {
  const symbols: string[] = []
  const frozen: boolean[] = []
  for (let at = 0; at < text.length; ) {
    const defined = matcher.match(text, at)
    const length = defined || (text.codePointAt(at)! > 0xffff ? 2 : 1)
    symbols.push(text.slice(at, at + length))
    frozen.push(defined > 0)
    at += length
  }
  const previous = symbols.map((_, i) => i - 1)
  const next = symbols.map((_, i) => (i + 1 < symbols.length ? i + 1 : -1))
  const agenda = new Heap(before)
  /** Halves of pieces that only serve to build others. */
  const halves = new Map<string, readonly [string, string]>()
  const offer = (left: number, right: number): void => {
    if (left < 0 || right < 0 || frozen[left] || frozen[right]) return
    const piece = symbols[left] + symbols[right]
    const id = ids.get(piece)
    if (id === undefined) return
    const { type, score } = pieces[id]
    if (type !== PIECE_TYPES.normal && type !== PIECE_TYPES.userDefined && type !== PIECE_TYPES.unused) return
    agenda.push({ left, right, score, length: piece.length })
    if (type === PIECE_TYPES.unused) halves.set(piece, [symbols[left], symbols[right]])
  }
  for (let i = 1; i < symbols.length; i++) offer(i - 1, i)
  for (let top = agenda.pop(); top; top = agenda.pop()) {
    const { left, right, length } = top
    if (symbols[left] === '' || symbols[right] === '' || symbols[left].length + symbols[right].length !== length)
      continue
    symbols[left] += symbols[right]
    symbols[right] = ''
    next[left] = next[right]
    if (next[right] >= 0) previous[next[right]] = left
    offer(previous[left], left)
    offer(left, next[left])
  }
  const out: string[] = []
  const take = (piece: string): void => {
    const id = ids.get(piece)
    const parts = id !== undefined && pieces[id].type === PIECE_TYPES.unused ? halves.get(piece) : undefined
    if (!parts) out.push(piece)
    else for (const part of parts) take(part)
  }
  for (const symbol of symbols) if (symbol !== '') take(symbol)
  return out
}
