import { counter, splitWords } from '../python-text.js'
import { type References, referencesPerHypothesis, sumRows } from './references.js'

// Reference: sacrebleu.metrics.chrf (Popović 2015, 2017).

export interface ChrfOptions {
  /** Longest n-grams of characters. Default 6. */
  readonly charOrder?: number
  /** Longest n-grams of words. Default 0; 2 gives chrF++. */
  readonly wordOrder?: number
  /** How much more recall weighs than precision. Default 2. */
  readonly beta?: number
  readonly lowercase?: boolean
  /** Counts white space as characters. */
  readonly whitespace?: boolean
  /** Averages F scores of all orders, with a small value for empty ones, instead of effective orders. */
  readonly epsSmoothing?: boolean
}

const PUNCTUATION = new Set('!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~')
const EPSILON = 1e-16

/** Words with one leading or trailing punctuation mark apart. */
function wordsOf(line: string): string[] {
  return splitWords(line).flatMap((word) => {
    const characters = [...word]
    if (characters.length === 1) return [word]
    if (PUNCTUATION.has(characters[characters.length - 1]))
      return [characters.slice(0, -1).join(''), characters[characters.length - 1]]
    return PUNCTUATION.has(characters[0]) ? [characters[0], characters.slice(1).join('')] : [word]
  })
}

function ngramsOf(parts: readonly string[], order: number, joint: string): Map<string, number> {
  const count = Math.max(0, parts.length - order + 1)
  return counter(Array.from({ length: count }, (_, i) => parts.slice(i, i + order).join(joint)))
}

type Orders = Required<Pick<ChrfOptions, 'charOrder' | 'wordOrder' | 'beta'>>

function countersOf(line: string, { charOrder, wordOrder }: Orders, options: ChrfOptions): Map<string, number>[] {
  const text = options.lowercase ? line.toLowerCase() : line
  const characters = [...(options.whitespace ? text : splitWords(text).join(''))]
  const words = wordOrder > 0 ? wordsOf(text) : []
  return [
    ...Array.from({ length: charOrder }, (_, n) => ngramsOf(characters, n + 1, '')),
    ...Array.from({ length: wordOrder }, (_, n) => ngramsOf(words, n + 1, ' ')),
  ]
}

const sumOf = (counts: Map<string, number>): number => [...counts.values()].reduce((sum, count) => sum + count, 0)

/** [hypothesis, reference, matches] of each order. */
function statistics(own: Map<string, number>[], theirs: Map<string, number>[]): number[] {
  return own.flatMap((counts, n) => {
    let matches = 0
    for (const [ngram, count] of counts) matches += Math.min(count, theirs[n].get(ngram) ?? 0)
    return [theirs[n].size > 0 ? sumOf(counts) : 0, sumOf(theirs[n]), matches]
  })
}

function fscore(stats: readonly number[], { charOrder, wordOrder, beta }: Orders, smoothed: boolean): number {
  const factor = beta ** 2
  const order = charOrder + wordOrder
  let [sum, precisions, recalls, effective] = [0, 0, 0, 0]
  for (let i = 0; i < order; i++) {
    const [hypothesis, reference, matches] = stats.slice(3 * i, 3 * i + 3)
    const precision = hypothesis > 0 ? matches / hypothesis : EPSILON
    const recall = reference > 0 ? matches / reference : EPSILON
    const scale = factor * precision + recall
    sum += scale > 0 ? ((1 + factor) * precision * recall) / scale : EPSILON
    if (hypothesis === 0 || reference === 0) continue
    precisions += precision
    recalls += recall
    effective++
  }
  if (smoothed) return (100 * sum) / order
  if (effective === 0 || precisions + recalls === 0) return 0
  const [precision, recall] = [precisions / effective, recalls / effective]
  return (100 * (1 + factor) * precision * recall) / (factor * precision + recall)
}

/** chrF of a corpus, 0 to 100; of several references of a sentence the best counts. @throws RangeError where lengths differ. */
export function corpusChrf(hypotheses: readonly string[], references: References, options: ChrfOptions = {}): number {
  const { charOrder = 6, wordOrder = 0, beta = 2, epsSmoothing = false } = options
  const orders = { charOrder, wordOrder, beta }
  for (const [name, value] of Object.entries(orders))
    if (!(value >= 0) || (name !== 'beta' && !Number.isInteger(value)))
      throw new RangeError(`corpusChrf: bad ${name} ${value}`)
  const own = referencesPerHypothesis('corpusChrf', hypotheses, references)
  const rows = hypotheses.map((line, i) => {
    const counters = countersOf(line, orders, options)
    const candidates = own[i].map((reference) => statistics(counters, countersOf(reference, orders, options)))
    const scores = candidates.map((stats) => fscore(stats, orders, epsSmoothing))
    return candidates[scores.indexOf(Math.max(...scores))]
  })
  return fscore(sumRows(rows), orders, epsSmoothing)
}

/** chrF of one sentence, 0 to 100. */
export const sentenceChrf = (hypothesis: string, references: readonly string[], options: ChrfOptions = {}): number =>
  corpusChrf(
    [hypothesis],
    references.map((line) => [line]),
    options,
  )
