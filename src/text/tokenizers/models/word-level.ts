import type { Fields } from '../config.js'
import { type Model, type Token, Vocabulary } from './model.js'

/** Each piece is one token of the vocabulary or unknown. */
export class WordLevel implements Model {
  readonly type = 'WordLevel'

  constructor(
    readonly vocabulary: Vocabulary,
    readonly unkToken = '<unk>',
  ) {}

  static of(fields: Fields): WordLevel {
    return new WordLevel(Vocabulary.of(fields.json.vocab, `${fields.where}.vocab`), fields.string('unk_token'))
  }

  get size(): number {
    return this.vocabulary.size
  }

  tokenize(text: string): Token[] {
    const id = this.vocabulary.ids.get(text)
    if (id !== undefined) return [{ id, value: text, start: 0, end: text.length }]
    const unk = this.vocabulary.ids.get(this.unkToken)
    if (unk === undefined) throw unknownToken('WordLevel', this.unkToken, text)
    return [{ id: unk, value: this.unkToken, start: 0, end: text.length }]
  }

  tokenToId(token: string): number | undefined {
    return this.vocabulary.ids.get(token)
  }

  idToToken(id: number): string | undefined {
    return this.vocabulary.token(id)
  }

  entries(): Iterable<readonly [string, number]> {
    return this.vocabulary.ids
  }

  toJSON(): Record<string, unknown> {
    return { type: this.type, vocab: this.vocabulary.toJSON(), unk_token: this.unkToken }
  }
}

export const unknownToken = (model: string, unk: string, text: string): Error =>
  new Error(
    `${model}: ${JSON.stringify(text.slice(0, 40))} is unknown, and the vocabulary lacks the unknown token ${JSON.stringify(unk)}`,
  )
