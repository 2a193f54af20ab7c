/** Every task in one table: which models do it, and how. */
import {
  AutoModel,
  type AutoModelFactory,
  AutoModelForCausalLM,
  AutoModelForMaskedLM,
  AutoModelForQuestionAnswering,
  AutoModelForSeq2SeqLM,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
} from '../models/index.node.js'
import { type FeatureExtractor, featureExtractor } from './feature-extraction.js'
import { type MaskFiller, maskFiller } from './fill-mask.js'
import { type ImageClassifier, imageClassifier } from './image-classification.node.js'
import { type LoadedModel, loadModelFolder } from './model-folder.node.js'
import { checkHead, type FoundModel, openTokenizer, type PipelineOptions, sentenceSettings } from './open.node.js'
import { publishedTextGenerator } from './published-text-generation.js'
import { type QuestionAnswerer, questionAnswerer } from './question-answering.js'
import { type Reranker, reranker } from './reranking.js'
import { type SemanticSearcher, semanticSearcher } from './semantic-search.node.js'
import { type SentenceComparer, sentenceComparer } from './sentence-similarity.js'
import { publishedTextClassifier, type TextClassifier } from './text-classification.js'
import { textClassifier } from './text-classification.node.js'
import type { TextGenerator } from './text-generation.js'
import { textGenerator } from './text-generation.node.js'
import { TextModel } from './text-model.js'
import { rewriter, type TextRewriter } from './text2text.js'
import { type TokenClassifier, tokenClassifier } from './token-classification.js'
import { type ZeroShotClassifier, zeroShotClassifier } from './zero-shot-classification.js'

/** What each task gives. */
export interface Pipelines {
  'text-classification': TextClassifier
  'token-classification': TokenClassifier
  'fill-mask': MaskFiller
  'question-answering': QuestionAnswerer
  'zero-shot-classification': ZeroShotClassifier
  'feature-extraction': FeatureExtractor
  'sentence-similarity': SentenceComparer
  'semantic-search': SemanticSearcher
  reranking: Reranker
  'text-generation': TextGenerator
  'text2text-generation': TextRewriter<'text2text-generation'>
  summarization: TextRewriter<'summarization'>
  translation: TextRewriter<'translation'>
  'image-classification': ImageClassifier
}

export type TaskName = keyof Pipelines

type Open<P> = (found: FoundModel, options: PipelineOptions) => Promise<P>

/** Who does a task. */
interface TaskEntry<P> {
  /** Models that recipes of this package wrote. */
  readonly own?: (loaded: LoadedModel) => P
  /** Checkpoints in transformers' layout. */
  readonly published?: Open<P>
  /** Ends of class names in a checkpoint's `architectures` that say it is for this task. */
  readonly classes?: RegExp
  /** The model that comes with the package for this task. */
  readonly defaultModel?: string
}

/** A task of a text model with a head. */
const headed =
  <P>(auto: AutoModelFactory, task: string, make: (text: TextModel) => P): Open<P> =>
  async (found, options) => {
    const model = await auto.fromPretrained(found.source, { onNote: () => undefined, ...options })
    checkHead(model, found.name, task)
    return make(new TextModel(found.name, model, await openTokenizer(found, options)))
  }

/** A task of a text model without its head: what the file has beside it is not used. */
const headless =
  <P>(make: (text: TextModel, found: FoundModel, options: PipelineOptions) => P | Promise<P>): Open<P> =>
  async (found, options) => {
    const model = await AutoModel.fromPretrained(found.source, { onNote: () => undefined, ...options })
    return make(new TextModel(found.name, model, await openTokenizer(found, options)), found, options)
  }

