/** What went wrong, for programs; the message is for people. */
export type HubErrorCode =
  | 'offline'
  | 'unauthorized'
  | 'gated'
  | 'repository-not-found'
  | 'revision-not-found'
  | 'file-not-found'
  | 'damaged'
  | 'no-space'
  | 'network'
  | 'unsafe'

/** A repository or file that could not be had from a hub. */
export class HubError extends Error {
  override readonly name = 'HubError'
  constructor(
    readonly code: HubErrorCode,
    message: string,
    options: { cause?: unknown; readonly status?: number } = {},
  ) {
    super(message, { cause: options.cause })
    this.status = options.status
  }
  /** Of the HTTP answer, where there was one. */
  readonly status: number | undefined
}
