import type { Command } from 'commander'
import type { CliCommand } from '../command.js'
import { downloadBars } from '../download-bars.js'
import { printJson, printLine } from '../output.js'

interface Options {
  readonly revision?: string
  readonly cacheDir?: string
  readonly offline?: boolean
}

const HELP = `
The cache, the token and offline use follow the variables of Python's huggingface_hub: HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN,
HF_HUB_OFFLINE. Without patterns, config and weights are fetched with tokenizer and processor files.`

export const command: CliCommand<Options> = {
  configure(command: Command) {
    command
      .argument('<id>', 'a repository, such as sentence-transformers/all-MiniLM-L6-v2')
      .argument('[patterns...]', 'files or patterns (*, **, ?) to fetch')
      .option('--revision <name>', 'branch, tag or commit; default: main')
      .option('--cache-dir <folder>', 'where files are kept')
      .option('--offline', 'only look in the cache')
      .addHelpText('after', HELP)
  },
  async run({ args: [id, ...patterns], options, signal }) {
    const hub = await import('../../hub/index.node.js')
    const bars = await downloadBars()
    const { revision, cacheDir, offline } = options
    const onNote = (note: string) => process.stderr.write(`${note}\n`)
    const settings = { revision, cacheDir, offline, signal, onNote, onProgress: bars.onProgress }
    try {
      const folder =
        patterns.length > 0
          ? (await hub.resolveFiles(id, patterns, settings)).folder
          : await hub.resolveModelFiles(id, settings, [...hub.TOKENIZER_FILES, ...hub.PROCESSOR_FILES])
      if (options.json) printJson({ id, folder })
      else printLine(folder)
    } finally {
      bars.stop()
    }
  },
}
