import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isRecord, parseStrictJson } from '../formats/strict-json.js'
import { type FilePattern, resolveFiles } from './resolve.node.js'
import type { HubOptions } from './settings.node.js'

const optional = (...names: string[]): FilePattern[] => names.map((name) => ({ optional: name }))

/** What tokenizers are stored in. */
export const TOKENIZER_FILES: readonly FilePattern[] = [
  ...optional('tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json'),
  ...optional('vocab.txt', 'vocab.json', 'merges.txt', '*.model', '*.tiktoken', '*.bpe'),
  ...optional('chat_template.json', 'chat_template.jinja', 'additional_chat_templates/*.jinja', 'config.json'),
]

/** What turns images and signals into inputs. */
export const PROCESSOR_FILES: readonly FilePattern[] = optional(
  'preprocessor_config.json',
  'processor_config.json',
  'image_processor_config.json',
  'feature_extractor_config.json',
  'video_preprocessor_config.json',
  'config.json',
)

export const CONFIG_FILES: readonly FilePattern[] = ['config.json', ...optional('generation_config.json')]

/** One of these holds the weights, or names the shards that do; the first is preferred. */
const WEIGHTS = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
]

/** Shards named by an index, checked to be plain names in its folder. */
async function shardsOf(index: string): Promise<string[]> {
  const json = parseStrictJson(await readFile(index), index)
  const map = isRecord(json) ? json.weight_map : undefined
  const names = isRecord(map) ? Object.values(map) : []
  const plain = names.filter((name): name is string => typeof name === 'string' && /^[\w.-]+$/.test(name))
  return [...new Set(plain)].sort()
}

/**
 * The folder of a model by local folder or hub id, with config and weights on this machine: one file of weights (safetensors preferred), or
 * an index and every shard it names; `more` is fetched along with them.
 * @throws HubError whose `code` says why
 */
export async function resolveModelFiles(
  pathOrId: string,
  options: HubOptions = {},
  more: readonly FilePattern[] = [],
): Promise<string> {
  const first = await resolveFiles(pathOrId, [...CONFIG_FILES, { first: WEIGHTS }, ...more], options)
  const index = first.files.find((name) => WEIGHTS.includes(name) && name.endsWith('.index.json'))
  if (index === undefined || first.commit === undefined) return first.folder
  const shards = await shardsOf(join(first.folder, index))
  // By commit, so that shards cannot come from a newer revision than the index.
  return (await resolveFiles(pathOrId, shards, { ...options, revision: first.commit })).folder
}
