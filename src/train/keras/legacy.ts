/** Keras' older `.h5` files: architecture and weights in one HDF5 file. Source: keras/src/legacy/saving/legacy_h5_format.py. */
import { FormatError } from '../../formats/errors.js'
import { type Hdf5Attribute, Hdf5Builder, type Hdf5Group, hdf5At } from '../../formats/hdf5.js'
import type { HostArray } from '../../formats/host-array.js'
import type { Layer, Model } from '../../nn/index.js'
import type { Parameter } from '../../tensor/index.js'
import { type Assignment, arrayOf, assign } from './weights.js'

/** Attributes may take 64 kB; lists that are longer are cut into pieces with a number after the name. */
const MAX_ATTRIBUTE_BYTES = 64_000

/** Trainable weights first, across the layers inside. */
const legacyOrder = (layer: Layer): Parameter[] =>
  [true, false].flatMap((trainable) => layer.weights.filter((weight) => weight.trainable === trainable))

function names(group: Hdf5Group, name: string): string[] {
  const whole = group.attributes.get(name)
  const text = (value: Hdf5Attribute | undefined): readonly string[] =>
    value === undefined || typeof value === 'number' ? [] : typeof value === 'string' ? [value] : value
  if (whole !== undefined) return [...text(whole)]
  const list: string[] = []
  for (let i = 0; group.attributes.has(`${name}${i}`); i++) list.push(...text(group.attributes.get(`${name}${i}`)))
  return list
}

function arrayAt(group: Hdf5Group, path: string): HostArray | undefined {
  const parts = path.split('/')
  const last = parts.pop() ?? ''
  return hdf5At(group, parts.join('/'))?.arrays.get(last)
}

/** The group with the weights: the file itself where only weights were saved. */
const weightsGroup = (root: Hdf5Group): Hdf5Group => root.groups.get('model_weights') ?? root

export const isLegacy = (root: Hdf5Group): boolean => names(weightsGroup(root), 'layer_names').length > 0

/** The architecture, as JSON text. @throws FormatError where only weights are in the file */
export function legacyConfig(root: Hdf5Group, source: string): string {
  const text = root.attributes.get('model_config')
  if (typeof text === 'string') return text
  throw new FormatError(
    `${source}: has no model_config: it holds weights alone; load them into a model with loadKerasWeights`,
  )
}

/** Puts the weights of an older file into a model: layers with weights in order. @throws FormatError where counts or shapes differ */
export function loadLegacyWeights(model: Model, root: Hdf5Group, source: string): void {
  const group = weightsGroup(root)
  const stored = names(group, 'layer_names').flatMap((name) => {
    const layer = hdf5At(group, name)
    const weights = layer ? names(layer, 'weight_names') : []
    return layer && weights.length > 0 ? [{ name, layer, weights }] : []
  })
  const layers = model.layers.filter((layer) => layer.weights.length > 0)
  if (layers.length !== stored.length) {
    throw new FormatError(
      `${source}: has weights of ${stored.length} layers, ${model.name} has ${layers.length} with weights`,
    )
  }
  const assignments: Assignment[] = []
  stored.forEach(({ name, layer, weights }, k) => {
    const own = legacyOrder(layers[k])
    if (own.length !== weights.length) {
      throw new FormatError(
        `${source}: ${name} has ${weights.length} weights, ${layers[k].name} of the model has ${own.length}`,
      )
    }
    own.forEach((parameter, i) => {
      const array = arrayAt(layer, weights[i])
      if (!array) throw new FormatError(`${source}: ${name} lists ${weights[i]}, which is not there`)
      assignments.push({ parameter, array, path: `${name}/${weights[i]}` })
    })
  })
  assign(assignments, source)
}

function setNames(group: Hdf5Builder, name: string, list: readonly string[]): void {
  const longest = Math.max(1, ...list.map((item) => new TextEncoder().encode(item).length))
  const most = Math.max(1, Math.floor(MAX_ATTRIBUTE_BYTES / longest))
  if (list.length <= most) {
    group.attributes.set(name, list)
    return
  }
  for (let i = 0; i * most < list.length; i++) group.attributes.set(`${name}${i}`, list.slice(i * most, (i + 1) * most))
}

/** Paths of weights as Keras writes them, each once. */
function weightNames(weights: readonly Parameter[]): string[] {
  const seen = new Map<string, number>()
  return weights.map(({ name }, i) => {
    const base = name ?? `weight_${i}`
    const count = seen.get(base) ?? 0
    seen.set(base, count + 1)
    return count === 0 ? base : `${base}_${count}`
  })
}

/** A model as an older `.h5` file; `config` is the JSON text of its architecture. */
export async function legacyTree(model: Model, config: string): Promise<Hdf5Builder> {
  const root = new Hdf5Builder()
  root.attributes.set('backend', 'torch').set('keras_version', '3.15.1').set('model_config', config)
  const group = root.at('model_weights')
  group.attributes.set('backend', 'torch').set('keras_version', '3.15.1')
  setNames(
    group,
    'layer_names',
    model.layers.map((layer) => layer.name),
  )
  for (const layer of model.layers) {
    const weights = legacyOrder(layer)
    const paths = weightNames(weights)
    const own = group.at(layer.name)
    setNames(own, 'weight_names', paths)
    for (const [i, path] of paths.entries()) {
      const parts = path.split('/')
      const last = parts.pop() ?? ''
      own.at(parts.join('/')).arrays.set(last, await arrayOf(weights[i]))
    }
  }
  setNames(group.at('top_level_model_weights'), 'weight_names', [])
  return root
}
