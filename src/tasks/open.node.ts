import { readFile } from 'node:fs/promises'
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

const POOLING_FILE = '1_Pooling/config.json'

/** How a sentence encoder joins the vectors of its tokens, where its folder says so. */
export async function poolingOf(
  found: FoundModel,
  options: PipelineOptions,
): Promise<'mean' | 'cls' | 'max' | undefined> {
  const { folder, files } = await resolveFiles(found.source, [{ optional: POOLING_FILE }], hubOptions(options))
  if (files.length === 0) return undefined
  const json: unknown = JSON.parse(await readFile(join(folder, POOLING_FILE), 'utf8'))
  if (!isRecord(json)) return undefined
  if (json.pooling_mode_cls_token === true) return 'cls'
  if (json.pooling_mode_max_tokens === true) return 'max'
  return json.pooling_mode_mean_tokens === true ? 'mean' : undefined
}
