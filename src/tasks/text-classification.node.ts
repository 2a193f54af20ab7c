import { tensor } from '../tensor/index.js'
import { paddedLength, padRows } from '../text/char-tokenizer.js'
import { compiledForward, type LoadedModel, tokenizerOf } from './model-folder.node.js'
import { type Classification, type ClassifyOptions, checkCount, classificationOf } from './types.js'

/** Classifies texts. */
export interface TextClassifier {
  readonly task: 'text-classification'
  readonly model: string
  readonly labels: readonly string[]
  /**
   * @throws RangeError for a text longer than the model reads, unless the model's own settings say how to shorten it
   */
  (text: string, options?: ClassifyOptions): Promise<Classification>
  (texts: readonly string[], options?: ClassifyOptions): Promise<Classification[]>
}

/**
 * Texts of one padded length share a batch, and how far a text is padded depends on the text alone: its result is the same, bit for bit,
 * whatever is classified with it.
 */
export function textClassifier(loaded: LoadedModel): TextClassifier {
  const { config, name, model } = loaded
  if (config.task !== 'text-classification')
    throw new TypeError(`${name} is a model for ${config.task}, not for text-classification`)
  const { labels } = config
  const tokenizer = tokenizerOf(loaded)
  const forward = compiledForward(model)

  const encode = (text: string, index: number, count: number): Int32Array => {
    if (typeof text !== 'string') throw new TypeError(`expected a text, got ${typeof text}`)
    try {
      return tokenizer.encode(text)
    } catch (error) {
      throw count === 1 ? error : new RangeError(`input ${index + 1}: ${(error as Error).message}`)
    }
  }

  async function classifyAll(texts: readonly string[], options: ClassifyOptions): Promise<Classification[]> {
    const batchSize = checkCount('batchSize', options.batchSize ?? 32)
    const topK = checkCount('topK', options.topK ?? labels.length)
    const rows = texts.map((text, i) => encode(text, i, texts.length))
    const groups = new Map<number, number[]>()
    for (const [i, ids] of rows.entries()) {
      const length = paddedLength(ids.length)
      groups.set(length, [...(groups.get(length) ?? []), i])
    }
    const results = new Array<Classification>(texts.length)
    for (const [length, members] of groups) {
      for (let at = 0; at < members.length; at += batchSize) {
        options.signal?.throwIfAborted()
        const part = members.slice(at, at + batchSize)
        const block = padRows(
          part.map((i) => rows[i]),
          length,
        )
        const logits = (await forward(tensor(block, { shape: [part.length, length] })).data()) as Float32Array
        for (const [row, i] of part.entries())
          results[i] = classificationOf(
            logits.subarray(row * labels.length, (row + 1) * labels.length),
            labels,
            topK,
            name,
          )
      }
    }
    return results
  }

  const classify = async (input: string | readonly string[], options: ClassifyOptions = {}) =>
    typeof input === 'string' ? (await classifyAll([input], options))[0] : classifyAll(input, options)
  return Object.assign(classify as TextClassifier, { task: config.task, model: name, labels })
}
