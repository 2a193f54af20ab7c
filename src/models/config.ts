import { z } from 'zod'
import { type KerasObject, type Model, modelFromConfig } from '../nn/index.js'
import { toCamel, toSnake } from '../nn/serial.js'
import { TRUNCATIONS } from '../text/char-tokenizer.js'
import { findArchitecture } from './registry.js'

const count = z.int().positive()

const common = {
  model_type: z.string(),
  kaimo_version: z.string().optional(),
}

const tokenizer = z.object({
  type: z.literal('characters'),
  max_length: count,
  truncation: z.enum(TRUNCATIONS),
})

const imageConfig = z.looseObject({
  ...common,
  task: z.literal('image-classification'),
  labels: z.array(z.string()).min(2),
  image: z.object({ height: count, width: count, channels: count, rescale: z.number() }),
})

const textConfig = z.looseObject({
  ...common,
  task: z.literal('text-classification'),
  labels: z.array(z.string()).min(2),
  vocab_size: count,
  tokenizer,
})

const languageConfig = z.looseObject({
  ...common,
  task: z.literal('language-modeling'),
  vocab_size: count,
  sequence_length: count,
})

const configSchema = z.discriminatedUnion('task', [imageConfig, textConfig, languageConfig])

/** The `config.json` of a model folder. */
export type ModelConfig = z.infer<typeof configSchema>
export type ImageModelConfig = Extract<ModelConfig, { task: 'image-classification' }>
export type TextModelConfig = Extract<ModelConfig, { task: 'text-classification' }>
export type LanguageModelConfig = Extract<ModelConfig, { task: 'language-modeling' }>

/** What `model_type` says of models given by layers. */
export const LAYERS_TYPE = 'keras'

/** @throws TypeError naming the file and every field at fault */
export function parseModelConfig(json: unknown, source: string): ModelConfig {
  const parsed = configSchema.safeParse(json)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'config'}: ${message}`)
  throw new TypeError(`${source} is not the config of a model: ${faults.join('; ')}`)
}

const renamed = (record: object, name: (key: string) => string): Record<string, unknown> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [name(key), value]))

/** The part of `config.json` that a named architecture adds: its settings in snake_case. */
export const architectureFields = (name: string, options: object): Record<string, unknown> => ({
  model_type: name,
  ...renamed(options, toSnake),
})

/** The part of `config.json` that a model of layers adds. */
export const layersFields = (model: Model): Record<string, unknown> => ({
  model_type: LAYERS_TYPE,
  keras: model.toConfig(),
})

/**
 * Makes the model that a config describes, with fresh weights.
 * @throws TypeError naming the file and what is wrong
 */
export function buildModel(config: ModelConfig, source: string): Model {
  if (config.model_type === LAYERS_TYPE) return modelFromConfig(config.keras as KerasObject)
  const architecture = findArchitecture(config.model_type)
  if (!architecture || architecture.task !== config.task)
    throw new TypeError(`${source}: unknown model_type '${config.model_type}' for the task ${config.task}`)
  const settings = Object.entries(renamed(config, toCamel)).filter(([key]) => !NOT_SETTINGS.has(key))
  const parsed = architecture.options.safeParse(Object.fromEntries(settings))
  if (!parsed.success) {
    const faults = parsed.error.issues.map(
      ({ path, message }) => `${path.map((key) => toSnake(String(key))).join('.') || 'config'}: ${message}`,
    )
    throw new TypeError(`${source}: ${faults.join('; ')}`)
  }
  const numLabels = config.task === 'text-classification' ? config.labels.length : 0
  return architecture.build(parsed.data, { vocabSize: config.vocab_size as number, numLabels })
}

const NOT_SETTINGS = new Set(
  [...Object.keys(textConfig.shape), ...Object.keys(languageConfig.shape), 'architectures', 'id2label', 'label2id'].map(
    toCamel,
  ),
)
