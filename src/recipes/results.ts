import type { Logs } from '../train/index.js'
import type { Part } from './job.js'

/** Loss, metrics and number of examples of one part of the data. */
export interface PartResults {
  readonly examples: number
  readonly loss: number
  readonly [metric: string]: number
}

/** What a finished run reached: `results.json`. */
export interface Results {
  readonly name: string
  readonly task: string
  readonly modelType: string
  readonly parameters: number
  readonly seed: number
  /** Epochs done, which early stopping may have cut. */
  readonly epochs: number
  readonly seconds: number
  readonly examples: Readonly<Record<Part, number>>
  readonly results: { readonly [P in Part]?: PartResults }
  readonly version: string
}

/** Results of one part. Losses of language models are nats per character or token; bits and perplexity follow from them. */
export function partResults(task: string, logs: Readonly<Logs>, examples: number): PartResults {
  const { loss, ...metrics } = logs
  const own = { examples, loss, ...metrics }
  if (task === 'masked-lm') return { ...own, perplexity: Math.exp(loss) }
  if (task !== 'language-modeling') return own
  return { ...own, bitsPerCharacter: loss / Math.LN2, perplexity: Math.exp(loss) }
}

const PERCENT = new Set(['accuracy', 'precision', 'recall', 'f1', 'exactMatch'])

/** `accuracy 93.10 %`. */
export const metricText = (name: string, value: number): string =>
  PERCENT.has(name) ? `${name} ${(100 * value).toFixed(2)} %` : `${name} ${value.toFixed(4)}`

/** One line for a part: `test: loss 0.2514, accuracy 90.12 % (770 texts)`. */
export function partText(part: string, { examples, ...numbers }: PartResults, unit: string): string {
  const list = Object.entries(numbers).map(([name, value]) => metricText(name, value))
  return `${part}: ${list.join(', ')} (${examples.toLocaleString('en-US')} ${unit})`
}

/** What became of each number: `loss +0.0004, accuracy -0.13 points`. */
export function changeText(before: PartResults, after: PartResults): string {
  const names = Object.keys(before).filter((name) => name !== 'examples')
  const signed = (value: number, digits: number): string => `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(digits)}`
  return names
    .map((name) => {
      const change = after[name] - before[name]
      return PERCENT.has(name) ? `${name} ${signed(100 * change, 2)} points` : `${name} ${signed(change, 4)}`
    })
    .join(', ')
}
