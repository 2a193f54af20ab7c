import { type ImageClassifier, imageClassifier } from './image-classification.node.js'
import { type LoadedModel, loadModelFolder } from './model-folder.node.js'
import { type TextClassifier, textClassifier } from './text-classification.node.js'
import { type TextGenerator, textGenerator } from './text-generation.node.js'

/** What each task gives. */
export interface Pipelines {
  'text-classification': TextClassifier
  'image-classification': ImageClassifier
  'text-generation': TextGenerator
}

export type TaskName = keyof Pipelines

const MAKERS: { readonly [T in TaskName]: (loaded: LoadedModel) => Pipelines[T] } = {
  'text-classification': textClassifier,
  'image-classification': imageClassifier,
  'text-generation': textGenerator,
}

/** Models that come with the package, by the task that uses them when none is named. */
const DEFAULT_MODELS: { readonly [T in TaskName]?: string } = {
  'text-classification': 'hotel-sentiment-zh',
}

export const TASKS = Object.keys(MAKERS) as TaskName[]

/** The task that a model of `task` (as its config names it) is used for. */
export const taskOfModel = (task: LoadedModel['config']['task']): TaskName =>
  task === 'language-modeling' ? 'text-generation' : task

/** A loaded model, ready for its task. */
export const pipelineFor = <T extends TaskName>(task: T, loaded: LoadedModel): Pipelines[T] => {
  const make: (loaded: LoadedModel) => Pipelines[T] = MAKERS[task]
  return make(loaded)
}

/**
 * The model to use for a task: a folder, an embedded model by name, or, where none is named, the task's own.
 * @throws RangeError for an unknown task, one without a model of its own, or a model for another task
 */
export async function loadTaskModel(task: TaskName, model?: string): Promise<LoadedModel> {
  if (!Object.hasOwn(MAKERS, task)) throw new RangeError(`unknown task '${task}'; tasks: ${TASKS.join(', ')}`)
  const chosen = model ?? DEFAULT_MODELS[task]
  if (chosen === undefined) throw new RangeError(`${task} has no model of its own: name a model folder`)
  const loaded = await loadModelFolder(chosen)
  const own = taskOfModel(loaded.config.task)
  if (own !== task) throw new RangeError(`${loaded.name} is a model for ${own}, not for ${task}`)
  return loaded
}

/**
 * A model ready for a task: `const classify = await pipeline('text-classification')`. `model` is a folder or the name of a model that
 * comes with the package; left out, the task's own model is used.
 * @throws like {@link loadTaskModel}
 */
export const pipeline = async <T extends TaskName>(task: T, model?: string): Promise<Pipelines[T]> =>
  pipelineFor(task, await loadTaskModel(task, model))
