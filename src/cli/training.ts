/** Exit code of a process that Ctrl-C ended (128 + SIGINT). */
export const INTERRUPTED_EXIT = 130

/** The exit code that an error of a long command asks for. */
export const exitCodeOf = (error: unknown): number =>
  error instanceof Error && (error.name === 'InterruptedError' || error.message === 'interrupted')
    ? INTERRUPTED_EXIT
    : 1
