import { existsSync } from 'node:fs'
import { mkdir, open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../../formats/atomic-file.node.js'
import { FormatError } from '../../formats/errors.js'
import { GgufTruncatedError, readGgufMetadata } from '../../formats/gguf-metadata.js'
import { type HubOptions, resolveFiles, TOKENIZER_FILES } from '../../hub/index.node.js'
import { isObject, type JsonObject } from './config.js'
import { bytePairTokenizer, tiktokenTokenizer } from './legacy/byte-pairs.js'
import { characterTokenizer } from './legacy/characters.js'
import { ggufTokenizer } from './legacy/gguf.js'
import type { LegacyTokenizer } from './legacy/parts.js'
import { sentencePieceTokenizer } from './legacy/sentencepiece.js'
import { wordPieceTokenizer } from './legacy/word-piece.js'
import { mergedConfig, pretrainedConfig, SPECIAL_TOKEN_NAMES } from './pretrained/config.js'
import { type CallableTokenizer, callable, PreTrainedTokenizer } from './pretrained/tokenizer.js'
import { readSentencePieceModel } from './sentencepiece/model-proto.js'
import { parseTokenizerJson, Tokenizer } from './tokenizer.js'

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

/** Reads a tokenizer from one kind of file where a folder has it. */
type Reader = (folder: string, names: readonly string[], config: JsonObject) => Promise<LegacyTokenizer | null>

const textOf = (folder: string, name: string): Promise<string> => readFile(join(folder, name), 'utf8')

const READERS: readonly Reader[] = [
  async (folder, names, config) =>
    names.includes('vocab.json') && names.includes('merges.txt')
      ? bytePairTokenizer(await readJsonObject(join(folder, 'vocab.json')), await textOf(folder, 'merges.txt'), config)
      : null,
  async (folder, names, config) => {
    const model = MODEL_NAMES.find((name) => names.includes(name)) ?? names.find((name) => name.endsWith('.model'))
    if (model === undefined) return null
    const bytes = new Uint8Array(await readFile(join(folder, model)))
    // Llama 3 published its ranks under the name of a SentencePiece model.
    if (/^[A-Za-z0-9+/=]+ \d+\r?\n/.test(String.fromCharCode(...bytes.subarray(0, 200))))
      return tiktokenTokenizer(new TextDecoder().decode(bytes), config)
    return sentencePieceTokenizer(readSentencePieceModel(bytes, join(folder, model)), config)
  },
  async (folder, names, config) =>
    names.includes('vocab.txt') ? wordPieceTokenizer(await textOf(folder, 'vocab.txt'), config) : null,
  async (folder, names, config) => {
    if (!names.includes('vocab.json')) return null
    return characterTokenizer(await readJsonObject(join(folder, 'vocab.json')), config)
  },
  async (folder, names, config) => {
    const ranks = names.find((name) => name.endsWith('.tiktoken'))
    return ranks === undefined ? null : tiktokenTokenizer(await textOf(folder, ranks), config)
  },
]

/** SentencePiece models by the names that checkpoints give them, best first. */
const MODEL_NAMES = ['spiece.model', 'tokenizer.model', 'sentencepiece.bpe.model', 'spm.model']

async function readLegacy(folder: string, config: JsonObject): Promise<LegacyTokenizer> {
  const names = (await readdir(folder)).sort()
  for (const read of READERS) {
    const found = await read(folder, names, config)
    if (found) return found
  }
  throw new FormatError(
    `${folder} holds no tokenizer: expected tokenizer.json, vocab.txt, vocab.json with merges.txt, a SentencePiece .model or .tiktoken ranks`,
  )
}

/** The chat template of its own file, which newer checkpoints have. */
async function chatTemplate(folder: string): Promise<JsonObject> {
  const path = join(folder, 'chat_template.jinja')
  return existsSync(path) ? { chat_template: await readFile(path, 'utf8') } : {}
}

/**
 * The tokenizer of a folder: tokenizer.json, or made from the older files.
 * @throws FormatError where it holds none, or a malformed one
 */
export async function loadTokenizer(folder: string): Promise<PreTrainedTokenizer> {
  const own = { ...(await readJsonObject(join(folder, 'tokenizer_config.json'))), ...(await chatTemplate(folder)) }
  const [map, added] = await Promise.all(
    ['special_tokens_map.json', 'added_tokens.json'].map((name) => readJsonObject(join(folder, name))),
  )
  const config = mergedConfig(own, map, added)
  const path = join(folder, 'tokenizer.json')
  if (existsSync(path))
    return new PreTrainedTokenizer(parseTokenizerJson(await readFile(path, 'utf8'), path), pretrainedConfig(config))
  const { json, defaults } = await readLegacy(folder, config)
  const settings = pretrainedConfig({ ...defaults, ...config })
  const backend = Tokenizer.fromJson(json, folder)
  const described = SPECIAL_TOKEN_NAMES.filter((name) => isObject(settings.json[name])).flatMap(
    (name) => settings.special[name] ?? [],
  )
  backend.addTokens(described.filter(({ content }) => backend.tokenToId(content) !== undefined))
  return new PreTrainedTokenizer(backend, settings)
}

/** First bytes of a GGUF file to read for its metadata; doubled while they do not suffice. */
const GGUF_START = 1 << 24

/** The tokenizer that a GGUF file carries. @throws FormatError where it has none */
export async function loadGgufTokenizer(path: string): Promise<PreTrainedTokenizer> {
  const handle = await open(path, 'r')
  try {
    const { size } = await handle.stat()
    for (let length = Math.min(size, GGUF_START); ; length = Math.min(size, length * 2)) {
      const bytes = new Uint8Array(length)
      await handle.read(bytes, 0, length, 0)
      try {
        const { json, defaults } = ggufTokenizer(readGgufMetadata(bytes, path))
        return new PreTrainedTokenizer(Tokenizer.fromJson(json, path), pretrainedConfig(defaults))
      } catch (error) {
        if (!(error instanceof GgufTruncatedError) || length === size) throw error
      }
    }
  } finally {
    await handle.close()
  }
}

/** Writes a tokenizer as `tokenizer.json` and `tokenizer_config.json`, and its chat template beside them; Python's transformers reads them. */
export async function saveTokenizer(tokenizer: PreTrainedTokenizer, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const write = (name: string, text: string): Promise<void> =>
    writeFileAtomic(join(folder, name), (sink) => sink.write(new TextEncoder().encode(text)))
  await write('tokenizer.json', `${JSON.stringify(tokenizer.backend, null, 2)}\n`)
  await write('tokenizer_config.json', `${JSON.stringify(tokenizer.configJson(), null, 2)}\n`)
  const { chatTemplate } = tokenizer.config
  if (typeof chatTemplate === 'string') await write('chat_template.jinja', chatTemplate)
}

export const AutoTokenizer = {
  /**
   * The tokenizer of a checkpoint folder, hub id or GGUF file, which can be called: `tokenizer(texts, { padding: true })`.
   * @throws FormatError for a folder without tokenizer or malformed files, HubError where files cannot be had
   */
  async fromPretrained(source: string, options: HubOptions = {}): Promise<CallableTokenizer> {
    if (source.endsWith('.gguf') && existsSync(source)) return callable(await loadGgufTokenizer(source))
    const { folder } = await resolveFiles(source, TOKENIZER_FILES, options)
    return callable(await loadTokenizer(folder))
  },
}
