import type { HostArray } from '../formats/host-array.js'
import { isRecord, show } from '../formats/strict-json.js'

/** Ids of the special entries. */
export const PAD_ID = 0
export const UNK_ID = 1
const SPECIAL = ['[PAD]', '[UNK]'] as const

export interface CharVocabOptions {
  /** Characters that occur less often are unknown. Default 1. */
  minCount?: number
  /** Entries at most, [PAD] and [UNK] among them. Default: no limit. */
  maxSize?: number
}

export interface EncodeOptions {
  /** Cuts longer texts to so many characters. */
  maxLength?: number
  /** Fills shorter texts up to `maxLength` with [PAD]. Default false. */
  pad?: boolean
  /** Which end of a longer text is kept. Default `start`. */
  keep?: 'start' | 'end'
}

/** What {@link CharVocab.toJSON} writes. */
export interface CharVocabJson {
  readonly type: 'char'
  readonly version: 1
  /** Every entry; its place is its id. */
  readonly tokens: readonly string[]
}

/**
 * A vocabulary of characters: Unicode code points, not UTF-16 units. [PAD] is 0, [UNK] is 1; the others follow by
 * frequency, equal ones by code point, so that equal texts give equal ids.
 */
export class CharVocab {
  readonly #ids: ReadonlyMap<string, number>

  private constructor(readonly tokens: readonly string[]) {
    this.#ids = new Map(tokens.slice(SPECIAL.length).map((char, index) => [char, index + SPECIAL.length]))
  }

  /** Counts the characters of texts. @throws RangeError where nothing is left to tell apart */
  static fromTexts(texts: Iterable<string>, options: CharVocabOptions = {}): CharVocab {
    const { minCount = 1, maxSize = Number.POSITIVE_INFINITY } = options
    if (!(minCount >= 1)) throw new RangeError(`minCount should be at least 1, got ${minCount}`)
    if (!(maxSize > SPECIAL.length))
      throw new RangeError(`maxSize counts [PAD] and [UNK] too: expected at least 3, got ${maxSize}`)
    const counts = new Map<string, number>()
    for (const text of texts) for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1)
    const frequent = [...counts].filter(([, count]) => count >= minCount)
    if (frequent.length === 0)
      throw new RangeError(`no character occurs ${minCount} times: the texts are empty or minCount is too high`)
    frequent.sort(([a, countA], [b, countB]) => countB - countA || codePoint(a) - codePoint(b))
    const kept = frequent.slice(0, maxSize - SPECIAL.length).map(([char]) => char)
    return new CharVocab([...SPECIAL, ...kept])
  }

  /** @throws TypeError where `json` is not what {@link toJSON} gave; `source` is what the error calls it */
  static fromJSON(json: unknown, source = 'vocabulary'): CharVocab {
    if (!isRecord(json) || json.type !== 'char' || json.version !== 1 || !Array.isArray(json.tokens)) {
      throw new TypeError(`${source}: expected {"type": "char", "version": 1, "tokens": [...]}, got ${show(json)}`)
    }
    const tokens: unknown[] = json.tokens
    const seen = new Set<unknown>()
    tokens.forEach((token, id) => {
      const special = id < SPECIAL.length
      if (special ? token !== SPECIAL[id] : typeof token !== 'string' || [...token].length !== 1) {
        throw new TypeError(
          `${source}: token ${id}: expected ${special ? SPECIAL[id] : 'one character'}, got ${show(token)}`,
        )
      }
      if (seen.has(token)) throw new TypeError(`${source}: token ${id}: ${show(token)} occurs twice`)
      seen.add(token)
    })
    if (tokens.length < SPECIAL.length)
      throw new TypeError(`${source}: expected [PAD] and [UNK] first, got ${show(tokens)}`)
    return new CharVocab(tokens as string[])
  }

  toJSON(): CharVocabJson {
    return { type: 'char', version: 1, tokens: this.tokens }
  }

  /** Entries, [PAD] and [UNK] among them: the number of rows of an embedding. */
  get size(): number {
    return this.tokens.length
  }

  /** Id of one character; {@link UNK_ID} where it is unknown. */
  idOf(char: string): number {
    return this.#ids.get(char) ?? UNK_ID
  }

  /** Ids of a text's characters. */
  encode(text: string, options: EncodeOptions = {}): Int32Array {
    const { maxLength, pad = false, keep = 'start' } = options
    if (pad && maxLength === undefined) throw new TypeError('encode: padding needs maxLength')
    if (maxLength !== undefined && !(Number.isInteger(maxLength) && maxLength >= 0)) {
      throw new RangeError(`encode: maxLength should be a count of characters, got ${maxLength}`)
    }
    const all = Int32Array.from(text, (char) => this.idOf(char))
    if (maxLength === undefined || all.length === maxLength) return all
    if (all.length > maxLength) return keep === 'start' ? all.slice(0, maxLength) : all.slice(all.length - maxLength)
    if (!pad) return all
    const padded = new Int32Array(maxLength) // PAD_ID is 0
    padded.set(all)
    return padded
  }

  /** Ids of several texts, padded to `maxLength` or else to the longest: i32, [texts, length]. */
  encodeBatch(texts: readonly string[], options: EncodeOptions = {}): HostArray {
    const rows = texts.map((text) => this.encode(text, { ...options, pad: false }))
    const length =
      options.pad && options.maxLength !== undefined ? options.maxLength : Math.max(0, ...rows.map((row) => row.length))
    const data = new Int32Array(rows.length * length)
    rows.forEach((row, i) => {
      data.set(row, i * length)
    })
    return { dtype: 'i32', shape: [rows.length, length], data }
  }

  /** The text of ids; [PAD] is left out and unknown characters become U+FFFD. @throws RangeError for an id past the end */
  decode(ids: Iterable<number>): string {
    let text = ''
    for (const id of ids) {
      if (!(Number.isInteger(id) && id >= 0 && id < this.size))
        throw new RangeError(`expected ids of 0 to ${this.size - 1}, got ${id}`)
      if (id >= SPECIAL.length) text += this.tokens[id]
      else if (id === UNK_ID) text += '\ufffd'
    }
    return text
  }
}

const codePoint = (char: string): number => char.codePointAt(0) ?? 0
