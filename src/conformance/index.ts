import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { currentBackend } from '../runtime/index.js'
import { type AreaRunner, caseFilter } from './area.js'
import { listCases } from './list.js'
import { type AreaReport, areaReport, type CaseResult, type ConformanceReport, summarize } from './report.js'

export { type AreaReport, type CaseResult, type ConformanceReport, summaryLine } from './report.js'

/** Areas that this build can run, each loaded when asked for. An area's folder has the area's name. */
const RUNNERS: Readonly<Record<string, () => Promise<AreaRunner>>> = {
  ops: async () => (await import('./ops/index.js')).runOps,
  optim: async () => (await import('./optim/index.js')).runOptim,
  generation: async () => (await import('./generation/index.js')).runGeneration,
  models: async () => (await import('./models/index.js')).runModels,
  models_train: async () => (await import('./models-train/index.js')).runModelsTrain,
  keras: async () => (await import('./keras/index.js')).runKeras,
  metrics: async () => (await import('./metrics/index.js')).runMetrics,
  tokenizers: async () => (await import('./tokenizers/index.js')).runTokenizers,
  pipelines: async () => (await import('./pipelines/index.js')).runPipelines,
}

export interface ConformanceOptions {
  /** Name of one area; all of the folder's where absent. */
  readonly area?: string
  /** Regular expression tested against a case's id and against `<file stem>/<id>`. */
  readonly filter?: string
  readonly onCase?: (area: string, result: CaseResult) => void
}

async function areasIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: Error) => {
    throw new Error(`cannot read the folder of references ${folder}: ${error.message}`)
  })
  return entries
    .filter((entry) => entry.isDirectory() && entry.name !== 'generators')
    .map((entry) => entry.name)
    .sort()
}

async function chosenAreas(folder: string, area: string | undefined): Promise<string[]> {
  const present = await areasIn(folder)
  if (area === undefined) {
    if (present.length === 0)
      throw new Error(`${folder} holds no area folders such as ${Object.keys(RUNNERS).join(', ')}`)
    return present
  }
  if (!present.includes(area))
    throw new Error(`${folder} has no area '${area}'; it has ${present.join(', ') || 'none'}`)
  return [area]
}

async function runArea(folder: string, area: string, options: ConformanceOptions): Promise<AreaReport> {
  const wants = caseFilter(options.filter)
  const load = RUNNERS[area]
  const onCase = options.onCase && ((result: CaseResult) => options.onCase?.(area, result))
  if (load) return areaReport(area, await (await load())(join(folder, area), { wants, onCase }))
  const ids = await listCases(join(folder, area), wants)
  const results = ids.map((id): CaseResult => ({ id, outcome: { kind: 'unsupported', what: `the area '${area}'` } }))
  return areaReport(area, results)
}

/**
 * Runs a folder of frozen references (`<folder>/<area>/...`) on the current backend. Cases of areas or functions that this build lacks
 * count as skipped and are named.
 * @throws Error where the folder cannot be read or has no such area, TypeError for a malformed filter.
 */
export async function runConformance(folder: string, options: ConformanceOptions = {}): Promise<ConformanceReport> {
  if (!(await stat(folder).catch(() => null))?.isDirectory()) throw new Error(`there is no folder ${folder}`)
  const areas: AreaReport[] = []
  for (const area of await chosenAreas(folder, options.area)) areas.push(await runArea(folder, area, options))
  return summarize(currentBackend().name, areas)
}
