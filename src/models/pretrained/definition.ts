import type { ConfigSpec } from './config.js'
import type { ModelClass } from './model.js'

/** What `AutoModelFor...` asks for. */
export const AUTO_TASKS = [
  'model',
  'preTraining',
  'maskedLM',
  'causalLM',
  'seq2SeqLM',
  'sequenceClassification',
  'tokenClassification',
  'questionAnswering',
  'multipleChoice',
  'nextSentencePrediction',
  'imageClassification',
  'semanticSegmentation',
  'objectDetection',
  'ctc',
  'audioClassification',
  'speechSeq2Seq',
] as const
export type AutoTask = (typeof AUTO_TASKS)[number]

/** Ends of class names that say what a class is for. */
const SUFFIXES: Readonly<Record<string, AutoTask>> = {
  ForPreTraining: 'preTraining',
  ForMaskedLM: 'maskedLM',
  ForCausalLM: 'causalLM',
  LMHeadModel: 'causalLM',
  ForConditionalGeneration: 'seq2SeqLM',
  ForSequenceClassification: 'sequenceClassification',
  ForTokenClassification: 'tokenClassification',
  ForQuestionAnswering: 'questionAnswering',
  ForMultipleChoice: 'multipleChoice',
  ForNextSentencePrediction: 'nextSentencePrediction',
  ForImageClassification: 'imageClassification',
  ForSemanticSegmentation: 'semanticSegmentation',
  ForObjectDetection: 'objectDetection',
  ForCTC: 'ctc',
}

/** A file of this folder: the classes of one `model_type`. */
export interface ModelDefinition {
  readonly config: ConfigSpec<object>
  readonly classes: Readonly<Record<string, ModelClass>>
  readonly auto: Readonly<Partial<Record<AutoTask, ModelClass>>>
}

interface DefinitionInput {
  readonly config: ConfigSpec<object>
  /** Classes by their names in transformers. The first is the base model. */
  readonly classes: Readonly<Record<string, ModelClass>>
  /** Where a class's name does not say what it is for. */
  readonly auto?: Readonly<Partial<Record<AutoTask, string>>>
}

export function defineModels({ config, classes, auto = {} }: DefinitionInput): ModelDefinition {
  const byTask: Partial<Record<AutoTask, ModelClass>> = { model: Object.values(classes)[0] }
  for (const [name, cls] of Object.entries(classes))
    for (const [suffix, task] of Object.entries(SUFFIXES)) if (name.endsWith(suffix)) byTask[task] = cls
  for (const [task, name] of Object.entries(auto)) byTask[task as AutoTask] = classes[name]
  return { config, classes, auto: byTask }
}
