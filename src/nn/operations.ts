import type { KerasObject } from './serial.js'

// Keras lists `h * 2`, `ops.relu(h)` and the like among the layers of a functional model, with their constants as arguments. Those that a layer
// computes, too, are read as that layer; the model is then saved with it.

type Config = Record<string, unknown>
interface Operation extends KerasObject {
  readonly inbound_nodes: readonly { readonly args: unknown; readonly kwargs?: Config }[]
}

/** What the operation computes as a layer; null where none does. `args`: numbers as they are, null for tensors. */
type Reading = (config: Config, args: readonly (number | null)[]) => KerasObject | null

const layer = (class_name: string, config: Config): KerasObject => ({ class_name, config })
const rescaling = (scale: number, offset = 0): KerasObject => layer('Rescaling', { scale, offset })

/** `tensor op number` and `number op tensor`. */
const withNumber =
  (right: (value: number) => KerasObject | null, left: (value: number) => KerasObject | null): Reading =>
  (_config, [a, b]) =>
    typeof b === 'number' ? right(b) : typeof a === 'number' ? left(a) : null

const activation =
  (name: string): Reading =>
  () =>
    layer('Activation', { activation: name })

const times = (value: number): KerasObject => rescaling(value)
const plus = (value: number): KerasObject => rescaling(1, value)
const dividedBy = withNumber(
  (value) => rescaling(1 / value),
  () => null,
)

const numbers = (value: unknown): number[] => (Array.isArray(value) ? value.map(Number) : [Number(value)])

const spatialPooling =
  (name: string): Reading =>
  (config) => {
    const axes = numbers(config.axis)
    // In front of it a layer would see masks of sequences, which the operation does not.
    if (axes.join() !== '1,2') return null
    return layer(`Global${name}Pooling2D`, { keepdims: config.keepdims ?? false })
  }

const READINGS: Readonly<Record<string, Reading>> = {
  Add: withNumber(plus, plus),
  Subtract: withNumber(
    (value) => rescaling(1, -value),
    (value) => rescaling(-1, value),
  ),
  Multiply: withNumber(times, times),
  TrueDivide: dividedBy,
  Divide: dividedBy,
  Negative: () => rescaling(-1),
  Relu: activation('relu'),
  Relu6: activation('relu6'),
  Sigmoid: activation('sigmoid'),
  Tanh: activation('tanh'),
  Silu: activation('silu'),
  Softplus: activation('softplus'),
  Softsign: activation('softsign'),
  Selu: activation('selu'),
  Exp: activation('exponential'),
  Gelu: ({ approximate }) => (approximate ? null : layer('Activation', { activation: 'gelu' })),
  LeakyRelu: ({ negative_slope }) => layer('LeakyReLU', { negative_slope }),
  Elu: ({ alpha }) => layer('ELU', { alpha: alpha ?? 1 }),
  Softmax: ({ axis }) => layer('Softmax', { axis: axis ?? -1 }),
  Reshape: ({ newshape }) => {
    const [batch, ...rest] = numbers(newshape)
    return batch === -1 && !rest.includes(-1) ? layer('Reshape', { target_shape: rest }) : null
  },
  Transpose: ({ axes }) => {
    const [batch, ...rest] = numbers(axes)
    return batch === 0 ? layer('Permute', { dims: rest }) : null
  },
  Mean: spatialPooling('Average'),
  Max: spatialPooling('Max'),
}

/** Operations that are listed with the name of a layer; the layer takes the tensors that they take. */
const AS_LAYERS = ['Add', 'Subtract', 'Multiply', 'Maximum', 'Minimum', 'Concatenate']

const isTensor = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && (value as KerasObject).class_name === '__keras_tensor__'

/** Operations that {@link operationAsLayer} reads. */
export const OPERATIONS: readonly string[] = [...new Set([...AS_LAYERS, ...Object.keys(READINGS)])]

/** The layer that computes what an operation of a functional model does; null where there is none. */
export function operationAsLayer(entry: Operation & { readonly name: string }): KerasObject | null {
  const [node, ...others] = entry.inbound_nodes
  if (!node || others.length > 0 || Object.keys(node.kwargs ?? {}).length > 0 || !Array.isArray(node.args)) return null
  const args = node.args as unknown[]
  const tensors = args.flat()
  if (tensors.every(isTensor) && AS_LAYERS.includes(entry.class_name))
    return layer(entry.class_name, entry.config as Config)
  const plain = args.map((value) => (typeof value === 'number' ? value : isTensor(value) ? null : undefined))
  if (plain.includes(undefined) || !Object.hasOwn(READINGS, entry.class_name)) return null
  const made = READINGS[entry.class_name](entry.config as Config, plain as (number | null)[])
  return made && layer(made.class_name, { ...(made.config as Config), name: entry.name })
}
