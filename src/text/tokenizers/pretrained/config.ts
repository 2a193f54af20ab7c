/** tokenizer_config.json and special_tokens_map.json: what a checkpoint says about its tokenizer beside the tokenizer itself. */
import { FormatError } from '../../../formats/errors.js'
import { type AddedToken, addedToken, addedTokenOf } from '../added-vocabulary.js'
import { Fields, isObject, type JsonObject } from '../config.js'
import type { Side } from '../encoding.js'

/** Special tokens that have a name. */
export const SPECIAL_TOKEN_NAMES = [
  'bos_token',
  'eos_token',
  'unk_token',
  'sep_token',
  'pad_token',
  'cls_token',
  'mask_token',
] as const
export type SpecialTokenName = (typeof SPECIAL_TOKEN_NAMES)[number]

/** Kinds of tokenizers whose models tell two sequences apart. */
const WITH_TOKEN_TYPES =
  /^(Bert|Electra|Deberta|DebertaV2|MarkupLM|FNet|LayoutLM|LayoutLMv2|Canine|Tapas|MobileBert|ConvBert|Funnel|SqueezeBert)Tokenizer(Fast)?$/

/** Lengths beyond this say that a tokenizer has no limit. */
const NO_LIMIT = 1e20

export interface PretrainedConfig {
  readonly tokenizerClass: string
  /** Tokens that the model reads; null where there is no limit. */
  readonly modelMaxLength: number | null
  readonly paddingSide: Side
  readonly truncationSide: Side
  readonly modelInputNames: readonly string[]
  readonly cleanUpTokenizationSpaces: boolean
  readonly cleanUpBpe: boolean
  readonly splitSpecialTokens: boolean
  readonly special: Readonly<Partial<Record<SpecialTokenName, AddedToken>>>
  readonly extraSpecial: readonly AddedToken[]
  /** Tokens to add, in order of their ids. */
  readonly added: readonly AddedToken[]
  readonly addBosToken: boolean | null
  readonly addEosToken: boolean | null
  /** The chat template, or several by name. */
  readonly chatTemplate: string | Readonly<Record<string, string>> | null
  /** Everything that the file says. */
  readonly json: JsonObject
}

/** A special token as files write it: its text, or an object. */
function specialToken(value: unknown, where: string): AddedToken | null {
  if (typeof value === 'string') return addedToken(value, { special: true })
  if (!isObject(value)) return null
  return addedTokenOf(Fields.of({ ...value, special: true }, where))
}

function addedTokens(json: JsonObject): AddedToken[] {
  const table = json.added_tokens_decoder
  if (!isObject(table)) return []
  return Object.entries(table)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([id, value]) => addedTokenOf(Fields.of(value, `added_tokens_decoder[${id}]`)))
}

function chatTemplate(value: unknown): PretrainedConfig['chatTemplate'] {
  if (typeof value === 'string') return value
  if (!Array.isArray(value)) return null
  const named = value.filter(
    (item): item is { name: string; template: string } =>
      isObject(item) && typeof item.name === 'string' && typeof item.template === 'string',
  )
  return Object.fromEntries(named.map(({ name, template }) => [name, template]))
}

function inputNames(fields: Fields, tokenizerClass: string): string[] {
  if (!fields.has('model_input_names'))
    return WITH_TOKEN_TYPES.test(tokenizerClass)
      ? ['input_ids', 'token_type_ids', 'attention_mask']
      : ['input_ids', 'attention_mask']
  return fields.list('model_input_names').filter((name): name is string => typeof name === 'string')
}

function extraSpecialTokens(json: JsonObject): AddedToken[] {
  const extra = json.extra_special_tokens ?? json.additional_special_tokens
  const values = Array.isArray(extra) ? extra : isObject(extra) ? Object.values(extra) : []
  return values.map((value) => specialToken(value, 'extra_special_tokens')).filter((token) => token !== null)
}

/**
 * A tokenizer_config.json with what older files say beside it: a config without `added_tokens_decoder` has its special tokens from
 * special_tokens_map.json and the others from added_tokens.json, as in transformers.
 */
export function mergedConfig(json: JsonObject, specialTokensMap: JsonObject, addedTokens: JsonObject): JsonObject {
  if (isObject(json.added_tokens_decoder)) return { ...specialTokensMap, ...json }
  const merged = { ...json, ...specialTokensMap }
  const named = [...SPECIAL_TOKEN_NAMES.map((name) => merged[name]), ...extraSpecialTokens(merged)]
  const special = new Set(named.map((token) => (isObject(token) ? token.content : token)))
  const added = Object.entries(addedTokens).map(([content, id]) => {
    if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0)
      throw new FormatError(`added_tokens.json: ${JSON.stringify(content)} has no id but ${JSON.stringify(id)}`)
    return [id, { content, normalized: !special.has(content), special: special.has(content) }]
  })
  return added.length > 0 ? { ...merged, added_tokens_decoder: Object.fromEntries(added) } : merged
}

/** Reads the parsed files. */
export function pretrainedConfig(json: JsonObject = {}): PretrainedConfig {
  const fields = new Fields(json, 'tokenizer_config.json')
  const tokenizerClass = fields.string('tokenizer_class', 'PreTrainedTokenizerFast')
  const special: Partial<Record<SpecialTokenName, AddedToken>> = {}
  for (const name of SPECIAL_TOKEN_NAMES) {
    const token = specialToken(fields.json[name], name)
    if (token) special[name] = token
  }
  const maxLength = fields.json.model_max_length
  return {
    tokenizerClass,
    modelMaxLength: typeof maxLength === 'number' && maxLength < NO_LIMIT ? maxLength : null,
    paddingSide: fields.oneOf('padding_side', ['left', 'right'], 'right'),
    truncationSide: fields.oneOf('truncation_side', ['left', 'right'], 'right'),
    modelInputNames: inputNames(fields, tokenizerClass),
    cleanUpTokenizationSpaces: fields.boolean('clean_up_tokenization_spaces', false),
    cleanUpBpe: fields.boolean('clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output', false),
    splitSpecialTokens: fields.boolean('split_special_tokens', false),
    special,
    extraSpecial: extraSpecialTokens(fields.json),
    added: addedTokens(fields.json),
    addBosToken: fields.has('add_bos_token') ? fields.boolean('add_bos_token') : null,
    addEosToken: fields.has('add_eos_token') ? fields.boolean('add_eos_token') : null,
    chatTemplate: chatTemplate(fields.json.chat_template),
    json: fields.json,
  }
}
