import { type FoundModel, findSource, type PipelineOptions } from './open.node.js'
import {
  openTask,
  type Pipelines,
  type TASK_ALIASES,
  TASK_TABLE,
  type TaskAlias,
  type TaskName,
  taskNamed,
} from './registry.node.js'

/** Names that `pipeline` takes: tasks and their other names. */
export type TaskLike = TaskName | TaskAlias

type Named<T extends TaskLike> = T extends TaskAlias ? (typeof TASK_ALIASES)[T] : T extends TaskName ? T : never

/**
 * The model to use for a task: a folder, an embedded model by name, a hub id or, where none is named, the task's own.
 * @throws RangeError for a task without a model of its own, Error where the model is not found
 */
export async function findForTask(task: TaskName, model?: string, options: PipelineOptions = {}): Promise<FoundModel> {
  const chosen = model ?? TASK_TABLE[task].defaultModel
  if (chosen === undefined) throw new RangeError(`${task} has no model of its own: name a model folder or hub id`)
  return findSource(chosen, options)
}

/**
 * A model ready for a task: `const classify = await pipeline('text-classification')`. `model` is a folder, a hub id, or the name of a model
 * that comes with the package; left out, the task's own model is used. The result says which, as `model`.
 * @throws RangeError for an unknown task, one without a model of its own, a model for another task, or one without a trained head
 */
export async function pipeline<T extends TaskLike>(
  task: T,
  model?: string,
  options: PipelineOptions = {},
): Promise<Pipelines[Named<T>]> {
  const name = taskNamed(task) as Named<T>
  return openTask(name, await findForTask(name, model, options), options)
}
