import type { Fields } from './config.js'
import type { Model } from './models/model.js'
import { UnitTrie } from './models/trie.js'
import type { Normalizer } from './normalizers/normalizer.js'
import { isWhitespace, isWordCharacter } from './unicode/classes.js'

/** A token beside those of the model, found in the text before the model sees it. */
export interface AddedToken {
  readonly content: string
  /** Found only where no letter or digit touches it. */
  readonly singleWord: boolean
  /** Takes the white space to its left in. */
  readonly lstrip: boolean
  readonly rstrip: boolean
  /** Found in the normalized text, by its normalized form. */
  readonly normalized: boolean
  /** Left out when decoding without special tokens. */
  readonly special: boolean
}

/** An added token from its text; special ones are not normalized unless asked for. */
export function addedToken(content: string, options: Partial<AddedToken> = {}): AddedToken {
  const special = options.special ?? false
  return { singleWord: false, lstrip: false, rstrip: false, normalized: !special, ...options, content, special }
}

/** An added token as a tokenizer.json or tokenizer_config.json writes it. */
export function addedTokenOf(fields: Fields): AddedToken {
  const special = fields.boolean('special', false)
  return {
    content: fields.string('content'),
    singleWord: fields.boolean('single_word', false),
    lstrip: fields.boolean('lstrip', false),
    rstrip: fields.boolean('rstrip', false),
    normalized: fields.boolean('normalized', !special),
    special,
  }
}

const same = (a: AddedToken, b: AddedToken): boolean =>
  a.content === b.content &&
  a.singleWord === b.singleWord &&
  a.lstrip === b.lstrip &&
  a.rstrip === b.rstrip &&
  a.normalized === b.normalized &&
  a.special === b.special

/** A part of a text: an added token, or what lies between. */
export interface TextPart {
  readonly start: number
  readonly end: number
  readonly id: number | null
}

/** Finds the leftmost, longest of a set of strings. */
class StringSet {
  private readonly trie: UnitTrie
  private readonly first = new Uint8Array(65536)

  constructor(strings: readonly (readonly [string, number])[]) {
    this.trie = new UnitTrie(strings.length * 8)
    for (const [text, id] of strings) {
      this.trie.insert(text, id)
      this.first[text.charCodeAt(0)] = 1
    }
  }

  /** The first match from a position on; null where there is none. */
  find(text: string, from: number): { start: number; end: number; id: number } | null {
    const { first, trie } = this
    for (let start = from; start < text.length; start++) {
      if (first[text.charCodeAt(start)] === 0) continue
      let node = 0
      let [id, end] = [-1, start]
      for (let i = start; i < text.length; i++) {
        const transition = trie.step(node, text.charCodeAt(i))
        if (transition < 0) break
        node = trie.child(transition)
        if (trie.value(transition) >= 0) {
          id = trie.value(transition)
          end = i + 1
        }
      }
      if (id >= 0) return { start, end, id }
    }
    return null
  }
}

const codePointBefore = (text: string, at: number): number => {
  const unit = text.charCodeAt(at - 1)
  return (unit & 0xfc00) === 0xdc00 && at > 1 ? text.codePointAt(at - 2)! : unit
}

export class AddedVocabulary {
  private readonly idOf = new Map<string, number>()
  private readonly tokenOf = new Map<number, AddedToken>()
  private readonly specials = new Set<string>()
  /** Normalized form of tokens that normalization changes. */
  private readonly normalizedForm = new Map<number, string>()
  private plain: StringSet | null = null
  private normalized: StringSet | null = null
  /** Whether special tokens in a text are taken for text. */
  encodeSpecialTokens = false

  constructor(
    private readonly model: () => Model,
    private readonly normalizer: () => Normalizer | null,
  ) {}

  get size(): number {
    return this.idOf.size
  }

  /** Whether no text can hold an added token. */
  get empty(): boolean {
    return this.plain === null && this.normalized === null
  }

  get hasNormalized(): boolean {
    return this.normalized !== null
  }

  id(token: string): number | undefined {
    return this.idOf.get(token)
  }

  token(id: number): AddedToken | undefined {
    return this.tokenOf.get(id)
  }

  /** What stands for an id when decoding: tokens found in normalized text stand for their normalized form. */
  text(id: number): string | undefined {
    return this.normalizedForm.get(id) ?? this.tokenOf.get(id)?.content
  }

  isSpecial(token: string): boolean {
    return this.specials.has(token)
  }

  /** Added tokens with their ids, in order of ids. */
  entries(): [number, AddedToken][] {
    return [...this.tokenOf].sort(([a], [b]) => a - b)
  }

  /** @returns how many tokens were new or changed */
  add(tokens: Iterable<AddedToken>): number {
    const size = this.model().size
    let highest = -1
    for (const id of this.tokenOf.keys()) highest = Math.max(highest, id)
    let nextId = highest >= size || (size === 0 && highest >= 0) ? highest + 1 : size
    let added = 0
    for (const token of tokens) {
      if (token.content === '') continue
      const before = this.idOf.get(token.content)
      if (before !== undefined && same(this.tokenOf.get(before)!, token)) continue
      const id = before ?? this.model().tokenToId(token.content) ?? nextId++
      this.idOf.set(token.content, id)
      this.tokenOf.set(id, token)
      if (token.special) this.specials.add(token.content)
      added++
    }
    if (added > 0) this.refresh()
    return added
  }

  /** Rebuilds what is looked for, after the normalizer has changed. */
  refresh(): void {
    this.normalizedForm.clear()
    const plain: [string, number][] = []
    const normalized: [string, number][] = []
    const normalizer = this.normalizer()
    for (const [id, token] of this.tokenOf) {
      if (!token.normalized) {
        plain.push([token.content, id])
        continue
      }
      const form = normalizer ? normalizer.normalize(token.content) : token.content
      if (form !== token.content) this.normalizedForm.set(id, form)
      if (form !== '') normalized.push([form, id])
    }
    this.plain = plain.length > 0 ? new StringSet(plain) : null
    this.normalized = normalized.length > 0 ? new StringSet(normalized) : null
  }

  /** Parts of a text that is not normalized yet; null where it is one part. */
  splitPlain(text: string): TextPart[] | null {
    return this.plain && this.split(text, this.plain)
  }

  splitNormalized(text: string): TextPart[] | null {
    return this.normalized && this.split(text, this.normalized)
  }

  private split(text: string, set: StringSet): TextPart[] | null {
    let match = set.find(text, 0)
    if (!match) return null
    const parts: TextPart[] = []
    let done = 0
    for (; match; match = set.find(text, match.end)) {
      const token = this.tokenOf.get(match.id)!
      let { start, end } = match
      if (this.encodeSpecialTokens && this.specials.has(token.content)) continue
      if (token.singleWord && !standsAlone(text, start, end)) continue
      if (token.lstrip) {
        while (start > 0 && isWhitespace(text.charCodeAt(start - 1))) start--
        start = Math.max(start, done)
      }
      if (token.rstrip) while (end < text.length && isWhitespace(text.charCodeAt(end))) end++
      if (start > done) parts.push({ start: done, end: start, id: null })
      parts.push({ start, end, id: match.id })
      done = end
    }
    if (done < text.length) parts.push({ start: done, end: text.length, id: null })
    return parts
  }
}

const standsAlone = (text: string, start: number, end: number): boolean =>
  (start === 0 || !isWordCharacter(codePointBefore(text, start))) &&
  (end === text.length || !isWordCharacter(text.codePointAt(end)!))