export const TASK_TABLE: { readonly [T in TaskName]: TaskEntry<Pipelines[T]> } = {
  'text-classification': {
    own: textClassifier,
    published: headed(AutoModelForSequenceClassification, 'text-classification', publishedTextClassifier),
    classes: /ForSequenceClassification$/,
    defaultModel: 'hotel-sentiment-zh',
  },
  'token-classification': {
    published: headed(AutoModelForTokenClassification, 'token-classification', tokenClassifier),
    classes: /ForTokenClassification$/,
  },
  'fill-mask': {
    published: headed(AutoModelForMaskedLM, 'fill-mask', maskFiller),
    classes: /(ForMaskedLM|ForPreTraining|WithLMHeadModel)$/,
  },
  'question-answering': {
    published: headed(AutoModelForQuestionAnswering, 'question-answering', questionAnswerer),
    classes: /ForQuestionAnswering(Simple)?$/,
  },
  'zero-shot-classification': {
    published: headed(AutoModelForSequenceClassification, 'zero-shot-classification', zeroShotClassifier),
  },
  'feature-extraction': { published: headless(featureExtractor), classes: /(?<!LMHead|MT)Model$/ },
  'sentence-similarity': {
    published: headless(async (text, found, options) => sentenceComparer(text, await sentenceSettings(found, options))),
  },
  'semantic-search': {
    published: headless(async (text, found, options) => semanticSearcher(text, await sentenceSettings(found, options))),
  },
  reranking: { published: headed(AutoModelForSequenceClassification, 'reranking', reranker) },
  'text-generation': {
    own: textGenerator,
    published: headed(AutoModelForCausalLM, 'text-generation', publishedTextGenerator),
    classes: /(ForCausalLM|LMHeadModel)$/,
  },
  'text2text-generation': {
    published: headed(AutoModelForSeq2SeqLM, 'text2text-generation', rewriter('text2text-generation')),
    classes: /(ForConditionalGeneration|MTModel)$/,
  },
  summarization: { published: headed(AutoModelForSeq2SeqLM, 'summarization', rewriter('summarization')) },
  translation: { published: headed(AutoModelForSeq2SeqLM, 'translation', rewriter('translation')) },
  'image-classification': { own: imageClassifier },
}

export const TASKS = Object.keys(TASK_TABLE) as TaskName[]

/** Other names of tasks. */
export const TASK_ALIASES = {
  'sentiment-analysis': 'text-classification',
  ner: 'token-classification',
  embeddings: 'sentence-similarity',
} as const satisfies Readonly<Record<string, TaskName>>

export type TaskAlias = keyof typeof TASK_ALIASES

/** The task of that name. @throws RangeError for an unknown one, listing those there are */
export function taskNamed(name: string): TaskName {
  if (Object.hasOwn(TASK_ALIASES, name)) return TASK_ALIASES[name as TaskAlias]
  if (Object.hasOwn(TASK_TABLE, name)) return name as TaskName
  throw new RangeError(`unknown task '${name}'; tasks: ${[...TASKS, ...Object.keys(TASK_ALIASES)].join(', ')}`)
}

/** The task that a model is for, by its config. @throws RangeError where the config does not say */
export function taskOfModel({ name, config, own }: FoundModel): TaskName {
  if (own) return config.task === 'language-modeling' ? 'text-generation' : taskNamed(String(config.task))
  const classes: readonly unknown[] = Array.isArray(config.architectures) ? config.architectures : []
  const [first] = classes.map(String)
  const task = TASKS.find((candidate) => first !== undefined && TASK_TABLE[candidate].classes?.test(first))
  if (!task)
    throw new RangeError(`${name} does not say what it is for (architectures: ${first ?? 'none'}): name a task`)
  return task
}

/** A model that was found, ready for a task. @throws RangeError for a model of another kind */
export async function openTask<T extends TaskName>(
  task: T,
  found: FoundModel,
  options: PipelineOptions = {},
): Promise<Pipelines[T]> {
  const { own, published }: TaskEntry<Pipelines[T]> = TASK_TABLE[task]
  if (!found.own) {
    if (!published)
      throw new RangeError(`${task} is done by models that recipes train; ${found.name} is a published checkpoint`)
    return published(found, options)
  }
  const meant = taskOfModel(found)
  if (meant !== task || !own) throw new RangeError(`${found.name} is a model for ${meant}, not for ${task}`)
  return own(await loadModelFolder(found.source))
}
