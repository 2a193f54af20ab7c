import { type Command, Option } from 'commander'
import type { GenerationOptions } from '../generate/index.js'
import type { LoadDType } from '../models/index.js'
import type {
  AggregationStrategy,
  FoundModel,
  PipelineOptions,
  Pipelines,
  Pooling,
  ScoreFunction,
  TaskName,
} from '../tasks/index.node.js'
import { type GlobalOptions, UsageError, wholeNumber } from './command.js'
import { collectInputs } from './inputs.js'
import { printJson, printLine, printTable } from './output.js'

/** Options of the commands that use a model. */
export interface InferenceOptions extends GlobalOptions {
  readonly file?: string
  readonly topK?: number
  readonly batchSize?: number
  readonly truncation?: boolean
  readonly maxTokens?: number
  readonly stride?: number
  readonly pair?: string
  readonly scores?: ScoreFunction
  readonly aggregation?: AggregationStrategy
  readonly targets?: readonly string[]
  readonly labels?: readonly string[]
  readonly template?: string
  readonly multiLabel?: boolean
  readonly question?: string
  readonly impossible?: boolean
  readonly source?: string
  readonly corpus?: string
  readonly index?: string
  readonly pooling?: Pooling
  readonly normalize?: boolean
  readonly maxLength?: number
  readonly temperature?: number
  readonly seed?: number
  readonly stop?: string
  readonly settings?: GenerationOptions
  readonly from?: string
  readonly to?: string
  readonly prefix?: string
  readonly dtype?: LoadDType
  readonly revision?: string
  readonly offline?: boolean
}

function nonNegative(name: string): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() === '' || !(value >= 0))
      throw new UsageError(`${name} must be a number of at least 0, got '${text}'`)
    return value
  }
}

const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')

function jsonObject(name: string): (text: string) => object {
  return (text) => {
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch (error) {
      throw new UsageError(`${name} is not JSON: ${error instanceof Error ? error.message : String(error)}`)
    }
    if (typeof json !== 'object' || json === null || Array.isArray(json))
      throw new UsageError(`${name} must be a JSON object, got '${text}'`)
    return json
  }
}

/** Options that several tasks take. */
const sharedOptions = (command: Command): Command =>
  command
    .option('--file <path>', 'read inputs from a file, one a line')
    .option('--top-k <n>', 'list so many answers; draw among so many tokens', wholeNumber('--top-k', 1))
    .option('--batch-size <n>', 'inputs of one pass', wholeNumber('--batch-size', 1))
    .option('--truncation', 'cut texts that are longer than the model reads; without it they are an error')
    .option('--max-tokens <n>', 'tokens to cut to, or of a window', wholeNumber('--max-tokens', 1))
    .option('--stride <n>', 'read long texts in windows that share so many tokens', wholeNumber('--stride', 0))
    .addOption(
      new Option('--dtype <type>', 'what weights are held in; int8: 8 bits, for encoders (default: as stored)').choices(
        ['auto', 'f32', 'f16', 'bf16', 'int8'],
      ),
    )
    .option('--revision <name>', 'branch, tag or commit of a hub id; default: main')
    .option('--offline', 'use what is in the cache of downloads only')

/** Options of texts that are classified, filled, searched or compared. */
const readingOptions = (command: Command): Command =>
  command
    .option('--pair <text>', 'text-classification: a second text that goes with every input')
    .addOption(
      new Option('--scores <kind>', 'text-classification: what logits become').choices(['softmax', 'sigmoid', 'none']),
    )
    .addOption(
      new Option('--aggregation <kind>', 'token-classification: how tokens are joined (default: simple)').choices([
        'none',
        'simple',
        'first',
        'average',
        'max',
      ]),
    )
    .option('--targets <tokens>', 'fill-mask: only these, as in a,b,c', listOf)
    .option('--labels <labels>', 'zero-shot-classification: classes to choose from, as in a,b,c', listOf)
    .option('--template <text>', 'zero-shot-classification: a sentence with {} for the class')
    .option('--multi-label', 'zero-shot-classification: judge every class on its own')
    .option('--question <text>', 'question-answering: what is asked of the inputs')
    .option('--impossible', 'question-answering: allow that a text does not answer')
    .option('--source <text>', 'sentence-similarity: what the inputs are compared with; reranking: the query')
    .option('--corpus <file>', 'semantic-search: texts to search in, one a line; the inputs are queries')
    .option('--index <folder>', 'semantic-search: keeps the vectors of the texts here')
    .addOption(
      new Option('--pooling <kind>', 'feature-extraction: one vector a text').choices(['none', 'mean', 'max', 'cls']),
    )
    .option('--normalize', 'feature-extraction: vectors of length 1')

/** Options of generated text. */
const writingOptions = (command: Command): Command =>
  command
    .option('--max-length <n>', 'characters or tokens to write', wholeNumber('--max-length', 1))
    .option(
      '--temperature <t>',
      'below 1 sharper, above 1 flatter, 0 always the likeliest',
      nonNegative('--temperature'),
    )
    .option('--seed <n>', 'seed of generated text', wholeNumber('--seed', 0))
    .option('--stop <text>', 'end generated text where this is written')
    .option(
      '--settings <json>',
      'further fields of generation_config.json, as in \'{"num_beams": 3}\'',
      jsonObject('--settings'),
    )
    .option('--from <language>', 'translation: language token of the inputs, such as en_XX')
    .option('--to <language>', 'translation: language token of the result')
    .option('--prefix <text>', 'summarization, translation: put before every input')

export const inferenceOptions = (command: Command): Command => writingOptions(readingOptions(sharedOptions(command)))

/** What loading a model takes of the command line. */
export const loadingOptions = (
  { dtype, revision, offline }: InferenceOptions,
  signal: AbortSignal,
): PipelineOptions => ({
  dtype,
  revision,
  offline,
  signal,
})

async function inferAs<T extends TaskName>(
  task: T,
  found: FoundModel,
  inputs: readonly string[],
  options: InferenceOptions,
  signal: AbortSignal,
) {
  const [{ openTask }, { RUNS }] = await Promise.all([import('../tasks.node.js'), import('./task-output.js')])
  const pipeline: Pipelines[T] = await openTask(task, found, loadingOptions(options, signal))
  return RUNS[task](pipeline, inputs, options, signal)
}

/** Runs a model on inputs and prints what it says: a table for people, one JSON document for machines. */
export async function infer(
  task: TaskName,
  found: FoundModel,
  args: readonly string[],
  options: InferenceOptions,
  signal: AbortSignal,
): Promise<void> {
  const inputs = await collectInputs(args, options.file)
  const { results, head, rows, shown } = await inferAs(task, found, inputs, options, signal)
  if (options.json) printJson({ task, model: found.name, results })
  else if (!shown) {
    await printTable(head, rows)
    printLine(`model: ${found.name}`)
  }
}
