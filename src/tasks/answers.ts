/** Windows over contexts and the answers in them, by the rules of transformers' question-answering pipeline. */
import type { Encoding } from '../text/tokenizers/index.js'
import type { RunOptions, TextModel } from './text-model.js'
import { softmaxOf } from './types.js'

/** A question and the text that answers it. */
export interface Question {
  readonly question: string
  readonly context: string
}

export interface AnswerOptions extends RunOptions {
  /** Answers to list. Default 1. */
  readonly topK?: number
  /** Tokens of an answer at most. Default 15. */
  readonly maxAnswerLength?: number
  /** Tokens of a window over the context, the question included. Default 384, or what the model reads. */
  readonly maxLength?: number
  /** Tokens that neighbouring windows share. Default 128, or half a window. */
  readonly stride?: number
  /** Whether "the text does not say" is an answer, given as the empty text. Default false. */
  readonly handleImpossibleAnswer?: boolean
  /** Whether answers are widened to whole words. Default true. */
  readonly alignToWords?: boolean
}

export interface Answer {
  /** Probability, by the rule of transformers 4: those of candidates with the same text are added. */
  readonly score: number
  /** `context.slice(start, end)`. */
  readonly start: number
  readonly end: number
  readonly answer: string
}

interface Span {
  readonly first: number
  readonly last: number
  readonly score: number
}

/** The best spans of at most `longest` tokens among those that may answer. */
function spansOf(
  starts: readonly number[],
  ends: readonly number[],
  places: readonly number[],
  longest: number,
  count: number,
): Span[] {
  const spans: Span[] = []
  for (const first of places)
    for (const last of places)
      if (last >= first && last - first < longest) spans.push({ first, last, score: starts[first] * ends[last] })
  return spans.sort((a, b) => b.score - a.score).slice(0, count)
}

/** Probabilities over the tokens that may answer (and the first one, for "no answer"); 0 elsewhere. */
function probabilities(logits: Float32Array, window: Encoding, allowed: readonly boolean[]): number[] {
  const masked = Array.from(logits.subarray(0, window.length), (logit, i) => (allowed[i] ? logit : -10000))
  return softmaxOf(masked)
}

/** Ends of the word that a token belongs to. */
function wordRange(window: Encoding, token: number): readonly [number, number] {
  const { wordIds, sequenceIds, offsets } = window
  const word = wordIds[token]
  if (word === null) return offsets[token]
  let [first, last] = [token, token]
  const same = (i: number): boolean => wordIds[i] === word && sequenceIds[i] === 1
  while (same(first - 1)) first--
  while (same(last + 1)) last++
  return [offsets[first][0], offsets[last][1]]
}

/** Candidates of equal text as one, their scores added: spans that widen to the same words, and those that two windows see. */
function withoutRepeats(answers: readonly Answer[]): Answer[] {
  const byText = new Map<string, Answer>()
  for (const answer of answers) {
    const key = answer.answer.toLowerCase()
    const known = byText.get(key)
    byText.set(key, known ? { ...known, score: known.score + answer.score } : answer)
  }
  return [...byText.values()]
}

/** What one window says. */
export interface FoundAnswers {
  readonly answers: readonly Answer[]
  /** Probability that this window holds no answer. */
  readonly none: number
}

/**
 * A question with its context, in windows.
 * @param where what errors call the question
 * @throws TypeError and RangeError for what is no question, and for one that leaves no room for its context
 */
export function answerWindows(
  text: TextModel,
  { question, context }: Question,
  options: Pick<AnswerOptions, 'maxLength' | 'stride'>,
  where: string,
): Encoding[] {
  const { backend } = text.tokenizer
  if (typeof question !== 'string' || typeof context !== 'string')
    throw new TypeError(`${where}: expected { question, context }`)
  if (context.trim() === '') throw new RangeError(`${where}: the context is empty`)
  const maxLength = options.maxLength ?? Math.min(text.limit ?? 384, 384)
  const asked = backend.encode(question, null, { padding: null }).length
  const room = maxLength - asked - backend.addedTokenCount(true) + backend.addedTokenCount(false)
  if (room < 1) throw new RangeError(`${where}: the question has ${asked} tokens, a window has ${maxLength}`)
  const stride = options.stride ?? Math.min(128, Math.floor(maxLength / 2), room - 1)
  return text.windows(question, context, { stride, maxLength })
}

/** Answers in a window, by the logits [start, end] of its tokens. */
export function answersIn(
  window: Encoding,
  context: string,
  logits: readonly Float32Array[],
  options: AnswerOptions & { readonly clsTokenId: number | null },
): FoundAnswers {
  const { topK = 1, maxAnswerLength = 15, handleImpossibleAnswer = false, alignToWords = true, clsTokenId } = options
  const { sequenceIds, ids, offsets } = window
  const cls = clsTokenId === null ? -1 : ids.indexOf(clsTokenId)
  const allowed = sequenceIds.map((sequence, i) => sequence === 1 || i === cls)
  const [starts, ends] = logits.map((row) => probabilities(row, window, allowed))
  const none = handleImpossibleAnswer && cls >= 0 ? starts[cls] * ends[cls] : 1
  const places = [...sequenceIds.keys()].filter((i) => sequenceIds[i] === 1)
  // Several spans may widen to the same words.
  const candidates = alignToWords ? 2 * topK + 10 : topK
  const answers = spansOf(starts, ends, places, maxAnswerLength, candidates).map(({ first, last, score }): Answer => {
    const start = alignToWords ? wordRange(window, first)[0] : offsets[first][0]
    const end = alignToWords ? wordRange(window, last)[1] : offsets[last][1]
    return { score, start, end, answer: context.slice(start, end) }
  })
  return { answers, none }
}

/** The best of what all windows of a question say. */
export function bestAnswers(
  found: readonly FoundAnswers[],
  { topK = 1, handleImpossibleAnswer }: Pick<AnswerOptions, 'topK' | 'handleImpossibleAnswer'>,
): Answer[] {
  const none = Math.min(...found.map((one) => one.none))
  const impossible: Answer[] = handleImpossibleAnswer ? [{ score: none, start: 0, end: 0, answer: '' }] : []
  const joined = withoutRepeats(found.flatMap((one) => one.answers))
  return [...joined, ...impossible].sort((a, b) => b.score - a.score).slice(0, topK)
}
