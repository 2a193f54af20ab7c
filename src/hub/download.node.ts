import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileError } from '../formats/atomic-file.node.js'
import { makeFolder, type RepositoryCache } from './cache.node.js'
import { HubError } from './errors.js'
import { type Answer, answerError, backOff, Interrupted, isTransient, request, transient } from './http.node.js'
import { withLock } from './lock.node.js'
import type { HubSettings } from './settings.node.js'

/** A file to fetch: what the hub says of it. */
export interface RemoteFile {
  readonly name: string
  readonly url: string
  readonly size: number
  /** SHA-256 of the content, or SHA-1 of git's blob (content with a header); names the blob in the cache. */
  readonly hash: string
  readonly id: string
}

/** Attempts that bring bytes do not count as failures, up to this many. */
const MAX_ATTEMPTS = 1000
/** Left free on the disk. */
const SPARE_BYTES = 16 * 1024 * 1024

/** Git's blobs are hashed with their type and size in front. */
function hasher({ hash, size }: RemoteFile): Hash | null {
  if (/^[0-9a-f]{64}$/.test(hash)) return createHash('sha256')
  return /^[0-9a-f]{40}$/.test(hash) ? createHash('sha1').update(`blob ${size}\0`) : null
}

const sizeOf = (path: string): Promise<number | undefined> =>
  stat(path).then(
    (info) => info.size,
    () => undefined,
  )

/**
 * Brings a file into the cache's blobs: goes on where an earlier attempt stopped, checks size and hash, and renames into place.
 * @throws HubError
 */
export async function downloadBlob(
  file: RemoteFile,
  cache: RepositoryCache,
  settings: HubSettings,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const blob = cache.blob(file.hash)
  await makeFolder(dirname(blob))
  await withLock(join(cache.locks, `${file.hash}.kaimo.lock`), settings.signal, async () => {
    if ((await sizeOf(blob)) === file.size) return onBytes(file.size)
    // Python's own partial files are written without regard to this lock, so ours have another name.
    const partial = `${blob}.kaimo.incomplete`
    try {
      await checkSpace(partial, file, settings)
      await fetchChecked(file, partial, settings, onBytes)
      await rename(partial, blob)
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') throw noSpace(file, partial, error)
      throw error instanceof HubError ? error : fileError('cannot write', partial, error)
    }
  })
}

const noSpace = (file: RemoteFile, partial: string, cause?: unknown): HubError =>
  new HubError(
    'no-space',
    `no space left on the disk for ${file.name} of ${file.id} (${file.size} bytes) in ${dirname(partial)}; what has arrived is kept, and the next attempt goes on from there`,
    { cause },
  )

async function checkSpace(partial: string, file: RemoteFile, settings: HubSettings): Promise<void> {
  const disk = await settings.files.statfs(dirname(partial)).catch(() => null)
  if (!disk) return
  const free = disk.bavail * disk.bsize
  const needed = file.size - ((await sizeOf(partial)) ?? 0)
  if (needed + SPARE_BYTES > free && needed > 0) throw noSpace(file, partial)
}

/** Fetches to `partial` until size and hash are right; a wrong hash gets one fresh start. */
async function fetchChecked(
  file: RemoteFile,
  partial: string,
  settings: HubSettings,
  onBytes: (bytes: number) => void,
): Promise<void> {
  for (let fresh = false; ; fresh = true) {
    await fetchWhole(file, partial, settings, onBytes)
    const found = await digest(file, partial)
    if (found === null || found === file.hash) return
    await rm(partial, { force: true })
    if (fresh) {
      throw new HubError(
        'damaged',
        `${file.name} of ${file.id} arrived with another content than announced: expected the hash ${file.hash}, got ${found}`,
      )
    }
  }
}

async function digest(file: RemoteFile, path: string): Promise<string | null> {
  const hash = hasher(file)
  if (!hash) return null
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

async function fetchWhole(
  file: RemoteFile,
  partial: string,
  settings: HubSettings,
  onBytes: (bytes: number) => void,
): Promise<void> {
  let failures = 0
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    settings.signal?.throwIfAborted()
    const before = (await sizeOf(partial)) ?? 0
    if (before > file.size) await rm(partial)
    if (before === file.size && before > 0) return onBytes(before)
    try {
      await fetchOnce(file, partial, before > file.size ? 0 : before, settings, onBytes)
      return
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error
      const progressed = ((await sizeOf(partial)) ?? 0) > before
      failures = progressed ? 1 : failures + 1
      if (failures >= settings.retries) {
        throw new HubError(
          'network',
          `${file.name} of ${file.id}: given up after ${failures} failed attempts (${error.message}); what has arrived is kept`,
          { cause: error },
        )
      }
      await backOff(failures, error, settings)
    }
  }
  throw new HubError('network', `${file.name} of ${file.id}: given up after ${MAX_ATTEMPTS} interruptions`)
}

/** One request for what is missing. @throws Interrupted where less arrives */
async function fetchOnce(
  file: RemoteFile,
  partial: string,
  start: number,
  settings: HubSettings,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const headers = start > 0 ? { range: `bytes=${start}-` } : undefined
  const answer = await request(file.url, settings, { headers })
  const from = await startOf(answer, file, start, partial, settings)
  const handle = await settings.files.open(partial, from > 0 ? 'r+' : 'w')
  let bytes: number
  try {
    bytes = await writeBody(answer, file, handle, from, onBytes)
    await handle.sync()
  } finally {
    answer.discard()
    await handle.close()
  }
  if (bytes < file.size) throw new Interrupted(`ended after ${bytes} of ${file.size} bytes`)
}

/** Where the bytes of an answer belong: servers may ignore a range, or send another. */
async function startOf(
  answer: Answer,
  file: RemoteFile,
  start: number,
  partial: string,
  settings: HubSettings,
): Promise<number> {
  if (answer.status === 200) return 0
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(answer.headers.get('content-range') ?? '')
  if (answer.status === 206 && range && Number(range[1]) === start) return start
  answer.discard()
  if (answer.status === 206 || answer.status === 416) {
    await rm(partial, { force: true })
    throw new Interrupted('the server sent another range than was asked for')
  }
  if (isTransient(answer.status)) throw transient(answer, file.url)
  throw answerError(answer, file.id, settings, file.name, 'file-not-found')
}

async function writeBody(
  answer: Answer,
  file: RemoteFile,
  handle: FileHandle,
  from: number,
  onBytes: (bytes: number) => void,
): Promise<number> {
  let position = from
  onBytes(position)
  for await (const chunk of answer.body) {
    if (position + chunk.length > file.size) {
      throw new HubError('damaged', `${file.name} of ${file.id}: more bytes arrive than the ${file.size} announced`)
    }
    for (let done = 0; done < chunk.length; ) {
      const { bytesWritten } = await handle.write(chunk, done, chunk.length - done, position + done)
      done += bytesWritten
    }
    position += chunk.length
    onBytes(position)
  }
  return position
}
