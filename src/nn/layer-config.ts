import type { DType } from '../tensor/index.js'
import { type ActivationLike, activationName } from './activations.js'
import { type ConstraintLike, serializeConstraint } from './constraints.js'
import { type InitializerLike, serializeInitializer } from './initializers.js'
import { type RegularizerLike, serializeRegularizer } from './regularizers.js'
import { type KerasObject, toSnake } from './serial.js'

const KERAS_DTYPES: Record<DType, string> = {
  f32: 'float32',
  f64: 'float64',
  f16: 'float16',
  bf16: 'bfloat16',
  i8: 'int8',
  i16: 'int16',
  u8: 'uint8',
  i32: 'int32',
  u32: 'uint32',
  i64: 'int64',
  bool: 'bool',
}

/** Keras' name of a dtype. */
export const kerasDType = (dtype: DType): string => KERAS_DTYPES[dtype]

/**
 * The dtype that a Keras config names: a string, or a dtype policy (weights of mixed policies are f32).
 * @throws RangeError naming an unknown dtype.
 */
export function dtypeFromKeras(value: unknown): DType {
  if (value === null || value === undefined) return 'f32'
  if (typeof value === 'object') return dtypeFromKeras((value as { config?: { name?: unknown } }).config?.name)
  const name = String(value)
  if (name.startsWith('mixed_')) return 'f32'
  const found = (Object.keys(KERAS_DTYPES) as DType[]).find((dtype) => dtype === name || KERAS_DTYPES[dtype] === name)
  if (!found) throw new RangeError(`unknown dtype '${name}'; known: ${Object.values(KERAS_DTYPES).join(', ')}`)
  return found
}

/** What a layer is to its config. */
export interface Configurable {
  readonly className: string
  readonly name: string
  readonly trainable: boolean
  readonly dtype: DType
  config(): Record<string, unknown>
}

const isConfigurable = (x: unknown): x is Configurable =>
  typeof x === 'object' && x !== null && 'className' in x && 'config' in x && typeof x.config === 'function'

type Write = (value: unknown) => unknown

/** How an option is written, by the end of its name. */
const WRITERS: readonly (readonly [ending: RegExp, write: Write])[] = [
  [/activation$/i, (value) => activationName(value as ActivationLike)],
  [/initializer$/i, (value) => serializeInitializer(value as InitializerLike)],
  [/regularizer$/i, (value) => serializeRegularizer(value as RegularizerLike)],
  [/constraint$/i, (value) => serializeConstraint(value as ConstraintLike)],
]

function write(key: string, value: unknown): unknown {
  for (const [ending, writer] of WRITERS) if (ending.test(key)) return writer(value)
  if (isConfigurable(value)) return serializeLayer(value)
  if (Array.isArray(value) && value.some(isConfigurable)) return value.map((item) => write(key, item))
  return value ?? null
}

/** A layer's options in Keras' spelling. */
export function layerConfig(layer: Configurable, settings: object): Record<string, unknown> {
  const own = Object.entries(settings).map(([key, value]) => [toSnake(key), write(key, value)])
  return { name: layer.name, trainable: layer.trainable, dtype: kerasDType(layer.dtype), ...Object.fromEntries(own) }
}

// Where Keras looks for classes that are not layers.
const MODULES: Readonly<Record<string, string>> = { Sequential: 'keras', Functional: 'keras.src.models.functional' }

/** A layer as Keras writes it inside of configs. */
export const serializeLayer = (layer: Configurable): KerasObject => ({
  module: MODULES[layer.className] ?? 'keras.layers',
  class_name: layer.className,
  config: layer.config(),
  registered_name: null,
})
