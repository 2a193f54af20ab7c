/** A class and its probability. */
export interface LabelScore {
  readonly label: string
  readonly score: number
}

/** What a classifier says of one input. */
export interface Classification extends LabelScore {
  /** The most probable classes with their probabilities, best first: `topK` of them, or all. */
  readonly labels: readonly LabelScore[]
  /** Name of the model that was used. */
  readonly model: string
}

export interface ClassifyOptions {
  /** How many classes to list. Default: all. */
  readonly topK?: number
  /** Inputs of one pass. Default 32. */
  readonly batchSize?: number
  readonly signal?: AbortSignal
}

/** @throws RangeError unless `value` is a whole number of at least 1 */
export function checkCount(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1)
    throw new RangeError(`${name} must be a whole number of at least 1, got ${value}`)
  return value
}

/** Probabilities of logits, in double precision. */
export function softmaxOf(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits)
  const highest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const powers = values.map((value) => Math.exp(value - highest))
  const total = powers.reduce((a, b) => a + b, 0)
  return powers.map((power) => power / total)
}

/** What logits become. */
export type ScoreFunction = 'softmax' | 'sigmoid' | 'none'

const SCORES: { readonly [F in ScoreFunction]: (logits: ArrayLike<number>) => number[] } = {
  softmax: softmaxOf,
  sigmoid: (logits) => Array.from(logits, (logit) => 1 / (1 + Math.exp(-logit))),
  none: (logits) => Array.from(logits),
}

/** @throws RangeError for an unknown function */
export function scoresOf(logits: ArrayLike<number>, apply: ScoreFunction): number[] {
  if (!Object.hasOwn(SCORES, apply))
    throw new RangeError(`functionToApply must be ${Object.keys(SCORES).join(', ')}, got '${apply}'`)
  return SCORES[apply](logits)
}

/** How errors call an input. */
export const inputName = (index: number, count: number): string => (count === 1 ? 'the input' : `input ${index + 1}`)

/** Logits of one input as a classification. */
export function classificationOf(
  logits: ArrayLike<number>,
  labels: readonly string[],
  topK: number,
  model: string,
  apply: ScoreFunction = 'softmax',
): Classification {
  const ranked = scoresOf(logits, apply)
    .map((score, i) => ({ label: labels[i], score }))
    .sort((a, b) => b.score - a.score)
  return { ...ranked[0], labels: ranked.slice(0, topK), model }
}
