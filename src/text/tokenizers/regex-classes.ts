/** Character classes of Oniguruma as the inside of a class of JavaScript (flag `v`). */
import { NEWER_THAN_PATTERNS } from './unicode/classes.js'

/** A class without its brackets, by what a pattern calls it. */
const known = (inside: string): string => `[[${inside}]--[${NEWER_THAN_PATTERNS()}]]`

const WORD = (): string => known('\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}')

/** `\w` outside of brackets, which reads a table of Latin-1 where some numbers are word characters. */
export const LONE_WORD = (): string => `${WORD()}\\u{b2}\\u{b3}\\u{b9}\\u{bc}-\\u{be}`

/** Spacing marks that start a character of their own all the same (UAX 29, table 2). */
const APART =
  '\\u{102b}\\u{102c}\\u{1038}\\u{1062}-\\u{1064}\\u{1067}-\\u{106d}\\u{1083}\\u{1087}-\\u{108c}\\u{108f}\\u{109a}-\\u{109c}\\u{1a61}\\u{1a63}\\u{1a64}\\u{aa7b}\\u{aa7d}\\u{11720}\\u{11721}'

const EXTENDS = `[[\\p{Grapheme_Extend}\\p{Mc}\\p{Emoji_Modifier}\\u{200d}\\u{e33}\\u{eb3}]--[${APART}]]*`

/** One character as readers see it (UAX 29): `\X`. */
export const GRAPHEME = [
  '\\r\\n',
  `\\p{Regional_Indicator}{2}${EXTENDS}`,
  `\\p{Extended_Pictographic}(?:[\\p{Grapheme_Extend}\\p{Emoji_Modifier}]*\\u{200d}\\p{Extended_Pictographic})*${EXTENDS}`,
  `[\\u{1100}-\\u{115f}\\u{a960}-\\u{a97c}]*(?:[\\u{ac00}-\\u{d7a3}]|[\\u{1160}-\\u{11a7}\\u{d7b0}-\\u{d7c6}])[\\u{1160}-\\u{11ff}\\u{d7b0}-\\u{d7fb}]*${EXTENDS}`,
  `[\\u{1100}-\\u{115f}\\u{a960}-\\u{a97c}]+${EXTENDS}`,
  `[^\\p{Cc}\\p{Zl}\\p{Zp}]${EXTENDS}`,
  '[^]',
].join('|')

/** Escapes that stand for a class, in lower case; the capital negates. */
export const CLASS_ESCAPES: Readonly<Record<string, () => string>> = {
  d: () => known('\\p{Nd}'),
  s: () => '\\p{White_Space}',
  w: WORD,
  h: () => '0-9a-fA-F',
}

/** Classes between `[:` and `:]`, also written `\p{...}`. */
const POSIX: Readonly<Record<string, () => string>> = {
  alnum: () => known('\\p{Alphabetic}\\p{Nd}'),
  alpha: () => known('\\p{Alphabetic}'),
  ascii: () => '\\u{0}-\\u{7f}',
  blank: () => '\\p{Zs}\\t',
  cntrl: () => '\\p{Cc}',
  digit: () => known('\\p{Nd}'),
  graph: () => known('\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}\\p{Cf}\\p{Co}'),
  lower: () => known('\\p{Lowercase}'),
  print: () => `${known('\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}\\p{Cf}\\p{Co}')}\\p{Zs}`,
  punct: () => known('\\p{P}\\p{S}'),
  space: () => '\\p{White_Space}',
  upper: () => known('\\p{Uppercase}'),
  xdigit: () => '0-9a-fA-F',
  word: WORD,
  any: () => '\\u{0}-\\u{10ffff}',
  assigned: () => known('\\P{Cn}'),
}

export const posixClass = (name: string): string | undefined => POSIX[name]?.()

const canonical = (name: string): string => name.replace(/[\s_-]/g, '').toLowerCase()

