/** Changes of next-token scores, by transformers' names and rules. Each works on one row in place; -Infinity removes a token. */

/** `ids` are the tokens so far, `row` the row of the batch. */
export type LogitsProcessor = (scores: Float32Array, ids: readonly number[], row: number) => void

const NEVER = Number.NEGATIVE_INFINITY

/** One id or several. */
export type Ids = number | readonly number[]
export const idsOf = (ids: Ids): readonly number[] => (typeof ids === 'number' ? [ids] : ids)

const ban = (scores: Float32Array, ids: readonly number[]): void => {
  for (const id of ids) if (id >= 0 && id < scores.length) scores[id] = NEVER
}

const only = (scores: Float32Array, ids: readonly number[]): void => {
  scores.fill(NEVER)
  for (const id of ids) scores[id] = 0
}

function penalise(scores: Float32Array, ids: Iterable<number>, penalty: number): void {
  for (const id of new Set(ids)) {
    if (id < 0 || id >= scores.length) continue
    scores[id] = scores[id] < 0 ? scores[id] * penalty : scores[id] / penalty
  }
}

/** Keskar et al. 2019: scores of tokens that occurred are divided by `penalty` (negative ones multiplied). `skip[row]` tokens do not count. */
export const repetitionPenalty =
  (penalty: number, skip?: readonly number[]): LogitsProcessor =>
  (scores, ids, row) =>
    penalise(scores, skip ? ids.slice(skip[row]) : ids, penalty)

/** Tokens of the encoder's text become more likely for a penalty over 1. */
export const encoderRepetitionPenalty =
  (penalty: number, encoderIds: readonly (readonly number[])[]): LogitsProcessor =>
  (scores, _ids, row) =>
    penalise(scores, encoderIds[row], 1 / penalty)

/** Tokens that would complete an n-gram of `source` after `tail`. */
function completions(source: readonly number[], tail: readonly number[], size: number): number[] {
  const found: number[] = []
  for (let i = 0; i + size <= source.length; i++)
    if (tail.every((id, j) => source[i + j] === id)) found.push(source[i + size - 1])
  return found
}

const tailOf = (ids: readonly number[], length: number): readonly number[] => (length === 0 ? [] : ids.slice(-length))

/** No n-gram occurs twice. */
export const noRepeatNgram =
  (size: number): LogitsProcessor =>
  (scores, ids) => {
    if (ids.length + 1 >= size) ban(scores, completions(ids, tailOf(ids, size - 1), size))
  }

/** No n-gram of the encoder's text occurs. */
export const encoderNoRepeatNgram =
  (size: number, encoderIds: readonly (readonly number[])[]): LogitsProcessor =>
  (scores, ids, row) => {
    if (ids.length + 1 >= size) ban(scores, completions(encoderIds[row], tailOf(ids, size - 1), size))
  }

/** Adds a bias to the last token of a sequence wherever the tokens before it stand at the end of the text. */
export const sequenceBias =
  (biases: readonly (readonly [sequence: readonly number[], bias: number])[]): LogitsProcessor =>
  (scores, ids) => {
    for (const [sequence, bias] of biases) {
      const prefix = sequence.slice(0, -1)
      if (sequence.length > ids.length && sequence.length > 1) continue
      const tail = tailOf(ids, prefix.length)
      if (prefix.every((id, i) => tail[i] === id)) scores[sequence[sequence.length - 1]] += bias
    }
  }

/** These sequences are never completed; ends of text alone are left out of the list. */
export function noBadWords(words: readonly (readonly number[])[], ends: Ids | null = null): LogitsProcessor {
  const stops = ends === null ? [] : idsOf(ends)
  const kept = words.filter((word) => word.length !== 1 || !stops.includes(word[0]))
  return sequenceBias(kept.map((word) => [word, NEVER] as const))
}

/** Texts do not end before they have this many tokens, prompt included. */
export const minLength =
  (length: number, ends: Ids): LogitsProcessor =>
  (scores, ids) => {
    if (ids.length < length) ban(scores, idsOf(ends))
  }

/** Texts do not end before this many new tokens. */
export const minNewTokens = (promptLength: number, tokens: number, ends: Ids): LogitsProcessor =>
  minLength(promptLength + tokens, ends)

/** The first new token of texts of one token. */
export const forcedBos =
  (bos: number): LogitsProcessor =>
  (scores, ids) => {
    if (ids.length === 1) only(scores, [bos])
  }

/** The last token that `maxLength` leaves room for. */
export const forcedEos =
  (maxLength: number, ends: Ids): LogitsProcessor =>
  (scores, ids) => {
    if (ids.length === maxLength - 1) only(scores, idsOf(ends))
  }

export const suppressTokens =
  (tokens: readonly number[]): LogitsProcessor =>
  (scores) =>
    ban(scores, tokens)

export const suppressAtBegin =
  (tokens: readonly number[], beginIndex: number): LogitsProcessor =>
  (scores, ids) => {
    if (ids.length === beginIndex) ban(scores, tokens)
  }

/** Ends become ever more likely, by factor^n, once `start` new tokens are there. */
export const exponentialDecay =
  ([start, factor]: readonly [number, number], ends: Ids, promptLength: number): LogitsProcessor =>
  (scores, ids) => {
    const past = ids.length - start - promptLength
    if (past <= 0) return
    for (const end of idsOf(ends)) scores[end] += Math.abs(scores[end]) * (factor ** past - 1)
  }

/** NaN becomes 0, infinities the largest finite numbers. */
export const removeInvalid: LogitsProcessor = (scores) => {
  const largest = 3.4028234663852886e38
  for (let i = 0; i < scores.length; i++) {
    if (Number.isNaN(scores[i])) scores[i] = 0
    else if (!Number.isFinite(scores[i])) scores[i] = scores[i] > 0 ? largest : -largest
  }
}
