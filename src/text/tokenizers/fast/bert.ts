/** BERT's normalizer, pre-tokenizer and WordPiece in one pass over a text. */

import type { WordPiece } from '../models/word-piece.js'
import type { Normalizer } from '../normalizers/normalizer.js'
import { isNonspacingMark, isPunctuation, isWhitespace } from '../unicode/classes.js'
import { codePointMap, lazy } from '../unicode/ranges.js'
import { COMBINING_CLASSES } from '../unicode/tables.js'

const UNSEEN = 0
const WORD = 1
const SPACE = 2
const PUNCTUATION = 3
/** Nothing is left of it. */
const GONE = 4
/** Becomes other than one unit, or is half of a character. */
const LONG = 5

/** Marks that stay and may change places when decomposed: a text with one is normalized as a whole. */
const movable = lazy(() => {
  const classes = codePointMap(COMBINING_CLASSES)
  const found: number[] = []
  for (let c = 0x300; c < classes.length; c++) if (classes[c] !== 0 && !isNonspacingMark(c)) found.push(c)
  return new RegExp(`[${found.map((c) => `\\u{${c.toString(16)}}`).join('')}]`, 'u')
})

/** A text as units with a class each; words are runs of {@link WORD}. */
export class BertScanner {
  private readonly kinds = new Uint8Array(65536).fill(LONG, 0xd800, 0xe000)
  private readonly mapped = new Uint16Array(65536)
  private readonly long = new Map<string, string>()
  private units = new Uint16Array(4096)
  private unitKinds = new Uint8Array(4096)
  private count = 0

  constructor(
    private readonly model: WordPiece,
    private readonly normalizer: Normalizer | null,
  ) {}

  /** Whether characters can be normalized one by one. */
  static takes(text: string): boolean {
    return !movable().test(text)
  }

  private add(unit: number, kind: number): void {
    if (this.count === this.units.length) {
      const [units, kinds] = [this.units, this.unitKinds]
      this.units = new Uint16Array(units.length * 2)
      this.unitKinds = new Uint8Array(units.length * 2)
      this.units.set(units)
      this.unitKinds.set(kinds)
    }
    this.units[this.count] = unit
    this.unitKinds[this.count++] = kind
  }

  private learn(unit: number): void {
    const char = String.fromCharCode(unit)
    const text = this.normalizer ? this.normalizer.normalize(char) : char
    this.kinds[unit] = text.length === 0 ? GONE : text.length > 1 ? LONG : kindOf(text.charCodeAt(0))
    this.mapped[unit] = text.charCodeAt(0)
  }

  private addLong(char: string): void {
    let text = this.long.get(char)
    if (text === undefined) {
      text = this.normalizer ? this.normalizer.normalize(char) : char
      if (this.long.size < 50_000) this.long.set(char, text)
    }
    for (let i = 0; i < text.length; ) {
      const c = text.codePointAt(i)!
      const kind = kindOf(c)
      this.add(text.charCodeAt(i++), kind)
      if (c > 0xffff) this.add(text.charCodeAt(i++), kind)
    }
  }

  private read(text: string): void {
    const { kinds, mapped } = this
    this.count = 0
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      if (kinds[unit] === UNSEEN) this.learn(unit)
      const kind = kinds[unit]
      if (kind < GONE) this.add(mapped[unit], kind)
      else if (kind === LONG) {
        const c = text.codePointAt(i)!
        this.addLong(String.fromCodePoint(c))
        if (c > 0xffff) i++
      }
    }
  }

  /** Appends the ids of a text. */
  encode(text: string, ids: number[]): void {
    this.read(text)
    const { units, unitKinds, count, model } = this
    for (let i = 0; i < count; ) {
      const kind = unitKinds[i]
      let end = i + 1
      if (kind === WORD) while (end < count && unitKinds[end] === WORD) end++
      else if (kind === PUNCTUATION && (units[i] & 0xfc00) === 0xd800) end++
      if (kind !== SPACE) model.encodeUnits(units, i, end, ids)
      i = end
    }
  }
}

const kindOf = (c: number): number => (isWhitespace(c) ? SPACE : isPunctuation(c) ? PUNCTUATION : WORD)
