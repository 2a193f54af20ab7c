import type { Command } from 'commander'
import type { Profile } from '../../runtime/index.js'
import { type CliCommand, wholeNumber } from '../command.js'
import { printJson, printLine } from '../output.js'
import { exitCodeOf, INTERRUPTED_EXIT } from '../training.js'

interface Options {
  readonly resume?: boolean
  readonly overwrite?: boolean
  readonly output?: string
  readonly dataDir?: string
  readonly epochs?: number
  readonly seed?: number
  readonly quiet?: boolean
  readonly profile?: boolean
}

async function showProfile(profile: Profile, folder: string, json = false): Promise<void> {
  const { printProfile, writeProfile } = await import('../profile.js')
  if (!json) await printProfile(profile)
  await writeProfile(folder, 'profile', profile)
}

export const command: CliCommand<Options> = {
  configure(command: Command) {
    command
      .argument('<recipe>', 'a recipe in JSON: data, model, optimizer, callbacks, output')
      .option('--resume', 'go on from the newest checkpoint in the output folder')
      .option('--overwrite', 'start over where an unfinished run is in the output folder')
      .option('--output <dir>', "folder to write to instead of the recipe's")
      .option('--data-dir <dir>', 'folder that holds the data (or the environment variable KAIMO_DATA_DIR)')
      .option('--epochs <n>', "epochs instead of the recipe's", wholeNumber('--epochs', 1))
      .option('--seed <n>', "seed instead of the recipe's", wholeNumber('--seed', 0))
      .option('--profile', 'time every kernel of some steps: a table, and a timeline in the output folder')
      .option('--quiet', 'no progress')
  },
  async run({ args: [path], options, signal }) {
    const { partText, readRecipe, trainRecipe } = await import('../../recipes.node.js')
    const { output, epochs, seed, resume, overwrite, dataDir, quiet, json, profile } = options
    const recipe = await readRecipe(path, { output, epochs, seed })
    try {
      const done = await trainRecipe(recipe, { resume, overwrite, dataDir, signal, quiet, profile })
      if (done.history.profile) await showProfile(done.history.profile, done.folder, json)
      if (json) {
        printJson({ folder: done.folder, ...done.results, history: done.history.history })
        return
      }
      if (done.curve) printLine(done.curve)
      for (const [part, results] of Object.entries(done.results.results))
        printLine(partText(part, results, done.job.unit))
      printLine(`${done.results.epochs} epochs in ${done.results.seconds} s; the model is in ${done.folder}`)
    } catch (error) {
      if (exitCodeOf(error) !== INTERRUPTED_EXIT) throw error
      process.stderr.write(`kaimo: ${(error as Error).message}\n`)
      return INTERRUPTED_EXIT
    }
  },
}
