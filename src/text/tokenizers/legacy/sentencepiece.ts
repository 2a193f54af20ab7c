/** SentencePiece models as tokenizers of the tokenizer.json format, by kind of tokenizer. */
import { FormatError } from '../../../formats/errors.js'
import type { JsonObject } from '../config.js'
import { SPECIAL_TOKEN_NAMES } from '../pretrained/config.js'
import { PIECE_TYPES, type SentencePieceProto } from '../sentencepiece/model-proto.js'
import {
  className,
  flag,
  type LegacyTokenizer,
  replaceJson,
  sequenceJson,
  specialTokenJson,
  templateJson,
  tokenText,
} from './parts.js'

type Piece = readonly [string, number]
type Ids = ReadonlyMap<string, number>

interface Kind {
  readonly defaults: JsonObject
  readonly pieces?: (pieces: readonly Piece[], config: JsonObject) => Piece[]
  readonly unkId?: (proto: SentencePieceProto) => number
  readonly normalizers?: (proto: SentencePieceProto, config: JsonObject) => JsonObject[]
  readonly preTokenizer?: (config: JsonObject) => JsonObject | null
  readonly decoder?: (config: JsonObject) => JsonObject
  readonly postProcessor?: (config: JsonObject, ids: Ids) => JsonObject | null
}

const SPACES = { Regex: ' {2,}' }
const metaspace: JsonObject = { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'always', split: true }

function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
}

const precompiled = ({ normalizer }: SentencePieceProto): JsonObject[] =>
  normalizer.precompiledCharsmap.length > 0
    ? [{ type: 'Precompiled', precompiled_charsmap: toBase64(normalizer.precompiledCharsmap) }]
    : []

/** What marks the start of words; `add_prefix_space` false leaves that of the text bare. */
const marks = (config: JsonObject): JsonObject => ({
  ...metaspace,
  prepend_scheme: flag(config, 'add_prefix_space', true) ? 'always' : 'never',
})

/** Words as transformers has them for models that are unigram: apart at any white space. */
const WORDS: Pick<Kind, 'normalizers' | 'preTokenizer' | 'decoder'> = {
  normalizers: precompiled,
  preTokenizer: (config) => sequenceJson('pretokenizers', [{ type: 'WhitespaceSplit' }, marks(config)]),
  decoder: marks,
}

const plainNormalizers = (proto: SentencePieceProto): JsonObject[] => [
  ...precompiled(proto),
  { type: 'Strip', strip_left: false, strip_right: true },
  replaceJson(SPACES, '\u2581'),
]

/** Quotes, accents and case as ALBERT and XLNet take them. */
const albertNormalizers = (proto: SentencePieceProto, config: JsonObject): JsonObject[] => [
  replaceJson({ String: '``' }, '"'),
  replaceJson({ String: "''" }, '"'),
  ...(flag(config, 'keep_accents', false) ? [] : [{ type: 'NFKD' }, { type: 'StripAccents' }]),
  ...(flag(config, 'do_lower_case', true) ? [{ type: 'Lowercase' }] : []),
  ...precompiled(proto),
]

/** Pieces that end in a digit and a comma are made unlikely. */
const withoutNumberCommas = (pieces: readonly Piece[]): Piece[] =>
  pieces.map(([piece, score]) => (/\d,$/.test(piece) ? [piece, score - 100] : [piece, score]))

const bertTemplate = (_: JsonObject, ids: Ids): JsonObject =>
  templateJson('[CLS] $A [SEP]', '[CLS] $A [SEP] $B:1 [SEP]:1', ids)

