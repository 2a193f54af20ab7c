import { type AlignedText, isAscii } from '../aligned-text.js'
import type { Fields } from '../config.js'
import { isChineseCharacter, isCleaned, isNonspacingMark, isWhitespace } from '../unicode/classes.js'
import { normalizeText, normalizeTracked, type Transformation } from '../unicode/normalize.js'
import { lowercaseText, lowercaseTracked, type Normalizer } from './normalizer.js'

export interface BertNormalizerOptions {
  readonly cleanText: boolean
  readonly handleChineseCharacters: boolean
  readonly stripAccents: boolean
  readonly lowercase: boolean
}

export function bertOptions(fields: Fields): BertNormalizerOptions {
  const lowercase = fields.boolean('lowercase')
  return {
    cleanText: fields.boolean('clean_text'),
    handleChineseCharacters: fields.boolean('handle_chinese_chars'),
    stripAccents: fields.has('strip_accents') ? fields.boolean('strip_accents') : lowercase,
    lowercase,
  }
}

const clean = (c: number): number => (isWhitespace(c) ? 0x20 : c)

function spaceChinese(text: AlignedText): void {
  const result: Transformation = { codePoints: [], changes: [] }
  let found = false
  for (const char of text.text) {
    const c = char.codePointAt(0)!
    if (isChineseCharacter(c)) {
      found = true
      result.codePoints.push(0x20, c, 0x20)
      result.changes.push(0, 1, 1)
    } else {
      result.codePoints.push(c)
      result.changes.push(0)
    }
  }
  if (found) text.transform(result)
}

function applyBert(text: AlignedText, options: BertNormalizerOptions): void {
  if (options.cleanText) {
    text.filter((c) => !isCleaned(c))
    text.map(clean)
  }
  if (options.handleChineseCharacters) spaceChinese(text)
  if (options.stripAccents && !isAscii(text.text)) {
    text.transform(normalizeTracked(text.text, 'NFD'))
    text.filter((c) => !isNonspacingMark(c))
  }
  if (options.lowercase) lowercaseTracked(text)
}

function normalizeBert(text: string, options: BertNormalizerOptions): string {
  let out = ''
  for (const char of text) {
    const c = char.codePointAt(0)!
    if (options.cleanText && isCleaned(c)) continue
    if (options.handleChineseCharacters && isChineseCharacter(c)) out += ` ${char} `
    else out += options.cleanText && isWhitespace(c) ? ' ' : char
  }
  if (options.stripAccents) {
    const decomposed = normalizeText(out, 'NFD')
    out = ''
    for (const char of decomposed) if (!isNonspacingMark(char.codePointAt(0)!)) out += char
  }
  return options.lowercase ? lowercaseText(out) : out
}

/** What BERT does before splitting: cleaning, spaces around ideographs, no accents, lower case, as far as asked for. */
export function bertNormalizer(fields: Fields): Normalizer {
  const options = bertOptions(fields)
  return { apply: (text) => applyBert(text, options), normalize: (text) => normalizeBert(text, options) }
}
