import { z } from 'zod'
import { architecturesFor, faultsOfLayers, findArchitecture, type LayerSpec, type TextTask } from '../models/index.js'

/** A model as a stack of layers. */
export interface LayersModel {
  readonly layers: readonly LayerSpec[]
}

/** A model known by name, with its settings. */
export interface NamedModel {
  readonly architecture: string
  readonly options: object
}

export type { LayerSpec }
export type ModelSpec = LayersModel | NamedModel

const layersSchema = z.strictObject({
  layers: z
    .array(z.looseObject({ type: z.string().regex(/^[A-Z]\w*$/, "expected Keras' name of a layer, such as Dense") }))
    .min(1),
})

type Faults = (faults: readonly { readonly message: string; readonly path: readonly PropertyKey[] }[]) => void

function parseNamed(task: TextTask | null, value: Record<string, unknown>, report: Faults): NamedModel {
  const { architecture, ...settings } = value
  const known = task ? architecturesFor(task) : []
  const found =
    typeof architecture === 'string' && known.includes(architecture) ? findArchitecture(architecture) : undefined
  if (!found) {
    const choice =
      known.length > 0 ? `expected one of ${known.join(', ')}` : 'this task has no named architectures; give layers'
    report([{ message: `${choice}, got ${JSON.stringify(architecture)}`, path: ['architecture'] }])
    return { architecture: '', options: {} }
  }
  const parsed = found.options.safeParse(settings)
  if (parsed.success) return { architecture: architecture as string, options: parsed.data }
  report(parsed.error.issues)
  return { architecture: architecture as string, options: {} }
}

/** The `model` of a recipe for a task: layers, or a named architecture with its settings. */
export const modelSpec = (task: TextTask | null): z.ZodType<ModelSpec> =>
  z.looseObject({}).transform((value, context): ModelSpec => {
    const report: Faults = (faults) => {
      for (const { message, path } of faults)
        context.issues.push({ code: 'custom', message, path: [...path], input: value })
    }
    if ('architecture' in value) return parseNamed(task, value, report)
    if (!('layers' in value)) {
      const named = task ? ` or architecture (${architecturesFor(task).join(', ')})` : ''
      report([{ message: `expected layers${named}`, path: [] }])
      return { layers: [] }
    }
    const parsed = layersSchema.safeParse(value)
    if (!parsed.success) {
      report(parsed.error.issues)
      return { layers: [] }
    }
    report(faultsOfLayers(parsed.data.layers).map(({ layer, message }) => ({ message, path: ['layers', layer] })))
    return parsed.data
  }) as unknown as z.ZodType<ModelSpec>
