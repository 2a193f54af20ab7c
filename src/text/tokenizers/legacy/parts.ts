/** Parts of tokenizers as a tokenizer.json writes them, for checkpoints that have older files only. */
import type { JsonObject } from '../config.js'

/** A template of a text and of a pair, as `[CLS] $A [SEP]`, with the ids of its special tokens. */
export function templateJson(single: string, pair: string, ids: ReadonlyMap<string, number>): JsonObject {
  const pieces = (text: string): JsonObject[] =>
    text.split(' ').map((piece) => {
      const at = piece.lastIndexOf(':')
      const [id, type_id] = at > 0 ? [piece.slice(0, at), Number(piece.slice(at + 1))] : [piece, 0]
      return id.startsWith('$') ? { Sequence: { id: id.slice(1), type_id } } : { SpecialToken: { id, type_id } }
    })
  const [first, second] = [pieces(single), pieces(pair)]
  const special = [...first, ...second].flatMap((piece) =>
    'SpecialToken' in piece ? [(piece.SpecialToken as { id: string }).id] : [],
  )
  const entries = [...new Set(special)].map((token) => [
    token,
    { id: token, ids: [ids.get(token) ?? 0], tokens: [token] },
  ])
  return { type: 'TemplateProcessing', single: first, pair: second, special_tokens: Object.fromEntries(entries) }
}

export const specialTokenJson = (content: string, id: number) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
})

export const splitJson = (pattern: string, behavior = 'Isolated', invert = false): JsonObject => ({
  type: 'Split',
  pattern: { Regex: pattern },
  behavior,
  invert,
})

export const byteLevelJson = (addPrefixSpace: boolean, useRegex: boolean, trimOffsets = true): JsonObject => ({
  type: 'ByteLevel',
  add_prefix_space: addPrefixSpace,
  trim_offsets: trimOffsets,
  use_regex: useRegex,
})

export const sequenceJson = (
  kind: 'normalizers' | 'pretokenizers' | 'decoders',
  parts: readonly JsonObject[],
): JsonObject => (parts.length === 1 ? parts[0] : { type: 'Sequence', [kind]: parts })

export const replaceJson = (pattern: JsonObject, content: string): JsonObject => ({ type: 'Replace', pattern, content })

/** Name of a class without `Fast`. */
export const className = (config: JsonObject): string =>
  typeof config.tokenizer_class === 'string' ? config.tokenizer_class.replace(/Fast$/, '') : ''

/** The text of a special token of a config, or a default. */
export function tokenText(config: JsonObject, name: string, fallback: string): string {
  const value = config[name]
  if (typeof value === 'string') return value
  const content = (value as JsonObject | null | undefined)?.content
  return typeof content === 'string' ? content : fallback
}

export const flag = (config: JsonObject, name: string, fallback: boolean): boolean =>
  typeof config[name] === 'boolean' ? config[name] : fallback

/** A tokenizer.json with the special tokens that a config should name. */
export interface LegacyTokenizer {
  readonly json: JsonObject
  /** What the config says where it is silent. */
  readonly defaults: JsonObject
}
