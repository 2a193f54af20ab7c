/** The rules that SentencePiece compiles into its models: a double-array trie over UTF-8 and the replacements, each ended by a zero byte. */
import { FormatError } from '../../../formats/errors.js'
import { codePointsOf } from '../aligned-text.js'
import { forEachGrapheme } from '../unicode/graphemes.js'
import type { Transformation } from '../unicode/normalize.js'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Bytes of a grapheme from which on it is taken character by character. */
const LONG_GRAPHEME = 6

export class PrecompiledRules {
  private readonly units: Uint32Array
  private readonly replacements: Uint8Array
  private readonly scratch = new Uint8Array(32)
  private readonly cache = new Map<string, string | null>()

  /** @param bytes size of the trie in bytes (32 bits, little endian), the trie, the replacements */
  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const size = bytes.byteLength >= 4 ? view.getUint32(0, true) : -1
    if (size < 4 || size % 4 !== 0 || size > bytes.byteLength - 4)
      throw new FormatError(`precompiled_charsmap: a trie of ${size} bytes in ${bytes.byteLength} bytes`)
    this.units = new Uint32Array(size / 4)
    for (let i = 0; i < this.units.length; i++) this.units[i] = view.getUint32(4 + 4 * i, true)
    this.replacements = bytes.subarray(4 + size)
  }

  /** What stands for the shortest prefix of `text` that has a rule (then for the whole text); null where none has. */
  replacement(text: string): string | null {
    let found = this.cache.get(text)
    if (found === undefined) {
      found = this.search(text)
      if (this.cache.size < 20_000) this.cache.set(text, found)
    }
    return found
  }

  private search(text: string): string | null {
    const { written } = encoder.encodeInto(text, this.scratch)
    let node = offsetOf(this.units[0])
    for (let i = 0; i < written; i++) {
      const byte = this.scratch[i]
      if (byte === 0) break
      node ^= byte
      if (node >= this.units.length) return null
      const unit = this.units[node]
      if ((unit & 0x800000ff) >>> 0 !== byte) return null
      node ^= offsetOf(unit)
      if (node >= this.units.length) return null
      if ((unit >>> 8) & 1) return this.replacementAt(this.units[node] & 0x7fffffff)
    }
    return null
  }

  /** What stands for the longest prefix at a position that has a rule, with its length in units; null where none has. */
  longest(text: string, at: number): { readonly text: string; readonly length: number } | null {
    let node = offsetOf(this.units[0])
    let found: { text: string; length: number } | null = null
    for (let i = at; i < text.length; ) {
      const c = text.codePointAt(i)!
      const next = i + (c > 0xffff ? 2 : 1)
      const { written } = encoder.encodeInto(text.slice(i, next), this.scratch)
      for (let k = 0; k < written; k++) {
        node ^= this.scratch[k]
        const unit = node < this.units.length ? this.units[node] : 0
        if (this.scratch[k] === 0 || (unit & 0x800000ff) >>> 0 !== this.scratch[k]) return found
        node ^= offsetOf(unit)
        if ((unit >>> 8) & 1 && node < this.units.length && k === written - 1)
          found = { text: this.replacementAt(this.units[node] & 0x7fffffff), length: next - at }
      }
      i = next
    }
    return found
  }

  private replacementAt(start: number): string {
    let end = start
    while (end < this.replacements.length && this.replacements[end] !== 0) end++
    return decoder.decode(this.replacements.subarray(start, end))
  }

  /** Parts of the text with what stands for each; null where it stays. */
  private forEachPart(text: string, visit: (part: string, replacement: string | null) => void): void {
    forEachGrapheme(text, (grapheme) => {
      if (grapheme.length < LONG_GRAPHEME && utf8Length(grapheme) < LONG_GRAPHEME) {
        const whole = this.replacement(grapheme)
        if (whole !== null) {
          visit(grapheme, whole)
          return
        }
      }
      for (const char of grapheme) visit(char, this.replacement(char))
    })
  }

  normalize(text: string): string {
    let out = ''
    this.forEachPart(text, (part, replacement) => {
      out += replacement ?? part
    })
    return out
  }

  /** The normalized text with its changes; null where nothing has a rule. */
  transformation(text: string): Transformation | null {
    const result: Transformation = { codePoints: [], changes: [] }
    let changed = false
    this.forEachPart(text, (part, replacement) => {
      if (replacement !== null) changed = true
      const added = codePointsOf(replacement ?? part)
      for (const c of added) {
        result.codePoints.push(c)
        result.changes.push(0)
      }
      const grown = added.length - Array.from(part).length
      const last = result.changes.length - 1
      if (grown > 0) for (let i = 0; i < grown && last - i >= 0; i++) result.changes[last - i] = 1
      else if (grown < 0 && last >= 0) result.changes[last] += grown
    })
    return changed ? result : null
  }
}

const offsetOf = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6)

export function utf8Length(text: string): number {
  let length = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) length++
    else if (unit < 0x800) length += 2
    else if ((unit & 0xfc00) === 0xd800 && i + 1 < text.length) {
      length += 4
      i++
    } else length += 3
  }
  return length
}

export function fromBase64(text: string, where: string): Uint8Array {
  let binary: string
  try {
    binary = atob(text)
  } catch {
    throw new FormatError(`${where}: not base64`)
  }
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}
