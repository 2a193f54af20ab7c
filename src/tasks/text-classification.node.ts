import { tensor } from '../tensor/index.js'
import { paddedLength, padRows } from '../text/char-tokenizer.js'
import { compiledForward, type LoadedModel, tokenizerOf } from './model-folder.node.js'
import { type ClassifyTextOptions, classifierOf, type TextClassifier } from './text-classification.js'
import { checkCount } from './types.js'

/**
 * Classification by a model that a recipe wrote. Texts of one padded length share a batch, and how far a text is padded depends on the text
 * alone: its result is the same, bit for bit, whatever is classified with it.
 */
export function textClassifier(loaded: LoadedModel): TextClassifier {
  const { config, name, model } = loaded
  if (config.task !== 'text-classification')
    throw new TypeError(`${name} is a model for ${config.task}, not for text-classification`)
  const { labels } = config
  const tokenizer = tokenizerOf(loaded)
  const forward = compiledForward(model)

  const encode = (text: unknown, index: number, count: number): Int32Array => {
    if (typeof text !== 'string') throw new TypeError(`${name} reads single texts: expected a text, got ${typeof text}`)
    try {
      return tokenizer.encode(text)
    } catch (error) {
      throw count === 1 ? error : new RangeError(`input ${index + 1}: ${(error as Error).message}`)
    }
  }

  async function logits(texts: readonly unknown[], options: ClassifyTextOptions): Promise<Float32Array[]> {
    const batchSize = checkCount('batchSize', options.batchSize ?? 32)
    if (options.truncation !== undefined || options.maxLength !== undefined)
      throw new RangeError(`${name} says itself how texts are shortened: leave out truncation and maxLength`)
    const rows = texts.map((text, i) => encode(text, i, texts.length))
    const groups = new Map<number, number[]>()
    for (const [i, ids] of rows.entries()) {
      const length = paddedLength(ids.length)
      groups.set(length, [...(groups.get(length) ?? []), i])
    }
    const results = new Array<Float32Array>(texts.length)
    for (const [length, members] of groups) {
      for (let at = 0; at < members.length; at += batchSize) {
        options.signal?.throwIfAborted()
        const part = members.slice(at, at + batchSize)
        const block = padRows(
          part.map((i) => rows[i]),
          length,
        )
        const scores = (await forward(tensor(block, { shape: [part.length, length] })).data()) as Float32Array
        for (const [row, i] of part.entries())
          results[i] = scores.subarray(row * labels.length, (row + 1) * labels.length)
      }
    }
    return results
  }
  return classifierOf({ name, labels, scoreFunction: 'softmax', logits })
}
