import type { HostArray } from '../../formats/index.js'
import { fromBf16, fromF16, isFloat, type TypedArray } from '../../ir/index.js'
import { leafValue, wrapArray } from '../../runtime/index.js'
import { storageOf } from '../../tensor/core.js'
import type { DType, Parameter } from '../../tensor/index.js'
import { expectInt8, isQuantized, quantizeModel, weightOfScale } from './int8.js'
import { keyOfFile } from './keys.js'
import type { Family, PreTrainedModel } from './model.js'
import type { LoadOptions, LoadReport } from './options.js'

/** Tensors of a checkpoint by the names in the file, each read when asked for. */
export interface WeightSource {
  readonly source: string
  readonly shapes: ReadonlyMap<string, readonly number[]>
  read(name: string): Promise<HostArray>
}

interface Slot {
  readonly parameter: Parameter
  /** Every path of it, the first being the one it is saved under. */
  readonly paths: string[]
}

function slotsOf(model: PreTrainedModel): { slots: Slot[]; byPath: Map<string, Slot> } {
  const byParameter = new Map<Parameter, Slot>()
  const byPath = new Map<string, Slot>()
  for (const { name, parameter } of model.parameterReferences()) {
    const slot = byParameter.get(parameter) ?? { parameter, paths: [] }
    byParameter.set(parameter, slot)
    slot.paths.push(name)
    byPath.set(name, slot)
  }
  return { slots: [...byParameter.values()], byPath }
}

/** The model's path of a tensor, where heads and base models are read from each other's files. */
function placeOf(key: string, prefix: string, byPath: ReadonlyMap<string, Slot>): string | null {
  if (byPath.has(key)) return key
  if (!prefix) return null
  const inner = `${prefix}.${key}`
  if (byPath.has(inner)) return inner
  const outer = key.startsWith(`${prefix}.`) ? key.slice(prefix.length + 1) : null
  return outer !== null && byPath.has(outer) ? outer : null
}

const numbersOf = ({ dtype, data }: HostArray): ArrayLike<number | bigint> => {
  if (dtype === 'f16') return Float32Array.from(data as Uint16Array, fromF16)
  if (dtype === 'bf16') return Float32Array.from(data as Uint16Array, fromBf16)
  return data
}

/** An array in another element type. */
export function convertArray(array: HostArray, dtype: DType): TypedArray {
  if (array.dtype === dtype) return array.data
  return storageOf(numbersOf(array) as ArrayLike<number>, dtype)
}

/** Floats keep their stored type under `auto`; what the model holds as integers stays so. */
function typeFor(parameter: Parameter, stored: DType, wanted: LoadOptions['dtype']): DType {
  if (!isFloat(parameter.dtype)) return parameter.dtype
  if (wanted && wanted !== 'auto' && wanted !== 'int8') return wanted
  return stored === 'f16' || stored === 'bf16' ? stored : 'f32'
}

function place(parameter: Parameter, array: HostArray, wanted: LoadOptions['dtype']): void {
  const dtype = typeFor(parameter, array.dtype, wanted)
  const data = convertArray(array, dtype)
  // Values must never change under a tensor: what shares memory with a larger file is copied.
  const owned = data.byteLength === data.buffer.byteLength ? data : data.slice()
  parameter.cell.settle(leafValue(wrapArray(owned, dtype, parameter.shape)))
}

const sameSizes = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((extent, i) => extent === b[i])

const sizes = (shape: readonly number[]): string => `[${shape.join(', ')}]`

const list = (names: readonly string[], most = 8): string =>
  names.length <= most ? names.join(', ') : `${names.slice(0, most).join(', ')} and ${names.length - most} more`

/** Shapes of the scales of 8-bit weights in a file, by the model's path of the weight. */
function scalesOf(weights: WeightSource, family: Family, byPath: ReadonlyMap<string, Slot>) {
  const scales = new Map<string, readonly number[]>()
  for (const [name, shape] of weights.shapes) {
    const weight = weightOfScale(name)
    const key = weight === null ? null : keyOfFile(weight, family.keys ?? [])
    const path = key === null ? null : placeOf(key, family.prefix, byPath)
    if (path !== null) scales.set(path, shape)
  }
  return scales
}

interface Matched {
  /** File names by slot: the first path's tensor where there are several. */
  readonly chosen: Map<Slot, string>
  readonly unexpected: string[]
  readonly mismatched: string[]
}

