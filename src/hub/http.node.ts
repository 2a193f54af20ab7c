import { setTimeout as sleep } from 'node:timers/promises'
import { packageVersion } from '../formats/package.node.js'
import { HubError, type HubErrorCode } from './errors.js'
import type { HubSettings } from './settings.node.js'

const MAX_REDIRECTS = 8
const MAX_JSON_BYTES = 64 * 1024 * 1024
const FIRST_DELAY_MS = 200
const MAX_DELAY_MS = 10_000

/** A connection that failed or fell silent: worth another attempt. */
export class Interrupted extends Error {
  constructor(
    message: string,
    /** Milliseconds that the server asked us to wait. */
    readonly retryAfter?: number,
    cause?: unknown,
  ) {
    super(message, { cause })
  }
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: AsyncIterable<Uint8Array>
  /** Gives the connection back where the body is not read to its end. */
  discard(): void
}

/** Ends a request that brings no byte for so long. */
class Watch {
  readonly #controller = new AbortController()
  #timer: NodeJS.Timeout | undefined
  readonly #onAbort = () => this.#controller.abort(this.outer?.reason)

  constructor(
    private readonly milliseconds: number,
    private readonly outer: AbortSignal | undefined,
  ) {
    outer?.addEventListener('abort', this.#onAbort, { once: true })
    this.touch()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  touch(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.stop(new Interrupted(`no byte for ${this.milliseconds} ms`)), this.milliseconds)
  }

  stop(reason: unknown): void {
    this.end()
    this.#controller.abort(reason)
  }

  end(): void {
    clearTimeout(this.#timer)
    this.outer?.removeEventListener('abort', this.#onAbort)
  }
}

/** A failed request as something to retry, unless the caller ended it. */
function interrupted(error: unknown, watch: Watch, settings: HubSettings, url: URL): unknown {
  watch.end()
  settings.signal?.throwIfAborted()
  if (watch.signal.aborted) return watch.signal.reason
  if (error instanceof Interrupted) return error
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : ''
  const message = error instanceof Error ? error.message : String(error)
  return new Interrupted(`${url.host}: ${cause || message}`, undefined, error)
}

async function* readBody(response: Response, watch: Watch, settings: HubSettings, url: URL): AsyncIterable<Uint8Array> {
  try {
    if (!response.body) return
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      watch.touch()
      yield chunk
    }
  } catch (error) {
    throw interrupted(error, watch, settings, url)
  } finally {
    watch.end()
  }
}

/**
 * One request, following redirects. The token goes to the hub's own origin only, never to where it redirects.
 * @throws Interrupted where the connection fails
 */
export async function request(
  address: string,
  settings: HubSettings,
  options: { method?: 'GET' | 'HEAD'; headers?: Readonly<Record<string, string>>; follow?: boolean } = {},
): Promise<Answer> {
  let url = new URL(address)
  const home = new URL(settings.endpoint).origin
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const watch = new Watch(settings.timeout, settings.signal)
    const headers: Record<string, string> = {
      'user-agent': `kaimo/${packageVersion()}`,
      // Lengths and ranges are those of the stored bytes.
      'accept-encoding': 'identity',
      ...options.headers,
    }
    if (settings.token && url.origin === home) headers.authorization = `Bearer ${settings.token}`
    let response: Response
    try {
      response = await fetch(url, {
        method: options.method ?? 'GET',
        headers,
        redirect: 'manual',
        signal: watch.signal,
      })
    } catch (error) {
      throw interrupted(error, watch, settings, url)
    }
    const location = response.status >= 300 && response.status < 400 ? response.headers.get('location') : null
    const next = location === null ? null : new URL(location, url)
    if (next === null || (options.follow === false && next.origin !== home)) {
      return {
        status: response.status,
        headers: response.headers,
        body: readBody(response, watch, settings, url),
        discard: () => watch.stop(new Interrupted('discarded')),
      }
    }
    watch.stop(new Interrupted('redirected'))
    if (!/^https?:$/.test(next.protocol)) throw new HubError('unsafe', `${url.host} redirects to ${next.protocol}//`)
    url = next
  }
  throw new HubError('network', `${address}: more than ${MAX_REDIRECTS} redirects`)
}

/** Answers that may differ when asked again. */
export const isTransient = (status: number): boolean => status === 408 || status === 429 || status >= 500

function retryAfter(headers: Headers): number | undefined {
  const text = headers.get('retry-after')
  if (text === null) return undefined
  const seconds = Number(text)
  const milliseconds = Number.isNaN(seconds) ? Date.parse(text) - Date.now() : seconds * 1000
  return Number.isFinite(milliseconds) ? Math.min(Math.max(0, milliseconds), 60_000) : undefined
}

export const transient = (answer: Answer, address: string): Interrupted =>
  new Interrupted(`${new URL(address).host} answered ${answer.status}`, retryAfter(answer.headers))

/** Waits before attempt `failures + 1`: longer each time, at random within a half, or what the server asked for. */
export async function backOff(failures: number, error: unknown, settings: HubSettings): Promise<void> {
  const delay = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (failures - 1)) * (0.75 + Math.random() / 2)
  const asked = error instanceof Interrupted ? error.retryAfter : undefined
  await sleep(asked ?? delay, undefined, { signal: settings.signal }).catch(() => settings.signal?.throwIfAborted())
}

