import type { Command } from 'commander'
import type { CliCommand } from '../command.js'
import { type InferenceOptions, infer, inferenceOptions, loadingOptions } from '../inference.js'

export const command: CliCommand<InferenceOptions> = {
  configure(command: Command) {
    command
      .argument('<model>', 'a model folder, a hub id, or the name of an embedded model')
      .argument('[input...]', 'texts, image files or prompts; - reads standard input')
    inferenceOptions(command)
  },
  async run({ args: [model, ...inputs], options, signal }) {
    const { findSource, taskOfModel } = await import('../../tasks.node.js')
    const found = await findSource(model, loadingOptions(options, signal))
    await infer(taskOfModel(found), found, inputs, options, signal)
  },
}
