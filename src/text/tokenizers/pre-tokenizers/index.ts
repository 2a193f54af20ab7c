/** Pre-tokenizers of the tokenizer.json format: one text into the pieces that a model sees. */
import { FormatError } from '../../../formats/errors.js'
import type { AlignedText } from '../aligned-text.js'
import { encodeBytes } from '../byte-level.js'
import { buildComponent, type Fields } from '../config.js'
import {
  characterFinder,
  type Finder,
  finderOf,
  patternSource,
  SPLIT_BEHAVIORS,
  type SplitBehavior,
  splitRanges,
  stringFinder,
} from '../pattern.js'
import { findAll, translateRegex } from '../regex.js'
import { isNumeric, isPunctuation, isWhitespace, NEWER_THAN_PATTERNS } from '../unicode/classes.js'
import { lazy } from '../unicode/ranges.js'
import { ANY_SCRIPT, scriptOf } from '../unicode/scripts.js'

export interface PreTokenizer {
  /** Pieces of the text, none empty. May change the text. */
  split(text: AlignedText): AlignedText[]
}

/** How GPT-2 splits words (with the space before them), numbers, other signs and white space. */
export const GPT2_PATTERN = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
const gpt2 = lazy(() => translateRegex(GPT2_PATTERN))

const slices = (
  text: AlignedText,
  ranges: readonly { readonly start: number; readonly end: number }[],
): AlignedText[] =>
  ranges.length === 1 && ranges[0].start === 0 && ranges[0].end === text.text.length
    ? [text]
    : ranges.map(({ start, end }) => text.slice(start, end))

const splitting = (find: Finder, behavior: SplitBehavior, invert = false): PreTokenizer => ({
  split: (text) => slices(text, splitRanges(text.text, find, behavior, invert)),
})

export const preTokenizerSequence = (parts: readonly PreTokenizer[]): PreTokenizer => ({
  split: (text) => parts.reduce<AlignedText[]>((pieces, part) => pieces.flatMap((piece) => part.split(piece)), [text]),
})

const words = lazy(() => {
  const word = `[[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]--[${NEWER_THAN_PATTERNS()}]]`
  return new RegExp(`${word}+|[^${word}\\p{White_Space}]+`, 'gv')
})

function byteLevel(fields: Fields): PreTokenizer {
  const prefixSpace = fields.boolean('add_prefix_space')
  fields.boolean('trim_offsets')
  const useRegex = fields.boolean('use_regex', true)
  return {
    split(text) {
      if (prefixSpace && !text.text.startsWith(' ')) text.prepend(' ')
      const pieces = useRegex
        ? slices(
            text,
            splitRanges(text.text, (t) => findAll(gpt2(), t), 'Isolated'),
          )
        : [text]
      for (const piece of pieces) encodeBytes(piece)
      return pieces.filter((piece) => piece.text.length > 0)
    },
  }
}

export const PREPEND_SCHEMES = ['always', 'first', 'never'] as const
export type PrependScheme = (typeof PREPEND_SCHEMES)[number]

/** Options of Metaspace, with the older way to say that nothing is prepended. */
export function metaspaceOptions(fields: Fields): { replacement: string; scheme: PrependScheme; split: boolean } {
  const replacement = fields.character('replacement')
  let scheme = fields.oneOf('prepend_scheme', PREPEND_SCHEMES, 'always')
  if (fields.has('add_prefix_space') && !fields.boolean('add_prefix_space')) {
    if (fields.has('prepend_scheme') && scheme !== 'never')
      throw new FormatError(`${fields.where}: add_prefix_space is false, but prepend_scheme is '${scheme}'`)
    scheme = 'never'
  }
  return { replacement, scheme, split: fields.boolean('split', true) }
}

function metaspace(fields: Fields): PreTokenizer {
  const { replacement, scheme, split } = metaspaceOptions(fields)
  const spaces = stringFinder(' ')
  const marks = stringFinder(replacement)
  return {
    split(text) {
      text.replaceRanges(spaces(text.text), replacement)
      if (!text.text.startsWith(replacement) && (scheme === 'always' || (scheme === 'first' && text.from === 0)))
        text.prepend(replacement)
      if (!split) return text.text.length > 0 ? [text] : []
      return slices(text, splitRanges(text.text, marks, 'MergedWithNext'))
    },
  }
}

/** Splits where the script changes; characters of no script stay with what is before them, and are lost at the start. */
const unicodeScripts: PreTokenizer = {
  split(text) {
    const bounds: number[] = []
    let last = -1
    let offset = 0
    for (const char of text.text) {
      const script = scriptOf(char.codePointAt(0)!)
      if (script !== ANY_SCRIPT) {
        if (last !== script) bounds.push(offset)
        last = script
      }
      offset += char.length
    }
    bounds.push(offset)
    return slices(
      text,
      bounds.slice(0, -1).map((start, i) => ({ start, end: bounds[i + 1] })),
    )
  },
}

function fixedLength(fields: Fields): PreTokenizer {
  const length = fields.count('length', 5)
  if (length === 0) fields.fail('length', 'at least 1')
  return {
    split(text) {
      const ranges: { start: number; end: number }[] = []
      let [start, end, count] = [0, 0, 0]
      for (const char of text.text) {
        end += char.length
        if (++count < length) continue
        ranges.push({ start, end })
        start = end
        count = 0
      }
      if (end > start) ranges.push({ start, end })
      return slices(text, ranges)
    },
  }
}

const bertPreTokenizer = preTokenizerSequence([
  splitting(characterFinder(isWhitespace), 'Removed'),
  splitting(characterFinder(isPunctuation), 'Isolated'),
])

const delimiter = (fields: Fields): PreTokenizer => splitting(stringFinder(fields.character('delimiter')), 'Removed')

const BUILDERS: Readonly<Record<string, (fields: Fields, depth: number) => PreTokenizer>> = {
  BertPreTokenizer: () => bertPreTokenizer,
  ByteLevel: byteLevel,
  CharDelimiterSplit: delimiter,
  Delimiter: delimiter,
  Digits: (fields) =>
    splitting(characterFinder(isNumeric), fields.boolean('individual_digits') ? 'Isolated' : 'Contiguous'),
  FixedLength: fixedLength,
  Metaspace: metaspace,
  Punctuation: (fields) =>
    splitting(characterFinder(isPunctuation), fields.oneOf('behavior', SPLIT_BEHAVIORS, 'Isolated')),
  Sequence: (fields, depth) =>
    preTokenizerSequence(
      fields
        .list('pretokenizers')
        .map((item, i) => buildPreTokenizer(item, `${fields.where}.pretokenizers[${i}]`, depth + 1)),
    ),
  Split: (fields) =>
    splitting(
      finderOf(patternSource(fields.json.pattern, `${fields.where}.pattern`)),
      fields.oneOf('behavior', SPLIT_BEHAVIORS),
      fields.boolean('invert'),
    ),
  UnicodeScripts: () => unicodeScripts,
  Whitespace: () => splitting((text) => findAll(words(), text), 'Removed', true),
  WhitespaceSplit: () => splitting(characterFinder(isWhitespace), 'Removed'),
}

/** A pre-tokenizer as it stands in a tokenizer.json. @throws FormatError for a kind that is not known or fields that are wrong */
export const buildPreTokenizer = (json: unknown, where = 'pre_tokenizer', depth = 0): PreTokenizer =>
  buildComponent('pre-tokenizer', BUILDERS, json, where, depth)
