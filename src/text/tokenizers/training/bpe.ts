import { Bpe } from '../models/bpe.js'
import { type Model, Vocabulary } from '../models/model.js'
import { WordPiece } from '../models/word-piece.js'
import { pairQueue } from './pair-queue.js'
import { compareCodePoints, requireModel, specialTokensOf, type Trainer, type TrainerOptions } from './trainer.js'

export interface BpeTrainerOptions extends TrainerOptions {
  /** Pairs rarer than this are not merged. */
  readonly minFrequency?: number
  /** Characters that the vocabulary starts from at most, the rarest left out. */
  readonly limitAlphabet?: number
  /** Characters that it starts from whether they occur or not. */
  readonly initialAlphabet?: readonly string[]
  readonly continuingSubwordPrefix?: string
  readonly endOfWordSuffix?: string
  /** Tokens as long as this, in characters, are not formed. */
  readonly maxTokenLength?: number
}

/** A pair as one number: ids are below 2^26. */
const KEY = 2 ** 26

class BpeLearner {
  private readonly ids = new Map<string, number>()
  private readonly tokens: string[] = []
  private readonly pairs: [string, string][] = []
  private readonly counts: number[] = []
  private readonly symbols: number[][] = []
  private readonly lengths: number[][] = []
  private readonly pairCounts = new Map<number, number>()
  private pending = new Map<number, number[]>()
  private readonly queue = pairQueue()

  constructor(private readonly options: BpeTrainerOptions) {}

  private add(token: string): number {
    let id = this.ids.get(token)
    if (id === undefined) {
      id = this.tokens.length
      this.ids.set(token, id)
      this.tokens.push(token)
    }
    return id
  }

  private addAlphabet(words: ReadonlyMap<string, number>): void {
    const counts = new Map<string, number>()
    for (const [word, count] of words) for (const char of word) counts.set(char, (counts.get(char) ?? 0) + count)
    for (const text of this.options.initialAlphabet ?? []) {
      const [char] = text
      if (char !== undefined) counts.set(char, Number.POSITIVE_INFINITY)
    }
    let kept = [...counts]
    const excess = kept.length - (this.options.limitAlphabet ?? kept.length)
    if (excess > 0) {
      kept.sort(([a, n], [b, m]) => (n === m ? compareCodePoints(a, b) : n - m))
      kept = kept.slice(excess)
    }
    for (const [char] of kept.sort(([a], [b]) => compareCodePoints(a, b))) this.add(char)
  }

  private addWord(word: string, count: number): void {
    const { continuingSubwordPrefix: prefix = '', endOfWordSuffix: suffix = '' } = this.options
    const chars = Array.from(word)
    const symbols: number[] = []
    for (const [i, char] of chars.entries()) {
      if (!this.ids.has(char)) continue
      const start = i > 0 ? prefix : ''
      symbols.push(this.add(start + char + (i === chars.length - 1 ? suffix : '')))
    }
    this.counts.push(count)
    this.symbols.push(symbols)
    this.lengths.push(symbols.map(() => 1))
  }

  private change(left: number, right: number, sign: number, word: number): void {
    const key = left * KEY + right
    this.pairCounts.set(key, (this.pairCounts.get(key) ?? 0) + sign * this.counts[word])
    if (sign < 0) return
    const words = this.pending.get(key)
    if (!words) this.pending.set(key, [word])
    else if (words[words.length - 1] !== word) words.push(word)
  }

  private flush(): void {
    for (const [key, words] of this.pending) {
      const count = this.pairCounts.get(key) ?? 0
      if (count > 0) this.queue.push({ left: Math.floor(key / KEY), right: key % KEY, count, words })
    }
    this.pending = new Map()
  }

