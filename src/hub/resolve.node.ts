import { readdir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, relative, sep } from 'node:path'
import {
  cachedCommit,
  cachedFiles,
  cachedSize,
  linkBlob,
  type RepositoryCache,
  rememberCommit,
  repositoryCache,
} from './cache.node.js'
import { downloadBlob, type RemoteFile } from './download.node.js'
import { HubError } from './errors.js'
import { listRepository, outOfReach, type RepositoryListing, remoteFile } from './listing.node.js'
import { checkRevision, isCommit, isRepositoryId, looksLikePath, matcher, nearNames } from './names.js'
import { type HubOptions, type HubSettings, hubSettings } from './settings.node.js'

/**
 * A file that is needed, by name or pattern (`*`, `**`, `?`). `optional` ones may be missing; of `first`, the first that is there is taken
 * (patterns among them count as one alternative).
 */
export type FilePattern =
  | string
  | { readonly optional: string }
  | { readonly first: readonly string[]; readonly optional?: true }

/** Files on this machine. */
export interface ResolvedFiles {
  /** Holds the files under the names they have in the repository. */
  readonly folder: string
  /** Those that the patterns asked for. */
  readonly files: readonly string[]
  /** Undefined for a local folder. */
  readonly commit: string | undefined
}

const EVERY_FILE: readonly FilePattern[] = ['**']

/** Names that the patterns choose. @throws HubError naming what is missing and what is near */
function choose(patterns: readonly FilePattern[], names: readonly string[], where: string): string[] {
  const chosen = new Set<string>()
  const find = (pattern: string): string[] => names.filter(matcher(pattern))
  for (const pattern of patterns) {
    const [alternatives, optional] =
      typeof pattern === 'string'
        ? [[pattern], false]
        : 'first' in pattern
          ? [pattern.first, pattern.optional === true]
          : [[pattern.optional], true]
    const found = alternatives.map(find).find((matches) => matches.length > 0)
    if (found) for (const name of found) chosen.add(name)
    else if (!optional) throw missing(alternatives, names, where)
  }
  return [...chosen]
}

function missing(alternatives: readonly string[], names: readonly string[], where: string): HubError {
  const near = nearNames(alternatives[0], names)
  const hint = near.length > 0 ? `; near it: ${near.join(', ')}` : names.length === 0 ? '; it has no files' : ''
  return new HubError('file-not-found', `${where} has no file ${alternatives.join(' or ')}${hint}`)
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  )

async function localFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)))
  return paths.map((path) => path.split(sep).join('/')).sort()
}

/**
 * Files of a model by local folder or hub id, on this machine: found in the folder, found in the cache that Python's huggingface_hub shares, or
 * downloaded to it. Hub ids are asked for once per call, so that a moved branch is noticed; a commit whose files are all here asks nothing.
 * @param pathOrId a folder, `name` or `owner/name`
 * @throws HubError whose `code` says why
 */
export async function resolveFiles(
  pathOrId: string,
  patterns: readonly FilePattern[] = EVERY_FILE,
  options: HubOptions = {},
): Promise<ResolvedFiles> {
  const path = pathOrId === '~' || pathOrId.startsWith('~/') ? join(homedir(), pathOrId.slice(1)) : pathOrId
  if (await isFolder(path)) {
    return { folder: path, files: choose(patterns, await localFiles(path), path), commit: undefined }
  }
  if (looksLikePath(pathOrId)) throw new HubError('file-not-found', `there is no folder ${pathOrId}`)
  if (!isRepositoryId(pathOrId)) {
    throw new HubError(
      'repository-not-found',
      `${JSON.stringify(pathOrId)} is neither a folder nor the id of a repository (name or owner/name)`,
    )
  }
  const settings = await hubSettings(options)
  checkRevision(settings.revision)
  const cache = repositoryCache(settings.cacheDir, pathOrId)
  const held = await fromCache(pathOrId, cache, patterns, settings)
  if (held) return held
  let listing: RepositoryListing
  try {
    listing = await listRepository(pathOrId, settings)
  } catch (error) {
    if (!outOfReach(error)) throw error
    return cachedInstead(pathOrId, cache, patterns, settings, error)
  }
  await rememberCommit(cache, settings.revision, listing.commit)
  return fromHub(listing, cache, patterns, settings)
}