/** Repeats what is {@link Interrupted} until it works or has failed `settings.retries` times in a row. */
export async function withRetries<T>(settings: HubSettings, attempt: () => Promise<T>): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof Interrupted) || failures >= settings.retries) throw error
      await backOff(failures, error, settings)
    }
  }
}

/** The JSON at an address; null with its answer where the status is not 2xx. */
export async function requestJson(address: string, settings: HubSettings): Promise<{ answer: Answer; json: unknown }> {
  return withRetries(settings, async () => {
    const answer = await request(address, settings)
    if (isTransient(answer.status)) {
      answer.discard()
      throw transient(answer, address)
    }
    if (answer.status < 200 || answer.status >= 300) {
      answer.discard()
      return { answer, json: null }
    }
    const chunks: Uint8Array[] = []
    let bytes = 0
    for await (const chunk of answer.body) {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > MAX_JSON_BYTES) throw new HubError('network', `${address}: more than ${MAX_JSON_BYTES} bytes of JSON`)
    }
    try {
      return { answer, json: JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown }
    } catch (error) {
      throw new HubError('network', `${address}: expected JSON, got something else`, { cause: error })
    }
  })
}

/** The hub's own name for an error, from its headers. Source: huggingface_hub/utils/_http.py. */
const CODES: Readonly<Record<string, HubErrorCode>> = {
  RepoNotFound: 'repository-not-found',
  GatedRepo: 'gated',
  RevisionNotFound: 'revision-not-found',
  EntryNotFound: 'file-not-found',
}

/** An answer of the hub that is no success, as an error about `id`. */
export function answerError(
  answer: Answer,
  id: string,
  settings: HubSettings,
  what: string,
  notFound: HubErrorCode,
): HubError {
  const { status, headers } = answer
  const named = CODES[headers.get('x-error-code') ?? '']
  const code = named ?? (status === 401 ? 'unauthorized' : status === 403 ? 'gated' : notFound)
  const page = `${settings.endpoint}/${id}`
  const without = settings.token ? 'the token sent may not read it' : 'no token was sent: set HF_TOKEN or pass `token`'
  const messages: Readonly<Partial<Record<HubErrorCode, string>>> = {
    gated: `${id} is gated: ask for access at ${page}; ${without}`,
    unauthorized: `${id} is private, gated or does not exist; ${without}`,
    'repository-not-found': `there is no repository ${id} at ${settings.endpoint}, or it is private; ${without}`,
    'revision-not-found': `${id} has no branch, tag or commit ${JSON.stringify(settings.revision)}`,
    'file-not-found': `${id} has no file ${what}`,
  }
  const expected = [401, 403, 404].includes(status)
  const message = expected ? messages[code] : undefined
  const detail = headers.get('x-error-message')
  const text = message ?? `${new URL(settings.endpoint).host} answered ${status} for ${what} of ${id}`
  return new HubError(expected ? code : 'network', detail ? `${text} (${detail})` : text, { status })
}
