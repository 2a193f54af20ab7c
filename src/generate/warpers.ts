/** Narrowings of the distribution that is sampled from, by transformers' names and rules. */
import type { LogitsProcessor } from './processors.js'

const NEVER = Number.NEGATIVE_INFINITY

/** log of the sum of exponentials; -Infinity for an empty distribution. */
function logTotal(scores: Float32Array): number {
  let top = NEVER
  for (const score of scores) if (score > top) top = score
  if (top === NEVER) return NEVER
  let total = 0
  for (const score of scores) total += Math.exp(score - top)
  return top + Math.log(total)
}

/** Probabilities of a row of scores. */
export function softmaxRow(scores: Float32Array): Float64Array {
  const total = logTotal(scores)
  return Float64Array.from(scores, (score) => Math.exp(score - total))
}

/** Logarithms of the probabilities of a row. */
export function logSoftmaxRow(scores: Float32Array): Float32Array {
  const total = logTotal(scores)
  return scores.map((score) => score - total)
}

/** Tokens by falling score; equal scores keep their order. */
const ranked = (scores: ArrayLike<number>): number[] =>
  Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[b] - scores[a])

/** The score of rank `k`, or of the last. */
const scoreAt = (scores: Float32Array, k: number): number =>
  scores[ranked(scores)[Math.min(Math.max(k, 1), scores.length) - 1]]

export const temperature =
  (value: number): LogitsProcessor =>
  (scores) => {
    for (let i = 0; i < scores.length; i++) scores[i] /= value
  }

/** Keeps the k best, and what equals the last of them. */
export const topK =
  (k: number, minKeep = 1): LogitsProcessor =>
  (scores) => {
    const limit = scoreAt(scores, Math.max(k, minKeep))
    for (let i = 0; i < scores.length; i++) if (scores[i] < limit) scores[i] = NEVER
  }

/** Keeps the smallest set of best tokens with probability `p` together (Holtzman et al. 2020). */
export const topP =
  (p: number, minKeep = 1): LogitsProcessor =>
  (scores) => {
    const probabilities = softmaxRow(scores)
    const rising = ranked(scores).reverse()
    let total = 0
    for (const token of rising.slice(0, Math.max(rising.length - minKeep, 0))) {
      total += probabilities[token]
      if (total <= 1 - p) scores[token] = NEVER
    }
  }

/** Removes what `remove` says, but for the `minKeep` best. */
function removing(scores: Float32Array, minKeep: number, remove: (token: number) => boolean): void {
  const limit = scoreAt(scores, minKeep)
  for (let i = 0; i < scores.length; i++) if (remove(i) && scores[i] < limit) scores[i] = NEVER
}

/** Keeps tokens at least `share` as likely as the best. */
export const minP =
  (share: number, minKeep = 1): LogitsProcessor =>
  (scores) => {
    const probabilities = softmaxRow(scores)
    const least = share * Math.max(...probabilities)
    removing(scores, minKeep, (token) => probabilities[token] < least)
  }

export const epsilonCutoff =
  (epsilon: number, minKeep = 1): LogitsProcessor =>
  (scores) => {
    const probabilities = softmaxRow(scores)
    removing(scores, minKeep, (token) => probabilities[token] < epsilon)
  }

function entropyOf(probabilities: Float64Array): number {
  let sum = 0
  for (const p of probabilities) if (p > 0) sum -= p * Math.log(p)
  return sum
}

/** Hewitt et al. 2022: the cut-off falls with the entropy. */
export const etaCutoff =
  (epsilon: number, minKeep = 1): LogitsProcessor =>
  (scores) => {
    const probabilities = softmaxRow(scores)
    const eta = Math.min(epsilon, Math.sqrt(epsilon) * Math.exp(-entropyOf(probabilities)))
    removing(scores, minKeep, (token) => probabilities[token] < eta)
  }

/** Meister et al. 2023: keeps tokens whose surprise is closest to the expected one, with probability `mass` together. */
export const typical =
  (mass: number, minKeep = 1): LogitsProcessor =>
  (scores) => {
    const probabilities = softmaxRow(scores)
    const entropy = entropyOf(probabilities)
    const distance = probabilities.map((p) => (p > 0 ? Math.abs(-Math.log(p) - entropy) : Number.POSITIVE_INFINITY))
    const order = Array.from(distance.keys()).sort((a, b) => distance[a] - distance[b])
    let total = 0
    let last = 0
    for (const token of order) {
      total += probabilities[token]
      if (total < mass) last++
    }
    const limit = distance[order[Math.min(last, order.length - 1)]]
    for (const [rank, token] of order.entries()) if (rank >= minKeep && distance[token] > limit) scores[token] = NEVER
  }

/** Tokens at most that {@link topH} considers. */
const MOST_BY_ENTROPY = 100

/** Top-H sampling: the best tokens whose entropy terms together stay within `share` of the distribution's entropy. */
export const topH =
  (share: number): LogitsProcessor =>
  (scores) => {
    const best = ranked(scores).slice(0, MOST_BY_ENTROPY)
    const probabilities = softmaxRow(Float32Array.from(best, (token) => scores[token]))
    const limit = share * entropyOf(probabilities)
    const kept = new Set<number>()
    let total = 0
    for (const [rank, token] of best.entries()) {
      const p = probabilities[rank]
      if (p > 0) total -= p * Math.log(p)
      if (rank === 0 || total <= limit) kept.add(token)
    }
    for (let i = 0; i < scores.length; i++) if (!kept.has(i)) scores[i] = NEVER
  }

export const normalise: LogitsProcessor = (scores) => scores.set(logSoftmaxRow(scores))

/** The first token at which the summed probabilities pass `u` in [0, 1). */
export function drawToken(scores: Float32Array, u: number): number {
  const probabilities = softmaxRow(scores)
  let total = 0
  let last = 0
  for (let i = 0; i < probabilities.length; i++) {
    if (probabilities[i] === 0) continue
    total += probabilities[i]
    last = i
    if (total > u) return i
  }
  return last
}

/** The best token, the first of equals. */
export function bestToken(scores: Float32Array): number {
  let best = 0
  for (let i = 1; i < scores.length; i++) if (scores[i] > scores[best]) best = i
  return best
}
