import type { Command } from 'commander'
import type { TaskName } from '../../tasks/index.node.js'
import { type CliCommand, UsageError } from '../command.js'
import { type InferenceOptions, infer, inferenceOptions } from '../inference.js'

interface Options extends InferenceOptions {
  readonly model?: string
}

export const command: CliCommand<Options> = {
  configure(command: Command) {
    command
      .argument('<task>', 'text-classification, image-classification or text-generation')
      .argument('[input...]', 'texts, image files or prompts; - reads standard input')
      .option('--model <model>', 'a model folder, or the name of an embedded model')
    inferenceOptions(command)
  },
  async run({ args: [task, ...inputs], options, signal }) {
    const { loadTaskModel, TASKS } = await import('../../tasks.node.js')
    if (!(TASKS as readonly string[]).includes(task))
      throw new UsageError(`unknown task '${task}'; tasks: ${TASKS.join(', ')}`)
    const name = task as TaskName
    const loaded = await loadTaskModel(name, options.model)
    await infer(name, loaded, inputs, options, signal)
  },
}
