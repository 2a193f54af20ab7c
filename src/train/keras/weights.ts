import { FormatError } from '../../formats/errors.js'
import { Hdf5Builder, type Hdf5Group, hdf5Arrays, hdf5At } from '../../formats/hdf5.js'
import type { HostArray } from '../../formats/host-array.js'
import type { Model } from '../../nn/index.js'
import { isFloat, type Parameter, tensor } from '../../tensor/index.js'
import { weightGroups } from './layout.js'

/** A weight and what a file holds for it. */
export interface Assignment {
  readonly parameter: Parameter
  readonly array: HostArray
  /** Place in the file, for errors. */
  readonly path: string
}

/** Puts arrays into weights, all or none. @throws FormatError where a shape differs */
export function assign(assignments: readonly Assignment[], source: string): void {
  for (const { parameter, array, path } of assignments) {
    if (array.shape.join() !== parameter.shape.join()) {
      throw new FormatError(
        `${source}: ${path} (${parameter.name}) has shape [${array.shape.join(', ')}], the model expects [${parameter.shape.join(', ')}]`,
      )
    }
  }
  for (const { parameter, array } of assignments) {
    parameter.value = tensor(array.data, { dtype: array.dtype, shape: array.shape }).to(parameter.dtype)
  }
}

/** A weight's value as HDF5 can hold it: 16-bit floats become f32. */
export async function arrayOf(parameter: Parameter): Promise<HostArray> {
  const narrow = isFloat(parameter.dtype) && (parameter.dtype === 'f16' || parameter.dtype === 'bf16')
  const value = narrow ? parameter.value.to('f32') : parameter.value
  const data = await value.raw()
  return { dtype: value.dtype, shape: [...parameter.shape], data: data.slice() }
}

/** Keras before 3.0 called the list of layers otherwise, and some properties were private. */
const OLDER: readonly ((path: string) => string)[] = [
  (path) => path,
  (path) => path.replaceAll(/(^|\/)layers(?=\/)/g, '$1_layer_checkpoint_dependencies'),
  (path) => path.replace(/\/((?:query|key|value|output)_dense)$/, '/_$1'),
]

function variablesAt(root: Hdf5Group, path: string): { group: Hdf5Group; found: string } | undefined {
  for (const rename of OLDER) {
    const found = `${rename(path)}/vars`.replace(/^\//, '')
    const group = hdf5At(root, found)
    if (group) return { group, found }
  }
  return undefined
}

/**
 * Puts the weights of a Keras 3 weight file (`.weights.h5`, or that inside of `.keras`) into a model. Both sides must agree.
 * @throws FormatError listing weights that the file lacks or the model does not know
 */
export function loadWeightTree(model: Model, root: Hdf5Group, source: string): void {
  const assignments: Assignment[] = []
  const missing: string[] = []
  const used = new Set<string>()
  for (const { path, weights } of weightGroups(model)) {
    const variables = variablesAt(root, path)
    weights.forEach((parameter, i) => {
      const array = variables?.group.arrays.get(String(i))
      const place = `${variables?.found ?? `${path}/vars`}/${i}`
      if (!array) missing.push(`${place} (${parameter.name})`)
      else assignments.push({ parameter, array, path: place })
      used.add(place)
    })
  }
  const unexpected = [...hdf5Arrays(root).keys()].filter(
    (path) => !used.has(path) && !/^(optimizer|metrics)\//.test(path),
  )
  if (missing.length > 0 || unexpected.length > 0) {
    const parts = [
      ['missing', missing],
      ['unexpected', unexpected],
    ] as const
    const text = parts
      .filter(([, list]) => list.length > 0)
      .map(([what, list]) => `${what}: ${list.slice(0, 10).join(', ')}`)
    throw new FormatError(`${source}: the weights are not those of ${model.name}: ${text.join('; ')}`)
  }
  assign(assignments, source)
}

/** A model's weights as Keras 3 lays them out. */
export async function weightTree(model: Model): Promise<Hdf5Builder> {
  const root = new Hdf5Builder()
  root.at('vars').attributes.set('name', model.name)
  for (const { path, layer, weights } of weightGroups(model)) {
    const group = root.at(path === '' ? 'vars' : `${path}/vars`)
    group.attributes.set('name', layer.name)
    for (const [i, parameter] of weights.entries()) group.arrays.set(String(i), await arrayOf(parameter))
  }
  return root
}