  /** Merges a pair wherever it stands in a word. */
  private mergeIn(word: number, left: number, right: number, merged: number): void {
    const { maxTokenLength = Number.POSITIVE_INFINITY } = this.options
    const symbols = this.symbols[word]
    const lengths = this.lengths[word]
    for (let i = 0; i + 1 < symbols.length; i++) {
      if (symbols[i] !== left || symbols[i + 1] !== right) continue
      const length = lengths[i] + lengths[i + 1]
      if (i > 0) {
        this.change(symbols[i - 1], left, -1, word)
        if (lengths[i - 1] + length < maxTokenLength) this.change(symbols[i - 1], merged, 1, word)
      }
      symbols.splice(i, 2, merged)
      lengths.splice(i, 2, length)
      if (i + 1 < symbols.length) {
        this.change(right, symbols[i + 1], -1, word)
        if (lengths[i + 1] + length < maxTokenLength) this.change(merged, symbols[i + 1], 1, word)
      }
    }
  }

  learn(words: ReadonlyMap<string, number>, specialTokens: readonly string[]): void {
    const { vocabSize = 30_000, minFrequency = 0, continuingSubwordPrefix: prefix } = this.options
    for (const token of specialTokens) this.add(token)
    this.addAlphabet(words)
    for (const [word, count] of words) this.addWord(word, count)
    for (const [word, symbols] of this.symbols.entries())
      for (let i = 0; i + 1 < symbols.length; i++) this.change(symbols[i], symbols[i + 1], 1, word)
    this.flush()
    while (this.ids.size < vocabSize) {
      const top = this.queue.pop()
      if (!top) break
      const count = this.pairCounts.get(top.left * KEY + top.right) ?? 0
      if (count !== top.count) {
        this.queue.push({ ...top, count })
        continue
      }
      if (count < 1 || count < minFrequency) break
      const [left, right] = [this.tokens[top.left], this.tokens[top.right]]
      const merged = this.add(left + (prefix && right.startsWith(prefix) ? right.slice(prefix.length) : right))
      this.pairs.push([left, right])
      for (const word of top.words) this.mergeIn(word, top.left, top.right, merged)
      this.flush()
    }
  }

  vocabulary(): Vocabulary {
    return new Vocabulary(this.ids)
  }

  /** Merges in order; of a pair that was merged twice the later place holds. */
  merges(): [string, string][] {
    const last = new Map(this.pairs.map((pair, i) => [pair.join('\u0000'), i]))
    return this.pairs.filter((pair, i) => last.get(pair.join('\u0000')) === i)
  }
}

function learned(options: BpeTrainerOptions, words: ReadonlyMap<string, number>): BpeLearner {
  const learner = new BpeLearner(options)
  learner.learn(
    words,
    specialTokensOf(options).map(({ content }) => content),
  )
  return learner
}

/** Trains byte-pair encoding: merges the most frequent pair until the vocabulary is full (Sennrich et al. 2016). */
export const bpeTrainer = (options: BpeTrainerOptions = {}): Trainer => ({
  specialTokens: specialTokensOf(options),
  train(words, model: Model) {
    const before = requireModel<Bpe>(model, 'BPE', 'bpeTrainer')
    const learner = learned(options, words)
    return new Bpe(learner.vocabulary(), learner.merges(), {
      ...before.options,
      continuingSubwordPrefix: options.continuingSubwordPrefix ?? null,
      endOfWordSuffix: options.endOfWordSuffix ?? null,
    })
  },
})

/** Trains WordPiece with the vocabulary that byte-pair encoding finds, as the Rust tokenizers do. */
export function wordPieceTrainer(options: BpeTrainerOptions = {}): Trainer {
  const settings = { continuingSubwordPrefix: '##', ...options }
  return {
    specialTokens: specialTokensOf(options),
    train(words, model) {
      const before = requireModel<WordPiece>(model, 'WordPiece', 'wordPieceTrainer')
      const vocabulary = learned(settings, words).vocabulary()
      return new WordPiece(vocabulary, before.unkToken, settings.continuingSubwordPrefix, before.maxInputCharsPerWord)
    },
  }
}
