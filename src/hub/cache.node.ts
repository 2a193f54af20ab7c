/**
 * Hugging Face's cache: `models--owner--name/blobs/<hash>` holds contents, `snapshots/<commit>/<path>` links to them, `refs/<branch>`
 * holds a commit. Source: huggingface_hub's guide "Understand caching".
 */
import { copyFile, lstat, mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { fileError, writeFileAtomic } from '../formats/atomic-file.node.js'
import { isCommit, repositoryFolder } from './names.js'

export interface RepositoryCache {
  readonly folder: string
  /** Where lock files are, as in Python: outside the repository's folder. */
  readonly locks: string
  blob(hash: string): string
  snapshot(commit: string): string
}

export function repositoryCache(cacheDir: string, id: string): RepositoryCache {
  const folder = join(cacheDir, repositoryFolder(id))
  return {
    folder,
    locks: join(cacheDir, '.locks', repositoryFolder(id)),
    blob: (hash) => join(folder, 'blobs', hash),
    snapshot: (commit) => join(folder, 'snapshots', commit),
  }
}

/** The commit that a revision stood for when it was last asked for; undefined where it never was. */
export async function cachedCommit(cache: RepositoryCache, revision: string): Promise<string | undefined> {
  if (isCommit(revision)) return revision
  const text = await readFile(join(cache.folder, 'refs', ...revision.split('/')), 'utf8').catch(() => '')
  return isCommit(text.trim()) ? text.trim() : undefined
}

export async function rememberCommit(cache: RepositoryCache, revision: string, commit: string): Promise<void> {
  if (revision === commit || (await cachedCommit(cache, revision)) === commit) return
  const path = join(cache.folder, 'refs', ...revision.split('/'))
  await makeFolder(dirname(path))
  await writeFileAtomic(path, (sink) => sink.write(Buffer.from(commit)))
}

export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((error: unknown) => {
    throw fileError('cannot create', path, error)
  })
}

/** Size of the file that a snapshot holds under this name; undefined where it has none. */
export const cachedSize = (cache: RepositoryCache, commit: string, name: string): Promise<number | undefined> =>
  stat(join(cache.snapshot(commit), name)).then(
    (info) => (info.isFile() ? info.size : undefined),
    () => undefined,
  )

/** Files of a snapshot, as paths with `/`. */
export async function cachedFiles(cache: RepositoryCache, commit: string): Promise<string[]> {
  const folder = cache.snapshot(commit)
  const names = await readdir(folder, { recursive: true }).catch((): string[] => [])
  const paths = names.map((name) => name.split(sep).join('/'))
  const found = await Promise.all(
    paths.map(async (name) => ((await cachedSize(cache, commit, name)) === undefined ? [] : [name])),
  )
  return found.flat().sort()
}

/** Makes a snapshot's file a link to a blob, or a copy where links are not allowed. */
export async function linkBlob(cache: RepositoryCache, commit: string, name: string, hash: string): Promise<void> {
  const path = join(cache.snapshot(commit), name)
  const blob = cache.blob(hash)
  await makeFolder(dirname(path))
  const temporary = `${path}.${process.pid}-${Math.random().toString(36).slice(2)}`
  try {
    await symlink(relative(dirname(path), blob), temporary).catch(() => copyFile(blob, temporary))
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    if (await lstat(path).catch(() => null)) return // someone else was faster
    throw fileError('cannot write', path, error)
  }
}
