import { type Logs, runEvaluation } from '../train/index.js'
import type { Trainer } from '../train/trainer.js'
import type { Job, Part } from './job.js'

/** Loss and metrics of a part that the job has. */
export async function evaluatePart(job: Job, trainer: Trainer, part: Part, signal?: AbortSignal): Promise<Logs> {
  const source = job.parts[part]
  if (!source) throw new RangeError(`there is no ${part} part`)
  return job.evaluation?.run(trainer, part, signal) ?? runEvaluation(trainer, source, signal)
}
