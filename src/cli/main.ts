import { packageVersion } from '../formats/package.node.js'
import { type CliCommand, type GlobalOptions, UsageError } from './command.js'
import { COMMANDS } from './registry.js'

const USAGE_EXIT = 2

/** Global options that may stand before the command's name, with the number of values they take. */
const GLOBALS: Readonly<Record<string, number>> = { '--json': 0, '--backend': 1, '--threads': 1 }

interface Split {
  readonly name: string | null
  /** Everything else in order, global options first. */
  readonly rest: readonly string[]
}

/** Finds the command's name; global options before it count as if they came after it. */
export function splitCommand(argv: readonly string[]): Split {
  for (let i = 0; i < argv.length; i++) {
    const token = argv[i]
    if (!token.startsWith('-')) return { name: token, rest: [...argv.slice(0, i), ...argv.slice(i + 1)] }
    const values = GLOBALS[token]
    if (values === undefined && !/^--(backend|threads)=/.test(token)) break
    i += values ?? 0
  }
  return { name: null, rest: argv }
}

async function topLevel(argv: readonly string[]): Promise<number> {
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
    process.stdout.write(`${packageVersion()}\n`)
    return 0
  }
  const { Command } = await import('commander')
  const program = new Command('kaimo')
  program
    .description('Train, evaluate and run open models, straight from the checkpoints people publish.')
    .version(packageVersion())
    .option('--json', 'print JSON for machines')
    .option('--backend <name>', 'interpreter or cpu; default: the fastest that runs here')
    .option('--threads <n>', 'worker threads; default: one a core')
    .helpCommand(false)
    .addHelpText('after', '\nkaimo <command> --help shows the arguments of a command.')
  for (const [name, { summary }] of Object.entries(COMMANDS)) program.command(name).description(summary)
  if (argv.length === 0 || argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(program.helpInformation())
    return argv.length === 0 ? USAGE_EXIT : 0
  }
  throw new UsageError(`expected a command (${Object.keys(COMMANDS).join(', ')}), got '${argv.join(' ')}'`)
}

/** The backend and thread count are read from the environment when the engine is first used, also by worker threads. */
function applyGlobals({ backend, threads }: GlobalOptions): void {
  if (backend !== undefined) process.env.KAIMO_BACKEND = backend
  if (threads !== undefined) process.env.KAIMO_THREADS = String(threads)
}

function interruptSignal(): AbortSignal {
  const controller = new AbortController()
  process.once('SIGINT', () => {
    // A second Ctrl-C ends the process as usual.
    controller.abort(new Error('interrupted'))
  })
  return controller.signal
}

async function runCommand(name: string, rest: readonly string[]): Promise<number> {
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (!entry) throw new UsageError(`unknown command '${name}'; commands: ${Object.keys(COMMANDS).join(', ')}`)
  const [{ Command }, loaded, { wholeNumber }] = await Promise.all([
    import('commander'),
    entry.load(),
    import('./command.js'),
  ])
  const implementation = loaded.command as CliCommand<object>
  const command = new Command(`kaimo ${name}`).description(entry.summary)
  command.exitOverride().configureOutput({ writeErr: () => {} })
  implementation.configure(command)
  command
    .option('--json', 'print JSON for machines')
    .option('--backend <name>', 'interpreter or cpu; default: the fastest that runs here')
    .option('--threads <n>', 'worker threads; default: one a core', wholeNumber('--threads', 1))
  let code = 0
  command.action(async () => {
    const options = command.opts<GlobalOptions>()
    applyGlobals(options)
    code = (await implementation.run({ args: command.args, options, signal: interruptSignal() })) ?? 0
  })
  await command.parseAsync([...rest], { from: 'user' })
  return code
}

const isCommanderError = (error: unknown): error is Error & { code: string; exitCode: number } =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('commander.')

/** What a failure says in one line, and the exit code. Help that was asked for is not a failure. */
function report(error: unknown): number {
  if (isCommanderError(error) && error.exitCode === 0) return 0
  const usage = error instanceof UsageError || isCommanderError(error)
  const message = error instanceof Error ? error.message : String(error)
  const line = message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ')
  process.stderr.write(`kaimo: ${line}\n`)
  if (process.env.KAIMO_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  return usage ? USAGE_EXIT : 1
}

/** Runs one command line (without node and script) and returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    const { name, rest } = splitCommand(argv)
    return name === null ? await topLevel(argv) : await runCommand(name, rest)
  } catch (error) {
    return report(error)
  }
}

/** {@link main} as the process: sets its exit code and survives a reader that closes the pipe. */
export async function runCli(argv: readonly string[]): Promise<void> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 1)
  })
  process.on('uncaughtException', (error) => {
    process.exit(report(error))
  })
  process.exitCode = await main(argv)
}
