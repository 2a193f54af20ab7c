/** vocab.txt: BERT and its kin. */
import { FormatError } from '../../../formats/errors.js'
import type { JsonObject } from '../config.js'
import { className, flag, type LegacyTokenizer, specialTokenJson, templateJson, tokenText } from './parts.js'

/** Tokens of a vocab.txt with their line numbers. Lines end at U+000A alone: some tokens are other line ends of Unicode. */
export function readVocabulary(text: string): Map<string, number> {
  const lines = text.split('\n')
  if (lines[lines.length - 1] === '') lines.pop()
  return new Map(lines.map((line, i) => [line.endsWith('\r') ? line.slice(0, -1) : line, i]))
}

/** Special tokens of the kinds that name theirs otherwise than BERT. */
const NAMES: Readonly<Record<string, JsonObject>> = {
  MPNet: {
    unk_token: '[UNK]',
    sep_token: '</s>',
    pad_token: '<pad>',
    cls_token: '<s>',
    mask_token: { content: '<mask>', lstrip: true },
    bos_token: '<s>',
    eos_token: '</s>',
  },
}

const BERT_NAMES: JsonObject = {
  unk_token: '[UNK]',
  sep_token: '[SEP]',
  pad_token: '[PAD]',
  cls_token: '[CLS]',
  mask_token: '[MASK]',
}

const ESM_NAMES: JsonObject = {
  unk_token: '<unk>',
  cls_token: '<cls>',
  pad_token: '<pad>',
  mask_token: '<mask>',
  eos_token: '<eos>',
}

/** A tokenizer of a vocab.txt. @throws FormatError where it lacks the special tokens of its kind */
export function wordPieceTokenizer(text: string, config: JsonObject): LegacyTokenizer {
  const ids = readVocabulary(text)
  const kind = className(config).replace(/Tokenizer$/, '')
  if (kind === 'Esm' || (!ids.has('[CLS]') && ids.has('<cls>'))) return esmTokenizer(ids, config)
  const defaults = { tokenizer_class: 'BertTokenizer', ...(NAMES[kind] ?? BERT_NAMES) }
  const all = { ...defaults, ...config }
  const [cls, sep, unk] = ['cls_token', 'sep_token', 'unk_token'].map((name) => tokenText(all, name, ''))
  for (const token of [cls, sep, unk])
    if (!ids.has(token)) throw new FormatError(`vocab.txt lacks the special token ${JSON.stringify(token)}`)
  const specials = Object.keys(BERT_NAMES).map((name) => tokenText(all, name, ''))
  const mpnet = kind === 'MPNet'
  const json = {
    version: '1.0',
    added_tokens: [...new Set(specials)]
      .filter((token) => ids.has(token))
      .map((token) => specialTokenJson(token, ids.get(token)!)),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: flag(config, 'tokenize_chinese_chars', true),
      strip_accents: typeof config.strip_accents === 'boolean' ? config.strip_accents : null,
      lowercase: flag(config, 'do_lower_case', true),
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: mpnet
      ? {
          type: 'RobertaProcessing',
          sep: [sep, ids.get(sep)],
          cls: [cls, ids.get(cls)],
          trim_offsets: true,
          add_prefix_space: false,
        }
      : templateJson(`${cls} $A ${sep}`, `${cls} $A ${sep} $B:1 ${sep}:1`, ids),
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: unk,
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(ids),
    },
  }
  return { json, defaults }
}

/** ESM (proteins): every token of the vocabulary is found where it stands, whatever is between is unknown. */
function esmTokenizer(ids: ReadonlyMap<string, number>, config: JsonObject): LegacyTokenizer {
  const defaults = { tokenizer_class: 'EsmTokenizer', ...ESM_NAMES }
  const all = { ...defaults, ...config }
  const [cls, eos] = [tokenText(all, 'cls_token', '<cls>'), tokenText(all, 'eos_token', '<eos>')]
  const specials = new Set(Object.keys(ESM_NAMES).map((name) => tokenText(all, name, '')))
  const json = {
    version: '1.0',
    added_tokens: [...ids].map(([token, id]) => ({ ...specialTokenJson(token, id), special: specials.has(token) })),
    normalizer: null,
    pre_tokenizer: { type: 'WhitespaceSplit' },
    post_processor: templateJson(`${cls} $A ${eos}`, `${cls} $A ${eos} $B ${eos}`, ids),
    decoder: null,
    model: { type: 'WordLevel', vocab: Object.fromEntries(ids), unk_token: tokenText(all, 'unk_token', '<unk>') },
  }
  return { json, defaults }
}
