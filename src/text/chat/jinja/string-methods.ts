import { isSpace, splitWords, strip, stripEnd, stripStart } from '../../python-text.js'
import { bind } from './binding.js'
import { ValueError } from './errors.js'
import { formatString, type Lookup } from './format-string.js'
import { checkSize } from './operators.js'
import { isPrintable } from './repr.js'
import { type CallArguments, Dict, iterate, Tuple, typeName, type Value } from './values.js'

// Reference: Python's str methods.

export type StringMethod = (self: string, args: CallArguments, lookup: Lookup) => Value

// Built from parts, as these are control characters.
const LINE_ENDS = ['\r\n', '[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]']
const LINE_END = new RegExp(LINE_ENDS.join('|'), 'u')

/** str.splitlines(). */
export function splitLines(text: string, keepEnds = false): string[] {
  const lines: string[] = []
  let rest = text
  while (rest !== '') {
    const end = LINE_END.exec(rest)
    if (!end) {
      lines.push(rest)
      break
    }
    const stop = end.index + end[0].length
    lines.push(rest.slice(0, keepEnds ? stop : end.index))
    rest = rest.slice(stop)
  }
  return lines
}

const CASED = /[\p{Lu}\p{Ll}\p{Lt}]/u

// Letters of two whose title case is not their capital.
const DIGRAPHS: Readonly<Record<string, string>> = { Ǆ: 'ǅ', Ǉ: 'ǈ', Ǌ: 'ǋ', Ǳ: 'ǲ' }

function titleCharacter(character: string): string {
  const [first, ...rest] = character.toUpperCase()
  return (DIGRAPHS[first] ?? first) + rest.join('').toLowerCase()
}

/** str.title(): a capital after everything that is not a letter with case. */
export function titleCase(text: string): string {
  let out = ''
  let within = false
  for (const character of text) {
    out += within ? character.toLowerCase() : titleCharacter(character)
    within = CASED.test(character)
  }
  return out
}

export function capitalize(text: string): string {
  if (text === '') return ''
  const [first, ...rest] = text
  return titleCharacter(first) + rest.join('').toLowerCase()
}

/** Every character fits, and there is one. */
const every =
  (pattern: RegExp): StringMethod =>
  (self) =>
    self !== '' && [...self].every((c) => pattern.test(c))

const mapped =
  (f: (self: string) => Value): StringMethod =>
  (self, args) => {
    bind('str method', [], args)
    return f(self)
  }

const stripping =
  (name: string, f: (self: string, characters: string | null) => string): StringMethod =>
  (self, args) =>
    f(self, bind(name, ['chars?'], args).optionalText('chars'))

/** Part of the characters of a text, as self[start:end]. */
function part(self: string, start: number | null, end: number | null): { text: string; offset: number } | null {
  const characters = [...self]
  const at = (value: number | null, fallback: number): number =>
    value === null ? fallback : Math.min(value < 0 ? Math.max(0, value + characters.length) : value, characters.length)
  const [from, until] = [at(start, 0), at(end, characters.length)]
  if ((start ?? 0) > characters.length) return null
  return { text: characters.slice(from, Math.max(from, until)).join(''), offset: from }
}

function affix(name: string, has: (text: string, affix: string) => boolean): StringMethod {
  return (self, args) => {
    const given = bind(name, [name === 'startswith' ? 'prefix' : 'suffix', 'start?', 'end?'], args)
    const wanted = args.positional[0] ?? null
    const options = wanted instanceof Tuple ? wanted.items : [wanted]
    const range = part(self, given.optionalInt('start'), given.optionalInt('end'))
    return options.some((option) => {
      if (typeof option !== 'string')
        throw new TypeError(`${name} first arg must be str or a tuple of str, not ${typeName(option)}`)
      return range !== null && has(range.text, option)
    })
  }
}

function finding(name: string, last: boolean, required: boolean): StringMethod {
  return (self, args) => {
    const given = bind(name, ['sub', 'start?', 'end?'], args)
    const sub = given.text('sub')
    const range = part(self, given.optionalInt('start'), given.optionalInt('end'))
    const at = range === null ? -1 : last ? range.text.lastIndexOf(sub) : range.text.indexOf(sub)
    if (at < 0 && required) throw new ValueError('substring not found')
    return at < 0 || !range ? -1n : BigInt(range.offset + [...range.text.slice(0, at)].length)
  }
}

const NONSPACE = /^\S+/u

/** What follows the last white space. */
function lastWord(text: string): string {
  let start = text.length
  while (start > 0 && !isSpace(text[start - 1])) start--
  return text.slice(start)
}

