/** One case of a tokenizer's golden.json. */
import type {
  CallOptions,
  Encoding,
  PreTrainedTokenizer,
  TextInput,
  TruncationStrategy,
} from '../../text/tokenizers/index.js'
import type { Comparison } from '../compare.js'
import { exactly } from './compare.js'

/** Keyword arguments of transformers' tokenizers that the references use. */
interface CallArguments {
  readonly truncation?: boolean | TruncationStrategy
  readonly max_length?: number
  readonly stride?: number
  readonly padding?: boolean | 'longest' | 'max_length'
  readonly pad_to_multiple_of?: number
  readonly add_special_tokens?: boolean
  readonly is_split_into_words?: boolean
  readonly return_overflowing_tokens?: boolean
  readonly padding_side?: 'left' | 'right'
  readonly split_special_tokens?: boolean
}

export interface TokenizerCase {
  readonly kind: string
  readonly text: TextInput
  readonly pair?: TextInput | null
  readonly args?: CallArguments
  readonly error?: string
  readonly [column: string]: unknown
}

const OPTIONS: Readonly<Record<keyof CallArguments, keyof CallOptions>> = {
  truncation: 'truncation',
  max_length: 'maxLength',
  stride: 'stride',
  padding: 'padding',
  pad_to_multiple_of: 'padToMultipleOf',
  add_special_tokens: 'addSpecialTokens',
  is_split_into_words: 'isSplitIntoWords',
  return_overflowing_tokens: 'returnOverflowingTokens',
  padding_side: 'paddingSide',
  split_special_tokens: 'splitSpecialTokens',
}

function callOptions(args: CallArguments): CallOptions {
  const options: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(args)) {
    const option = OPTIONS[name as keyof CallArguments]
    if (option === undefined) throw new TypeError(`the reference was made with ${name}, which is not known here`)
    options[option] = value
  }
  return options
}

const about = (text: TextInput): string => JSON.stringify(text).slice(0, 80)

const columnsOf = (encoding: Encoding): Record<string, unknown> => ({
  ids: encoding.ids,
  tokens: encoding.tokens,
  offsets: encoding.codePointOffsets,
  type_ids: encoding.typeIds,
  special_mask: encoding.specialTokensMask,
  attention: encoding.attentionMask,
  word_ids: encoding.wordIds,
  sequence_ids: encoding.sequenceIds,
})

function compareEncoding(tokenizer: PreTrainedTokenizer, record: TokenizerCase): Comparison {
  const { backend } = tokenizer
  const [text, pair] = [record.text as string, (record.pair ?? null) as string | null]
  const encoding = backend.encode(text, pair)
  const pairs: Record<string, readonly [unknown, unknown]> = {}
  for (const [name, column] of Object.entries(columnsOf(encoding))) pairs[name] = [column, record[name]]
  if (record.kind === 'single') {
    pairs.ids_no_special = [backend.encode(text, null, { addSpecialTokens: false }).ids, record.ids_no_special]
    pairs.decode = [backend.decode(encoding.ids), record.decode]
    pairs.decode_skip = [backend.decode(encoding.ids, { skipSpecialTokens: true }), record.decode_skip]
    pairs.hf_decode_skip = [tokenizer.decode(encoding.ids, { skipSpecialTokens: true }), record.hf_decode_skip]
    pairs.stream = [streamed(tokenizer, encoding.ids), record.decode]
  }
  return exactly(pairs, about(text))
}

/** The text that decoding id by id gives. */
function streamed(tokenizer: PreTrainedTokenizer, ids: readonly number[]): string {
  const stream = tokenizer.decodeStream()
  return ids.map((id) => stream.step(id) ?? '').join('') + stream.end()
}

const COLUMNS = [
  'input_ids',
  'token_type_ids',
  'attention_mask',
  'special_tokens_mask',
  'offset_mapping',
  'overflow_to_sample_mapping',
] as const

/** Calls as transformers does, with a side of the tokenizer turned where the kind says so. */
function call(tokenizer: PreTrainedTokenizer, record: TokenizerCase): Record<string, unknown> {
  const { paddingSide, truncationSide } = tokenizer
  if (record.kind === 'pad_other_side') tokenizer.paddingSide = paddingSide === 'left' ? 'right' : 'left'
  if (record.kind === 'trunc_left') tokenizer.truncationSide = 'left'
  try {
    const options = callOptions(record.args ?? {})
    const columns = tokenizer.encodeBatch(record.text, record.pair ?? null, {
      ...options,
      returnOffsetsMapping: true,
      returnSpecialTokensMask: true,
      returnTokenTypeIds: true,
    })
    const batched = options.isSplitIntoWords
      ? (record.text as readonly unknown[]).some(Array.isArray)
      : Array.isArray(record.text)
    if (batched || options.returnOverflowingTokens) return { ...columns }
    return Object.fromEntries(Object.entries(columns).map(([name, rows]) => [name, rows[0]]))
  } finally {
    tokenizer.paddingSide = paddingSide
    tokenizer.truncationSide = truncationSide
  }
}

function compareCall(tokenizer: PreTrainedTokenizer, record: TokenizerCase): Comparison {
  let got: Record<string, unknown>
  try {
    got = call(tokenizer, record)
  } catch (error) {
    if (record.error !== undefined) return { worst: null, reason: null }
    throw error
  }
  if (record.error !== undefined)
    return { worst: null, reason: `${about(record.text)}: no error, expected ${record.error}` }
  const present = COLUMNS.filter((name) => name in record)
  return exactly(
    Object.fromEntries(present.map((name) => [name, [got[name], record[name]] as const])),
    about(record.text),
  )
}

/** Compares one case of a golden.json. */
export const compareTokenizerCase = (tokenizer: PreTrainedTokenizer, record: TokenizerCase): Comparison =>
  record.kind === 'single' || record.kind === 'pair'
    ? compareEncoding(tokenizer, record)
    : compareCall(tokenizer, record)
