import type { Command } from 'commander'

/** Options that every command takes. */
export interface GlobalOptions {
  /** Print one JSON document for machines instead of text for people. */
  readonly json?: boolean
  readonly backend?: string
  readonly threads?: number
}

export interface Invocation<O> {
  /** Positional arguments, in order. */
  readonly args: readonly string[]
  readonly options: O & GlobalOptions
  /** Acts on the first Ctrl-C. */
  readonly signal: AbortSignal
}

/**
 * One command in one file of `commands/`, which exports it as `command`; `registry.ts` names the file.
 * O is the type of its own options.
 */
export interface CliCommand<O> {
  /** Declares arguments, options and help text. Nothing heavy may be imported for it. */
  configure(command: Command): void
  /** Does the work and returns the exit code (default 0). Modules of the engine are imported here, not at the top of the file. */
  run(invocation: Invocation<O>): Promise<number | undefined> | Promise<void>
}

/** Bad input by the user: printed as one line, exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** Parses an option that must be a whole number of at least `minimum`. */
export function wholeNumber(name: string, minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!Number.isSafeInteger(value) || value < minimum || text.trim() === '')
      throw new UsageError(`${name} must be a whole number of at least ${minimum}, got '${text}'`)
    return value
  }
}