function match(
  weights: WeightSource,
  family: Family,
  found: ReturnType<typeof slotsOf>,
  options: LoadOptions,
): Matched {
  const chosen = new Map<Slot, string>()
  const ranks = new Map<Slot, number>()
  const unexpected: string[] = []
  const mismatched: string[] = []
  for (const [name, shape] of weights.shapes) {
    const key = keyOfFile(name, family.keys ?? [])
    if (key === null) continue
    const path = placeOf(key, family.prefix, found.byPath)
    const slot = path === null ? undefined : found.byPath.get(path)
    if (path === null || !slot) {
      if (!family.ignored?.test(name)) unexpected.push(name)
      continue
    }
    if (!sameSizes(shape, slot.parameter.shape)) {
      const text = `${name}: ${sizes(shape)} in the file, ${sizes(slot.parameter.shape)} in the model`
      if (!options.ignoreMismatchedSizes && !headChanged(path, family, options))
        throw new RangeError(`${weights.source}: shapes differ; ${text}`)
      mismatched.push(text)
      continue
    }
    const rank = slot.paths.indexOf(path)
    if (rank < (ranks.get(slot) ?? Number.POSITIVE_INFINITY)) {
      ranks.set(slot, rank)
      chosen.set(slot, name)
    }
  }
  return { chosen, unexpected, mismatched }
}

const isHead = (path: string, family: Family): boolean => family.prefix !== '' && !path.startsWith(`${family.prefix}.`)

/** Another number of labels was asked for, so that the head's tensors cannot fit. */
const headChanged = (path: string, family: Family, { numLabels, labels }: LoadOptions): boolean =>
  (numLabels !== undefined || labels !== undefined) && isHead(path, family)

function checkMissing(model: PreTrainedModel, family: Family, missing: readonly string[], source: string): void {
  const onBase = [...model.parameterReferences()].some(({ name }) => !isHead(name, family))
  const base = missing.filter((path) => {
    const inBase = onBase ? !isHead(path, family) : true
    return inBase && !family.optional?.test(path)
  })
  if (base.length > 0)
    throw new Error(`${source}: the file lacks ${base.length} tensors of ${model.constructor.name}: ${list(base)}`)
}

function noteOf(model: PreTrainedModel, source: string, report: LoadReport): string | null {
  const parts: string[] = []
  const fresh = [...report.missing, ...report.mismatched]
  if (fresh.length > 0) parts.push(`newly initialised, train it before use: ${list(fresh)}`)
  if (report.unexpected.length > 0) parts.push(`not used: ${list(report.unexpected)}`)
  return parts.length === 0 ? null : `${source} as ${model.constructor.name}: ${parts.join('; ')}`
}

/**
 * Gives a model the weights of a checkpoint. Heads that the file lacks are drawn anew and noted; a base model must be complete.
 * @throws Error naming what the file lacks, RangeError where shapes differ
 */
export async function loadWeights(
  model: PreTrainedModel,
  family: Family,
  weights: WeightSource,
  options: LoadOptions,
): Promise<LoadReport> {
  expectInt8(model, scalesOf(weights, family, slotsOf(model).byPath))
  const found = slotsOf(model)
  const { chosen, unexpected, mismatched } = match(weights, family, found, options)
  const absent = found.slots.filter((slot) => !chosen.has(slot))
  const shaped = new Set(mismatched.map((text) => text.slice(0, text.indexOf(':'))))
  const missing = absent.map((slot) => slot.paths[0]).filter((path) => !shaped.has(path))
  if (options.strict !== false) checkMissing(model, family, missing, weights.source)
  let tensors = 0
  for (const [slot, name] of chosen) {
    options.signal?.throwIfAborted()
    place(slot.parameter, await weights.read(name), options.dtype)
    options.onProgress?.({ tensors: ++tensors, total: chosen.size })
  }
  const fresh = new Set(absent.map((slot) => slot.parameter))
  if (fresh.size > 0) model.initWeights(fresh)
  // What starts anew is still to be trained.
  if (options.dtype === 'int8' && !isQuantized(model)) await quantizeModel(model, fresh)
  const report = { missing, unexpected, mismatched }
  const note = noteOf(model, weights.source, report)
  if (note) (options.onNote ?? console.warn)(note)
  return report
}
