import { splitWords, strip } from '../python-text.js'

// Reference: sacrebleu.tokenizers. Each returns tokens joined by single spaces.

type Rule = readonly [pattern: RegExp, replacement: string]

const apply = (line: string, rules: readonly Rule[]): string => {
  let out = line
  for (const [pattern, replacement] of rules) out = out.replace(pattern, replacement)
  return splitWords(out).join(' ')
}

// mteval-v13a: punctuation apart, but full stops and commas within numbers stay, and dashes leave digits.
const WESTERN: readonly Rule[] = [
  [/([{-~[-` -&(-+:-@/])/gu, ' $1 '],
  [/([^0-9])([.,])/gu, '$1 $2 '],
  [/([.,])([^0-9])/gu, ' $1 $2'],
  [/([0-9])(-)/gu, '$1 $2 '],
]

const ENTITIES: readonly Rule[] = [
  [/&quot;/g, '"'],
  [/&amp;/g, '&'],
  [/&lt;/g, '<'],
  [/&gt;/g, '>'],
]

function tokenize13a(line: string): string {
  let text = line.replaceAll('<skipped>', '').replaceAll('-\n', '').replaceAll('\n', ' ')
  for (const [pattern, replacement] of ENTITIES) text = text.replace(pattern, replacement)
  return apply(` ${text} `, WESTERN)
}

// The reference compares characters with '\u20000' and '\u2a6d6', which Python reads as U+2000 and U+2A6D with a digit behind: in effect
// U+2001 to U+2A6D (and likewise U+2F81 to U+2FA1), not the supplementary ideographs that are meant.
const IDEOGRAPHS =
  /[\u3400-\u4db5\u4e00-\u9fbb\uf900-\ufa2d\ufa30-\ufa6a\ufa70-\ufad9\u2001-\u2a6d\u2f81-\u2fa1\uff00-\uffef\u2e80-\u2eff\u3000-\u303f\u31c0-\u31ef\u2f00-\u2fdf\u2ff0-\u2fff\u3100-\u312f\u31a0-\u31bf\ufe10-\ufe1f\ufe30-\ufe4f\u3200-\u33ff]/gu

const INTERNATIONAL: readonly Rule[] = [
  [/(\P{N})(\p{P})/gu, '$1 $2 '],
  [/(\p{P})(\P{N})/gu, ' $1 $2'],
  [/(\p{S})/gu, ' $1 '],
]

/** Ways to cut a line into tokens before counting n-grams. */
export const BLEU_TOKENIZERS = {
  '13a': tokenize13a,
  zh: (line: string): string => apply(strip(line).replace(IDEOGRAPHS, ' $& '), WESTERN),
  intl: (line: string): string => apply(line, INTERNATIONAL),
  char: (line: string): string => [...line].join(' '),
  none: (line: string): string => line,
} satisfies Record<string, (line: string) => string>

export type BleuTokenizer = keyof typeof BLEU_TOKENIZERS

export interface TercomOptions {
  /** Sets punctuation apart. */
  readonly normalized?: boolean
  readonly noPunct?: boolean
  /** Splits ideographs and handles Asian punctuation, with `normalized` and `noPunct`. */
  readonly asianSupport?: boolean
  readonly caseSensitive?: boolean
}

const ASIAN_PUNCTUATION: readonly RegExp[] = [
  /([\u3001\u3002\u3008-\u3011\u3014-\u301f\uff61-\uff65\u30fb])/gu,
  /([\uff0e\uff0c\uff1f\uff1a\uff1b\uff01\uff02\uff08\uff09])/gu,
]

const TERCOM: readonly Rule[] = [[/\n-/g, ''], [/\n/g, ' '], ...ENTITIES]
const TERCOM_SPLIT: readonly Rule[] = [
  [/([{-~[-` -&(-+:-@/])/gu, ' $1 '],
  [/'s /g, " 's "],
  [/'s$/g, " 's"],
  ...WESTERN.slice(1),
]
const TERCOM_ASIAN: readonly Rule[] = [
  [/([\u4e00-\u9fff\u3400-\u4dbf])/gu, ' $1 '],
  [/([\u31c0-\u31ef\u2e80-\u2eff])/gu, ' $1 '],
  [/([\u3300-\u33ff\uf900-\ufaff\ufe30-\ufe4f])/gu, ' $1 '],
  [/([\u3200-\u3f22])/gu, ' $1 '],
  [/(^|^[\u3040-\u309f])([\u3040-\u309f]+)(?=$|^[\u3040-\u309f])/gu, '$1 $2 '],
  [/(^|^[\u30a0-\u30ff])([\u30a0-\u30ff]+)(?=$|^[\u30a0-\u30ff])/gu, '$1 $2 '],
  [/(^|^[\u31f0-\u31ff])([\u31f0-\u31ff]+)(?=$|^[\u31f0-\u31ff])/gu, '$1 $2 '],
  ...ASIAN_PUNCTUATION.map((pattern): Rule => [pattern, ' $1 ']),
]

const replaceAll = (text: string, rules: readonly Rule[]): string =>
  rules.reduce((out, [pattern, replacement]) => out.replace(pattern, replacement), text)

/** Words as Tercom cuts them (sacrebleu.tokenizers.tokenizer_ter). */
export function tercomWords(line: string, options: TercomOptions = {}): string[] {
  let text = options.caseSensitive ? line : line.toLowerCase()
  if (options.normalized) {
    text = replaceAll(` ${replaceAll(text, TERCOM)} `, TERCOM_SPLIT)
    if (options.asianSupport) text = replaceAll(text, TERCOM_ASIAN)
  }
  if (options.noPunct) {
    text = text.replace(/[.,?:;!"()]/g, '')
    if (options.asianSupport) text = ASIAN_PUNCTUATION.reduce((out, pattern) => out.replace(pattern, ''), text)
  }
  return splitWords(text)
}
