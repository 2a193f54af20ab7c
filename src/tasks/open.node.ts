import { basename, join, resolve } from 'node:path'
import { isRecord } from '../formats/strict-json.js'
import { HubError, type HubOptions, resolveFiles } from '../hub/index.node.js'
import type { LoadOptions, PreTrainedModel } from '../models/index.js'
import { AutoTokenizer, type PreTrainedTokenizer } from '../text/tokenizers/index.node.js'
import { CONFIG_FILE, readJsonFile } from './model-folder.node.js'
import { embeddedModels, findModel } from './resolve.node.js'

/** Options of `pipeline`: what loading takes, and parts to use instead of the model's. */
export interface PipelineOptions extends LoadOptions {
  /** Folder or hub id of another tokenizer. */
  readonly tokenizer?: string
}

/** A model folder or hub id that was found, before its weights are read. */
export interface FoundModel {
  /** A folder, or a hub id. */
  readonly source: string
  /** What people call it. */
  readonly name: string
  readonly config: Readonly<Record<string, unknown>>
  /** Whether a recipe of this package wrote it; published checkpoints follow transformers' layout. */
  readonly own: boolean
}

const hubOptions = ({
  revision,
  cacheDir,
  offline,
  token,
  endpoint,
  signal,
  onDownload,
}: PipelineOptions): HubOptions => ({
  revision,
  cacheDir,
  offline,
  token,
  endpoint,
  signal,
  onProgress: onDownload,
})

async function hubConfig(id: string, options: PipelineOptions): Promise<string> {
  try {
    return (await resolveFiles(id, [CONFIG_FILE], hubOptions(options))).folder
  } catch (error) {
    if (!(error instanceof HubError)) throw error
    const known = (await embeddedModels()).join(', ') || 'none'
    throw new Error(
      `there is no model folder ${id} and no embedded model of that name (embedded: ${known}); as a hub id: ${error.message}`,
      { cause: error },
    )
  }
}

/**
 * Finds a model: a folder, a model that comes with the package, or a hub id.
 * @throws Error that says where was looked
 */
export async function findSource(nameOrPath: string, options: PipelineOptions = {}): Promise<FoundModel> {
  const local = await findModel(nameOrPath)
  const folder = local ?? (await hubConfig(nameOrPath, options))
  const config = await readJsonFile(join(folder, CONFIG_FILE))
  if (!isRecord(config)) throw new TypeError(`${join(folder, CONFIG_FILE)}: expected a JSON object`)
  const name = local === null ? nameOrPath : basename(resolve(local))
  return { source: local ?? nameOrPath, name, config, own: typeof config.task === 'string' }
}

/** The tokenizer of a published checkpoint. */
export const openTokenizer = (found: FoundModel, options: PipelineOptions): Promise<PreTrainedTokenizer> =>
  AutoTokenizer.fromPretrained(options.tokenizer ?? found.source, hubOptions(options))

/** @throws RangeError where the checkpoint has no head for the task, so that its answers would be random */
export function checkHead(model: PreTrainedModel, name: string, task: string): void {
  const fresh = [...(model.loadReport?.missing ?? []), ...(model.loadReport?.mismatched ?? [])]
  if (fresh.length > 0)
    throw new RangeError(
      `${name} was not trained for ${task}: it lacks ${fresh.slice(0, 4).join(', ')}${fresh.length > 4 ? ', ...' : ''}; fine-tune it first`,
    )
}

/** What the folder of a sentence encoder says of its use. */
export interface SentenceSettings {
  readonly pooling?: 'mean' | 'cls' | 'max'
  /** Tokens it was made for. */
  readonly maxLength?: number
}

const POOLING_FILE = '1_Pooling/config.json'
const SENTENCE_FILE = 'sentence_bert_config.json'

/** How a sentence encoder joins the vectors of its tokens and how many it reads, where its folder says so (sentence-transformers' files). */
export async function sentenceSettings(found: FoundModel, options: PipelineOptions): Promise<SentenceSettings> {
  const wanted = [{ optional: POOLING_FILE }, { optional: SENTENCE_FILE }]
  const { folder, files } = await resolveFiles(found.source, wanted, hubOptions(options))
  const read = async (name: string): Promise<Record<string, unknown>> => {
    if (!files.includes(name)) return {}
    const json = await readJsonFile(join(folder, name))
    return isRecord(json) ? json : {}
  }
  const [pooling, sentence] = await Promise.all([read(POOLING_FILE), read(SENTENCE_FILE)])
  const kinds = {
    cls: pooling.pooling_mode_cls_token,
    max: pooling.pooling_mode_max_tokens,
    mean: pooling.pooling_mode_mean_tokens,
  }
  const chosen = (['cls', 'max', 'mean'] as const).find((kind) => kinds[kind] === true)
  const { max_seq_length: length } = sentence
  return {
    ...(chosen ? { pooling: chosen } : {}),
    ...(typeof length === 'number' && Number.isInteger(length) && length > 0 ? { maxLength: length } : {}),
  }
}
