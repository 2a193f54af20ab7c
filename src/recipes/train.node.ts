import { packageVersion } from '../formats/package.node.js'
import { seed } from '../tensor/index.js'
import {
  type Callback,
  CSVLogger,
  curveSvg,
  curveText,
  FitLoop,
  type History,
  ProgressBar,
  TensorBoard,
  TrainingCheckpoint,
} from '../train/index.node.js'
import { Trainer } from '../train/trainer.js'
import { callbacksFor, SaveOnAbort, Stopwatch } from './callbacks.node.js'
import { evaluatePart } from './evaluate-part.js'
import { type Job, PARTS, type Part } from './job.js'
import { OutputFolder } from './output.node.js'
import { prepareJob } from './prepare.node.js'
import { RecipeError } from './recipe-error.js'
import { type PartResults, partResults, type Results } from './results.js'
import type { Recipe } from './schema.js'

export interface TrainOptions {
  /** Folder that data paths are looked up in first. */
  readonly dataDir?: string
  /** Goes on from the newest checkpoint in the output folder, where there is one. */
  readonly resume?: boolean
  /** Starts over where an unfinished run is in the output folder. */
  readonly overwrite?: boolean
  /** Acts between steps: a checkpoint is saved, then {@link InterruptedError} is thrown. */
  readonly signal?: AbortSignal
  /** Times every kernel of some steps: the history's `profile`. */
  readonly profile?: boolean
  /** No progress, no remarks. */
  readonly quiet?: boolean
  /** Hears one line on what is trained. Default: standard error. */
  readonly log?: (line: string) => void
}

export interface TrainResult {
  /** The output folder: a model folder. */
  readonly folder: string
  readonly results: Results
  readonly history: History
  readonly job: Job
  /** The training curve for a terminal; null where there is none to draw. */
  readonly curve: string | null
}

/** @throws RecipeError before training where a callback watches what this run does not log */
function checkMonitors(recipe: Recipe, job: Job): void {
  for (const [i, spec] of recipe.callbacks.entries()) {
    if ('monitor' in spec) checkMonitor(spec.monitor, `callbacks.${i}.monitor`, job)
  }
  if ('keepBest' in recipe && recipe.keepBest !== undefined) checkMonitor(recipe.keepBest, 'keepBest', job)
}

function checkMonitor(monitor: string, field: string, job: Job): void {
  const own = ['loss', ...job.metricNames]
  const held = [...own, ...(job.evaluation?.names ?? [])]
  const logged = [...own, ...(job.parts.validation ? held.map((name) => `val_${name}`) : [])]
  if (!logged.includes(monitor)) throw new RecipeError(`${field}: this run logs ${logged.join(', ')}, not ${monitor}`)
}

function describe(recipe: Recipe, job: Job): string {
  const sizes = PARTS.filter((part) => job.sizes[part] > 0).map(
    (part) => `${job.sizes[part].toLocaleString('en-US')} ${part === 'train' ? 'training' : part}`,
  )
  const { modelType: kind, knows } = job.form
  const vocabulary = knows === null ? '' : `, ${knows}`
  return `${recipe.name}: ${kind}, ${job.model.countParams().toLocaleString('en-US')} parameters${vocabulary}; ${sizes.join(', ')} ${job.unit}`
}

/** Ends what a failed run left open. */
async function closeAll(callbacks: readonly Callback[]): Promise<void> {
  for (const callback of callbacks) {
    if (callback instanceof ProgressBar || callback instanceof CSVLogger || callback instanceof TensorBoard)
      await callback.onTrainEnd()
  }
}

/** Results on the parts that were not trained on; on the training part where there is no other. */
async function finalResults(
  recipe: Recipe,
  job: Job,
  trainer: Trainer,
  signal?: AbortSignal,
): Promise<Results['results']> {
  const held = (['validation', 'test'] as const).filter((part) => job.parts[part] !== null)
  const parts: readonly Part[] = held.length > 0 ? held : ['train']
  const results: { [P in Part]?: PartResults } = {}
  for (const part of parts) {
    const logs = await evaluatePart(job, trainer, part, signal)
    results[part] = partResults(recipe.task, logs, job.sizes[part])
  }
  return results
}

