import { UnitTrie } from '../models/trie.js'
import { Unigram } from '../models/unigram.js'
import { Lattice } from './lattice.js'
import { repeatedSubstrings } from './substrings.js'
import { compareCodePoints, requireModel, specialTokensOf, type Trainer, type TrainerOptions } from './trainer.js'

export interface UnigramTrainerOptions extends TrainerOptions {
  readonly initialAlphabet?: readonly string[]
  /** The unknown token; put first where the special tokens lack it. */
  readonly unkToken?: string | null
  /** Characters of a piece at most. */
  readonly maxPieceLength?: number
  /** Pieces to start from at most. */
  readonly seedSize?: number
  /** Part of the pieces that each pruning keeps. */
  readonly shrinkingFactor?: number
  /** Rounds of estimation between prunings. */
  readonly subIterations?: number
}

type Piece = readonly [string, number]
type Words = readonly (readonly [string, number])[]

const UNKNOWN = '<UNK>'
const UNKNOWN_PENALTY = 10

/** The digamma function for positive numbers, by its asymptotic series. */
function digamma(x: number): number {
  let result = 0
  let at = x
  for (; at < 7; at++) result -= 1 / at
  at -= 0.5
  const square = (1 / at) ** 2
  const fourth = square * square
  return (
    result +
    Math.log(at) +
    square / 24 -
    (7 / 960) * fourth +
    (31 / 8064) * fourth * square -
    (127 / 30720) * fourth * fourth
  )
}

/** Pieces in a form that words can be cut by; the first stands for what is unknown. */
class Cutter {
  private readonly trie: UnitTrie
  private readonly scores: Float64Array
  readonly lowest: number

  constructor(pieces: readonly Piece[]) {
    this.trie = new UnitTrie(pieces.length * 4)
    this.scores = Float64Array.from(pieces, ([, score]) => score)
    for (const [id, [piece]] of pieces.entries()) this.trie.insert(piece, id)
    // The score of the unknown piece is no number.
    this.lowest = this.scores.reduce(
      (low, score) => (Number.isNaN(score) ? low : Math.min(low, score)),
      Number.POSITIVE_INFINITY,
    )
  }

  lattice(text: string): Lattice {
    return new Lattice(text, this.trie, this.scores, { id: 0, score: this.lowest - UNKNOWN_PENALTY })
  }
}

const byCountAndText = (a: Piece, b: Piece): number => b[1] - a[1] || compareCodePoints(b[0], a[0])

/** Characters and frequent substrings of the words, as log probabilities. */
function seeds(words: Words, maxLength: number, seedSize: number): Piece[] {
  const counts = new Map<string, number>()
  const codePoints: number[] = []
  for (const [word, count] of words) {
    for (const char of word) {
      codePoints.push(char.codePointAt(0)!)
      if (char !== '\0') counts.set(char, (counts.get(char) ?? 0) + count)
    }
    if (word !== '') codePoints.push(0)
  }
  const symbols = Int32Array.from(codePoints)
  const longer = repeatedSubstrings(symbols)
    .filter(({ length }) => length > 1 && length <= maxLength)
    .filter(({ start, length }) => !symbols.subarray(start, start + length).includes(0))
    .map(({ start, length, count }): Piece => {
      return [String.fromCodePoint(...symbols.subarray(start, start + length)), count * length]
    })
  const chars: Piece[] = [...counts]
  const all = [...chars.sort(byCountAndText), ...longer.sort(byCountAndText)].slice(0, Math.max(seedSize, chars.length))
  const total = Math.log(all.reduce((sum, [, count]) => sum + count, 0))
  return all.map(([piece, count]) => [piece, Math.log(count) - total])
}

/** One round of estimation; pieces that hardly occur are dropped. The sparse prior is that of Liang and Klein (2007). */
function estimate(pieces: readonly Piece[], words: Words): Piece[] {
  const cutter = new Cutter(pieces)
  const expected = new Float64Array(pieces.length)
  for (const [word, count] of words) if (word !== '') cutter.lattice(word).addExpected(count, expected)
  const kept = pieces.flatMap(([piece], id): Piece[] => (id > 0 && expected[id] >= 0.5 ? [[piece, expected[id]]] : []))
  const total = digamma(kept.reduce((sum, [, count]) => sum + count, 0))
  return [[UNKNOWN, Number.NaN], ...kept.map(([piece, count]): Piece => [piece, digamma(count) - total])]
}

