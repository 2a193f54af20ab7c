import type { Command } from 'commander'
import type { TaskName } from '../../tasks/index.node.js'
import { type CliCommand, UsageError } from '../command.js'
import { type InferenceOptions, infer, inferenceOptions, loadingOptions } from '../inference.js'

interface Options extends InferenceOptions {
  readonly model?: string
}

const HELP = `
Tasks: text-classification (sentiment-analysis), token-classification (ner), fill-mask, question-answering, zero-shot-classification,
feature-extraction, sentence-similarity (embeddings), semantic-search, reranking, text-generation, text2text-generation, summarization,
translation, image-classification.`

export const command: CliCommand<Options> = {
  configure(command: Command) {
    command
      .argument('<task>', 'what to do, see below')
      .argument('[input...]', 'texts, image files or prompts; - reads standard input')
      .option('--model <model>', 'a model folder, a hub id, or the name of an embedded model')
    inferenceOptions(command).addHelpText('after', HELP)
  },
  async run({ args: [task, ...inputs], options, signal }) {
    const { findForTask, taskNamed } = await import('../../tasks.node.js')
    let name: TaskName
    try {
      name = taskNamed(task)
    } catch (error) {
      throw new UsageError((error as Error).message)
    }
    const found = await findForTask(name, options.model, loadingOptions(options, signal))
    await infer(name, found, inputs, options, signal)
  },
}
