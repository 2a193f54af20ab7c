import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { UnknownModelError } from '../../models/index.js'
import { type Pipelines, pipeline, type TaskName, taskNamed } from '../../tasks/index.node.js'
import { type AreaRunner, runCase } from '../area.js'
import { readJson } from '../golden.js'
import { compareNested, type Reference } from '../metrics/compare.js'
import type { CaseResult } from '../report.js'
import { UnsupportedError } from '../unsupported.js'
import { CALLS, type PipelineCase } from './tasks.js'

interface PipelineGolden {
  readonly task: string
  readonly cases: readonly PipelineCase[]
}

const TOLERANCE = 1e-4

type Run = (record: PipelineCase) => Promise<unknown>

async function open<T extends TaskName>(task: T, folder: string): Promise<Run> {
  const call: ((pipeline: Pipelines[T], record: PipelineCase) => Promise<unknown>) | undefined = CALLS[task]
  if (!call) throw new UnsupportedError(`the task '${task}' of published checkpoints`)
  const loaded = (await pipeline<TaskName>(task, folder, { dtype: 'f32' })) as Pipelines[T]
  return (record) => call(loaded, record)
}

/** The task of a reference. @throws UnsupportedError where this build has none of that name, or no code for its model */
async function openReference(name: string, folder: string): Promise<Run> {
  let task: TaskName
  try {
    task = taskNamed(name)
  } catch {
    throw new UnsupportedError(`the task '${name}'`)
  }
  try {
    return await open(task, folder)
  } catch (error) {
    if (error instanceof UnknownModelError) throw new UnsupportedError(error.what)
    throw error
  }
}

/** Whole repositories with the results of transformers' pipelines: a case is known by its folder and its number. */
export const runPipelines: AreaRunner = async (folder, { wants, onCase }) => {
  const results: CaseResult[] = []
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  for (const name of names.sort()) {
    const path = join(folder, name)
    const { task, cases } = await readJson<PipelineGolden>(join(path, 'golden.json'))
    let run: Promise<Run> | null = null
    for (const [i, record] of cases.entries()) {
      if (!wants(name, String(i))) continue
      const result = await runCase(`${name}/${i}`, async () => {
        run ??= openReference(task, path)
        return compareNested(await (await run)(record), record.result as Reference, 'result', TOLERANCE)
      })
      results.push(result)
      onCase?.(result)
    }
  }
  return results
}
