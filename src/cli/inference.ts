import type { Command } from 'commander'
import type { Classification, GenerateOptions, LoadedModel, TaskName } from '../tasks/index.node.js'
import { type GlobalOptions, UsageError, wholeNumber } from './command.js'
import { printJson, printLine, printTable } from './output.js'

/** Options of the commands that use a model. */
export interface InferenceOptions extends GlobalOptions {
  readonly file?: string
  readonly topK?: number
  readonly batchSize?: number
  readonly maxLength?: number
  readonly temperature?: number
  readonly seed?: number
  readonly stop?: string
}

function nonNegative(name: string): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() === '' || !(value >= 0))
      throw new UsageError(`${name} must be a number of at least 0, got '${text}'`)
    return value
  }
}

export const inferenceOptions = (command: Command): Command =>
  command
    .option('--file <path>', 'read inputs from a file, one a line')
    .option('--top-k <n>', 'list so many classes; draw among so many characters', wholeNumber('--top-k', 1))
    .option('--batch-size <n>', 'inputs of one pass', wholeNumber('--batch-size', 1))
    .option('--max-length <n>', 'characters to write', wholeNumber('--max-length', 1))
    .option(
      '--temperature <t>',
      'below 1 sharper, above 1 flatter, 0 always the likeliest',
      nonNegative('--temperature'),
    )
    .option('--seed <n>', 'seed of generated text', wholeNumber('--seed', 0))
    .option('--stop <text>', 'end generated text where this is written')

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

const linesOf = (text: string): string[] => text.split(/\r?\n/).filter((line) => line.trim() !== '')

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

const percent = (score: number): string => `${(100 * score).toFixed(2)} %`

type Row = Classification & { readonly input: string }

async function printClasses(rows: readonly Row[], options: InferenceOptions): Promise<void> {
  const listed = options.topK !== undefined && options.topK > 1
  if (!listed) {
    await printTable(
      ['input', 'label', 'score'],
      rows.map(({ input, label, score }) => [input, label, percent(score)]),
    )
  } else {
    const lines = rows.flatMap(({ input, labels }) =>
      labels.map(({ label, score }, i) => [i === 0 ? input : '', label, percent(score)]),
    )
    await printTable(['input', 'label', 'score'], lines)
  }
  printLine(`model: ${rows[0].model}`)
}

const asJson = ({ input, label, score, labels }: Row): object => ({ input, label, score, labels })

async function generate(
  loaded: LoadedModel,
  prompts: readonly string[],
  options: InferenceOptions,
  signal: AbortSignal,
) {
  const { pipelineFor } = await import('../tasks.node.js')
  const write = pipelineFor('text-generation', loaded)
  const { json, maxLength, temperature, topK, seed, stop } = options
  const settings: GenerateOptions = { maxLength, temperature, topK, seed, stop, signal }
  const results = []
  for (const prompt of prompts) {
    if (!json) process.stdout.write(prompt)
    const onText = json ? undefined : (text: string) => process.stdout.write(text)
    results.push(await write(prompt, { ...settings, onText }))
    if (!json) printLine()
  }
  if (json)
    printJson({
      task: 'text-generation',
      model: loaded.name,
      results: results.map(({ model: _, ...result }) => result),
    })
}

async function classify(
  loaded: LoadedModel,
  task: TaskName,
  inputs: readonly string[],
  options: InferenceOptions,
  signal: AbortSignal,
) {
  const { pipelineFor } = await import('../tasks.node.js')
  const { topK, batchSize } = options
  const settings = { topK, batchSize, signal }
  const rows: Row[] =
    task === 'image-classification'
      ? await pipelineFor(task, loaded)(inputs, settings)
      : (await pipelineFor('text-classification', loaded)(inputs, settings)).map((result, i) => ({
          input: inputs[i],
          ...result,
        }))
  if (options.json) printJson({ task, model: loaded.name, results: rows.map(asJson) })
  else await printClasses(rows, options)
}

/** Runs a loaded model on inputs and prints what it says: a table for people, one JSON document for machines. */
export async function infer(
  task: TaskName,
  loaded: LoadedModel,
  args: readonly string[],
  options: InferenceOptions,
  signal: AbortSignal,
): Promise<void> {
  const inputs = await collectInputs(args, options.file)
  if (task === 'text-generation') await generate(loaded, inputs, options, signal)
  else await classify(loaded, task, inputs, options, signal)
}
