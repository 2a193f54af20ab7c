/** Normalizers of the tokenizer.json format, each on a text with its alignment and on a text alone. */
import { isAscii } from '../aligned-text.js'
import { bytesToCharacters, encodeBytes } from '../byte-level.js'
import { buildComponent, type Fields } from '../config.js'
import { type Finder, finderOf, patternSource } from '../pattern.js'
import { isCombiningMark, isWhitespace } from '../unicode/classes.js'
import { type NormalizationForm, normalizeText, normalizeTracked } from '../unicode/normalize.js'
import { bertNormalizer } from './bert.js'
import { lowercaseText, lowercaseTracked, type Normalizer } from './normalizer.js'
import { fromBase64, PrecompiledRules } from './precompiled.js'

export type { Normalizer } from './normalizer.js'

const form = (name: NormalizationForm): Normalizer => ({
  apply(text) {
    if (!isAscii(text.text)) text.transform(normalizeTracked(text.text, name))
  },
  normalize: (text) => (isAscii(text) ? text : normalizeText(text, name)),
})

const lowercase: Normalizer = { apply: lowercaseTracked, normalize: lowercaseText }

function filtering(keep: (c: number) => boolean): Normalizer {
  return {
    apply: (text) => text.filter(keep),
    normalize(text) {
      let out = ''
      let done = 0
      for (let i = 0; i < text.length; ) {
        const c = text.codePointAt(i)!
        const end = i + (c > 0xffff ? 2 : 1)
        if (!keep(c)) {
          out += text.slice(done, i)
          done = end
        }
        i = end
      }
      return done === 0 ? text : out + text.slice(done)
    },
  }
}

function mapping(replace: (c: number) => number): Normalizer {
  return {
    apply: (text) => text.map(replace),
    normalize: (text) => Array.from(text, (char) => String.fromCodePoint(replace(char.codePointAt(0)!))).join(''),
  }
}

const inRange = (c: number, from: number, to: number): boolean => c >= from && c <= to

/** What models for translation of SentencePiece's time removed and took for a space. */
const nmt = sequence([
  filtering(
    (c) => !(inRange(c, 1, 8) || c === 0x0b || inRange(c, 0x0e, 0x1f) || c === 0x7f || c === 0x8f || c === 0x9f),
  ),
  mapping((c) =>
    [0x09, 0x0a, 0x0c, 0x0d, 0x1680, 0x2028, 0x2029, 0x2581, 0xfeff, 0xfffd].includes(c) || inRange(c, 0x200b, 0x200f)
      ? 0x20
      : c,
  ),
])

export function sequence(normalizers: readonly Normalizer[]): Normalizer {
  return {
    apply: (text) => {
      for (const normalizer of normalizers) normalizer.apply(text)
    },
    normalize: (text) => normalizers.reduce((value, normalizer) => normalizer.normalize(value), text),
  }
}

function strip(left: boolean, right: boolean): Normalizer {
  return {
    apply: (text) => text.strip(left, right),
    normalize(text) {
      let [start, end] = [0, text.length]
      if (left) while (start < end && isWhitespace(text.charCodeAt(start))) start++
      if (right) while (end > start && isWhitespace(text.charCodeAt(end - 1))) end--
      return text.slice(start, end)
    },
  }
}

function replace(find: Finder, content: string, needle: string | null): Normalizer {
  return {
    apply: (text) => text.replaceRanges(find(text.text), content),
    normalize(text) {
      if (needle) return text.replaceAll(needle, () => content)
      let out = ''
      let done = 0
      for (const [start, end] of find(text)) {
        out += text.slice(done, start) + content
        done = end
      }
      return out + text.slice(done)
    },
  }
}

function precompiled(base64: string, where: string): Normalizer {
  const rules = base64 === '' ? null : new PrecompiledRules(fromBase64(base64, where))
  if (!rules) return { apply: () => {}, normalize: (text) => text }
  return {
    apply(text) {
      const result = rules.transformation(text.text)
      if (result) text.transform(result)
    },
    normalize: (text) => rules.normalize(text),
  }
}

/** Each byte of the text as one printable character. */
const byteLevel: Normalizer = { apply: encodeBytes, normalize: bytesToCharacters }

const BUILDERS: Readonly<Record<string, (fields: Fields, depth: number) => Normalizer>> = {
  NFC: () => form('NFC'),
  NFD: () => form('NFD'),
  NFKC: () => form('NFKC'),
  NFKD: () => form('NFKD'),
  Lowercase: () => lowercase,
  StripAccents: () => filtering((c) => !isCombiningMark(c)),
  Strip: (fields) => strip(fields.boolean('strip_left'), fields.boolean('strip_right')),
  Nmt: () => nmt,
  ByteLevel: () => byteLevel,
  BertNormalizer: bertNormalizer,
  Bert: bertNormalizer,
  Prepend: (fields) => {
    const prefix = fields.string('prepend')
    return { apply: (text) => text.prepend(prefix), normalize: (text) => (text === '' ? '' : prefix + text) }
  },
  Replace: (fields) => {
    const pattern = patternSource(fields.json.pattern, `${fields.where}.pattern`)
    const needle = pattern.kind === 'String' && pattern.source !== '' ? pattern.source : null
    return replace(finderOf(pattern), fields.string('content'), needle)
  },
  Precompiled: (fields) => precompiled(fields.string('precompiled_charsmap', ''), fields.where),
  Sequence: (fields, depth) =>
    sequence(
      fields
        .list('normalizers')
        .map((item, i) => buildNormalizer(item, `${fields.where}.normalizers[${i}]`, depth + 1)),
    ),
}

/** A normalizer as it stands in a tokenizer.json. @throws FormatError for a kind that is not known or fields that are wrong */
export const buildNormalizer = (json: unknown, where = 'normalizer', depth = 0): Normalizer =>
  buildComponent('normalizer', BUILDERS, json, where, depth)
