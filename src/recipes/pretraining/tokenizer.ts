/** Tokenizers trained for pre-training, with BERT's special tokens. */
import {
  addedToken,
  Bpe,
  bpeTrainer,
  type Model,
  PreTrainedTokenizer,
  pretrainedConfig,
  Tokenizer,
  Unigram,
  unigramTrainer,
  Vocabulary,
  WordPiece,
  wordPieceTrainer,
} from '../../text/tokenizers/index.js'
import type { TrainedTokenizerSpec } from './schema.js'

const SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] as const
const NAMES = {
  pad_token: '[PAD]',
  unk_token: '[UNK]',
  cls_token: '[CLS]',
  sep_token: '[SEP]',
  mask_token: '[MASK]',
} as const

/** BERT's template: `[CLS] A [SEP]`, `[CLS] A [SEP] B [SEP]`. */
function template(): Record<string, unknown> {
  const special = (token: string, type_id: number) => ({ SpecialToken: { id: token, type_id } })
  const sequence = (id: string, type_id: number) => ({ Sequence: { id, type_id } })
  const one = [special('[CLS]', 0), sequence('A', 0), special('[SEP]', 0)]
  return {
    type: 'TemplateProcessing',
    single: one,
    pair: [...one, sequence('B', 1), special('[SEP]', 1)],
    special_tokens: Object.fromEntries(
      (['[CLS]', '[SEP]'] as const).map((token) => [
        token,
        { id: token, ids: [SPECIAL.indexOf(token)], tokens: [token] },
      ]),
    ),
  }
}

const METASPACE = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'never', split: false }

type Kind = (spec: TrainedTokenizerSpec, texts: Iterable<string>) => Tokenizer

const specialTokens = SPECIAL.map((token) => addedToken(token, { special: true }))

/** A tokenizer that finds pieces in runs of letters and spaces between punctuation: for text without spaces, too. */
function spaced(model: Model, lowercase: boolean): Tokenizer {
  const tokenizer = new Tokenizer(model)
  tokenizer.setNormalizer({
    type: 'Sequence',
    normalizers: [{ type: 'NFKC' }, ...(lowercase ? [{ type: 'Lowercase' }] : [])],
  })
  tokenizer.setPreTokenizer({
    type: 'Sequence',
    pretokenizers: [{ type: 'Punctuation', behavior: 'Isolated' }, METASPACE],
  })
  tokenizer.setDecoder(METASPACE)
  return tokenizer
}

const KINDS: { readonly [T in TrainedTokenizerSpec['type']]: Kind } = {
  wordpiece({ vocabSize, lowercase, splitChinese }, texts) {
    const tokenizer = new Tokenizer(new WordPiece(new Vocabulary(new Map([['[UNK]', 0]])), '[UNK]'))
    tokenizer.setNormalizer({
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: splitChinese,
      strip_accents: null,
      lowercase,
    })
    tokenizer.setPreTokenizer({ type: 'BertPreTokenizer' })
    tokenizer.setDecoder({ type: 'WordPiece', prefix: '##', cleanup: true })
    tokenizer.train(texts, wordPieceTrainer({ vocabSize, specialTokens }))
    return tokenizer
  },
  bpe({ vocabSize, lowercase, maxPieceLength: maxTokenLength }, texts) {
    const tokenizer = spaced(new Bpe(new Vocabulary(new Map([['[UNK]', 0]])), [], { unkToken: '[UNK]' }), lowercase)
    tokenizer.train(texts, bpeTrainer({ vocabSize, specialTokens, maxTokenLength }))
    return tokenizer
  },
  unigram({ vocabSize, lowercase, maxPieceLength }, texts) {
    const tokenizer = spaced(new Unigram([['[UNK]', 0]], { unkId: 0 }), lowercase)
    tokenizer.train(texts, unigramTrainer({ vocabSize, specialTokens, unkToken: '[UNK]', maxPieceLength }))
    return tokenizer
  },
}

/** Texts without the characters that occur fewer than `minCount` times. */
function withoutRare(texts: readonly string[], minCount: number): Iterable<string> {
  if (minCount <= 1) return texts
  const counts = new Map<string, number>()
  for (const text of texts) for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1)
  const kept = (char: string): string => ((counts.get(char) ?? 0) < minCount ? ' ' : char)
  return texts.map((text) => Array.from(text, kept).join(''))
}

/**
 * Trains a tokenizer on texts, each read once. `modelMaxLength`: tokens that the model reads.
 * @throws RangeError where the vocabulary cannot hold the texts' characters
 */
export function trainTokenizer(
  spec: TrainedTokenizerSpec,
  texts: readonly string[],
  modelMaxLength: number | null,
): PreTrainedTokenizer {
  const tokenizer = KINDS[spec.type](spec, withoutRare([...new Set(texts)], spec.minCount))
  tokenizer.setPostProcessor(template())
  return new PreTrainedTokenizer(
    tokenizer,
    pretrainedConfig({
      tokenizer_class: 'PreTrainedTokenizerFast',
      ...NAMES,
      model_input_names: ['input_ids', 'token_type_ids', 'attention_mask'],
      ...(modelMaxLength === null ? {} : { model_max_length: modelMaxLength }),
    }),
  )
}