function curveOf(history: History): { svg: string | null; text: string | null } {
  const names = ['loss', 'val_loss'].filter((name) => history.history[name]?.some(Number.isFinite))
  if (names.length === 0) return { svg: null, text: null }
  const shown = ['loss', 'val_loss', 'val_accuracy'].filter((name) => (history.history[name]?.length ?? 0) > 1)
  return { svg: curveSvg(history, names), text: shown.length > 0 ? curveText(history, shown) : null }
}

/**
 * Trains what a recipe describes and writes a model folder: config, weights, vocabulary, model card, history, curve and results.
 * A run that is killed at any moment goes on from its last checkpoint with `resume`, and its later losses equal those of an
 * uninterrupted run bit for bit.
 * @throws RecipeError, DataError, FormatError, FileError for what is wrong with the input; InterruptedError on abort;
 * NonFiniteLossError where training fails
 */
export async function trainRecipe(recipe: Recipe, options: TrainOptions = {}): Promise<TrainResult> {
  const { signal, quiet = false, resume = false, overwrite = false, dataDir } = options
  const log = options.log ?? ((line: string) => process.stderr.write(`${line}\n`))
  const output = new OutputFolder(recipe.output)
  seed(recipe.seed)
  const job = await prepareJob(recipe, { dataDir, signal })
  checkMonitors(recipe, job)
  await output.make()
  await output.begin(recipe, { resume, overwrite })
  if (!quiet) for (const line of [describe(recipe, job), ...job.remarks]) log(line)

  const steps = recipe.epochs * (job.train.batches ?? 1)
  const trainer = new Trainer(job.model, {
    ...job.objective,
    optimizer: job.optimizer(steps),
  })
  const stopwatch = new Stopwatch()
  const checkpoint = new TrainingCheckpoint(output.checkpoints, {
    everyEpochs: recipe.checkpointEveryEpochs,
    everyBatches: recipe.checkpointEveryBatches,
    keep: 2,
  })
  // Checkpoints hold callbacks' states by place: the bar, which may be missing, comes last.
  const callbacks: Callback[] = [
    stopwatch,
    checkpoint,
    ...job.callbacks,
    ...callbacksFor(recipe.callbacks, { output: output.path, resumed: resume }),
    ...(signal ? [new SaveOnAbort(signal, checkpoint)] : []),
    ...(quiet ? [] : [new ProgressBar()]),
  ]
  const loop = new FitLoop(
    trainer,
    {
      train: job.train,
      validation: job.parts.validation,
      evaluate: (stop) => evaluatePart(job, trainer, 'validation', stop),
    },
    { epochs: recipe.epochs, callbacks, profile: options.profile },
  )
  let history: History
  try {
    history = await loop.run()
  } catch (error) {
    await closeAll(callbacks)
    await output.writeHistory(loop.progress.history).catch(() => undefined)
    throw error
  }
  await output.writeHistory(history)
  return finish(recipe, job, trainer, { history, seconds: stopwatch.seconds, output, signal })
}

interface Run {
  readonly history: History
  readonly seconds: number
  readonly output: OutputFolder
  readonly signal?: AbortSignal
}

async function finish(recipe: Recipe, job: Job, trainer: Trainer, run: Run): Promise<TrainResult> {
  const { history, output } = run
  await job.form.write(output.path)
  const results: Results = {
    name: recipe.name,
    task: recipe.task,
    modelType: job.form.modelType,
    parameters: job.model.countParams(),
    seed: recipe.seed,
    epochs: history.epoch.length,
    seconds: Number(run.seconds.toFixed(1)),
    examples: job.sizes,
    results: await finalResults(recipe, job, trainer, run.signal),
    version: packageVersion(),
  }
  const { svg, text } = curveOf(history)
  await output.writeResults(recipe, job, results, svg)
  return { folder: output.path, results, history, job, curve: text }
}