function split(self: string, args: CallArguments): Value {
  const given = bind('split', ['sep?', 'maxsplit?'], args)
  const [separator, most] = [given.optionalText('sep'), given.int('maxsplit', -1)]
  if (separator === '') throw new ValueError('empty separator')
  if (separator !== null) {
    const parts = self.split(separator)
    return most < 0 || parts.length <= most + 1 ? parts : [...parts.slice(0, most), parts.slice(most).join(separator)]
  }
  if (most < 0) return splitWords(self)
  const found: string[] = []
  let rest = stripStart(self)
  while (rest !== '' && found.length < most) {
    const word = NONSPACE.exec(rest)?.[0] ?? rest
    found.push(word)
    rest = stripStart(rest.slice(word.length))
  }
  return rest === '' ? found : [...found, rest]
}

function splitFromEnd(self: string, args: CallArguments): Value {
  const given = bind('rsplit', ['sep?', 'maxsplit?'], args)
  const [separator, most] = [given.optionalText('sep'), given.int('maxsplit', -1)]
  if (separator === '') throw new ValueError('empty separator')
  if (separator !== null) {
    const parts = self.split(separator)
    const head = parts.length - most
    return most < 0 || head <= 1 ? parts : [parts.slice(0, head).join(separator), ...parts.slice(head)]
  }
  if (most < 0) return splitWords(self)
  const found: string[] = []
  let rest = stripEnd(self)
  while (rest !== '' && found.length < most) {
    const word = lastWord(rest)
    found.push(word)
    rest = stripEnd(rest.slice(0, rest.length - word.length))
  }
  if (rest !== '') found.push(rest)
  return found.reverse()
}

/** str.replace(); `count` below 0 replaces all. */
export function replace(self: string, from: string, to: string, count = -1): string {
  const parts = from === '' ? ['', ...self, ''] : self.split(from)
  const changes = count < 0 ? parts.length - 1 : Math.min(count, parts.length - 1)
  checkSize(self.length + changes * to.length)
  if (changes === parts.length - 1) return parts.join(to)
  return [...parts.slice(0, changes), parts.slice(changes).join(from)].join(to)
}

const justified = (name: string, share: (missing: number, width: number) => number): StringMethod => {
  return (self, args) => {
    const given = bind(name, ['width', 'fillchar?'], args)
    const [width, fill] = [given.int('width'), given.text('fillchar', ' ')]
    if ([...fill].length !== 1) throw new TypeError('The fill character must be exactly one character long')
    return justify(self, width, fill, share)
  }
}

function justify(self: string, width: number, fill: string, share: (missing: number, width: number) => number): string {
  const missing = width - [...self].length
  if (missing <= 0) return self
  checkSize(width)
  const left = share(missing, width)
  return fill.repeat(left) + self + fill.repeat(missing - left)
}

/** str.center(): of an odd gap the larger half is where Python puts it. */
const centreShare = (missing: number, width: number): number => (missing >> 1) + (missing & width & 1)
export const center = (self: string, width: number): string => justify(self, width, ' ', centreShare)

const partition =
  (name: string, last: boolean): StringMethod =>
  (self, args) => {
    const separator = bind(name, ['sep'], args).text('sep')
    if (separator === '') throw new ValueError('empty separator')
    const at = last ? self.lastIndexOf(separator) : self.indexOf(separator)
    if (at < 0) return new Tuple(last ? ['', '', self] : [self, '', ''])
    return new Tuple([self.slice(0, at), separator, self.slice(at + separator.length)])
  }

function join(self: string, args: CallArguments): Value {
  const parts: string[] = []
  let size = 0
  for (const item of iterate(bind('join', ['iterable'], args).value('iterable'))) {
    if (typeof item !== 'string')
      throw new TypeError(`sequence item ${parts.length}: expected str instance, ${typeName(item)} found`)
    size += item.length + self.length
    checkSize(size)
    parts.push(item)
  }
  return parts.join(self)
}

function zfill(self: string, args: CallArguments): string {
  const width = bind('zfill', ['width'], args).int('width')
  checkSize(width)
  const sign = /^[-+]/.exec(self)?.[0] ?? ''
  const missing = Math.max(0, width - [...self].length)
  return sign + '0'.repeat(missing) + self.slice(sign.length)
}

function expandTabs(self: string, args: CallArguments): string {
  const size = bind('expandtabs', ['tabsize?'], args).int('tabsize', 8)
  checkSize(self.length * Math.max(size, 1))
  let [out, column] = ['', 0]
  for (const character of self) {
    if (character === '\t') {
      const gap = size > 0 ? size - (column % size) : 0
      out += ' '.repeat(gap)
      column += gap
    } else {
      out += character
      column = character === '\n' || character === '\r' ? 0 : column + 1
    }
  }
  return out
}

