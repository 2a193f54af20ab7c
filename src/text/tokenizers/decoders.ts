/** Decoders of the tokenizer.json format: tokens back into text. */
import { unitBytes } from './byte-level.js'
import { buildComponent, type Fields } from './config.js'
import { finderOf, patternSource } from './pattern.js'
import { metaspaceOptions } from './pre-tokenizers/index.js'

/** One list of strings into another; joined, the last is the text. */
export type Decoder = (tokens: readonly string[]) => string[]

const encoder = new TextEncoder()
const lossy = new TextDecoder('utf-8', { ignoreBOM: true })
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Removes the spaces that English is written without, and joins shortened words. */
export function cleanUp(text: string): string {
  return text
    .replaceAll(' .', '.')
    .replaceAll(' ?', '?')
    .replaceAll(' !', '!')
    .replaceAll(' ,', ',')
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replaceAll(" 'm", "'m")
    .replaceAll(' do not', " don't")
    .replaceAll(" 's", "'s")
    .replaceAll(" 've", "'ve")
    .replaceAll(" 're", "'re")
}

/** Bytes of a token of the byte alphabet; a token with other characters stands for its own UTF-8. */
function byteLevelBytes(token: string, out: number[]): void {
  const bytes = unitBytes()
  const start = out.length
  for (let i = 0; i < token.length; i++) {
    const unit = token.charCodeAt(i)
    const byte = unit < bytes.length ? bytes[unit] : -1
    if (byte < 0) {
      out.length = start
      for (const other of encoder.encode(token)) out.push(other)
      return
    }
    out.push(byte)
  }
}

const byteLevel: Decoder = (tokens) => {
  const bytes: number[] = []
  for (const token of tokens) byteLevelBytes(token, bytes)
  return [lossy.decode(Uint8Array.from(bytes))]
}

/** The byte of `<0x41>`, or -1. Rust's parser takes a sign, which no vocabulary has. */
function fallbackByte(token: string): number {
  return /^<0x[0-9a-fA-F]{2}>$/.test(token) ? Number.parseInt(token.slice(3, 5), 16) : -1
}

const byteFallback: Decoder = (tokens) => {
  const out: string[] = []
  let bytes: number[] = []
  const flush = (): void => {
    if (bytes.length === 0) return
    try {
      out.push(strict.decode(Uint8Array.from(bytes)))
    } catch {
      for (let i = 0; i < bytes.length; i++) out.push('\ufffd')
    }
    bytes = []
  }
  for (const token of tokens) {
    const byte = fallbackByte(token)
    if (byte >= 0) bytes.push(byte)
    else {
      flush()
      out.push(token)
    }
  }
  flush()
  return out
}

function wordPiece(fields: Fields): Decoder {
  const prefix = fields.string('prefix')
  const cleanup = fields.boolean('cleanup')
  return (tokens) =>
    tokens.map((token, i) => {
      const joined = i === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`
      return cleanup ? cleanUp(joined) : joined
    })
}

function metaspace(fields: Fields): Decoder {
  const { replacement, scheme } = metaspaceOptions(fields)
  return (tokens) => tokens.map((token, i) => token.replaceAll(replacement, i === 0 && scheme !== 'never' ? '' : ' '))
}

function ctc(fields: Fields): Decoder {
  const pad = fields.string('pad_token')
  const delimiter = fields.string('word_delimiter_token')
  const cleanup = fields.boolean('cleanup')
  return (tokens) =>
    tokens
      .filter((token, i) => i === 0 || token !== tokens[i - 1])
      .map((token) => {
        const text = pad === '' ? token : token.replaceAll(pad, '')
        return cleanup ? cleanUp(text).replaceAll(delimiter, () => ' ') : text
      })
      .filter((text) => text !== '')
}

function strip(fields: Fields): Decoder {
  const content = fields.character('content')
  const [start, stop] = [fields.count('start'), fields.count('stop')]
  return (tokens) =>
    tokens.map((token) => {
      const chars = Array.from(token)
      let first = 0
      while (first < Math.min(start, chars.length) && chars[first] === content) first++
      let last = chars.length
      while (chars.length - last < stop && last > 0 && chars[last - 1] === content) last--
      return first < last ? chars.slice(first, last).join('') : ''
    })
}

const BUILDERS: Readonly<Record<string, (fields: Fields, depth: number) => Decoder>> = {
  BPEDecoder: (fields) => {
    const suffix = fields.string('suffix')
    return (tokens) => tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? '' : ' '))
  },
  ByteFallback: () => byteFallback,
  ByteLevel: () => byteLevel,
  CTC: ctc,
  Fuse: () => (tokens) => [tokens.join('')],
  Metaspace: metaspace,
  Replace: (fields) => {
    const find = finderOf(patternSource(fields.json.pattern, `${fields.where}.pattern`))
    const content = fields.string('content')
    return (tokens) => tokens.map((token) => replaced(token, find(token), content))
  },
  Sequence: (fields, depth) => {
    const parts = fields
      .list('decoders')
      .map((item, i) => buildDecoder(item, `${fields.where}.decoders[${i}]`, depth + 1))
    return (tokens) => parts.reduce<string[]>((list, decode) => decode(list), [...tokens])
  },
  Strip: strip,
  WordPiece: wordPiece,
}

function replaced(text: string, ranges: readonly (readonly [number, number])[], content: string): string {
  let out = ''
  let done = 0
  for (const [start, end] of ranges) {
    out += text.slice(done, start) + content
    done = end
  }
  return out + text.slice(done)
}

/** A decoder as it stands in a tokenizer.json. @throws FormatError for a kind that is not known or fields that are wrong */
export const buildDecoder = (json: unknown, where = 'decoder', depth = 0): Decoder =>
  buildComponent('decoder', BUILDERS, json, where, depth)
