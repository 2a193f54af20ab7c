/** vocab.json with merges.txt, and tiktoken's ranks: byte-level BPE. */
import { FormatError } from '../../../formats/errors.js'
import { byteUnits } from '../byte-level.js'
import { isObject, type JsonObject } from '../config.js'
import { fromBase64 } from '../normalizers/precompiled.js'
import {
  byteLevelJson,
  className,
  flag,
  type LegacyTokenizer,
  replaceJson,
  sequenceJson,
  specialTokenJson,
  splitJson,
  templateJson,
  tokenText,
} from './parts.js'

export const CL100K_PATTERN = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
const QWEN2_PATTERN = CL100K_PATTERN.replace('{1,3}', '')
const CLIP_PATTERN = String.raw`'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`

/** Pairs of a merges.txt. */
export function readMerges(text: string): [string, string][] {
  const pairs: [string, string][] = []
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw
    if (line === '' || line.startsWith('#version')) continue
    const pair = line.split(' ')
    if (pair.length !== 2)
      throw new FormatError(`merges.txt, line ${i + 1}: expected two tokens, found ${JSON.stringify(line)}`)
    pairs.push([pair[0], pair[1]])
  }
  return pairs
}

type Ids = ReadonlyMap<string, number>

interface Kind {
  readonly defaults: JsonObject
  readonly model?: JsonObject
  readonly normalizer?: JsonObject
  readonly preTokenizer: (prefixSpace: boolean) => JsonObject
  readonly postProcessor: (config: JsonObject, ids: Ids) => JsonObject
}

const gpt2Processor = (config: JsonObject, ids: Ids): JsonObject => {
  if (!flag(config, 'add_bos_token', false)) return byteLevelJson(true, true, false)
  const bos = tokenText(config, 'bos_token', '<|endoftext|>')
  return templateJson(`${bos} $A`, `${bos} $A $B:1`, ids)
}

const END_OF_TEXT = '<|endoftext|>'

const ROBERTA: Kind = {
  defaults: {
    tokenizer_class: 'RobertaTokenizer',
    bos_token: '<s>',
    eos_token: '</s>',
    sep_token: '</s>',
    cls_token: '<s>',
    unk_token: '<unk>',
    pad_token: '<pad>',
    mask_token: { content: '<mask>', lstrip: true, normalized: true },
  },
  preTokenizer: (prefixSpace) => byteLevelJson(prefixSpace, true),
  postProcessor: (config, ids) => {
    const [sep, cls] = [tokenText(config, 'sep_token', '</s>'), tokenText(config, 'cls_token', '<s>')]
    return {
      type: 'RobertaProcessing',
      sep: [sep, ids.get(sep) ?? 0],
      cls: [cls, ids.get(cls) ?? 0],
      trim_offsets: flag(config, 'trim_offsets', true),
      add_prefix_space: flag(config, 'add_prefix_space', false),
    }
  },
}

const GPT2: Kind = {
  defaults: {
    tokenizer_class: 'GPT2Tokenizer',
    bos_token: END_OF_TEXT,
    eos_token: END_OF_TEXT,
    unk_token: END_OF_TEXT,
  },
  preTokenizer: (prefixSpace) => byteLevelJson(prefixSpace, true),
  postProcessor: gpt2Processor,
}

const QWEN2: Kind = {
  defaults: {
    tokenizer_class: 'Qwen2Tokenizer',
    eos_token: END_OF_TEXT,
    unk_token: END_OF_TEXT,
    pad_token: END_OF_TEXT,
  },
  normalizer: { type: 'NFC' },
  preTokenizer: (prefixSpace) =>
    sequenceJson('pretokenizers', [splitJson(QWEN2_PATTERN), byteLevelJson(prefixSpace, false)]),
  postProcessor: () => byteLevelJson(true, true, false),
}

const CLIP: Kind = {
  defaults: {
    tokenizer_class: 'CLIPTokenizer',
    bos_token: '<|startoftext|>',
    eos_token: END_OF_TEXT,
    unk_token: END_OF_TEXT,
    pad_token: END_OF_TEXT,
  },
  model: { end_of_word_suffix: '</w>', unk_token: END_OF_TEXT },
  normalizer: sequenceJson('normalizers', [
    { type: 'NFC' },
    replaceJson({ Regex: '\\s+' }, ' '),
    { type: 'Lowercase' },
  ]),
  preTokenizer: () =>
    sequenceJson('pretokenizers', [splitJson(CLIP_PATTERN, 'Removed', true), byteLevelJson(false, true)]),
  postProcessor: (config, ids) => {
    const [sep, cls] = [tokenText(config, 'eos_token', END_OF_TEXT), tokenText(config, 'bos_token', '<|startoftext|>')]
    return {
      type: 'RobertaProcessing',
      sep: [sep, ids.get(sep) ?? 0],
      cls: [cls, ids.get(cls) ?? 0],
      trim_offsets: false,
      add_prefix_space: false,
    }
  },
}

