import { type LengthOptions, labelsOf, type TextModel } from './text-model.js'
import {
  type Classification,
  type ClassifyOptions,
  checkCount,
  classificationOf,
  inputName,
  type ScoreFunction,
} from './types.js'

/** Two texts that are read together. */
export interface TextPair {
  readonly text: string
  readonly textPair: string
}

export interface ClassifyTextOptions extends ClassifyOptions, LengthOptions {
  /** How logits become scores. Default: the model's own, which is `softmax` for one class of several. */
  readonly functionToApply?: ScoreFunction
}

/** Gives logits of texts: what kinds of models differ in. */
export interface TextScorer {
  readonly name: string
  readonly labels: readonly string[]
  readonly scoreFunction: ScoreFunction
  logits(inputs: readonly (string | TextPair)[], options: ClassifyTextOptions): Promise<ArrayLike<number>[]>
}

/** Classifies texts, or pairs of texts. */
export interface TextClassifier {
  readonly task: 'text-classification'
  readonly model: string
  readonly labels: readonly string[]
  /**
   * @throws RangeError for a text longer than the model reads, unless truncation is asked for or the model's own settings say how to
   * shorten it
   */
  (input: string | TextPair, options?: ClassifyTextOptions): Promise<Classification>
  (inputs: readonly (string | TextPair)[], options?: ClassifyTextOptions): Promise<Classification[]>
}

/** The task over any model that gives logits of texts. */
export function classifierOf(scorer: TextScorer): TextClassifier {
  const { name, labels } = scorer
  async function classifyAll(inputs: readonly (string | TextPair)[], options: ClassifyTextOptions) {
    const topK = checkCount('topK', options.topK ?? labels.length)
    const apply = options.functionToApply ?? scorer.scoreFunction
    const logits = await scorer.logits(inputs, options)
    return logits.map((row) => classificationOf(row, labels, topK, name, apply))
  }
  const classify = async (
    input: string | TextPair | readonly (string | TextPair)[],
    options: ClassifyTextOptions = {},
  ) =>
    Array.isArray(input) ? classifyAll(input, options) : (await classifyAll([input as string | TextPair], options))[0]
  return Object.assign(classify as TextClassifier, { task: 'text-classification' as const, model: name, labels })
}

const FUNCTION_OF_PROBLEM = {
  regression: 'none',
  multi_label_classification: 'sigmoid',
  single_label_classification: 'softmax',
} as const

/** Classification by a published checkpoint. */
export function publishedTextClassifier(text: TextModel): TextClassifier {
  const { config } = text.model
  const read = text.reader('text-classification', ({ logits }) => ({ logits }))
  const scoreFunction = config.problem_type
    ? FUNCTION_OF_PROBLEM[config.problem_type]
    : config.num_labels === 1
      ? 'sigmoid'
      : 'softmax'
  return classifierOf({
    name: text.name,
    labels: labelsOf(text.model),
    scoreFunction,
    logits: async (inputs, options) => {
      const rows = inputs.map((input, i) => {
        const where = inputName(i, inputs.length)
        if (typeof input === 'string') return text.encode(input, null, options, where)
        if (typeof input?.text !== 'string' || typeof input.textPair !== 'string')
          throw new TypeError(`${where}: expected a text or { text, textPair }`)
        return text.encode(input.text, input.textPair, options, where)
      })
      return (await read(rows, options)).map(({ logits }) => logits.data)
    },
  })
}
