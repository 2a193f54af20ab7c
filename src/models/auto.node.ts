import { join } from 'node:path'
import { readConfigJson } from './pretrained/checkpoint.node.js'
import { type BaseConfig, parseConfig } from './pretrained/config.js'
import type { AutoTask, ModelDefinition } from './pretrained/definition.js'
import type { ModelClass, PreTrainedModel } from './pretrained/model.js'
import type { LoadOptions } from './pretrained/options.js'
import { resolveConfigFolder } from './pretrained/resolve.node.js'
import './pretrained/store.node.js'
import { modelDefinition, UnknownModelError } from './model-types.js'

function modelTypeOf(json: object, source: string): string {
  const type = 'model_type' in json ? json.model_type : undefined
  if (typeof type !== 'string') throw new TypeError(`${source} names no model_type`)
  return type
}

/** Configs of any model type. */
export const AutoConfig = {
  /** The config of a checkpoint folder or hub id, with defaults filled in. */
  async fromPretrained(source: string, options: LoadOptions = {}): Promise<BaseConfig> {
    const folder = await resolveConfigFolder(source, options)
    return AutoConfig.fromObject(await readConfigJson(folder), join(folder, 'config.json'))
  },

  /** A config from the object of a `config.json`. */
  async fromObject(json: object, source = 'config'): Promise<BaseConfig> {
    const { config } = await modelDefinition(modelTypeOf(json, source))
    return parseConfig(config, json, source)
  },
}

async function definitionAt(source: string, options: LoadOptions): Promise<ModelDefinition> {
  const folder = await resolveConfigFolder(source, options)
  return modelDefinition(modelTypeOf(await readConfigJson(folder), join(folder, 'config.json')))
}

type Pretrained = ModelClass & { fromPretrained: (source: string, options?: LoadOptions) => Promise<PreTrainedModel> }

function classFor(
  definition: ModelDefinition,
  task: AutoTask,
): Pretrained & { fromConfig(config: object): PreTrainedModel } {
  const cls = definition.auto[task]
  if (!cls) throw new UnknownModelError(`'${task}' for the model type '${definition.config.model_type}'`)
  return cls as unknown as Pretrained & { fromConfig(config: object): PreTrainedModel }
}

export interface AutoModelFactory {
  /** A model from a checkpoint folder or hub id, in evaluation mode. */
  fromPretrained(source: string, options?: LoadOptions): Promise<PreTrainedModel>
  /** A model with fresh weights from a config or its JSON object. */
  fromConfig(config: object): Promise<PreTrainedModel>
}

const autoFor = (task: AutoTask): AutoModelFactory => ({
  fromPretrained: async (source, options = {}) =>
    classFor(await definitionAt(source, options), task).fromPretrained(source, options),
  fromConfig: async (config) => classFor(await modelDefinition(modelTypeOf(config, 'config')), task).fromConfig(config),
})

export const AutoModel = autoFor('model')
export const AutoModelForPreTraining = autoFor('preTraining')
export const AutoModelForMaskedLM = autoFor('maskedLM')
export const AutoModelForCausalLM = autoFor('causalLM')
export const AutoModelForSeq2SeqLM = autoFor('seq2SeqLM')
export const AutoModelForSequenceClassification = autoFor('sequenceClassification')
export const AutoModelForTokenClassification = autoFor('tokenClassification')
export const AutoModelForQuestionAnswering = autoFor('questionAnswering')
export const AutoModelForMultipleChoice = autoFor('multipleChoice')
export const AutoModelForNextSentencePrediction = autoFor('nextSentencePrediction')
export const AutoModelForImageClassification = autoFor('imageClassification')
export const AutoModelForSemanticSegmentation = autoFor('semanticSegmentation')
export const AutoModelForObjectDetection = autoFor('objectDetection')
export const AutoModelForCTC = autoFor('ctc')
export const AutoModelForSpeechSeq2Seq = autoFor('speechSeq2Seq')

/** The class that a checkpoint names, by its `model_type` and the class's name in transformers. */
export async function modelClass(
  modelType: string,
  className: string,
): Promise<ModelClass & { fromPretrained: Pretrained['fromPretrained'] }> {
  const { classes } = await modelDefinition(modelType)
  if (!Object.hasOwn(classes, className)) throw new UnknownModelError(`the class ${className}`)
  return classes[className] as unknown as Pretrained
}
