import { UnitTrie } from '../models/trie.js'
import { wellFormed } from '../well-formed.js'
import { mergePieces } from './bpe.js'
import { PIECE_TYPES, readSentencePieceModel, type SentencePieceProto } from './model-proto.js'
import { PrefixMatcher, SentencePieceNormalizer, SPACE_MARK } from './rules.js'

const UNKNOWN_PENALTY = 10
const encoder = new TextEncoder()

/** A piece of a text with its id; -1 while it is not known. */
export interface Segment {
  readonly piece: string
  readonly id: number
}

/** Encodes and decodes as Google's library does with a model file, which differs from the tokenizer.json of the same model in small things. */
export class SentencePieceProcessor {
  private readonly ids = new Map<string, number>()
  private readonly trie = new UnitTrie()
  private readonly normalizer: SentencePieceNormalizer
  private readonly matcher: PrefixMatcher
  private readonly unkId: number
  private readonly unkScore: number
  private readonly bestScore: number

  constructor(readonly proto: SentencePieceProto) {
    const { pieces } = proto
    let [lowest, highest] = [3.4028234663852886e38, 1.1754943508222875e-38]
    for (const [id, { piece, score, type }] of pieces.entries()) {
      this.ids.set(piece, id)
      if (type === PIECE_TYPES.normal || type === PIECE_TYPES.userDefined || type === PIECE_TYPES.unused)
        this.trie.insert(piece, id)
      if (type !== PIECE_TYPES.normal) continue
      lowest = Math.min(lowest, score)
      highest = Math.max(highest, score)
    }
    this.unkScore = Math.fround(lowest - UNKNOWN_PENALTY)
    this.bestScore = highest
    this.unkId = pieces.findIndex(({ type }) => type === PIECE_TYPES.unknown)
    const defined = pieces.filter(({ type }) => type === PIECE_TYPES.userDefined).map(({ piece }) => piece)
    this.matcher = new PrefixMatcher(defined)
    this.normalizer = new SentencePieceNormalizer(proto, this.matcher)
  }

  /** @throws FormatError where the bytes are no model */
  static fromBytes(bytes: Uint8Array, where?: string): SentencePieceProcessor {
    return new SentencePieceProcessor(readSentencePieceModel(bytes, where))
  }

  get size(): number {
    return this.proto.pieces.length
  }

  pieceToId(piece: string): number {
    return this.ids.get(piece) ?? this.unkId
  }

  normalize(text: string): string {
    return this.normalizer.normalize(wellFormed(text))
  }

  private is(id: number, type: number): boolean {
    return this.proto.pieces[id]?.type === type
  }

  /** Best segmentation; sums are in single precision where the library's are. */
  private unigram(text: string): Segment[] {
    const size = text.length
    const best = new Float32Array(size + 1)
    const from = new Int32Array(size + 1).fill(-1)
    const chosen = new Int32Array(size + 1)
    const offer = (end: number, start: number, id: number, score: number): void => {
      if (from[end] >= 0 && score <= best[end]) return
      best[end] = score
      from[end] = start
      chosen[end] = id
    }
    for (let at = 0; at < size; ) {
      const units = text.codePointAt(at)! > 0xffff ? 2 : 1
      let single = false
      let node = 0
      let bytes = 0
      for (let i = at; i < size; i++) {
        const transition = this.trie.step(node, text.charCodeAt(i))
        if (transition < 0) break
        node = this.trie.child(transition)
        const unit = text.charCodeAt(i)
        bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit & 0xf800) === 0xd800 ? 2 : 3
        const id = this.trie.value(transition)
        if (id < 0 || this.is(id, PIECE_TYPES.unused)) continue
        const score = this.is(id, PIECE_TYPES.userDefined)
          ? Math.fround(bytes * this.bestScore) - 0.1
          : this.proto.pieces[id].score
        offer(i + 1, at, id, Math.fround(score + best[at]))
        if (i + 1 - at === units) single = true
      }
      if (!single) offer(at + units, at, this.unkId, Math.fround(this.unkScore + best[at]))
      at += units
    }
    const segments: Segment[] = []
    for (let end = size; end > 0; end = from[end]) segments.push({ piece: text.slice(from[end], end), id: chosen[end] })
    return segments.reverse()
  }

  private segments(text: string): Segment[] {
    const { modelType, pieces } = this.proto
    const known = (piece: string): Segment => ({ piece, id: this.pieceToId(piece) })
    if (modelType === 'unigram') return this.unigram(text)
    if (modelType === 'bpe') return mergePieces(text, pieces, this.ids, this.matcher).map(known)
    if (modelType === 'char') return Array.from(text, known)
    return text
      .split(new RegExp(`(?=${SPACE_MARK})`))
      .filter((piece) => piece !== '')
      .map(known)
  }

  /** Pieces of a text with their ids; unknown ones that touch are one, or bytes where the model has those. */
  encodeAsSegments(text: string): Segment[] {
    const out: { piece: string; id: number }[] = []
    let previousUnknown = false
    for (const { piece, id } of this.segments(this.normalize(text))) {
      const unknown = id === this.unkId
      if (unknown && this.proto.byteFallback) {
        for (const byte of encoder.encode(piece)) {
          const name = `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`
          out.push({ piece: name, id: this.pieceToId(name) })
        }
      } else if (unknown && previousUnknown) out[out.length - 1].piece += piece
      else out.push({ piece, id })
      previousUnknown = unknown
    }
    return out
  }

  encode(text: string): number[] {
    return this.encodeAsSegments(text).map(({ id }) => id)
  }

  encodeAsPieces(text: string): string[] {
    return this.encodeAsSegments(text).map(({ piece }) => piece)
  }

  /** Text of ids. @throws RangeError for an id that the model has not */
  decode(ids: Iterable<number>): string {
    const { normalizer: spec, pieces, unkSurface } = this.proto
    let text = ''
    let bytes: number[] = []
    let atStart = true
    let sawMark = false
    const flush = (): void => {
      text += decodeBytes(bytes)
      bytes = []
    }
    for (const id of ids) {
      const entry = pieces[id]
      if (!entry) throw new RangeError(`${id} is no id of a model of ${pieces.length} pieces`)
      if (entry.type === PIECE_TYPES.byte) {
        bytes.push(Number.parseInt(entry.piece.slice(3, 5), 16))
        continue
      }
      flush()
      if (sawMark || text !== '') atStart = false
      sawMark = false
      if (entry.type === PIECE_TYPES.control) continue
      if (entry.type === PIECE_TYPES.unknown) {
        text += unkSurface
        continue
      }
      let piece = entry.piece
      if (atStart && (spec.addDummyPrefix || spec.removeExtraWhitespaces) && piece.startsWith(SPACE_MARK)) {
        piece = piece.slice(SPACE_MARK.length)
        sawMark = !spec.removeExtraWhitespaces
      }
      text += piece.replaceAll(SPACE_MARK, ' ')
    }
    flush()
    return text
  }
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Text of bytes; each byte that begins no character becomes U+FFFD. */
function decodeBytes(bytes: readonly number[]): string {
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at] < 0x80 ? 1 : bytes[at] >= 0xf0 ? 4 : bytes[at] >= 0xe0 ? 3 : 2
    try {
      text += strict.decode(Uint8Array.from(bytes.slice(at, at + length)))
      at += Math.min(length, bytes.length - at)
    } catch {
      text += '\ufffd'
      at++
    }
  }
  return text
}
