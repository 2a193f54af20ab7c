/** A file whose bytes do not follow its format. The message says what was expected, what came, and where. */
export class FormatError extends Error {
  override readonly name = 'FormatError'
}

/** A file that could not be read or written. `code` is the system's (`ENOSPC`, `EACCES`, ...). */
export class FileError extends Error {
  override readonly name = 'FileError'
  constructor(
    message: string,
    readonly path: string,
    readonly code: string | undefined,
    cause: unknown,
  ) {
    super(message, { cause })
  }
}
