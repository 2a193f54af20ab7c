/** A name that this build has no function for. Cases that need it count as skipped, by name. */
export class UnsupportedError extends Error {
  override name = 'UnsupportedError'
  constructor(readonly what: string) {
    super(`unsupported: ${what}`)
  }
}