const swapCase = (text: string): string =>
  [...text].map((c) => (c === c.toUpperCase() ? c.toLowerCase() : c.toUpperCase())).join('')

/** There is a letter with case, and all such letters are of this case. */
export const isLower = (text: string): boolean => CASED.test(text) && !/[\p{Lu}\p{Lt}]/u.test(text)
export const isUpper = (text: string): boolean => CASED.test(text) && !/[\p{Ll}\p{Lt}]/u.test(text)

function isTitle(text: string): boolean {
  let [within, found] = [false, false]
  for (const character of text) {
    const upper = /[\p{Lu}\p{Lt}]/u.test(character)
    if (upper === within && CASED.test(character)) return false
    within = CASED.test(character)
    found ||= within
  }
  return found
}

function count(self: string, args: CallArguments): bigint {
  const given = bind('count', ['sub', 'start?', 'end?'], args)
  const range = part(self, given.optionalInt('start'), given.optionalInt('end'))
  if (range === null) return 0n
  const sub = given.text('sub')
  return BigInt(sub === '' ? [...range.text].length + 1 : range.text.split(sub).length - 1)
}

function removing(name: string, f: (self: string, affix: string) => string): StringMethod {
  const parameter = name === 'removeprefix' ? 'prefix' : 'suffix'
  return (self, args) => f(self, bind(name, [parameter], args).text(parameter))
}

export const STRING_METHODS: Readonly<Record<string, StringMethod>> = {
  capitalize: mapped(capitalize),
  casefold: mapped((self) => self.replaceAll('ß', 'ss').toLowerCase()),
  center: justified('center', centreShare),
  count,
  endswith: affix('endswith', (text, suffix) => text.endsWith(suffix)),
  expandtabs: expandTabs,
  find: finding('find', false, false),
  format: (self, args, lookup) => formatString(self, args, lookup),
  format_map: (self, args, lookup) => {
    const mapping = bind('format_map', ['mapping'], args).value('mapping')
    if (!(mapping instanceof Dict)) throw new TypeError('format_map() needs a dict')
    const keywords = new Map(Array.from(mapping.pairs(), ([key, value]) => [String(key), value] as const))
    return formatString(self, { positional: [], keywords }, lookup)
  },
  index: finding('index', false, true),
  isalnum: every(/[\p{L}\p{N}]/u),
  isalpha: every(/\p{L}/u),
  isascii: mapped((self) => [...self].every((c) => c < '\u0080')),
  isdecimal: every(/\p{Nd}/u),
  isdigit: every(/[\p{Nd}\u00b2\u00b3\u00b9\u2070-\u2079\u2080-\u2089\u2460-\u2468]/u),
  isidentifier: mapped((self) => /^[\p{ID_Start}_]\p{ID_Continue}*$/u.test(self)),
  islower: mapped(isLower),
  isnumeric: every(/\p{N}/u),
  isprintable: mapped((self) => [...self].every(isPrintable)),
  isspace: mapped(isSpace),
  istitle: mapped(isTitle),
  isupper: mapped(isUpper),
  join,
  ljust: justified('ljust', () => 0),
  lower: mapped((self) => self.toLowerCase()),
  lstrip: stripping('lstrip', stripStart),
  partition: partition('partition', false),
  removeprefix: removing('removeprefix', (self, prefix) =>
    self.startsWith(prefix) ? self.slice(prefix.length) : self,
  ),
  removesuffix: removing('removesuffix', (self, suffix) =>
    suffix !== '' && self.endsWith(suffix) ? self.slice(0, -suffix.length) : self,
  ),
  replace: (self, args) => {
    const given = bind('replace', ['old', 'new', 'count?'], args)
    return replace(self, given.text('old'), given.text('new'), given.int('count', -1))
  },
  rfind: finding('rfind', true, false),
  rindex: finding('rindex', true, true),
  rjust: justified('rjust', (missing) => missing),
  rpartition: partition('rpartition', true),
  rsplit: splitFromEnd,
  rstrip: stripping('rstrip', stripEnd),
  split,
  splitlines: (self, args) => splitLines(self, bind('splitlines', ['keepends?'], args).flag('keepends')),
  startswith: affix('startswith', (text, prefix) => text.startsWith(prefix)),
  strip: stripping('strip', strip),
  swapcase: mapped(swapCase),
  title: mapped(titleCase),
  upper: mapped((self) => self.toUpperCase()),
  zfill,
}
