import { counter } from '../python-text.js'

// Reference: rouge_score.rouge_scorer (Lin 2004), without stemming.

export interface RougeScore {
  readonly precision: number
  readonly recall: number
  readonly fmeasure: number
}

/** N-grams ('rouge1' to 'rouge9'), longest common subsequence of the text ('rougeL') or of its lines ('rougeLsum'). */
export type RougeType = `rouge${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9}` | 'rougeL' | 'rougeLsum'

export interface RougeOptions {
  /** Words of a text; by default runs of ASCII letters and digits, in lower case. */
  readonly tokenize?: (text: string) => string[]
}

const words = (text: string): string[] => text.toLowerCase().match(/[a-z0-9]+/g) ?? []

function scoreOf(matches: number, predicted: number, target: number): RougeScore {
  const precision = predicted === 0 ? 0 : matches / predicted
  const recall = target === 0 ? 0 : matches / target
  return { precision, recall, fmeasure: precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0 }
}

function ngramScore(target: string[], prediction: string[], n: number): RougeScore {
  const counts = (list: string[]): Map<string, number> =>
    counter(Array.from({ length: Math.max(0, list.length - n + 1) }, (_, i) => list.slice(i, i + n).join(' ')))
  const [own, theirs] = [counts(prediction), counts(target)]
  let matches = 0
  for (const [ngram, count] of own) matches += Math.min(count, theirs.get(ngram) ?? 0)
  return scoreOf(matches, Math.max(1, prediction.length - n + 1), Math.max(1, target.length - n + 1))
}

function lcsTable(a: readonly string[], b: readonly string[]): Uint32Array[] {
  const table = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1))
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++)
      table[i][j] = a[i - 1] === b[j - 1] ? table[i - 1][j - 1] + 1 : Math.max(table[i - 1][j], table[i][j - 1])
  return table
}

/** Positions of `a` in one longest common subsequence. */
function lcsPositions(a: readonly string[], b: readonly string[]): number[] {
  const table = lcsTable(a, b)
  const positions: number[] = []
  for (let [i, j] = [a.length, b.length]; i > 0 && j > 0; ) {
    if (a[i - 1] === b[j - 1]) {
      positions.push(i - 1)
      i--
      j--
    } else if (table[i][j - 1] > table[i - 1][j]) j--
    else i--
  }
  return positions.reverse()
}

function summaryScore(target: string[][], prediction: string[][]): RougeScore {
  const [size, predicted] = [target.flat().length, prediction.flat().length]
  if (size === 0 || predicted === 0) return scoreOf(0, 0, 0)
  const [left, right] = [counter(target.flat()), counter(prediction.flat())]
  let hits = 0
  for (const line of target) {
    const union = new Set(prediction.flatMap((other) => lcsPositions(line, other)))
    for (const at of [...union].sort((a, b) => a - b)) {
      const word = line[at]
      const [mine, theirs] = [left.get(word) ?? 0, right.get(word) ?? 0]
      if (mine <= 0 || theirs <= 0) continue
      hits++
      left.set(word, mine - 1)
      right.set(word, theirs - 1)
    }
  }
  return scoreOf(hits, predicted, size)
}

/** ROUGE of a prediction against one target. @throws RangeError for an unknown type. */
export function rougeScore(
  target: string,
  prediction: string,
  type: RougeType,
  options: RougeOptions = {},
): RougeScore {
  const cut = options.tokenize ?? words
  if (type === 'rougeLsum') {
    const lines = (text: string): string[][] =>
      text
        .split('\n')
        .filter((line) => line !== '')
        .map(cut)
    return summaryScore(lines(target), lines(prediction))
  }
  const [theirs, own] = [cut(target), cut(prediction)]
  if (type === 'rougeL') {
    if (theirs.length === 0 || own.length === 0) return scoreOf(0, 0, 0)
    return scoreOf(lcsTable(theirs, own)[theirs.length][own.length], own.length, theirs.length)
  }
  const order = /^rouge([1-9])$/.exec(type)
  if (!order) throw new RangeError(`rougeScore: expected rouge1 to rouge9, rougeL or rougeLsum, got '${type}'`)
  return ngramScore(theirs, own, Number(order[1]))
}
