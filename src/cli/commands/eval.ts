import { type Command, Option } from 'commander'
import type { Part, PartResults } from '../../recipes/index.node.js'
import { type CliCommand, UsageError, wholeNumber } from '../command.js'
import { printJson, printLine } from '../output.js'

interface Options {
  readonly data?: string
  readonly labels?: string
  readonly textColumn?: string
  readonly labelColumn?: string
  readonly split?: string
  readonly dataDir?: string
  readonly batchSize?: number
  readonly dtype?: 'f32' | 'int8'
}

const PARTS: readonly Part[] = ['train', 'validation', 'test']

function partOption(text: string | undefined): Part | undefined {
  const part = PARTS.find((candidate) => candidate === text)
  if (text !== undefined && !part) throw new UsageError(`--split must be ${PARTS.join(', ')}, got '${text}'`)
  return part
}

export const command: CliCommand<Options> = {
  configure(command: Command) {
    command
      .argument('<model>', 'a model folder, or the name of an embedded model')
      .option('--split <part>', "part of the recipe's data: train, validation or test (default test)")
      .option('--data <file>', "other data than the recipe's: CSV, TSV, JSON lines, IDX images or a text")
      .option('--labels <file>', 'IDX labels that go with the images of --data')
      .option('--text-column <name>', 'column of the texts in --data (default text)')
      .option('--label-column <name>', 'column of the labels in --data (default label)')
      .option('--data-dir <dir>', 'folder that holds the data (or the environment variable KAIMO_DATA_DIR)')
      .option('--batch-size <n>', 'examples of one pass', wholeNumber('--batch-size', 1))
      .addOption(
        new Option('--dtype <type>', 'int8: once more with 8-bit weights, and what that changes').choices([
          'f32',
          'int8',
        ]),
      )
  },
  async run({ args: [model], options, signal }) {
    const part = partOption(options.split)
    if (part && options.data) throw new UsageError('give either --split or --data')
    const { changeText, evaluateModel, partText } = await import('../../recipes.node.js')
    const { data: path, labels, textColumn, labelColumn, dataDir, batchSize, dtype } = options
    const data = path === undefined ? undefined : { path, labels, textColumn, labelColumn }
    const evaluation = await evaluateModel(model, { part, data, dataDir, batchSize, dtype, signal })
    if (options.json) return printJson(evaluation)
    const { results, int8, unit } = evaluation
    const line = (dtype: string, found: PartResults): void =>
      printLine(`${evaluation.model}${dtype}, ${partText(evaluation.data, found, unit)}`)
    if (!int8) return line('', results)
    line(', f32', results)
    line(', int8', int8)
    printLine(`change: ${changeText(results, int8)}`)
  },
}
