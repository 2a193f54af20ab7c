/** Normalization as SentencePiece's own library does it: the longest rule at each position, then its treatment of spaces. */
import { PrecompiledRules } from '../normalizers/precompiled.js'
import type { SentencePieceProto } from './model-proto.js'

export const SPACE_MARK = '\u2581'

/** Strings that start at a position, longest first. */
export class PrefixMatcher {
  private readonly byUnit = new Map<number, string[]>()

  constructor(strings: Iterable<string>) {
    for (const text of strings) {
      const list = this.byUnit.get(text.charCodeAt(0)) ?? []
      list.push(text)
      this.byUnit.set(text.charCodeAt(0), list)
    }
    for (const list of this.byUnit.values()) list.sort((a, b) => b.length - a.length)
  }

  /** Length of the longest string at a position; 0 for none. */
  match(text: string, at: number): number {
    return this.byUnit.get(text.charCodeAt(at))?.find((item) => text.startsWith(item, at))?.length ?? 0
  }
}

export class SentencePieceNormalizer {
  private readonly rules: PrecompiledRules | null

  constructor(
    private readonly proto: SentencePieceProto,
    private readonly matcher: PrefixMatcher,
  ) {
    const { precompiledCharsmap } = proto.normalizer
    this.rules = precompiledCharsmap.length > 0 ? new PrecompiledRules(precompiledCharsmap) : null
  }

  /** What stands for the longest prefix at a position, and its length. */
  private prefix(text: string, at: number): { readonly text: string; readonly length: number } {
    const defined = this.matcher.match(text, at)
    if (defined > 0) return { text: text.slice(at, at + defined), length: defined }
    const rule = this.rules?.longest(text, at)
    if (rule) return rule
    const length = text.codePointAt(at)! > 0xffff ? 2 : 1
    return { text: text.slice(at, at + length), length }
  }

  normalize(text: string): string {
    const { normalizer: spec, treatWhitespaceAsSuffix } = this.proto
    let at = 0
    if (spec.removeExtraWhitespaces) {
      while (at < text.length) {
        const next = this.prefix(text, at)
        if (next.text !== ' ') break
        at += next.length
      }
    }
    if (at >= text.length) return ''
    const space = spec.escapeWhitespaces ? SPACE_MARK : ' '
    const prefixed = !treatWhitespaceAsSuffix && spec.addDummyPrefix
    let out = prefixed ? space : ''
    let afterSpace = spec.removeExtraWhitespaces
    while (at < text.length) {
      const next = this.prefix(text, at)
      let piece = next.text
      if (afterSpace) piece = piece.replace(/^ +/, '')
      if (piece !== '') {
        out += spec.escapeWhitespaces ? piece.replaceAll(' ', SPACE_MARK) : piece
        afterSpace = spec.removeExtraWhitespaces && piece.endsWith(' ')
      }
      at += next.length
    }
    if (spec.removeExtraWhitespaces) while (out.endsWith(space)) out = out.slice(0, -space.length)
    return treatWhitespaceAsSuffix && spec.addDummyPrefix ? out + space : out
  }
}
