import { randomBytes } from 'node:crypto'
import { open, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileError } from '../formats/atomic-file.node.js'
import { makeFolder } from './cache.node.js'

const POLL_MS = 100
const BEAT_MS = 2_000
/** A lock whose owner has not touched it for so long is left over from a killed process. */
const STALE_MS = 15_000

async function tryLock(path: string, owner: string): Promise<boolean> {
  try {
    const handle = await open(path, 'wx')
    await handle.writeFile(owner).finally(() => handle.close())
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw fileError('cannot lock', path, error)
  }
}

async function removeStale(path: string): Promise<void> {
  const info = await stat(path).catch(() => null)
  if (!info || Date.now() - info.mtimeMs < STALE_MS) return
  // Renamed first, so that of several waiters one takes it away.
  const aside = `${path}.${randomBytes(6).toString('hex')}`
  await rename(path, aside).catch(() => undefined)
  await rm(aside, { force: true })
}

/**
 * Runs `work` while no other process of this package holds the lock file. It saves downloading twice; contents are right without it, since
 * they are checked and renamed into place.
 */
export async function withLock<T>(path: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  await makeFolder(dirname(path))
  const owner = `${process.pid} ${randomBytes(8).toString('hex')}`
  while (!(await tryLock(path, owner))) {
    await removeStale(path)
    await sleep(POLL_MS, undefined, { signal }).catch(() => signal?.throwIfAborted())
  }
  const beat = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => undefined)
  }, BEAT_MS)
  try {
    return await work()
  } finally {
    clearInterval(beat)
    const held = await readFile(path, 'utf8').catch(() => '')
    if (held === owner) await rm(path, { force: true })
  }
}
