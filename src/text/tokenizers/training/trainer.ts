import { type AddedToken, addedToken } from '../added-vocabulary.js'
import type { Model } from '../models/model.js'

/** Learns the vocabulary of a model from words and how often they occur. */
export interface Trainer {
  /** The trained model, with the settings of `model` where the trainer has none of its own. @throws TypeError for another kind of model */
  train(words: ReadonlyMap<string, number>, model: Model): Model
  /** Tokens that come first in the vocabulary and are added to the tokenizer as special. */
  readonly specialTokens: readonly AddedToken[]
}

export interface TrainerOptions {
  /** Tokens of the vocabulary, special ones included. */
  readonly vocabSize?: number
  readonly specialTokens?: readonly (string | AddedToken)[]
}

export const specialTokensOf = ({ specialTokens = [] }: TrainerOptions): AddedToken[] =>
  specialTokens.map((token) => (typeof token === 'string' ? addedToken(token, { special: true }) : token))

export function requireModel<T extends Model>(model: Model, type: T['type'], trainer: string): T {
  if (model.type !== type) throw new TypeError(`${trainer} trains a ${type} model, not ${model.type}`)
  return model as T
}

/** Order of strings by code points, as Rust and Python compare them. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (x === y) continue
    // Halves of surrogate pairs stand for code points beyond all others.
    const [highX, highY] = [(x & 0xf800) === 0xd800, (y & 0xf800) === 0xd800]
    return highX === highY ? x - y : highX ? 1 : -1
  }
  return a.length - b.length
}
