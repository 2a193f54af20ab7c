import { type LengthOptions, labelsOf, type RunOptions, type TextModel } from './text-model.js'
import { inputName, softmaxOf } from './types.js'

export interface ZeroShotOptions extends LengthOptions, RunOptions {
  /** Classes to choose from: a list, or a text with commas. */
  readonly candidateLabels: string | readonly string[]
  /** Sentence that says of a text that it has a label, `{}` standing for it. Default 'This example is {}.' */
  readonly hypothesisTemplate?: string
  /** Whether each label is judged on its own. Default false: their scores sum to 1. */
  readonly multiLabel?: boolean
}

export interface ZeroShotClassification {
  readonly sequence: string
  /** Most probable first. */
  readonly labels: readonly string[]
  readonly scores: readonly number[]
  readonly model: string
}

/** Classifies texts into classes named in the call, by a model of natural language inference. */
export interface ZeroShotClassifier {
  readonly task: 'zero-shot-classification'
  readonly model: string
  /** @throws RangeError without labels, or for a text longer than the model reads, unless truncation is asked for (the text is cut) */
  (text: string, options: ZeroShotOptions): Promise<ZeroShotClassification>
  (texts: readonly string[], options: ZeroShotOptions): Promise<ZeroShotClassification[]>
}

function candidatesOf(labels: string | readonly string[]): string[] {
  const list = typeof labels === 'string' ? labels.split(',').map((label) => label.trim()) : [...(labels ?? [])]
  const named = list.filter((label) => label !== '')
  if (named.length === 0) throw new RangeError('candidateLabels names no class')
  return named
}

function entailmentOf({ model, name }: TextModel): number {
  const labels = labelsOf(model)
  const found = labels.findIndex((label) => label.toLowerCase().startsWith('entail'))
  if (found < 0)
    throw new TypeError(
      `${name} is no model of natural language inference: none of its classes (${labels.join(', ')}) is 'entailment'`,
    )
  return found
}

export function zeroShotClassifier(text: TextModel): ZeroShotClassifier {
  const { name, model } = text
  const entailment = entailmentOf(text)
  const contradiction = entailment === 0 ? model.config.num_labels - 1 : 0
  const read = text.reader('zero-shot-classification', ({ logits }) => ({ logits }))

  async function classifyAll(texts: readonly string[], options: ZeroShotOptions): Promise<ZeroShotClassification[]> {
    const candidates = candidatesOf(options.candidateLabels)
    const { hypothesisTemplate: template = 'This example is {}.', multiLabel = false } = options
    if (!template.includes('{}')) throw new RangeError(`hypothesisTemplate '${template}' has no {} for the label`)
    const length = { ...options, truncation: options.truncation === true ? 'only_first' : options.truncation } as const
    const rows = texts.flatMap((premise, i) =>
      candidates.map((label) =>
        text.encode(
          premise,
          template.replace('{}', () => label),
          length,
          inputName(i, texts.length),
        ),
      ),
    )
    const logits = (await read(rows, options)).map((row) => row.logits.data)
    return texts.map((sequence, i) => {
      const own = logits.slice(i * candidates.length, (i + 1) * candidates.length)
      const scores =
        multiLabel || candidates.length === 1
          ? own.map((row) => softmaxOf([row[contradiction], row[entailment]])[1])
          : softmaxOf(own.map((row) => row[entailment]))
      const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a])
      return {
        sequence,
        labels: order.map((at) => candidates[at]),
        scores: order.map((at) => scores[at]),
        model: name,
      }
    })
  }

  const classify = async (input: string | readonly string[], options: ZeroShotOptions) =>
    typeof input === 'string' ? (await classifyAll([input], options))[0] : classifyAll(input, options)
  return Object.assign(classify as ZeroShotClassifier, { task: 'zero-shot-classification' as const, model: name })
}
