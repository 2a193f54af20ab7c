import { FormatError } from '../../../formats/errors.js'
import type { Fields } from '../config.js'
import type { Model, Token } from './model.js'
import { UnitTrie } from './trie.js'

/** How much worse than the worst token an unknown character is. */
const UNKNOWN_PENALTY = 10

export interface UnigramOptions {
  readonly unkId?: number | null
  readonly byteFallback?: boolean
}

const hexByte = (byte: number): string => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`
const encoder = new TextEncoder()

/** Unigram language model (Kudo 2018): the segmentation of the highest score. Unknown characters that touch are one token. */
export class Unigram implements Model {
  readonly type = 'Unigram'
  private readonly ids = new Map<string, number>()
  private readonly trie: UnitTrie
  private readonly scores: Float64Array
  private readonly unkScore: number
  readonly unkId: number | null
  readonly byteFallback: boolean
  private scoreAt = new Float64Array(256)
  private startAt = new Int32Array(256)
  private idAt = new Int32Array(256)

  constructor(
    readonly pieces: readonly (readonly [string, number])[],
    { unkId = null, byteFallback = false }: UnigramOptions = {},
  ) {
    if (unkId !== null && unkId >= pieces.length)
      throw new FormatError(`Unigram: unk_id is ${unkId}, the vocabulary has ${pieces.length} tokens`)
    this.unkId = unkId
    this.byteFallback = byteFallback
    this.trie = new UnitTrie(pieces.length * 4)
    this.scores = new Float64Array(pieces.length)
    let lowest = Number.POSITIVE_INFINITY
    for (const [id, [token, score]] of pieces.entries()) {
      this.ids.set(token, id)
      if (token.length > 0) this.trie.insert(token, id)
      this.scores[id] = score
      if (score < lowest) lowest = score
    }
    this.unkScore = lowest - UNKNOWN_PENALTY
  }

  static of(fields: Fields): Unigram {
    const pieces = fields.list('vocab')
    for (const [i, piece] of pieces.entries())
      if (!Array.isArray(piece) || typeof piece[0] !== 'string' || typeof piece[1] !== 'number')
        throw new FormatError(`${fields.where}.vocab[${i}]: expected a token and its score`)
    return new Unigram(pieces as [string, number][], {
      unkId: fields.has('unk_id') ? fields.count('unk_id') : null,
      byteFallback: fields.boolean('byte_fallback', false),
    })
  }

  get size(): number {
    return this.pieces.length
  }

  private reserve(length: number): void {
    if (length < this.startAt.length) return
    const size = 2 ** Math.ceil(Math.log2(length + 1))
    this.scoreAt = new Float64Array(size)
    this.startAt = new Int32Array(size)
    this.idAt = new Int32Array(size)
  }

  /** Viterbi's forward pass: for each position the best way to reach it. */
  private forward(text: string): void {
    const size = text.length
    this.reserve(size)
    const { scoreAt, startAt, idAt, trie, scores } = this
    startAt.fill(-1, 0, size + 1)
    scoreAt[0] = 0
    for (let at = 0; at < size; ) {
      const units = text.codePointAt(at)! > 0xffff ? 2 : 1
      const before = scoreAt[at]
      let single = false
      let node = 0
      for (let i = at; i < size; i++) {
        const transition = trie.step(node, text.charCodeAt(i))
        if (transition < 0) break
        node = trie.child(transition)
        const id = trie.value(transition)
        if (id < 0) continue
        const end = i + 1
        const score = scores[id] + before
        if (startAt[end] < 0 || score > scoreAt[end]) {
          scoreAt[end] = score
          startAt[end] = at
          idAt[end] = id
        }
        if (end - at === units) single = true
      }
      if (!single) {
        const end = at + units
        const score = this.unkScore + before
        if (startAt[end] < 0 || score > scoreAt[end]) {
          if (this.unkId === null) throw new Error('Unigram: an unknown character, and the model has no unk_id')
          scoreAt[end] = score
          startAt[end] = at
          idAt[end] = this.unkId
        }
      }
      at += units
    }
  }

  /** Ends of the segments of `text`, last first; unknown ones that touch are joined. */
  private segmentEnds(text: string): number[] {
    this.forward(text)
    const ends: number[] = []
    let previousUnknown = false
    for (let end = text.length; end > 0; end = this.startAt[end]) {
      const unknown = this.idAt[end] === this.unkId
      if (!(unknown && previousUnknown)) ends.push(end)
      previousUnknown = unknown
    }
    return ends
  }

  tokenize(text: string): Token[] {
    const tokens: Token[] = []
    let start = 0
    for (const end of this.segmentEnds(text).reverse()) {
      const value = text.slice(start, end)
      for (const [id, name] of this.tokensOf(value)) tokens.push({ id, value: name, start, end })
      start = end
    }
    return tokens
  }

  /** Appends the ids of a text. */
  encodeInto(text: string, ids: number[]): void {
    let start = 0
    const ends = this.segmentEnds(text)
    for (let i = ends.length - 1; i >= 0; i--) {
      const end = ends[i]
      const id = this.idAt[end]
      if (id !== this.unkId && this.startAt[end] === start) ids.push(id)
      else for (const [other] of this.tokensOf(text.slice(start, end))) ids.push(other)
      start = end
    }
  }

  private tokensOf(value: string): (readonly [number, string])[] {
    const id = this.ids.get(value)
    if (id !== undefined) return [[id, value]]
    if (this.byteFallback) {
      const bytes = Array.from(encoder.encode(value), (byte) => [this.ids.get(hexByte(byte)), hexByte(byte)] as const)
      if (bytes.every((entry): entry is readonly [number, string] => entry[0] !== undefined)) return bytes
    }
    if (this.unkId === null) throw new Error('Unigram: an unknown text, and the model has no unk_id')
    return [[this.unkId, value]]
  }

  tokenToId(token: string): number | undefined {
    return this.ids.get(token)
  }

  idToToken(id: number): string | undefined {
    return this.pieces[id]?.[0]
  }

  entries(): Iterable<readonly [string, number]> {
    return this.ids
  }

  toJSON(): Record<string, unknown> {
    return { type: this.type, unk_id: this.unkId, vocab: this.pieces, byte_fallback: this.byteFallback }
  }
}
