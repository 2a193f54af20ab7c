import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FormatError } from '../../formats/errors.js'
import { type HubOptions, resolveFiles, TOKENIZER_FILES } from '../../hub/index.node.js'
import { isObject, type JsonObject } from './config.js'
import { pretrainedConfig } from './pretrained/config.js'
import { type CallableTokenizer, callable, PreTrainedTokenizer } from './pretrained/tokenizer.js'
import { parseTokenizerJson, type Tokenizer } from './tokenizer.js'

async function readJsonObject(path: string): Promise<JsonObject> {
  if (!existsSync(path)) return {}
  let json: unknown
  try {
    json = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    throw new FormatError(`${path}: not valid JSON (${error instanceof Error ? error.message : String(error)})`)
  }
  if (!isObject(json)) throw new FormatError(`${path}: expected an object`)
  return json
}

async function readBackend(folder: string): Promise<Tokenizer> {
  const path = join(folder, 'tokenizer.json')
  if (!existsSync(path)) throw new FormatError(`${folder} holds no tokenizer`)
  return parseTokenizerJson(await readFile(path, 'utf8'), path)
}

/** The tokenizer of a folder. @throws FormatError where it holds none, or a malformed one */
export async function loadTokenizer(folder: string): Promise<PreTrainedTokenizer> {
  const config = await readJsonObject(join(folder, 'tokenizer_config.json'))
  const map = await readJsonObject(join(folder, 'special_tokens_map.json'))
  return new PreTrainedTokenizer(await readBackend(folder), pretrainedConfig(config, map))
}

export const AutoTokenizer = {
  /**
   * The tokenizer of a checkpoint folder or hub id, which can be called: `tokenizer(texts, { padding: true })`.
   * @throws FormatError for a folder without tokenizer or malformed files, HubError where files cannot be had
   */
  async fromPretrained(source: string, options: HubOptions = {}): Promise<CallableTokenizer> {
    const { folder } = await resolveFiles(source, TOKENIZER_FILES, options)
    return callable(await loadTokenizer(folder))
  },
}