/** The second best way to write each piece: empty where there is none, null where the piece itself is not the best. */
function alternatives(pieces: readonly Piece[], cutter: Cutter): (readonly number[] | null)[] {
  return pieces.map(([piece], id) => {
    if (id === 0) return null
    const [first, second] = cutter.lattice(piece).bestTwo()
    if (!second) return []
    return first.length > 1 ? null : second.map((node) => node.id)
  })
}

/** Drops the pieces whose loss costs the likelihood least, down to `size`. */
function prune(pieces: readonly Piece[], words: Words, size: number): Piece[] {
  const cutter = new Cutter(pieces)
  const others = alternatives(pieces, cutter)
  const frequency = new Float64Array(pieces.length)
  /** Words that use a piece, counted once for each use. */
  const users = new Float64Array(pieces.length)
  let totalWords = 0
  for (const [word, count] of words) {
    totalWords += count
    if (word === '') continue
    for (const { id } of cutter.lattice(word).viterbi()) {
      frequency[id] += count
      users[id] += count
    }
  }
  const sum = frequency.reduce((total, count) => total + count, 0)
  const kept: Piece[] = [pieces[0]]
  const candidates: [number, number][] = []
  for (let id = 1; id < pieces.length; id++) {
    const other = others[id]
    if (frequency[id] === 0 && other === null) continue
    if (!other || other.length === 0) {
      kept.push(pieces[id])
      continue
    }
    if (users[id] === 0) continue
    const logSum = Math.log(sum + frequency[id] * (other.length - 1))
    const without = other.reduce((total, n) => total + (Math.log(frequency[n] + frequency[id]) - logSum), 0)
    candidates.push([id, (users[id] / totalWords) * (Math.log(frequency[id]) - Math.log(sum) - without)])
  }
  for (const [id] of candidates.sort((a, b) => b[1] - a[1])) {
    if (kept.length === size) break
    kept.push(pieces[id])
  }
  return kept
}

/** Pieces of the vocabulary: every character, then the best of the others, by score. */
function finalPieces(pieces: readonly Piece[], required: ReadonlySet<string>, size: number): Piece[] {
  const scores = new Map(pieces)
  const { lowest } = new Cutter(pieces)
  let penalty = 0
  const chosen = new Map<string, number>()
  for (const char of required) {
    const score = scores.get(char)
    chosen.set(char, score ?? lowest + penalty)
    if (score === undefined) penalty += 0.0001
  }
  for (const [piece, score] of pieces) {
    if (chosen.size >= size && chosen.size > 0) break
    if (piece !== UNKNOWN && !chosen.has(piece)) chosen.set(piece, Number.isNaN(score) ? 0 : score)
  }
  return [...chosen].sort((a, b) => b[1] - a[1])
}

/** Trains a unigram model: starts from frequent substrings, estimates by expectation and maximization, prunes (Kudo 2018). */
export const unigramTrainer = (options: UnigramTrainerOptions = {}): Trainer => ({
  specialTokens: specialTokensOf(options),
  train(counts, model) {
    const before = requireModel<Unigram>(model, 'Unigram', 'unigramTrainer')
    const { vocabSize = 8000, maxPieceLength = 16, seedSize = 1_000_000, shrinkingFactor = 0.75 } = options
    const words = [...counts]
    const required = new Set([...words.flatMap(([word]) => Array.from(word)), ...(options.initialAlphabet ?? [])])
    if (required.size > vocabSize)
      throw new RangeError(
        `a vocabulary of ${vocabSize} pieces cannot hold the ${required.size} characters of the texts`,
      )
    let pieces: Piece[] = [[UNKNOWN, Number.NaN], ...seeds(words, maxPieceLength, seedSize)]
    const desired = Math.floor((vocabSize * 11) / 10)
    for (;;) {
      for (let i = 0; i < (options.subIterations ?? 2); i++) pieces = estimate(pieces, words)
      if (pieces.length <= desired) break
      pieces = prune(pieces, words, Math.max(desired, Math.floor(pieces.length * shrinkingFactor)))
    }
    const special = specialTokensOf(options).map(({ content }): Piece => [content, 0])
    const unk = options.unkToken ?? null
    let unkId = unk === null ? null : special.findIndex(([token]) => token === unk)
    if (unk !== null && unkId === -1) {
      special.unshift([unk, 0])
      unkId = 0
    }
    const rest = finalPieces(pieces, required, vocabSize - special.length)
    return new Unigram([...special, ...rest], { unkId, byteFallback: before.byteFallback })
  },
})
