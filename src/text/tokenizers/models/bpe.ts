import { FormatError } from '../../../formats/errors.js'
import { byteUnits } from '../byte-level.js'
import type { Fields } from '../config.js'
import { MergeTable, SymbolBuffer } from './merges.js'
import { type Model, type Token, Vocabulary } from './model.js'

export interface BpeOptions {
  readonly dropout?: number | null
  readonly unkToken?: string | null
  /** Before every symbol of a word but the first. */
  readonly continuingSubwordPrefix?: string | null
  /** After the last symbol of a word. */
  readonly endOfWordSuffix?: string | null
  readonly fuseUnk?: boolean
  readonly byteFallback?: boolean
  /** A word of the vocabulary is one token, whatever the merges say. */
  readonly ignoreMerges?: boolean
}

const encoder = new TextEncoder()
const hexByte = (byte: number): string => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`

const utf8Units = (c: number): number => (c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4)

/** Pairs as files hold them: two tokens, or both in one string with a space between. */
export function mergePairs(list: readonly unknown[], where: string): [string, string][] {
  const pairs: [string, string][] = []
  for (const [i, item] of list.entries()) {
    if (typeof item === 'string' && item.startsWith('#version')) continue
    const pair = typeof item === 'string' ? item.split(' ') : item
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== 'string' || typeof pair[1] !== 'string')
      throw new FormatError(`${where}[${i}]: expected a pair of tokens, found ${JSON.stringify(item)?.slice(0, 60)}`)
    pairs.push([pair[0], pair[1]])
  }
  return pairs
}

/** Byte-pair encoding (Sennrich et al. 2016): characters of a word, merged pair by pair. */
export class Bpe implements Model {
  readonly type = 'BPE'
  readonly options: Required<BpeOptions>
  readonly merges: MergeTable
  readonly unkId: number | undefined
  private readonly symbols = new SymbolBuffer()
  private byteIds: Int32Array | null = null

  constructor(
    readonly vocabulary: Vocabulary,
    readonly pairs: readonly (readonly [string, string])[],
    options: BpeOptions = {},
  ) {
    this.options = {
      dropout: null,
      unkToken: null,
      continuingSubwordPrefix: null,
      endOfWordSuffix: null,
      fuseUnk: false,
      byteFallback: false,
      ignoreMerges: false,
      ...options,
    }
    const { dropout, unkToken, continuingSubwordPrefix } = this.options
    if (dropout !== null && !(dropout >= 0 && dropout <= 1))
      throw new FormatError(`BPE: dropout is ${dropout}, expected 0 to 1`)
    const drop = continuingSubwordPrefix?.length ?? 0
    const id = (token: string): number => {
      const found = vocabulary.ids.get(token)
      if (found === undefined)
        throw new FormatError(`BPE: the token ${JSON.stringify(token)} of a merge is not in the vocabulary`)
      return found
    }
    this.merges = new MergeTable(pairs.map(([left, right]) => [id(left), id(right), id(left + right.slice(drop))]))
    this.unkId = unkToken === null ? undefined : vocabulary.ids.get(unkToken)
  }

  static of(fields: Fields): Bpe {
    return new Bpe(
      Vocabulary.of(fields.json.vocab, `${fields.where}.vocab`),
      mergePairs(fields.list('merges'), `${fields.where}.merges`),
      {
        dropout: fields.has('dropout') ? fields.number('dropout') : null,
        unkToken: fields.optionalString('unk_token'),
        continuingSubwordPrefix: fields.optionalString('continuing_subword_prefix'),
        endOfWordSuffix: fields.optionalString('end_of_word_suffix'),
        fuseUnk: fields.boolean('fuse_unk', false),
        byteFallback: fields.boolean('byte_fallback', false),
        ignoreMerges: fields.boolean('ignore_merges', false),
      },
    )
  }

  get size(): number {
    return this.vocabulary.size
  }

  private requireUnk(): number {
    if (this.unkId === undefined)
      throw new Error(`BPE: the vocabulary lacks the unknown token ${JSON.stringify(this.options.unkToken)}`)
    return this.unkId
  }

  /** Symbols of a word before merging; lengths are bytes of UTF-8. Characters without token are dropped where no token is the unknown one. */
  private fill(text: string): void {
    const { symbols, vocabulary, options } = this
    const { continuingSubwordPrefix: prefix, endOfWordSuffix: suffix, unkToken, fuseUnk, byteFallback } = options
    symbols.clear()
    let unknown = 0
    for (let at = 0; at < text.length; ) {
      const c = text.codePointAt(at)!
      const end = at + (c > 0xffff ? 2 : 1)
      let symbol = text.slice(at, end)
      if (at > 0 && prefix) symbol = prefix + symbol
      if (end === text.length && suffix) symbol += suffix
      at = end
      const id = vocabulary.ids.get(symbol)
      if (id !== undefined) {
        if (unknown > 0) symbols.push(this.requireUnk(), unknown)
        unknown = 0
        symbols.push(id, utf8Units(c))
        continue
      }
      const bytes = byteFallback ? this.bytesOf(symbol) : null
      if (bytes) {
        // An unknown run before it stays pending, as in the reference.
        for (const byte of bytes) symbols.push(byte, 1)
      } else if (unkToken !== null) {
        if (unknown > 0 && !fuseUnk) {
          symbols.push(this.requireUnk(), unknown)
          unknown = 0
        }
        this.requireUnk()
        unknown += utf8Units(c)
      }
    }
    if (unknown > 0) symbols.push(this.requireUnk(), unknown)
  }

  private bytesOf(symbol: string): number[] | null {
    const ids: number[] = []
    for (const byte of encoder.encode(symbol)) {
      const id = this.vocabulary.ids.get(hexByte(byte))
      if (id === undefined) return null
      ids.push(id)
    }
    return ids
  }

  tokenize(text: string): Token[] {
    if (text.length === 0) return []
    if (this.options.ignoreMerges) {
      const id = this.vocabulary.ids.get(text)
      if (id !== undefined) return [{ id, value: text, start: 0, end: text.length }]
    }
    this.fill(text)
    const { symbols } = this
    symbols.merge(this.merges, this.options.dropout ?? 0)
    const unitAt = unitPositions(text)
    const tokens: Token[] = []
    let byte = 0
    for (let i = 0; i < symbols.count; i++) {
      const id = symbols.ids[i]
      const end = byte + symbols.lengths[i]
      tokens.push({ id, value: this.vocabulary.token(id) ?? '', start: unitAt(byte, false), end: unitAt(end, true) })
      byte = end
    }
    return tokens
  }

  /** Appends the ids of a word. */
  encodeInto(text: string, ids: number[]): void {
    if (text.length === 0) return
    if (this.options.ignoreMerges) {
      const id = this.vocabulary.ids.get(text)
      if (id !== undefined) {
        ids.push(id)
        return
      }
    }
    this.fill(text)
    this.appendMerged(ids)
  }

  private appendMerged(ids: number[]): void {
    const { symbols } = this
    symbols.merge(this.merges, this.options.dropout ?? 0)
    for (let i = 0; i < symbols.count; i++) ids.push(symbols.ids[i])
  }

  /** Ids of the characters of all bytes; null where the vocabulary lacks one or words are marked, so that bytes need characters. */
  byteTokens(): Int32Array | null {
    if (this.byteIds) return this.byteIds
    const { continuingSubwordPrefix, endOfWordSuffix } = this.options
    if (continuingSubwordPrefix || endOfWordSuffix) return null
    const ids = new Int32Array(256)
    for (const [byte, unit] of byteUnits().entries()) {
      const id = this.vocabulary.ids.get(String.fromCharCode(unit))
      if (id === undefined) return null
      ids[byte] = id
    }
    this.byteIds = ids
    return ids
  }

  /** Appends the ids of UTF-8 bytes, each first the token of its character. Needs {@link byteTokens}. */
  encodeBytesInto(bytes: Uint8Array, start: number, end: number, ids: number[]): void {
    const { symbols, byteIds } = this
    symbols.clear()
    for (let i = start; i < end; i++) symbols.push(byteIds![bytes[i]], 1)
    this.appendMerged(ids)
  }

  tokenToId(token: string): number | undefined {
    return this.vocabulary.ids.get(token)
  }

  idToToken(id: number): string | undefined {
    return this.vocabulary.token(id)
  }

  entries(): Iterable<readonly [string, number]> {
    return this.vocabulary.ids
  }

  toJSON(): Record<string, unknown> {
    const { options } = this
    return {
      type: this.type,
      dropout: options.dropout,
      unk_token: options.unkToken,
      continuing_subword_prefix: options.continuingSubwordPrefix,
      end_of_word_suffix: options.endOfWordSuffix,
      fuse_unk: options.fuseUnk,
      byte_fallback: options.byteFallback,
      ignore_merges: options.ignoreMerges,
      vocab: this.vocabulary.toJSON(),
      merges: this.pairs,
    }
  }
}

/** Position in UTF-16 units of a position in bytes; inside a character its start, or its end. Past the text it stays past it. */
function unitPositions(text: string): (byte: number, isEnd: boolean) => number {
  let ascii = true
  for (let i = 0; i < text.length && ascii; i++) ascii = text.charCodeAt(i) < 0x80
  if (ascii) return (byte) => byte
  const starts: number[] = []
  const ends: number[] = []
  for (let at = 0; at < text.length; ) {
    const c = text.codePointAt(at)!
    const end = at + (c > 0xffff ? 2 : 1)
    for (let n = utf8Units(c); n > 0; n--) {
      starts.push(at)
      ends.push(end)
    }
    at = end
  }
  return (byte, isEnd) =>
    isEnd ? (byte === 0 ? 0 : (ends[byte - 1] ?? byte + text.length)) : (starts[byte] ?? text.length)
}
