import type { Fields } from '../config.js'
import { type Model, type Token, Vocabulary } from './model.js'
import { UnitTrie } from './trie.js'
import { unknownToken } from './word-level.js'

/** Code points of a text. */
export function codePointCount(text: string, start = 0, end = text.length): number {
  let count = end - start
  for (let i = start; i + 1 < end; i++)
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) count--
  return count
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
    for (const [token, id] of vocabulary.ids) this.trie.insert(token, id)
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

  /**
   * Appends the ids of `[start, end)` of a text to `ids` and, where asked for, the position after each token to `ends`.
   * @returns the number of ids; 1 with the unknown token where the word cannot be covered
   */
  encodeInto(text: string, start: number, end: number, ids: number[], ends: number[] | null): number {
    const first = ids.length
    const firstEnd = ends ? ends.length : 0
    let known =
      end - start <= this.maxInputCharsPerWord || codePointCount(text, start, end) <= this.maxInputCharsPerWord
    for (let at = start; known && at < end; ) {
      let node = at === start ? 0 : this.continuing
      let [id, last] = [-1, at]
      for (let i = at; i < end && node >= 0; i++) {
        node = this.trie.child(node, text.charCodeAt(i))
        if (node >= 0 && this.trie.value(node) >= 0) {
          id = this.trie.value(node)
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
    if (known) return ids.length - first
    if (this.unkId === undefined) throw unknownToken('WordPiece', this.unkToken, text.slice(start, end))
    ids.length = first
    ids.push(this.unkId)
    if (ends) {
      ends.length = firstEnd
      ends.push(end)
    }
    return 1
  }

  tokenize(text: string): Token[] {
    const ids: number[] = []
    const ends: number[] = []
    if (text.length === 0) return []
    this.encodeInto(text, 0, text.length, ids, ends)
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
