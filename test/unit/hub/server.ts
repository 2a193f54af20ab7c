/** A small hub that misbehaves on demand. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

/** What one answer for a file does instead of sending it. Each is used once, in order. */
export type Fault =
  | 'drop' // half of the bytes, then the connection ends
  | 'stall' // half of the bytes, then silence
  | 'ignore-range'
  | 'wrong-range'
  | 'wrong-content'
  | 'too-much'
  | 503
  | 429
  | 404

export interface ServedFile {
  readonly content: Buffer
  /** Large files are listed by SHA-256 and redirected to the other host. */
  readonly large?: boolean
}

export interface ServedRepository {
  commit: string
  files: Record<string, ServedFile>
  /** Token that may read it. */
  token?: string
  gated?: boolean
}

export interface Seen {
  readonly host: 'hub' | 'store'
  readonly method: string
  readonly path: string
  readonly range: string | undefined
  readonly token: string | undefined
}

const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex')
export const gitHash = (content: Buffer): string =>
  createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex')
export const hashOf = ({ content, large }: ServedFile): string => (large ? sha256(content) : gitHash(content))

function refusal(
  repository: ServedRepository | undefined,
  revision: string,
  token: string | undefined,
): [status: number, code: string] | null {
  if (!repository) return [token ? 404 : 401, 'RepoNotFound']
  if (repository.gated) return [403, 'GatedRepo']
  if (repository.token && repository.token !== token) return [401, 'RepoNotFound']
  return ['main', 'refs/pr/1', repository.commit].includes(revision) ? null : [404, 'RevisionNotFound']
}

export class FaultyHub {
  readonly repositories: Record<string, ServedRepository> = {}
  readonly faults: Record<string, Fault[]> = {}
  readonly seen: Seen[] = []
  /** False leaves sizes and hashes out of the list of files. */
  listsHashes = true
  /** Milliseconds before each answer. */
  delay = 0
  running = 0
  mostRunning = 0
  endpoint = ''
  #store = ''
  readonly #servers: Server[] = []

  static async start(context: TestContext): Promise<FaultyHub> {
    const hub = new FaultyHub()
    hub.endpoint = await hub.#listen('hub')
    hub.#store = await hub.#listen('store')
    context.after(() => hub.stop())
    return hub
  }

  async stop(): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections()
      if (server.listening) await new Promise((done) => server.close(done))
    }
  }

  requests(path: RegExp, host: 'hub' | 'store' = 'store'): Seen[] {
    return this.seen.filter((seen) => seen.host === host && path.test(seen.path) && seen.method === 'GET')
  }

  async #listen(host: 'hub' | 'store'): Promise<string> {
    const server = createServer((request, response) => {
      this.#answer(host, request, response).catch(() => response.destroy())
    })
    this.#servers.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  async #answer(host: 'hub' | 'store', request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = decodeURIComponent((request.url ?? '').split('?')[0])
    const token = request.headers.authorization?.replace('Bearer ', '')
    this.seen.push({ host, method: request.method ?? '', path, range: request.headers.range, token })
    this.running++
    this.mostRunning = Math.max(this.mostRunning, this.running)
    response.on('close', () => this.running--)
    if (this.delay > 0) await new Promise((done) => setTimeout(done, this.delay))
    const list = /^\/api\/models\/(.+)\/revision\/(.+)$/.exec(path)
    if (list) return this.#list(list[1], list[2], token, response)
    const file = /^\/(.+)\/resolve\/([0-9a-f]{40}|main)\/(.+)$/.exec(path)
    const served = file ? this.repositories[file[1]]?.files[file[3]] : undefined
    if (!file || !served) return void response.writeHead(404, { 'x-error-code': 'EntryNotFound' }).end()
    if (host === 'hub' && request.method === 'HEAD')
      return this.#head(served, this.repositories[file[1]].commit, path, response)
    if (host === 'hub' && served.large) return void response.writeHead(302, { location: this.#store + path }).end()
    this.#send(file[3], served, request, response)
  }

  #list(id: string, revision: string, token: string | undefined, response: ServerResponse): void {
    const repository = this.repositories[id]
    const denial = refusal(repository, revision, token)
    if (denial) {
      response.writeHead(denial[0], { 'x-error-code': denial[1] }).end()
      return
    }
    const siblings = Object.entries(repository.files).map(([rfilename, file]) => {
      if (!this.listsHashes) return { rfilename }
      const size = file.content.length
      return {
        rfilename,
        size,
        blobId: gitHash(file.content),
        lfs: file.large ? { sha256: sha256(file.content), size } : undefined,
      }
    })
    response.end(JSON.stringify({ id, sha: repository.commit, siblings }))
  }

  #head(file: ServedFile, commit: string, path: string, response: ServerResponse): void {
    const size = String(file.content.length)
    const linked = { 'x-linked-etag': `"${hashOf(file)}"`, 'x-linked-size': size, location: this.#store + path }
    const headers = file.large ? linked : { etag: `W/"${hashOf(file)}"`, 'content-length': size }
    response.writeHead(file.large ? 302 : 200, { 'x-repo-commit': commit, ...headers }).end()
  }

  #send(name: string, { content }: ServedFile, request: IncomingMessage, response: ServerResponse): void {
    const fault = this.faults[name]?.shift()
    if (typeof fault === 'number') {
      response.writeHead(fault, fault === 429 ? { 'retry-after': '0' } : {}).end()
      return
    }
    const asked = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const start = fault === 'ignore-range' ? 0 : asked
    const sent = fault === 'wrong-content' ? Buffer.alloc(content.length, 0x78) : content
    const body = fault === 'too-much' ? Buffer.concat([sent, sent]) : sent.subarray(start)
    const first = fault === 'wrong-range' ? start + 1 : start
    const range = { 'content-range': `bytes ${first}-${content.length - 1}/${content.length}` }
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': body.length,
      ...(start > 0 ? range : {}),
    })
    if (fault !== 'drop' && fault !== 'stall') return void response.end(body)
    response.write(body.subarray(0, Math.ceil(body.length / 2)), () => {
      if (fault === 'drop') setTimeout(() => response.destroy(), 20)
    })
  }
}