/** What needs no network: everything when offline, and commits whose files are here. */
async function fromCache(
  id: string,
  cache: RepositoryCache,
  patterns: readonly FilePattern[],
  settings: HubSettings,
): Promise<ResolvedFiles | undefined> {
  const { offline, revision } = settings
  const commit = await cachedCommit(cache, revision)
  if (!offline && !isCommit(revision)) return undefined
  const names = commit === undefined ? [] : await cachedFiles(cache, commit)
  if (commit === undefined || names.length === 0) {
    if (!offline) return undefined
    throw new HubError(
      'offline',
      `${id} at ${revision} is not in the cache ${settings.cacheDir}, and downloads are off (offline, HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE)`,
    )
  }
  if (offline) return { folder: cache.snapshot(commit), files: choose(patterns, names, `the cached ${id}`), commit }
  // Patterns and optional files cannot be known to be complete from what is cached.
  const exact = patterns.every((pattern) => typeof pattern === 'string' && !/[*?]/.test(pattern))
  const complete = exact && patterns.every((pattern) => names.includes(pattern as string))
  return complete ? { folder: cache.snapshot(commit), files: patterns as string[], commit } : undefined
}

/** The hub cannot be reached: what an earlier call brought may do. */
async function cachedInstead(
  id: string,
  cache: RepositoryCache,
  patterns: readonly FilePattern[],
  settings: HubSettings,
  cause: Error,
): Promise<ResolvedFiles> {
  const commit = await cachedCommit(cache, settings.revision)
  const names = commit === undefined ? [] : await cachedFiles(cache, commit)
  if (commit !== undefined && names.length > 0) {
    try {
      const files = choose(patterns, names, `the cached ${id}`)
      settings.onNote(
        `${settings.endpoint} cannot be reached (${cause.message}): using the cached ${id} of ${commit.slice(0, 7)}`,
      )
      return { folder: cache.snapshot(commit), files, commit }
    } catch {
      // Some files were never downloaded: the network is what is missing.
    }
  }
  throw new HubError('network', `${id} cannot be downloaded from ${settings.endpoint}: ${cause.message}`, { cause })
}

async function fromHub(
  listing: RepositoryListing,
  cache: RepositoryCache,
  patterns: readonly FilePattern[],
  settings: HubSettings,
): Promise<ResolvedFiles> {
  const { id, commit } = listing
  const files = choose(patterns, [...listing.files.keys()], `${id} at ${settings.revision}`)
  const wanted: string[] = []
  for (const name of files) {
    const size = await cachedSize(cache, commit, name)
    const listed = listing.files.get(name)?.size
    if (size === undefined || (listed !== undefined && listed !== size)) wanted.push(name)
  }
  await downloadFiles(listing, wanted, cache, settings)
  return { folder: cache.snapshot(commit), files, commit }
}

/** Downloads files, some at a time; the first that fails ends the others. */
async function downloadFiles(
  listing: RepositoryListing,
  names: readonly string[],
  cache: RepositoryCache,
  settings: HubSettings,
): Promise<void> {
  const stop = new AbortController()
  const signal = settings.signal ? AbortSignal.any([settings.signal, stop.signal]) : stop.signal
  const inner: HubSettings = { ...settings, signal }
  let filesDone = 0
  const report = (file: RemoteFile, bytes: number) =>
    settings.onProgress?.({ file: file.name, bytes, totalBytes: file.size, files: names.length, filesDone })
  const queue = [...names]
  const work = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      const listed = listing.files.get(name)
      if (!listed) continue
      const file = await remoteFile(listed, listing, inner)
      await downloadBlob(file, cache, inner, (bytes) => report(file, bytes))
      await linkBlob(cache, listing.commit, name, file.hash)
      filesDone++
      report(file, file.size)
    }
  }
  const workers = Array.from({ length: Math.min(settings.concurrency, names.length) }, work)
  try {
    await Promise.all(workers)
  } catch (error) {
    stop.abort(error)
    await Promise.allSettled(workers)
    settings.signal?.throwIfAborted()
    if (outOfReach(error)) {
      throw new HubError('network', `${listing.id} cannot be downloaded from ${settings.endpoint}: ${error.message}`, {
        cause: error,
      })
    }
    throw error
  }
}
