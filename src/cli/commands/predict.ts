import type { Command } from 'commander'
import type { CliCommand } from '../command.js'
import { type InferenceOptions, infer, inferenceOptions } from '../inference.js'

export const command: CliCommand<InferenceOptions> = {
  configure(command: Command) {
    command
      .argument('<model>', 'a model folder, or the name of an embedded model')
      .argument('[input...]', 'texts, image files or prompts; - reads standard input')
    inferenceOptions(command)
  },
  async run({ args: [model, ...inputs], options, signal }) {
    const { loadModelFolder, taskOfModel } = await import('../../tasks.node.js')
    const loaded = await loadModelFolder(model)
    await infer(taskOfModel(loaded.config.task), loaded, inputs, options, signal)
  },
}
