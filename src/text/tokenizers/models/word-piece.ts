import type { Fields } from '../config.js'
import { type Model, type Token, Vocabulary } from './model.js'
import { UnitTrie } from './trie.js'
import { unknownToken } from './word-level.js'

function unitsOf(text: string): Uint16Array {
  const units = new Uint16Array(text.length)
  for (let i = 0; i < units.length; i++) units[i] = text.charCodeAt(i)
  return units
}

/**
 * WordPiece (Wu et al. 2016): from the left the longest token, then the longest that continues a word. A word that cannot be covered, or
 * is too long, is unknown as a whole.
 */
export class WordPiece implements Model {
  readonly type = 'WordPiece'
  private readonly trie: UnitTrie
  /** Node after the prefix of continuations; -1 where no token has it. */
  private readonly continuing: number
  readonly unkId: number | undefined

  constructor(
    readonly vocabulary: Vocabulary,
    readonly unkToken = '[UNK]',
    readonly prefix = '##',
    readonly maxInputCharsPerWord = 100,
  ) {
    this.trie = new UnitTrie(vocabulary.size * 4)
    for (const [token, id] of vocabulary.ids) if (token !== '') this.trie.insert(token, id)
    this.continuing = this.trie.walk(prefix)
    this.unkId = vocabulary.ids.get(unkToken)
  }

  static of(fields: Fields): WordPiece {
    return new WordPiece(
      Vocabulary.of(fields.json.vocab, `${fields.where}.vocab`),
      fields.string('unk_token'),
      fields.string('continuing_subword_prefix'),
      fields.count('max_input_chars_per_word'),
    )
  }

  get size(): number {
    return this.vocabulary.size
  }

  private isTooLong(units: Uint16Array, start: number, end: number): boolean {
    let count = end - start
    if (count <= this.maxInputCharsPerWord) return false
    for (let i = start; i < end; i++) if ((units[i] & 0xfc00) === 0xdc00) count--
    return count > this.maxInputCharsPerWord
  }

  /**
   * Appends the ids of a word, `[start, end)` of UTF-16 units, to `ids` and, where asked for, the position after each token to `ends`. A word
   * that cannot be covered gives the unknown token.
   */
  encodeUnits(units: Uint16Array, start: number, end: number, ids: number[], ends: number[] | null = null): void {
    const { trie } = this
    const first = ids.length
    let known = !this.isTooLong(units, start, end)
    for (let at = start; known && at < end; ) {
      let node = at === start ? 0 : this.continuing
      let id = -1
      let last = at
      for (let i = at; i < end && node >= 0; i++) {
        const transition = trie.step(node, units[i])
        if (transition < 0) break
        node = trie.child(transition)
        const value = trie.value(transition)
        if (value >= 0) {
          id = value
          last = i + 1
        }
      }
      if (id < 0) known = false
      else {
        ids.push(id)
        ends?.push(last)
      }
      at = last
    }
    if (known) return
    if (this.unkId === undefined)
      throw unknownToken('WordPiece', this.unkToken, String.fromCharCode(...units.subarray(start, end)))
    ids.length = first
    ids.push(this.unkId)
    if (ends) {
      ends.length = 0
      ends.push(end)
    }
  }

  tokenize(text: string): Token[] {
    const ids: number[] = []
    const ends: number[] = []
    if (text.length === 0) return []
    const units = unitsOf(text)
    this.encodeUnits(units, 0, text.length, ids, ends)
    return ids.map((id, i) => ({ id, value: this.idToToken(id) ?? '', start: i === 0 ? 0 : ends[i - 1], end: ends[i] }))
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
    return {
      type: this.type,
      unk_token: this.unkToken,
      continuing_subword_prefix: this.prefix,
      max_input_chars_per_word: this.maxInputCharsPerWord,
      vocab: this.vocabulary.toJSON(),
    }
  }
}
