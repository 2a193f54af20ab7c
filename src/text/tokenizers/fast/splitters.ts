/** Pre-tokenizers that cut a text without changing it, as ranges. */
import { Fields, isObject } from '../config.js'
import {
  characterFinder,
  finderOf,
  patternSource,
  SPLIT_BEHAVIORS,
  type SplitBehavior,
  splitRanges,
} from '../pattern.js'
import { GPT2_PATTERN } from '../pre-tokenizers/index.js'
import { isNumeric, isPunctuation, isWhitespace } from '../unicode/classes.js'
import { classAt, LETTER, NUMBER, OTHER, runEnd, SPACE } from './classes.js'

/** Receives the pieces of a text, none empty. */
export type Emit = (text: string, start: number, end: number) => void

export type Splitter = (text: string, start: number, end: number, emit: Emit) => void

const QUOTE = 0x27
const isNewline = (unit: number): boolean => unit === 0x0a || unit === 0x0d

/** Length of `'s`, `'re` and the like at a quote, 0 where there is none. */
function contraction(text: string, i: number, end: number, ignoreCase: boolean): number {
  if (i + 1 >= end) return 0
  let a = text.charCodeAt(i + 1)
  if (ignoreCase) a = a === 0x17f ? 0x73 : a >= 0x41 && a <= 0x5a ? a | 0x20 : a
  // s, t, m, d
  if (a === 0x73 || a === 0x74 || a === 0x6d || a === 0x64) return 2
  if (i + 2 >= end) return 0
  let b = text.charCodeAt(i + 2)
  if (ignoreCase && b >= 0x41 && b <= 0x5a) b |= 0x20
  // re, ve, ll
  return ((a === 0x72 || a === 0x76) && b === 0x65) || (a === 0x6c && b === 0x6c) ? 3 : 0
}

const widthAt = (text: string, i: number): number => ((text.charCodeAt(i) & 0xfc00) === 0xd800 ? 2 : 1)

/** End of white space that starts at `i`: all of it at the end of the text, else all but the last character, which goes with what follows. */
function spaceEnd(text: string, i: number, end: number): number {
  const run = runEnd(text, i, end, SPACE)
  return run === end || run - i === 1 ? run : run - 1
}

/** GPT-2's pattern. */
export const splitGpt2: Splitter = (text, start, end, emit) => {
  for (let i = start; i < end; ) {
    let next = i
    const unit = text.charCodeAt(i)
    if (unit === QUOTE) next = i + contraction(text, i, end, false)
    if (next === i) {
      // A space goes with the run that follows it.
      const first = unit === 0x20 && i + 1 < end && classAt(text, i + 1) !== SPACE ? i + 1 : i
      const kind = classAt(text, first)
      next = kind === SPACE ? spaceEnd(text, i, end) : runEnd(text, first, end, kind)
    }
    emit(text, i, next)
    i = next
  }
}

/** The last line end of white space, or -1. */
function lastNewline(text: string, i: number, end: number): number {
  for (let j = end - 1; j >= i; j--) if (isNewline(text.charCodeAt(j))) return j
  return -1
}

function digitsEnd(text: string, i: number, end: number, most: number): number {
  let j = i
  for (let count = 0; count < most && j < end && classAt(text, j) === NUMBER; count++) j += widthAt(text, j)
  return j
}

/** The pattern of cl100k, Llama 3 and Qwen 2, which differ in how many digits stay together. */
const splitModern =
  (digits: number): Splitter =>
  (text, start, end, emit) => {
    for (let i = start; i < end; ) {
      const next = modernEnd(text, i, end, digits)
      emit(text, i, next)
      i = next
    }
  }

function modernEnd(text: string, i: number, end: number, digits: number): number {
  const unit = text.charCodeAt(i)
  if (unit === QUOTE) {
    const length = contraction(text, i, end, true)
    if (length > 0) return i + length
  }
  const kind = classAt(text, i)
  if (kind === LETTER) return runEnd(text, i, end, LETTER)
  if (kind === NUMBER) return digitsEnd(text, i, end, digits)
  const after = i + widthAt(text, i)
  const following = after < end ? classAt(text, after) : SPACE
  // One sign or space goes with the letters that follow.
  if (following === LETTER && !isNewline(unit)) return runEnd(text, after, end, LETTER)
  if (kind === OTHER || (unit === 0x20 && following === OTHER)) {
    let j = runEnd(text, kind === OTHER ? i : after, end, OTHER)
    while (j < end && isNewline(text.charCodeAt(j))) j++
    return j
  }
  const run = runEnd(text, i, end, SPACE)
  const newline = lastNewline(text, i, run)
  if (newline >= 0) return newline + 1
  return run === end || run - i === 1 ? run : run - 1
}

const modernPattern = (digits: string): string =>
  String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

/** Patterns that are cut by hand instead of by an expression. */
const KNOWN_PATTERNS: ReadonlyMap<string, Splitter> = new Map([
  [GPT2_PATTERN, splitGpt2],
  [modernPattern('{1,3}'), splitModern(3)],
  [modernPattern(''), splitModern(1)],
])

const byRanges =
  (ranges: (text: string) => readonly { readonly start: number; readonly end: number }[]): Splitter =>
  (text, start, end, emit) => {
    const part = start === 0 && end === text.length ? text : text.slice(start, end)
    for (const range of ranges(part)) emit(part, range.start, range.end)
  }

function splitSplitter(fields: Fields): Splitter {
  const pattern = patternSource(fields.json.pattern, 'pattern')
  const behavior = fields.oneOf('behavior', SPLIT_BEHAVIORS)
  const invert = fields.boolean('invert')
  const known = pattern.kind === 'Regex' ? KNOWN_PATTERNS.get(pattern.source) : undefined
  // These patterns match everything: what lies between is nothing.
  if (known && (behavior === 'Isolated' || (behavior === 'Removed' && invert))) return known
  const find = finderOf(pattern)
  return byRanges((text) => splitRanges(text, find, behavior, invert))
}

const characters = (matches: (c: number) => boolean, behavior: SplitBehavior): Splitter => {
  const find = characterFinder(matches)
  return byRanges((text) => splitRanges(text, find, behavior))
}

/** One splitter after another. */
export const chain = (splitters: readonly Splitter[]): Splitter =>
  splitters.reduceRight<Splitter>(
    (rest, splitter) => (text, start, end, emit) =>
      splitter(text, start, end, (part, from, to) => rest(part, from, to, emit)),
    (text, start, end, emit) => emit(text, start, end),
  )

const BUILDERS: Readonly<Record<string, (fields: Fields) => Splitter>> = {
  Split: splitSplitter,
  Digits: (fields) => characters(isNumeric, fields.boolean('individual_digits') ? 'Isolated' : 'Contiguous'),
  Punctuation: (fields) => characters(isPunctuation, fields.oneOf('behavior', SPLIT_BEHAVIORS, 'Isolated')),
  WhitespaceSplit: () => characters(isWhitespace, 'Removed'),
}

/** The splitter of a pre-tokenizer that changes no text; null for others. */
export function splitterOf(json: unknown): Splitter | null {
  if (!isObject(json) || typeof json.type !== 'string' || !Object.hasOwn(BUILDERS, json.type)) return null
  return BUILDERS[json.type](Fields.of(json, 'pre_tokenizer'))
}
