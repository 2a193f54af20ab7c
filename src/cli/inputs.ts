import { UsageError } from './command.js'

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

/** Lines that hold something. */
export const linesOf = (text: string): string[] => text.split(/\r?\n/).filter((line) => line.trim() !== '')

/** Inputs from the command line, a file, or standard input (`-`, or nothing given and no terminal). */
export async function collectInputs(args: readonly string[], file: string | undefined): Promise<string[]> {
  const inputs = args.filter((arg) => arg !== '-')
  if (file !== undefined) {
    const { readTextFile } = await import('../formats/index.node.js')
    inputs.push(...linesOf(await readTextFile(file)))
  }
  const nothing = args.length === 0 && file === undefined
  if (args.includes('-') || (nothing && !process.stdin.isTTY)) inputs.push(...linesOf(await readStdin()))
  if (inputs.length === 0)
    throw new UsageError('there is no input: give it as an argument, with --file, or on standard input')
  return inputs
}
