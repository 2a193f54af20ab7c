/** Tokenizers that GGUF files carry in their metadata, by the kinds that llama.cpp tells apart. */
import { FormatError } from '../../../formats/errors.js'
import type { GgufValue } from '../../../formats/gguf-metadata.js'
import type { JsonObject } from '../config.js'
import { GPT2_PATTERN } from '../pre-tokenizers/index.js'
import { PIECE_TYPES } from '../sentencepiece/model-proto.js'
import { CL100K_PATTERN } from './byte-pairs.js'
import { byteLevelJson, type LegacyTokenizer, specialTokenJson, splitJson, templateJson } from './parts.js'
import { sentencePieceTokenizer } from './sentencepiece.js'
import { wordPieceTokenizer } from './word-piece.js'

type Metadata = ReadonlyMap<string, GgufValue>

const QWEN2 = CL100K_PATTERN.replace('{1,3}', '')
const O200K = String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
const TEKKEN = O200K.replaceAll(`(?i:'s|'t|'re|'ve|'m|'ll|'d)?`, '').replace('{1,3}', '')
const HAN = '[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+'

/** Patterns by the name of the pre-tokenizer, each applied to what the ones before it left whole. */
const PATTERNS: Readonly<Record<string, readonly string[]>> = {
  'gpt-2': [GPT2_PATTERN],
  'llama-bpe': [CL100K_PATTERN],
  llama3: [CL100K_PATTERN],
  'llama-v3': [CL100K_PATTERN],
  dbrx: [CL100K_PATTERN],
  'smaug-bpe': [CL100K_PATTERN],
  qwen2: [QWEN2],
  'deepseek-r1-qwen': [QWEN2],
  stablelm2: [QWEN2],
  'gpt-4o': [O200K],
  tekken: [TEKKEN],
  falcon: ['[\\p{P}\\$\\+<=>\\^~\\|`]+', GPT2_PATTERN, '[0-9][0-9][0-9]'],
  'deepseek-coder': ['[\r\n]', '\\s?\\p{L}+', '\\s?\\p{P}+', HAN, '\\p{N}'],
  'deepseek-v3': [
    '\\p{N}{1,3}',
    HAN,
    `[!"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_\`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  ],
  starcoder: ['\\p{N}', GPT2_PATTERN],
  refact: ['\\p{N}', GPT2_PATTERN],
  'command-r': ['\\p{N}', GPT2_PATTERN],
  smollm: ['\\p{N}', GPT2_PATTERN],
  codeshell: ['\\p{N}', GPT2_PATTERN],
}

function strings(metadata: Metadata, key: string): string[] {
  const value = metadata.get(key)
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
    throw new FormatError(`GGUF metadata: ${key} is no list of strings`)
  return value as string[]
}

function numbers(metadata: Metadata, key: string, length: number, fallback: number): number[] {
  const value = metadata.get(key)
  if (!Array.isArray(value)) return new Array<number>(length).fill(fallback)
  if (value.length !== length || !value.every((item) => typeof item === 'number'))
    throw new FormatError(`GGUF metadata: ${key} is no list of ${length} numbers`)
  return value as number[]
}

const NAMES = {
  bos_token: 'bos_token_id',
  eos_token: 'eos_token_id',
  unk_token: 'unknown_token_id',
  sep_token: 'seperator_token_id',
  pad_token: 'padding_token_id',
  cls_token: 'cls_token_id',
  mask_token: 'mask_token_id',
}

/** What a tokenizer_config.json would say. */
function configOf(metadata: Metadata, tokens: readonly string[]): JsonObject {
  const config: Record<string, unknown> = {}
  for (const [name, key] of Object.entries(NAMES)) {
    const id = metadata.get(`tokenizer.ggml.${key}`)
    if (typeof id === 'number' && tokens[id] !== undefined) config[name] = tokens[id]
  }
  for (const name of ['add_bos_token', 'add_eos_token'])
    if (typeof metadata.get(`tokenizer.ggml.${name}`) === 'boolean')
      config[name] = metadata.get(`tokenizer.ggml.${name}`)
  const template = metadata.get('tokenizer.chat_template')
  if (typeof template === 'string') config.chat_template = template
  return config
}

/** Control tokens and those of the user are found before the model sees a text. */
const addedTokens = (tokens: readonly string[], types: readonly number[]): JsonObject[] =>
  tokens
    .map((token, id) => ({ ...specialTokenJson(token, id), special: types[id] === PIECE_TYPES.control }))
    .filter(
      ({ content }, id) =>
        content !== '' && (types[id] === PIECE_TYPES.control || types[id] === PIECE_TYPES.userDefined),
    )

function bytePairs(metadata: Metadata, tokens: readonly string[], types: readonly number[]): LegacyTokenizer {
  const pre = metadata.get('tokenizer.ggml.pre') ?? 'gpt-2'
  const patterns = typeof pre === 'string' && Object.hasOwn(PATTERNS, pre) ? PATTERNS[pre] : undefined
  if (!patterns) throw new FormatError(`GGUF metadata: the pre-tokenizer '${String(pre)}' is not known`)
  const ids = new Map(tokens.map((token, id) => [token, id]))
  const config = configOf(metadata, tokens)
  const bos = config.add_bos_token === true && typeof config.bos_token === 'string' ? config.bos_token : null
  const json = {
    version: '1.0',
    added_tokens: addedTokens(tokens, types),
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [...patterns.map((pattern) => splitJson(pattern)), byteLevelJson(false, false)],
    },
    post_processor: bos ? templateJson(`${bos} $A`, `${bos} $A ${bos}:1 $B:1`, ids) : byteLevelJson(true, true, false),
    decoder: byteLevelJson(true, true),
    model: {
      type: 'BPE',
      ignore_merges: pre === 'llama-bpe' || pre === 'tekken',
      vocab: Object.fromEntries(ids),
      merges: strings(metadata, 'tokenizer.ggml.merges').map((pair) => {
        const at = pair.indexOf(' ', 1)
        return [pair.slice(0, at), pair.slice(at + 1)]
      }),
    },
  }
  return { json, defaults: config }
}

function sentencePieces(metadata: Metadata, tokens: readonly string[], types: readonly number[]): LegacyTokenizer {
  const scores = numbers(metadata, 'tokenizer.ggml.scores', tokens.length, 0)
  const config = configOf(metadata, tokens)
  const unigram = metadata.get('tokenizer.ggml.model') === 't5'
  const prefix = metadata.get('tokenizer.ggml.add_space_prefix') ?? true
  const { json, defaults } = sentencePieceTokenizer(
    {
      pieces: tokens.map((piece, id) => ({ piece, score: scores[id], type: types[id] })),
      modelType: unigram ? 'unigram' : 'bpe',
      byteFallback: !unigram,
      treatWhitespaceAsSuffix: false,
      unkId: Number(metadata.get('tokenizer.ggml.unknown_token_id') ?? 0),
      bosId: -1,
      eosId: -1,
      padId: -1,
      unkPiece: typeof config.unk_token === 'string' ? config.unk_token : '<unk>',
      bosPiece: '<s>',
      eosPiece: '</s>',
      padPiece: '<pad>',
      unkSurface: ' \u2047 ',
      normalizer: {
        name: '',
        precompiledCharsmap: Uint8Array.from((metadata.get('tokenizer.ggml.precompiled_charsmap') ?? []) as number[]),
        addDummyPrefix: prefix === true,
        removeExtraWhitespaces: unigram,
        escapeWhitespaces: true,
      },
    },
    {
      ...config,
      tokenizer_class: unigram ? 'T5Tokenizer' : 'LlamaTokenizer',
      extra_ids: 0,
      add_prefix_space: prefix === true,
    },
  )
  return { json, defaults: { ...defaults, ...config } }
}

/** Words start with a mark there, continuations are bare; in a vocab.txt it is the other way round. */
function wordPieces(metadata: Metadata, tokens: readonly string[]): LegacyTokenizer {
  const lines = tokens.map((token) =>
    token.startsWith('\u2581') ? token.slice(1) : /^\[.*\]$/s.test(token) ? token : `##${token}`,
  )
  const config = { do_lower_case: true, ...configOf(metadata, tokens) }
  const { json, defaults } = wordPieceTokenizer(lines.join('\n'), config)
  return { json, defaults: { ...defaults, ...config } }
}

/** The tokenizer of a GGUF file's metadata. @throws FormatError where it has none, or of a kind that is not known */
export function ggufTokenizer(metadata: Metadata): LegacyTokenizer {
  const model = metadata.get('tokenizer.ggml.model')
  const tokens = strings(metadata, 'tokenizer.ggml.tokens')
  const types = numbers(metadata, 'tokenizer.ggml.token_type', tokens.length, PIECE_TYPES.normal)
  if (model === 'gpt2') return bytePairs(metadata, tokens, types)
  if (model === 'llama' || model === 't5') return sentencePieces(metadata, tokens, types)
  if (model === 'bert') return wordPieces(metadata, tokens)
  throw new FormatError(`GGUF metadata: the tokenizer model '${String(model)}' is not known`)
}
