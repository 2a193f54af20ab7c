/** Small tokenizers of each kind, made in place. */
import {
  Bpe,
  bpeTrainer,
  byteAlphabet,
  Tokenizer,
  Unigram,
  unigramTrainer,
  Vocabulary,
  WordPiece,
  wordPieceTrainer,
} from '../../../../src/text/tokenizers/index.js'

export const TEXTS = [
  'The quick brown fox jumps over the lazy dog. The dog sleeps.',
  "Don't you think it's 3.14159? I've got 1,234,567 items & 50% off!",
  '今天天气很好，我们去公园散步吧！机器学习是人工智能的一个分支。',
  'สวัสดีชาวโลก مرحبا بالعالم Привет, мир! café naïve résumé',
  'def f(x):\n    return x ** 2  # square\n\n\tend',
  '👨\u200d👩\u200d👧 🇨🇳 ☕ ½ ﬁne',
]

const none = new Vocabulary([])

export function byteLevelBpe(pattern?: string): Tokenizer {
  const tokenizer = new Tokenizer(new Bpe(none, []))
  const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: pattern === undefined }
  const split = { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false }
  tokenizer.setPreTokenizer(pattern === undefined ? bytes : { type: 'Sequence', pretokenizers: [split, bytes] })
  tokenizer.setDecoder({ ...bytes, use_regex: true })
  tokenizer.train(TEXTS, bpeTrainer({ vocabSize: 330, initialAlphabet: byteAlphabet(), specialTokens: ['<|end|>'] }))
  return tokenizer
}

export function bertLike(): Tokenizer {
  const tokenizer = new Tokenizer(new WordPiece(none, '[UNK]'))
  tokenizer.setNormalizer({
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  })
  tokenizer.setPreTokenizer({ type: 'BertPreTokenizer' })
  tokenizer.setDecoder({ type: 'WordPiece', prefix: '##', cleanup: true })
  tokenizer.train(TEXTS, wordPieceTrainer({ vocabSize: 200, specialTokens: ['[PAD]', '[UNK]', '[CLS]', '[SEP]'] }))
  const special = (token: string, id: number): object => ({ id: token, ids: [id], tokens: [token] })
  tokenizer.setPostProcessor({
    type: 'TemplateProcessing',
    single: ['[CLS]', '$A', '[SEP]'],
    pair: ['[CLS]', '$A', '[SEP]', '$B:1', '[SEP]:1'],
    special_tokens: { '[CLS]': special('[CLS]', 2), '[SEP]': special('[SEP]', 3) },
  })
  return tokenizer
}

export function unigram(): Tokenizer {
  const tokenizer = new Tokenizer(new Unigram([['<unk>', 0]], { unkId: 0 }))
  const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true }
  tokenizer.setNormalizer({ type: 'NFKC' })
  tokenizer.setPreTokenizer(metaspace)
  tokenizer.setDecoder(metaspace)
  tokenizer.train(TEXTS, unigramTrainer({ vocabSize: 180, specialTokens: ['<unk>'], unkToken: '<unk>' }))
  return tokenizer
}
