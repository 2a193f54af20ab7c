/** A name that this build has no function for. Cases that need it count as skipped, by name. */
export class UnsupportedError extends Error {
  override name = 'UnsupportedError'
  constructor(readonly what: string) {
    super(`unsupported: ${what}`)
  }
}

/** Turns "unknown loss 'x'" and the like, which name what this build lacks, into {@link UnsupportedError}. */
export function known<T>(make: () => T): T {
  try {
    return make()
  } catch (error) {
    const named = error instanceof RangeError && /^unknown ([a-z ]+'[^']*')/.exec(error.message)
    if (named) throw new UnsupportedError(named[1])
    throw error
  }
}
