import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError } from '../formats/atomic-file.node.js'
import { writeFileAtomic } from '../formats/index.node.js'
import { isRecord } from '../formats/strict-json.js'
import { readJsonFile } from '../tasks/model-folder.node.js'
import { findCheckpoint, type History } from '../train/index.node.js'
import { modelCard } from './card.js'
import type { Job } from './job.js'
import { writeJson } from './own-form.node.js'
import type { Results } from './results.js'
import { parseRecipe, type Recipe, RecipeError } from './schema.js'

export const RECIPE_FILE = 'recipe.json'
const HISTORY_FILE = 'history.json'
const RESULTS_FILE = 'results.json'
const CARD_FILE = 'README.md'
const CURVE_FILE = 'curve.svg'

export interface StartOptions {
  readonly resume: boolean
  readonly overwrite: boolean
}

/** A recipe in the form that {@link parseRecipe} reads. */
export function recipeJson(recipe: Recipe): object {
  const { model } = recipe
  return model && 'architecture' in model
    ? { ...recipe, model: { architecture: model.architecture, ...model.options } }
    : recipe
}

async function writeText(path: string, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text)
  await writeFileAtomic(path, (sink) => sink.write(bytes))
}

/** What may change between a run and its resumption. */
const FREE = new Set(['name', 'description', 'output', 'epochs', 'checkpointEveryEpochs', 'checkpointEveryBatches'])

/** @throws RecipeError naming what differs from the run that is to go on */
async function checkSameRecipe(recipe: Recipe, path: string): Promise<void> {
  const before = (await readJsonFile(path)) as Record<string, unknown>
  const now = JSON.parse(JSON.stringify(recipeJson(recipe))) as Record<string, unknown>
  const changed = [...new Set([...Object.keys(before), ...Object.keys(now)])].filter(
    (key) => !FREE.has(key) && JSON.stringify(before[key]) !== JSON.stringify(now[key]),
  )
  if (changed.length > 0)
    throw new RecipeError(
      `--resume: the recipe differs from the one in ${path} in ${changed.join(', ')}; start over with --overwrite, or put it back`,
    )
}

/** The folder that a run writes to. */
export class OutputFolder {
  constructor(readonly path: string) {}

  get checkpoints(): string {
    return join(this.path, 'checkpoints')
  }

  private file(name: string): string {
    return join(this.path, name)
  }

  /** @throws FileError where the folder cannot be made */
  async make(): Promise<void> {
    try {
      await mkdir(this.checkpoints, { recursive: true })
    } catch (error) {
      throw fileError('cannot make the output folder', this.path, error)
    }
  }

  /**
   * Makes the folder ready for a run. A run that was interrupted is never thrown away unasked.
   * @throws RecipeError where an unfinished run is there, or the recipe is not the one to go on with
   */
  async begin(recipe: Recipe, { resume, overwrite }: StartOptions): Promise<void> {
    const names = await readdir(this.path)
    const checkpoint = await findCheckpoint(this.checkpoints).catch(() => null)
    if (resume && checkpoint) {
      if (names.includes(RECIPE_FILE)) await checkSameRecipe(recipe, this.file(RECIPE_FILE))
    } else {
      if (checkpoint && !overwrite && !names.includes(RESULTS_FILE))
        throw new RecipeError(
          `${this.path} holds an unfinished run: go on with --resume, or start over with --overwrite`,
        )
      await rm(this.checkpoints, { recursive: true, force: true })
      await this.make()
    }
    // There are no results until this run has some.
    await rm(this.file(RESULTS_FILE), { force: true })
    await writeJson(this.file(RECIPE_FILE), recipeJson(recipe))
  }

  /** Losses and metrics, one an epoch; what is not a number becomes null. */
  async writeHistory(history: History): Promise<void> {
    const numbers = Object.entries(history.history).map(([name, list]) => [
      name,
      list.map((value) => (Number.isFinite(value) ? value : null)),
    ])
    await writeJson(this.file(HISTORY_FILE), { epoch: history.epoch, history: Object.fromEntries(numbers) })
  }

  async writeResults(recipe: Recipe, job: Job, results: Results, curve: string | null): Promise<void> {
    if (curve !== null) await writeText(this.file(CURVE_FILE), curve)
    await writeText(this.file(CARD_FILE), modelCard(recipe, job, results))
    await writeJson(this.file(RESULTS_FILE), results)
  }
}

/** The recipe that a model folder was trained with. @throws RecipeError where the folder has none */
export async function recipeOfModel(folder: string): Promise<Recipe> {
  const path = join(folder, RECIPE_FILE)
  const json = await readJsonFile(path).catch((error: unknown) => {
    if (isRecord(error) && error.code === 'ENOENT')
      throw new RecipeError(`${folder} has no ${RECIPE_FILE}: name the data to evaluate on with --data FILE`)
    throw error
  })
  return parseRecipe(json, path)
}