const DEBERTA: Kind = {
  ...GPT2,
  defaults: {
    tokenizer_class: 'DebertaTokenizer',
    sep_token: '[SEP]',
    cls_token: '[CLS]',
    unk_token: '[UNK]',
    pad_token: '[PAD]',
    mask_token: { content: '[MASK]', lstrip: true },
  },
  postProcessor: (_, ids) => templateJson('[CLS] $A [SEP]', '[CLS] $A [SEP] $B:1 [SEP]:1', ids),
}

const KINDS: Readonly<Record<string, Kind>> = {
  GPT2Tokenizer: GPT2,
  CodeGenTokenizer: GPT2,
  WhisperTokenizer: GPT2,
  RobertaTokenizer: ROBERTA,
  BartTokenizer: ROBERTA,
  LongformerTokenizer: ROBERTA,
  LEDTokenizer: ROBERTA,
  Qwen2Tokenizer: QWEN2,
  CLIPTokenizer: CLIP,
  DebertaTokenizer: DEBERTA,
}

/** The kind that a vocabulary looks like, for checkpoints that do not say. */
function guess(ids: Ids): Kind {
  if (ids.has('<|startoftext|>') && ids.has('a</w>')) return CLIP
  if (ids.has('<s>') && ids.has('<mask>')) return ROBERTA
  return GPT2
}

/** A tokenizer of a vocab.json and a merges.txt. @throws FormatError where they are malformed */
export function bytePairTokenizer(vocab: unknown, merges: string, config: JsonObject): LegacyTokenizer {
  if (!isObject(vocab)) throw new FormatError('vocab.json: expected an object of tokens and ids')
  const ids = new Map(Object.entries(vocab) as [string, number][])
  const kind = KINDS[className(config)] ?? guess(ids)
  const all = { ...kind.defaults, ...config }
  const specials = Object.values(kind.defaults).map((value) => tokenText({ value }, 'value', ''))
  const json = {
    version: '1.0',
    added_tokens: [...new Set(specials)]
      .filter((token) => ids.has(token) && token !== '<mask>')
      .map((token) => specialTokenJson(token, ids.get(token)!)),
    normalizer: kind.normalizer ?? null,
    pre_tokenizer: kind.preTokenizer(flag(config, 'add_prefix_space', false)),
    post_processor: kind.postProcessor(all, ids),
    decoder: byteLevelJson(true, true),
    model: { type: 'BPE', ...kind.model, vocab, merges: readMerges(merges) },
  }
  return { json, defaults: kind.defaults }
}

/** Tokens of tiktoken's format, `<base64> <rank>` a line, as strings of the byte alphabet. */
export function readTiktoken(text: string, where = 'tiktoken'): Map<string, number> {
  const units = byteUnits()
  const ranks = new Map<string, number>()
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const [base64, rank] = line.trim().split(' ')
    if (rank === undefined || !/^\d+$/.test(rank))
      throw new FormatError(`${where}, line ${i + 1}: expected base64 and a rank`)
    const bytes = fromBase64(base64, `${where}, line ${i + 1}`)
    ranks.set(Array.from(bytes, (byte) => String.fromCharCode(units[byte])).join(''), Number(rank))
  }
  return ranks
}

/** Pairs of tokens that join to another, by the rank of that, then of the halves. */
export function mergesOfRanks(ranks: Ids): [string, string][] {
  const merges: [string, string, number][] = []
  for (const [token, rank] of ranks) {
    const local: [string, string, number][] = []
    for (let i = 1; i < token.length; i++) {
      const [left, right] = [token.slice(0, i), token.slice(i)]
      if (ranks.has(left) && ranks.has(right)) local.push([left, right, rank])
    }
    local.sort((a, b) => ranks.get(a[0])! - ranks.get(b[0])! || ranks.get(a[1])! - ranks.get(b[1])!)
    merges.push(...local)
  }
  return merges.sort((a, b) => a[2] - b[2]).map(([left, right]) => [left, right])
}

/** A tokenizer of tiktoken's ranks; special tokens come from the config. */
export function tiktokenTokenizer(text: string, config: JsonObject, pattern = CL100K_PATTERN): LegacyTokenizer {
  const ranks = readTiktoken(text)
  const json = {
    version: '1.0',
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: sequenceJson('pretokenizers', [
      splitJson(pattern),
      byteLevelJson(flag(config, 'add_prefix_space', false), false),
    ]),
    post_processor: byteLevelJson(true, true, false),
    decoder: byteLevelJson(true, true),
    model: { type: 'BPE', ignore_merges: true, vocab: Object.fromEntries(ranks), merges: mergesOfRanks(ranks) },
  }
  return { json, defaults: {} }
}
