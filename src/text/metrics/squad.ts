/** Scores of extracted answers. Source: the official evaluation script of SQuAD 1.1 and 2.0. */

const ARTICLES = /\b(?:a|an|the)\b/g
// Python's string.punctuation, and the marks of Chinese.
const PUNCTUATION =
  /[!-/:-@[-`{-~\u3001-\u3003\u3008-\u3011\u3014-\u301f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\u2018-\u201f\u2014\u2026\u00b7]/g
const CJK = /[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\u{20000}-\u{3134f}]/gu

/** Lower case, without punctuation and articles; characters of scripts that write no spaces count as words. */
export const answerWords = (text: string): string[] =>
  text
    .toLowerCase()
    .replace(PUNCTUATION, '')
    .replace(ARTICLES, ' ')
    .replace(CJK, ' $& ')
    .split(/\s+/)
    .filter((word) => word !== '')

/** F1 of the words that two answers share; 1 where both have none. */
export function answerF1(prediction: string, reference: string): number {
  const [guess, truth] = [answerWords(prediction), answerWords(reference)]
  if (guess.length === 0 || truth.length === 0) return guess.length === truth.length ? 1 : 0
  const counts = new Map<string, number>()
  for (const word of truth) counts.set(word, (counts.get(word) ?? 0) + 1)
  let common = 0
  for (const word of guess) {
    const left = counts.get(word) ?? 0
    if (left > 0) common++
    counts.set(word, left - 1)
  }
  if (common === 0) return 0
  const [precision, recall] = [common / guess.length, common / truth.length]
  return (2 * precision * recall) / (precision + recall)
}

/** Whether two answers have the same words. */
export const answerMatches = (prediction: string, reference: string): boolean =>
  answerWords(prediction).join(' ') === answerWords(reference).join(' ')

export interface AnswerScores {
  /** Share of answers that equal one of their references. */
  readonly exactMatch: number
  /** Mean over the answers of the best F1 with one of their references. */
  readonly f1: number
}

/** @param references of each prediction; none (or an empty one) where the text does not answer */
export function answerScores(predictions: readonly string[], references: readonly (readonly string[])[]): AnswerScores {
  if (predictions.length !== references.length)
    throw new RangeError(
      `expected as many predictions as lists of references, got ${predictions.length} and ${references.length}`,
    )
  const sums = { exactMatch: 0, f1: 0 }
  for (const [i, prediction] of predictions.entries()) {
    const truths = references[i].length === 0 ? [''] : references[i]
    if (truths.some((truth) => answerMatches(prediction, truth))) sums.exactMatch++
    sums.f1 += Math.max(...truths.map((truth) => answerF1(prediction, truth)))
  }
  const count = Math.max(1, predictions.length)
  return { exactMatch: sums.exactMatch / count, f1: sums.f1 / count }
}
