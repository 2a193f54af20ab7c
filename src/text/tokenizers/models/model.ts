import { FormatError } from '../../../formats/errors.js'
import { isObject } from '../config.js'

/** A token with its range in the piece that was tokenized, in UTF-16 units. */
export interface Token {
  readonly id: number
  readonly value: string
  readonly start: number
  readonly end: number
}

export interface Model {
  readonly type: 'BPE' | 'WordPiece' | 'WordLevel' | 'Unigram'
  /** Tokens of one piece. @throws Error for what no token stands for */
  tokenize(text: string): Token[]
  tokenToId(token: string): number | undefined
  idToToken(id: number): string | undefined
  /** Number of tokens. */
  readonly size: number
  /** All tokens with their ids. */
  entries(): Iterable<readonly [string, number]>
  /** The model as it stands in a tokenizer.json. */
  toJSON(): Record<string, unknown>
}

/** Ids that a vocabulary may hold: they index tables. */
const MAX_ID = 2 ** 31 - 1

/** Tokens and ids, both ways. */
export class Vocabulary {
  readonly ids: Map<string, number>
  /** By id; a table where ids leave few gaps. */
  private readonly tokens: (string | undefined)[] | Map<number, string>

  constructor(entries: Iterable<readonly [string, number]>) {
    this.ids = new Map(entries)
    let highest = -1
    for (const id of this.ids.values()) if (id > highest) highest = id
    const dense = highest < this.ids.size * 4
    this.tokens = dense ? new Array<string | undefined>(highest + 1).fill(undefined) : new Map()
    if (Array.isArray(this.tokens)) for (const [token, id] of this.ids) this.tokens[id] = token
    else for (const [token, id] of this.ids) this.tokens.set(id, token)
  }

  get size(): number {
    return this.ids.size
  }

  token(id: number): string | undefined {
    return Array.isArray(this.tokens) ? this.tokens[id] : this.tokens.get(id)
  }

  /** Object of tokens in order of their ids. */
  toJSON(): Record<string, number> {
    const sorted = [...this.ids].sort(([, a], [, b]) => a - b)
    return Object.fromEntries(sorted.filter(([token, id]) => this.token(id) === token))
  }

  static of(value: unknown, where: string): Vocabulary {
    if (!isObject(value)) throw new FormatError(`${where}: expected an object of tokens and ids`)
    const ids = new Map<string, number>()
    for (const token of Object.keys(value)) {
      const id = value[token]
      if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > MAX_ID)
        throw new FormatError(`${where}: the id of ${JSON.stringify(token)} is ${String(id)}, expected a whole number`)
      ids.set(token, id)
    }
    return new Vocabulary(ids)
  }
}
