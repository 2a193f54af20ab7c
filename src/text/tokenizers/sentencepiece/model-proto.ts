/** What a SentencePiece model file holds (google/sentencepiece, sentencepiece_model.proto). */
import { FormatError } from '../../../formats/errors.js'
import { type ProtoField, protoFields, protoString } from './protobuf.js'

export const PIECE_TYPES = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const

export interface SentencePiece {
  readonly piece: string
  /** Log probability; for BPE minus the rank. */
  readonly score: number
  readonly type: number
}

export interface NormalizerSpec {
  readonly name: string
  readonly precompiledCharsmap: Uint8Array
  readonly addDummyPrefix: boolean
  readonly removeExtraWhitespaces: boolean
  readonly escapeWhitespaces: boolean
}

export interface SentencePieceProto {
  readonly pieces: readonly SentencePiece[]
  readonly modelType: 'unigram' | 'bpe' | 'word' | 'char'
  readonly byteFallback: boolean
  readonly treatWhitespaceAsSuffix: boolean
  readonly unkId: number
  /** -1 for none. */
  readonly bosId: number
  readonly eosId: number
  readonly padId: number
  readonly unkPiece: string
  readonly bosPiece: string
  readonly eosPiece: string
  readonly padPiece: string
  /** What stands for the unknown piece when decoding. */
  readonly unkSurface: string
  readonly normalizer: NormalizerSpec
}

const MODEL_TYPES = ['unigram', 'bpe', 'word', 'char'] as const

type Fields = Map<number, ProtoField>

/** The last field of each number, as messages are read. */
function lastFields(bytes: Uint8Array, where: string): Fields {
  const found: Fields = new Map()
  for (const field of protoFields(bytes, where)) found.set(field.number, field)
  return found
}

function number(fields: Fields, key: number, fallback: number): number {
  const field = fields.get(key)
  if (!field || field.kind === 'bytes') return fallback
  // Negative int32 come as 64 bits.
  return field.kind === 'varint' && field.value >= 2 ** 31 ? -1 : field.value
}

const flag = (fields: Fields, key: number, fallback: boolean): boolean => number(fields, key, fallback ? 1 : 0) !== 0

function bytesOf(fields: Fields, key: number): Uint8Array {
  const field = fields.get(key)
  return field?.kind === 'bytes' ? field.value : new Uint8Array(0)
}

const string = (fields: Fields, key: number, fallback: string): string =>
  fields.get(key)?.kind === 'bytes' ? protoString(bytesOf(fields, key)) : fallback

function readPiece(bytes: Uint8Array, where: string): SentencePiece {
  const fields = lastFields(bytes, where)
  return { piece: string(fields, 1, ''), score: number(fields, 2, 0), type: number(fields, 3, PIECE_TYPES.normal) }
}

function readNormalizer(bytes: Uint8Array, where: string): NormalizerSpec {
  const fields = lastFields(bytes, where)
  return {
    name: string(fields, 1, ''),
    precompiledCharsmap: bytesOf(fields, 2),
    addDummyPrefix: flag(fields, 3, true),
    removeExtraWhitespaces: flag(fields, 4, true),
    escapeWhitespaces: flag(fields, 5, true),
  }
}

/** Reads a SentencePiece model. @throws FormatError where the bytes are none */
export function readSentencePieceModel(bytes: Uint8Array, where = 'SentencePiece model'): SentencePieceProto {
  const pieces: SentencePiece[] = []
  let trainer = new Uint8Array(0)
  let normalizer = new Uint8Array(0)
  for (const field of protoFields(bytes, where)) {
    if (field.kind !== 'bytes') continue
    if (field.number === 1) pieces.push(readPiece(field.value, `${where}: piece ${pieces.length}`))
    else if (field.number === 2) trainer = new Uint8Array(field.value)
    else if (field.number === 3) normalizer = new Uint8Array(field.value)
  }
  if (pieces.length === 0) throw new FormatError(`${where}: holds no pieces`)
  const empty = pieces.findIndex(({ piece }) => piece === '')
  if (empty >= 0) throw new FormatError(`${where}: piece ${empty} is empty`)
  const fields = lastFields(trainer, `${where}: trainer_spec`)
  const type = number(fields, 3, 1)
  if (!(type >= 1 && type <= MODEL_TYPES.length)) throw new FormatError(`${where}: the model type ${type} is not known`)
  return {
    pieces,
    modelType: MODEL_TYPES[type - 1],
    byteFallback: flag(fields, 35, false),
    treatWhitespaceAsSuffix: flag(fields, 24, false),
    unkId: number(fields, 40, 0),
    bosId: number(fields, 41, 1),
    eosId: number(fields, 42, 2),
    padId: number(fields, 43, -1),
    unkPiece: string(fields, 45, '<unk>'),
    bosPiece: string(fields, 46, '<s>'),
    eosPiece: string(fields, 47, '</s>'),
    padPiece: string(fields, 48, '<pad>'),
    unkSurface: string(fields, 44, ' \u2047 '),
    normalizer: readNormalizer(normalizer, `${where}: normalizer_spec`),
  }
}
