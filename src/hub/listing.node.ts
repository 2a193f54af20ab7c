import { z } from 'zod'
import type { RemoteFile } from './download.node.js'
import { HubError } from './errors.js'
import { answerError, Interrupted, isTransient, request, requestJson, transient, withRetries } from './http.node.js'
import { checkFileName } from './names.js'
import type { HubSettings } from './settings.node.js'

/** What a repository holds at one commit. */
export interface RepositoryListing {
  readonly id: string
  readonly commit: string
  readonly files: ReadonlyMap<string, ListedFile>
}

export interface ListedFile {
  readonly name: string
  readonly size: number | undefined
  /** SHA-256 of large files, SHA-1 of git's blob for others; undefined where the hub's list does not say. */
  readonly hash: string | undefined
}

const HASH = /^[0-9a-f]{40}$|^[0-9a-f]{64}$/

const answerSchema = z.object({
  sha: z.string().regex(/^[0-9a-f]{40}$/),
  siblings: z
    .array(
      z.object({
        rfilename: z.string(),
        size: z.number().int().nonnegative().nullish(),
        blobId: z.string().nullish(),
        lfs: z.object({ sha256: z.string(), size: z.number().int().nonnegative() }).partial().nullish(),
      }),
    )
    .max(500_000),
})

const encodePath = (path: string): string => path.split('/').map(encodeURIComponent).join('/')

/**
 * Commit and files of a repository's revision, in one request.
 * @throws HubError; Interrupted where the hub is out of reach
 */
export async function listRepository(id: string, settings: HubSettings): Promise<RepositoryListing> {
  const address = `${settings.endpoint}/api/models/${encodePath(id)}/revision/${encodeURIComponent(settings.revision)}?blobs=true`
  const { answer, json } = await requestJson(address, settings)
  if (json === null) throw answerError(answer, id, settings, 'the list of files', 'repository-not-found')
  const parsed = answerSchema.safeParse(json)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new HubError('network', `${address}: not the answer of a hub: ${issue.path.join('.')}: ${issue.message}`)
  }
  const files = new Map<string, ListedFile>()
  for (const { rfilename, size, blobId, lfs } of parsed.data.siblings) {
    const name = checkFileName(rfilename)
    const hash = lfs?.sha256 ?? blobId ?? undefined
    files.set(name, { name, size: lfs?.size ?? size ?? undefined, hash: hash && HASH.test(hash) ? hash : undefined })
  }
  return { id, commit: parsed.data.sha, files }
}

/** Where to fetch a listed file, with size and hash; asks for them where the list did not say. */
export async function remoteFile(
  file: ListedFile,
  { id, commit }: RepositoryListing,
  settings: HubSettings,
): Promise<RemoteFile> {
  const url = `${settings.endpoint}/${encodePath(id)}/resolve/${commit}/${encodePath(file.name)}`
  if (file.hash !== undefined && file.size !== undefined) {
    return { id, name: file.name, url, size: file.size, hash: file.hash }
  }
  return withRetries(settings, async () => {
    // Other hosts, where the content is, know nothing of the hub's headers.
    const answer = await request(url, settings, { method: 'HEAD', follow: false })
    answer.discard()
    if (isTransient(answer.status)) throw transient(answer, url)
    if (answer.status >= 400) throw answerError(answer, id, settings, file.name, 'file-not-found')
    const { headers } = answer
    const hash = (headers.get('x-linked-etag') ?? headers.get('etag') ?? '').replace(/^W\//, '').replaceAll('"', '')
    const size = Number(headers.get('x-linked-size') ?? headers.get('content-length') ?? Number.NaN)
    if (!/^[\w-]{8,128}$/.test(hash) || !Number.isSafeInteger(size)) {
      throw new HubError('network', `${url}: expected an etag and a length, got ${JSON.stringify(hash)} and ${size}`)
    }
    return { id, name: file.name, url, size, hash }
  })
}

export const outOfReach = (error: unknown): error is Interrupted => error instanceof Interrupted
