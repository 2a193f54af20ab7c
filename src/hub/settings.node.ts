import * as nodeFiles from 'node:fs/promises'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** The file operations that downloads need; tests pass their own to simulate a full disk. */
export type HubFileOps = Pick<typeof nodeFiles, 'open' | 'statfs'>

/** What a single download may report, many times. */
export interface HubProgress {
  /** Path in the repository. */
  readonly file: string
  /** Bytes of this file that are here. */
  readonly bytes: number
  readonly totalBytes: number
  /** Files that this call downloads, and how many of them are done. */
  readonly files: number
  readonly filesDone: number
}

export interface HubOptions {
  /** Branch, tag or commit. Default: `main`. */
  revision?: string
  /** Default: HF_HUB_CACHE, or `hub` in HF_HOME, or `~/.cache/huggingface/hub`. */
  cacheDir?: string
  /** Never ask the network. Default: HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE. */
  offline?: boolean
  /** Access token; false sends none. Default: HF_TOKEN, or the file that `hf auth login` wrote. */
  token?: string | false
  /** Address of the hub. Default: HF_ENDPOINT, or https://huggingface.co. */
  endpoint?: string
  signal?: AbortSignal
  onProgress?: (progress: HubProgress) => void
  /** Told where an answer is not the best one: an older copy because the hub is out of reach. */
  onNote?: (note: string) => void
  /** Files downloaded at once. Default 4. */
  concurrency?: number
  /** Failed attempts in a row before a download is given up. Default 5. */
  retries?: number
  /** Milliseconds without a byte before an attempt counts as failed. Default 30,000. */
  timeout?: number
  /** For tests: where environment variables are read. */
  environment?: Readonly<Record<string, string | undefined>>
  files?: HubFileOps
}

export interface HubSettings {
  readonly endpoint: string
  readonly cacheDir: string
  readonly offline: boolean
  readonly token: string | undefined
  readonly revision: string
  readonly concurrency: number
  readonly retries: number
  readonly timeout: number
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((progress: HubProgress) => void) | undefined
  readonly onNote: (note: string) => void
  readonly files: HubFileOps
}

const isTrue = (text: string | undefined): boolean => /^(1|on|yes|true)$/i.test(text ?? '')

const expand = (path: string): string => (path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path)

/**
 * Options completed by the environment variables that Python's huggingface_hub reads.
 * Source: huggingface_hub/constants.py.
 */
export async function hubSettings(options: HubOptions = {}): Promise<HubSettings> {
  const env = options.environment ?? process.env
  const home = expand(env.HF_HOME || join(env.XDG_CACHE_HOME || join('~', '.cache'), 'huggingface'))
  const cache = options.cacheDir ?? (env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, 'hub'))
  return {
    endpoint: (options.endpoint ?? (env.HF_ENDPOINT || 'https://huggingface.co')).replace(/\/+$/, ''),
    cacheDir: expand(cache),
    offline: options.offline ?? isTrue(env.HF_HUB_OFFLINE || env.TRANSFORMERS_OFFLINE),
    token: await tokenOf(options.token, env, home),
    revision: options.revision ?? 'main',
    concurrency: Math.max(1, options.concurrency ?? 4),
    retries: Math.max(1, options.retries ?? 5),
    timeout: options.timeout ?? 30_000,
    signal: options.signal,
    onProgress: options.onProgress,
    onNote: options.onNote ?? (() => undefined),
    files: options.files ?? nodeFiles,
  }
}

async function tokenOf(
  given: string | false | undefined,
  env: Readonly<Record<string, string | undefined>>,
  home: string,
): Promise<string | undefined> {
  if (given !== undefined) return given || undefined
  if (isTrue(env.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined
  const named = (env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN)?.replace(/[\r\n]/g, '').trim()
  if (named) return named
  const text = await readFile(expand(env.HF_TOKEN_PATH || join(home, 'token')), 'utf8').catch(() => '')
  return text.replace(/[\r\n]/g, '').trim() || undefined
}