/** Names of general categories and properties as JavaScript spells them, by their canonical form. */
const PROPERTIES = new Map(
  [
    ...[
      'L',
      'LC',
      'Lu',
      'Ll',
      'Lt',
      'Lm',
      'Lo',
      'M',
      'Mn',
      'Mc',
      'Me',
      'N',
      'Nd',
      'Nl',
      'No',
      'P',
      'Pc',
      'Pd',
      'Ps',
      'Pe',
      'Pi',
    ],
    ...['Pf', 'Po', 'S', 'Sm', 'Sc', 'Sk', 'So', 'Z', 'Zs', 'Zl', 'Zp', 'C', 'Cc', 'Cf', 'Cs', 'Co', 'Cn'],
    ...[
      'Letter',
      'Cased_Letter',
      'Uppercase_Letter',
      'Lowercase_Letter',
      'Titlecase_Letter',
      'Modifier_Letter',
      'Other_Letter',
    ],
    ...[
      'Mark',
      'Nonspacing_Mark',
      'Spacing_Mark',
      'Enclosing_Mark',
      'Number',
      'Decimal_Number',
      'Letter_Number',
      'Other_Number',
    ],
    ...[
      'Punctuation',
      'Connector_Punctuation',
      'Dash_Punctuation',
      'Open_Punctuation',
      'Close_Punctuation',
      'Initial_Punctuation',
    ],
    ...[
      'Final_Punctuation',
      'Other_Punctuation',
      'Symbol',
      'Math_Symbol',
      'Currency_Symbol',
      'Modifier_Symbol',
      'Other_Symbol',
    ],
    ...[
      'Separator',
      'Space_Separator',
      'Line_Separator',
      'Paragraph_Separator',
      'Other',
      'Control',
      'Format',
      'Surrogate',
    ],
    ...[
      'Private_Use',
      'Unassigned',
      'Alphabetic',
      'Lowercase',
      'Uppercase',
      'White_Space',
      'Emoji',
      'Emoji_Presentation',
    ],
    ...[
      'Emoji_Modifier',
      'Emoji_Modifier_Base',
      'Emoji_Component',
      'Extended_Pictographic',
      'Math',
      'Ideographic',
      'Cased',
    ],
    ...[
      'ID_Start',
      'ID_Continue',
      'XID_Start',
      'XID_Continue',
      'Dash',
      'Diacritic',
      'Extender',
      'Hex_Digit',
      'ASCII_Hex_Digit',
    ],
    ...[
      'Join_Control',
      'Quotation_Mark',
      'Default_Ignorable_Code_Point',
      'Variation_Selector',
      'Unified_Ideograph',
      'Radical',
    ],
  ].map((name) => [canonical(name), name]),
)

/** The class that `\p{name}` stands for; undefined for a name that is unknown. */
export function propertyClass(name: string): string | undefined {
  const key = canonical(name)
  const posix = POSIX[key]
  if (posix) return posix()
  const property = PROPERTIES.get(key)
  // Unassigned code points are many; those that patterns do not know yet come on top.
  if (property && /^(C|Cn|Other|Unassigned)$/.test(property)) return `\\p{${property}}${NEWER_THAN_PATTERNS()}`
  if (property) return known(`\\p{${property}}`)
  const script = name
    .trim()
    .replace(/^script=/i, '')
    .split(/[\s_-]+/)
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1).toLowerCase())
    .join('_')
  try {
    new RegExp(`\\p{Script=${script}}`, 'v')
    return known(`\\p{Script=${script}}`)
  } catch {
    return undefined
  }
}

/** Letters that a letter equals under ignored case, itself included. */
export function caseVariants(c: number): number[] {
  const char = String.fromCodePoint(c)
  const variants = new Set([c])
  for (const other of [char.toLowerCase(), char.toUpperCase(), char.toLowerCase().toUpperCase()]) {
    const code = other.codePointAt(0)!
    if (other.length === (code > 0xffff ? 2 : 1)) variants.add(code)
  }
  // The few whose upper or lower case is shared.
  for (const family of [
    [0x4b, 0x6b, 0x212a],
    [0x53, 0x73, 0x17f],
    [0xc5, 0xe5, 0x212b],
    [0x398, 0x3b8, 0x3d1, 0x3f4],
    [0x3a9, 0x3c9, 0x2126],
  ])
    if (family.includes(c)) for (const other of family) variants.add(other)
  return [...variants]
}
