import { counter, splitWords, stripEnd } from '../python-text.js'
import { type References, referencesPerHypothesis, sumRows } from './references.js'
import { BLEU_TOKENIZERS, type BleuTokenizer } from './tokenize.js'

// Reference: sacrebleu.metrics.bleu (Papineni et al. 2002; Chen and Cherry 2014).

export type Smoothing = 'none' | 'floor' | 'add-k' | 'exp'

const SMOOTH_VALUES: Record<Smoothing, number> = { none: 0, floor: 0.1, 'add-k': 1, exp: 0 }

export interface BleuOptions {
  readonly lowercase?: boolean
  /** Default '13a'; or a function that joins tokens by spaces. */
  readonly tokenize?: BleuTokenizer | ((line: string) => string)
  /** What n-grams without a match count as. Default 'exp'. */
  readonly smoothMethod?: Smoothing
  /** Of 'floor' (default 0.1) and 'add-k' (default 1). */
  readonly smoothValue?: number | null
  /** Longest n-grams. Default 4. */
  readonly maxNgramOrder?: number
  /** Stops at the longest n-grams that the hypothesis has; meant for single sentences. */
  readonly effectiveOrder?: boolean
}

export interface BleuScore {
  /** 0 to 100. */
  readonly score: number
  /** Matching n-grams of each order. */
  readonly counts: readonly number[]
  /** N-grams of the hypotheses of each order. */
  readonly totals: readonly number[]
  /** In percent. */
  readonly precisions: readonly number[]
  /** Brevity penalty. */
  readonly bp: number
  /** Lengths in tokens. */
  readonly sysLen: number
  readonly refLen: number
}

function ngrams(words: readonly string[], longest: number): Map<string, number>[] {
  return Array.from({ length: longest }, (_, i) => {
    const count = Math.max(0, words.length - i)
    return counter(Array.from({ length: count }, (_u, at) => words.slice(at, at + i + 1).join(' ')))
  })
}

function closestLength(length: number, others: readonly number[]): number {
  return others.reduce((best, other) => {
    const [near, distance] = [Math.abs(best - length), Math.abs(other - length)]
    return distance < near || (distance === near && other < best) ? other : best
  })
}

/** [hypothesis length, reference length, matches of each order, n-grams of each order]. */
function statistics(hypothesis: string[], references: string[][], longest: number): number[] {
  const own = ngrams(hypothesis, longest)
  const theirs = references.map((words) => ngrams(words, longest))
  const matches = own.map((counts, n) => {
    let sum = 0
    for (const [ngram, count] of counts) sum += Math.min(count, Math.max(...theirs.map((t) => t[n].get(ngram) ?? 0)))
    return sum
  })
  const refLength = closestLength(
    hypothesis.length,
    references.map((words) => words.length),
  )
  return [hypothesis.length, refLength, ...matches, ...own.map((_, n) => Math.max(0, hypothesis.length - n))]
}

function brevityPenalty(sysLen: number, refLen: number): number {
  if (sysLen >= refLen) return 1
  return sysLen > 0 ? Math.exp(1 - refLen / sysLen) : 0
}

/** BLEU from its counts. Counts of 'add-k' are returned as smoothed. */
function scoreOf(stats: readonly number[], options: BleuOptions): BleuScore {
  const { smoothMethod = 'exp', maxNgramOrder = 4, effectiveOrder = false } = options
  const value = options.smoothValue ?? SMOOTH_VALUES[smoothMethod]
  const [sysLen, refLen] = stats
  const counts = stats.slice(2, 2 + maxNgramOrder)
  const totals = stats.slice(2 + maxNgramOrder)
  const bp = brevityPenalty(sysLen, refLen)
  const precisions = counts.map(() => 0)
  const result = { counts, totals, precisions, bp, sysLen, refLen }
  if (counts.every((count) => count === 0)) return { score: 0, ...result }
  let [halving, order] = [1, maxNgramOrder]
  for (let n = 0; n < maxNgramOrder; n++) {
    if (smoothMethod === 'add-k' && n > 0) {
      counts[n] += value
      totals[n] += value
    }
    if (totals[n] === 0) break
    if (effectiveOrder) order = n + 1
    if (counts[n] !== 0) precisions[n] = (100 * counts[n]) / totals[n]
    else if (smoothMethod === 'exp') {
      halving *= 2
      precisions[n] = 100 / (halving * totals[n])
    } else if (smoothMethod === 'floor') precisions[n] = (100 * value) / totals[n]
  }
  const logs = precisions.slice(0, order).map((p) => (p === 0 ? -9999999999 : Math.log(p)))
  return { score: bp * Math.exp(logs.reduce((sum, log) => sum + log, 0) / order), ...result }
}

function wordsWith(options: BleuOptions): (line: string) => string[] {
  const { tokenize = '13a', lowercase = false, smoothMethod = 'exp', maxNgramOrder = 4 } = options
  const cut = typeof tokenize === 'function' ? tokenize : BLEU_TOKENIZERS[tokenize]
  if (!cut)
    throw new RangeError(
      `BLEU: tokenize is one of ${Object.keys(BLEU_TOKENIZERS).join(', ')}, got '${String(tokenize)}'`,
    )
  if (!(smoothMethod in SMOOTH_VALUES))
    throw new RangeError(`BLEU: smoothMethod is one of ${Object.keys(SMOOTH_VALUES).join(', ')}, got '${smoothMethod}'`)
  if (!Number.isInteger(maxNgramOrder) || maxNgramOrder < 1)
    throw new RangeError(`BLEU: maxNgramOrder must be a positive integer, got ${maxNgramOrder}`)
  return (line) => splitWords(cut(stripEnd(lowercase ? line.toLowerCase() : line)))
}

/** BLEU of a corpus against one or more streams of references. @throws RangeError where their lengths differ. */
export function corpusBleu(
  hypotheses: readonly string[],
  references: References,
  options: BleuOptions = {},
): BleuScore {
  const words = wordsWith(options)
  const own = referencesPerHypothesis('corpusBleu', hypotheses, references)
  const rows = hypotheses.map((line, i) => statistics(words(line), own[i].map(words), options.maxNgramOrder ?? 4))
  return scoreOf(sumRows(rows), options)
}

/** BLEU of one sentence, by default of its effective order. */
export function sentenceBleu(hypothesis: string, references: readonly string[], options: BleuOptions = {}): BleuScore {
  return corpusBleu(
    [hypothesis],
    references.map((line) => [line]),
    { effectiveOrder: true, ...options },
  )
}