const BERT_NAMES = {
  bos_token: '[CLS]',
  eos_token: '[SEP]',
  cls_token: '[CLS]',
  sep_token: '[SEP]',
  pad_token: '<pad>',
  unk_token: '<unk>',
}
const SENTENCE_NAMES = { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' }

const extraIds = (config: JsonObject): string[] => {
  const count =
    typeof config.extra_ids === 'number' && config.extra_ids >= 0 && config.extra_ids < 10_000 ? config.extra_ids : 100
  return Array.from({ length: count }, (_, i) => `<extra_id_${count - 1 - i}>`)
}

/**
 * Byte-pair models of Llama's time: no normalization but the mark of spaces, unknown characters as bytes. `legacy` ones mark text behind special
 * tokens, too, others the start of a text alone.
 */
const LLAMA: Kind = {
  defaults: { tokenizer_class: 'LlamaTokenizer', ...SENTENCE_NAMES },
  normalizers: (_, config) => {
    if (!flag(config, 'legacy', true)) return []
    const first = flag(config, 'add_prefix_space', true) ? [{ type: 'Prepend', prepend: '\u2581' }] : []
    return [...first, replaceJson({ String: ' ' }, '\u2581')]
  },
  preTokenizer: (config) => {
    if (flag(config, 'legacy', true)) return null
    const scheme = flag(config, 'add_prefix_space', true) ? 'first' : 'never'
    return { ...metaspace, prepend_scheme: scheme, split: false }
  },
  decoder: (config) => ({
    type: 'Sequence',
    decoders: [
      replaceJson({ String: '\u2581' }, ' '),
      { type: 'ByteFallback' },
      { type: 'Fuse' },
      ...(flag(config, 'add_prefix_space', true) ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
    ],
  }),
  postProcessor: (config, ids) => {
    const bos = flag(config, 'add_bos_token', true) ? tokenText(config, 'bos_token', '<s>') : null
    const eos = flag(config, 'add_eos_token', false) ? tokenText(config, 'eos_token', '</s>') : null
    const around = (sequence: string, type: number): string =>
      [bos && `${bos}:${type}`, `$${sequence}:${type}`, eos && `${eos}:${type}`].filter(Boolean).join(' ')
    return templateJson(around('A', 0), `${around('A', 0)} ${around('B', 1)}`, ids)
  },
}

const FAIRSEQ: Kind = {
  ...WORDS,
  defaults: {
    tokenizer_class: 'XLMRobertaTokenizer',
    ...SENTENCE_NAMES,
    sep_token: '</s>',
    cls_token: '<s>',
    pad_token: '<pad>',
    mask_token: { content: '<mask>', lstrip: true },
  },
  pieces: (pieces) => [['<s>', 0], ['<pad>', 0], ['</s>', 0], ['<unk>', 0], ...pieces.slice(3), ['<mask>', 0]],
  unkId: () => 3,
  postProcessor: (_, ids) => templateJson('<s> $A </s>', '<s> $A </s> </s> $B </s>', ids),
}

/** Fairseq's own tokens stand before the pieces, those of the same names among them are not used. */
const CAMEMBERT: Kind = {
  ...FAIRSEQ,
  defaults: {
    ...FAIRSEQ.defaults,
    tokenizer_class: 'CamembertTokenizer',
    additional_special_tokens: ['<s>NOTUSED', '</s>NOTUSED', '<unk>NOTUSED'],
  },
  pieces: (pieces) => [
    ['<s>NOTUSED', 0],
    ['<pad>', 0],
    ['</s>NOTUSED', 0],
    ['<unk>', 0],
    ['<unk>NOTUSED', -100],
    ...pieces.slice(1),
    ['<mask>', 0],
  ],
}

const T5: Kind = {
  ...WORDS,
  defaults: { tokenizer_class: 'T5Tokenizer', eos_token: '</s>', unk_token: '<unk>', pad_token: '<pad>' },
  pieces: (pieces, config) => [...pieces, ...extraIds(config).map((token): Piece => [token, 0])],
  postProcessor: (_, ids) => templateJson('$A </s>', '$A </s> $B </s>', ids),
}

const ALBERT: Kind = {
  ...WORDS,
  defaults: { tokenizer_class: 'AlbertTokenizer', ...BERT_NAMES, mask_token: { content: '[MASK]', lstrip: true } },
  pieces: withoutNumberCommas,
  normalizers: albertNormalizers,
  postProcessor: bertTemplate,
}

const DEBERTA: Kind = {
  defaults: {
    tokenizer_class: 'DebertaV2Tokenizer',
    ...BERT_NAMES,
    pad_token: '[PAD]',
    unk_token: '[UNK]',
    mask_token: '[MASK]',
  },
  normalizers: (proto, config) => [
    ...(flag(config, 'do_lower_case', false) ? [{ type: 'Lowercase' }] : []),
    { type: 'Strip', strip_left: true, strip_right: true },
    ...precompiled(proto),
    replaceJson(SPACES, ' '),
  ],
  preTokenizer: (config) =>
    sequenceJson('pretokenizers', [
      ...(flag(config, 'split_by_punct', false) ? [{ type: 'Punctuation', behavior: 'Isolated' }] : []),
      metaspace,
    ]),
  postProcessor: bertTemplate,
}

const XLNET: Kind = {
  ...WORDS,
  defaults: {
    tokenizer_class: 'XLNetTokenizer',
    ...SENTENCE_NAMES,
    sep_token: '<sep>',
    pad_token: '<pad>',
    cls_token: '<cls>',
    mask_token: { content: '<mask>', lstrip: true },
    padding_side: 'left',
  },
  pieces: withoutNumberCommas,
  normalizers: (proto, config) => albertNormalizers(proto, { do_lower_case: false, ...config }),
  postProcessor: (_, ids) => templateJson('$A <sep> <cls>:2', '$A <sep> $B:1 <sep>:1 <cls>:2', ids),
}

const KINDS: Readonly<Record<string, Kind>> = {
  T5Tokenizer: T5,
  MT5Tokenizer: T5,
  LlamaTokenizer: LLAMA,
  CodeLlamaTokenizer: LLAMA,
  XLMRobertaTokenizer: FAIRSEQ,
  CamembertTokenizer: CAMEMBERT,
  AlbertTokenizer: ALBERT,
  DebertaV2Tokenizer: DEBERTA,
  XLNetTokenizer: XLNET,
}

const PLAIN: Kind = { defaults: {} }

const scoreOrder = (a: readonly [string, string, number], b: readonly [string, string, number]): number =>
  b[2] - a[2] || b[0].length - a[0].length || b[1].length - a[1].length

/** Pairs of pieces that join to another, the most likely first. */
function mergesOf(pieces: readonly Piece[], ids: Ids): [string, string][] {
  const merges: [string, string, number][] = []
  for (const [piece, score] of pieces) {
    const local: [string, string, number][] = []
    const chars = Array.from(piece)
    for (let i = 1; i < chars.length; i++) {
      const [left, right] = [chars.slice(0, i).join(''), chars.slice(i).join('')]
      if (ids.has(left) && ids.has(right)) local.push([left, right, score])
    }
    local.sort((a, b) => ids.get(a[0])! - ids.get(b[0])! || ids.get(a[1])! - ids.get(b[1])!)
    merges.push(...local)
  }
  return merges.sort(scoreOrder).map(([left, right]) => [left, right])
}

function modelJson(proto: SentencePieceProto, kind: Kind, pieces: readonly Piece[], ids: Ids): JsonObject {
  if (proto.modelType === 'unigram')
    return {
      type: 'Unigram',
      unk_id: kind.unkId ? kind.unkId(proto) : proto.unkId,
      vocab: pieces,
      byte_fallback: proto.byteFallback,
    }
  if (proto.modelType !== 'bpe')
    throw new FormatError(
      `SentencePiece models of type '${proto.modelType}' have no tokenizer.json; use SentencePieceProcessor`,
    )
  return {
    type: 'BPE',
    unk_token: proto.unkPiece,
    fuse_unk: true,
    byte_fallback: proto.byteFallback,
    vocab: Object.fromEntries(ids),
    merges: mergesOf(pieces, ids),
  }
}

/** A tokenizer of a SentencePiece model. @throws FormatError for kinds of models that the format cannot hold */
export function sentencePieceTokenizer(proto: SentencePieceProto, config: JsonObject): LegacyTokenizer {
  const kind = KINDS[className(config)] ?? (proto.modelType === 'bpe' && proto.byteFallback ? LLAMA : PLAIN)
  const own = proto.pieces.map(({ piece, score }): Piece => [piece, score])
  const pieces = kind.pieces?.(own, config) ?? own
  const ids = new Map(pieces.map(([piece], id) => [piece, id]))
  const defaults = kind === PLAIN ? plainDefaults(proto) : kind.defaults
  const all = { ...defaults, ...config }
  const named = new Set(SPECIAL_TOKEN_NAMES.map((name) => tokenText(all, name, '')))
  const added = proto.pieces
    .filter(
      ({ type }) => type === PIECE_TYPES.control || type === PIECE_TYPES.userDefined || type === PIECE_TYPES.unknown,
    )
    .filter(({ piece }) => ids.has(piece))
    .map(({ piece, type }) => ({
      ...specialTokenJson(piece, ids.get(piece)!),
      special: type !== PIECE_TYPES.userDefined || named.has(piece),
    }))
  const json = {
    version: '1.0',
    added_tokens: added,
    normalizer: sequenceJson('normalizers', kind.normalizers?.(proto, config) ?? plainNormalizers(proto)),
    pre_tokenizer: kind.preTokenizer ? kind.preTokenizer(config) : metaspace,
    post_processor: kind.postProcessor?.(all, ids) ?? null,
    decoder: kind.decoder?.(config) ?? metaspace,
    model: modelJson(proto, kind, pieces, ids),
  }
  return { json, defaults }
}

/** Special tokens as the model file names them. */
function plainDefaults(proto: SentencePieceProto): JsonObject {
  const named: [string, number, string][] = [
    ['unk_token', proto.unkId, proto.unkPiece],
    ['bos_token', proto.bosId, proto.bosPiece],
    ['eos_token', proto.eosId, proto.eosPiece],
    ['pad_token', proto.padId, proto.padPiece],
  ]
  return Object.fromEntries(named.filter(([, id]) => id >= 0).map(([name, , piece]) => [name, piece]))
}
