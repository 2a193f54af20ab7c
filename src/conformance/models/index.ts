import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { modelClass, type PreTrainedModel, UnknownModelError } from '../../models/index.node.js'
import { type AreaRunner, runCase } from '../area.js'
import { type Comparison, joinComparisons } from '../compare.js'
import { GoldenTensors, readJson } from '../golden.js'
import type { CaseResult } from '../report.js'
import { UnsupportedError } from '../unsupported.js'
import { compareGeneration } from './generation.js'
import type { ModelGolden } from './golden.js'
import { comparePass } from './passes.js'

const silent = (): void => undefined

/** A model of a folder of references, as the references were made: in f32. */
export async function loadReference(folder: string, modelType: string, className: string): Promise<PreTrainedModel> {
  try {
    const cls = await modelClass(modelType, className)
    return await cls.fromPretrained(folder, { dtype: 'f32', onNote: silent })
  } catch (error) {
    if (error instanceof UnknownModelError) throw new UnsupportedError(error.what)
    throw error
  }
}

async function compareModel(folder: string): Promise<Comparison> {
  const golden = await readJson<ModelGolden>(join(folder, 'golden.json'))
  const model = await loadReference(folder, golden.model_type, golden.model_class)
  const file = await GoldenTensors.read(folder, 'golden')
  const comparisons: Comparison[] = []
  for (const pass of golden.passes) {
    const other = pass.load_with_class
    const reader = other ? await loadReference(folder, golden.model_type, other) : model
    comparisons.push(...(await comparePass(reader, pass, file, golden.tolerance)))
  }
  for (const record of golden.generate ?? [])
    comparisons.push(...(await compareGeneration(model, record, file, golden.tolerance)))
  return joinComparisons(comparisons)
}

/** Checkpoint folders with the outputs, losses, gradients and generated tokens of the transformers library. */
export const runModels: AreaRunner = async (folder, { wants, onCase }) => {
  const results: CaseResult[] = []
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  for (const name of names.sort()) {
    if (!wants(name, name)) continue
    const result = await runCase(name, () => compareModel(join(folder, name)))
    results.push(result)
    onCase?.(result)
  }
  return results
}
