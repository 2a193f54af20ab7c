/** vocab.json alone: characters, as speech recognizers with CTC have them (Wav2Vec2). */
import { FormatError } from '../../../formats/errors.js'
import { isObject, type JsonObject } from '../config.js'
import { flag, type LegacyTokenizer, replaceJson, specialTokenJson, tokenText } from './parts.js'

const NAMES = { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>', pad_token: '<pad>' }
/** More spaces than any text has. */
const ALL = 2 ** 31

/** The vocabulary of the language that the config names, where there are several. */
function vocabularyOf(vocab: unknown, config: JsonObject): JsonObject {
  if (!isObject(vocab)) throw new FormatError('vocab.json: expected an object of tokens and ids')
  if (!Object.values(vocab).every(isObject)) return vocab
  const language = typeof config.target_lang === 'string' ? config.target_lang : ''
  const own = vocab[language]
  if (!isObject(own))
    throw new FormatError(
      `vocab.json has ${Object.keys(vocab).length} languages, and not the target_lang ${JSON.stringify(language)}`,
    )
  return own
}

/** A tokenizer of characters whose decoder joins what repeats. @throws FormatError where the files are malformed */
export function characterTokenizer(vocab: unknown, config: JsonObject): LegacyTokenizer {
  const own = vocabularyOf(vocab, config)
  if (flag(config, 'do_lower_case', false))
    throw new FormatError('tokenizer_config.json: do_lower_case is not supported for characters')
  const all = { ...NAMES, ...config }
  const delimiter = tokenText(config, 'word_delimiter_token', '|')
  const space = tokenText(config, 'replace_word_delimiter_char', ' ')
  const id = (token: string): number => (typeof own[token] === 'number' ? own[token] : -1)
  const specials = Object.keys(NAMES)
    .map((name) => tokenText(all, name, ''))
    .filter((token) => id(token) >= 0)
  const added = [
    ...[...new Set(specials)].map((token) => ({ ...specialTokenJson(token, id(token)), lstrip: true, rstrip: true })),
    ...(id(delimiter) >= 0 ? [{ ...specialTokenJson(delimiter, id(delimiter)), special: false }] : []),
  ]
  const json = {
    version: '1.0',
    added_tokens: added.sort((a, b) => a.id - b.id),
    normalizer: replaceJson({ String: ' ' }, delimiter),
    pre_tokenizer: { type: 'FixedLength', length: 1 },
    post_processor: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        {
          type: 'CTC',
          pad_token: tokenText(all, 'pad_token', '<pad>'),
          word_delimiter_token: delimiter,
          cleanup: false,
        },
        replaceJson({ String: delimiter }, space),
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: ALL, stop: ALL },
      ],
    },
    model: { type: 'WordLevel', vocab: own, unk_token: tokenText(all, 'unk_token', '<unk>') },
  }
  return { json, defaults: { tokenizer_class: 'Wav2Vec2CTCTokenizer', ...NAMES } }
}
