import { splitWords, strip } from '../../../python-text.js'
import { bind } from '../binding.js'
import { FilterArgumentError } from '../errors.js'
import { toJson } from '../json.js'
import { binary, checkSize } from '../operators.js'
import { formatPercent } from '../percent.js'
import { str } from '../repr.js'
import { capitalize, center, replace, splitLines } from '../string-methods.js'
import { Dict, isInteger, iterate, listOf, textLength, Undefined, type Value } from '../values.js'
import type { Filter } from './types.js'
import { wrapText } from './wrap.js'

// Reference: jinja2.filters.

const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&#39;', '"': '&#34;' }
const escapeHtml = (text: string): string => text.replace(/[&<>'"]/g, (c) => HTML[c])

const plain =
  (f: (text: string) => Value): Filter =>
  (value, args) => {
    bind('filter', [], args)
    return f(str(value))
  }

/** A capital at the start and after white space, hyphens and opening brackets. */
const titleWords = (text: string): string =>
  text
    .split(/([-\s({[<]+)/u)
    .filter((item) => item !== '')
    .map(([first, ...rest]) => first.toUpperCase() + rest.join('').toLowerCase())
    .join('')

const indent: Filter = (value, args) => {
  const given = bind('indent', ['width?', 'first?', 'blank?'], args)
  const width = given.value('width', 4n)
  checkSize(typeof width === 'string' ? width.length : given.int('width', 4))
  const step = typeof width === 'string' ? width : ' '.repeat(Math.max(0, given.int('width', 4)))
  // Something undefined or not a string cannot be added to.
  const lines = splitLines(binary('+', value, '\n') as string)
  checkSize(lines.length * step.length)
  const rest = lines.map((line, i) => (i === 0 || (line === '' && !given.flag('blank')) ? line : step + line))
  return (given.flag('first') ? step : '') + rest.join('\n')
}

const truncate: Filter = (value, args) => {
  const given = bind('truncate', ['length?', 'killwords?', 'end?', 'leeway?'], args)
  const [length, end, leeway] = [given.int('length', 255), given.text('end', '...'), given.optionalInt('leeway') ?? 5]
  const room = length - textLength(end)
  if (room < 0) throw new FilterArgumentError(`expected length >= ${textLength(end)}, got ${length}`)
  if (leeway < 0) throw new FilterArgumentError(`expected leeway >= 0, got ${leeway}`)
  const characters = [...str(value)]
  if (characters.length <= length + leeway) return str(value)
  const cut = characters.slice(0, room).join('')
  if (given.flag('killwords')) return cut + end
  const space = cut.lastIndexOf(' ')
  return (space < 0 ? cut : cut.slice(0, space)) + end
}

const wordwrap: Filter = (value, args) => {
  const given = bind('wordwrap', ['width?', 'break_long_words?', 'wrapstring?', 'break_on_hyphens?'], args)
  const joint = given.optionalText('wrapstring') ?? '\n'
  const width = given.int('width', 79)
  if (width <= 0) throw new FilterArgumentError(`invalid width ${width} (must be > 0)`)
  const lines = splitLines(str(value)).map((line) =>
    wrapText(line, width, given.flag('break_long_words', true), given.flag('break_on_hyphens', true)).join(joint),
  )
  return lines.join(joint)
}

const quote = (value: Value, safe: string): string =>
  Array.from(new TextEncoder().encode(str(value)), (byte) => {
    const character = String.fromCharCode(byte)
    return /[A-Za-z0-9_.~-]/.test(character) || safe.includes(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }).join('')

const urlencode: Filter = (value) => {
  if (typeof value === 'string' || !(value instanceof Dict || Array.isArray(value))) return quote(value, '/')
  const pairs = value instanceof Dict ? Array.from(value.pairs()) : value.map((pair) => listOf(pair))
  const part = (item: Value): string => quote(item, '').replaceAll('%20', '+')
  return pairs.map(([key, item]) => `${part(key)}=${part(item)}`).join('&')
}

const xmlattr: Filter = (value, args) => {
  const autospace = bind('xmlattr', ['autospace?'], args).flag('autospace', true)
  if (!(value instanceof Dict)) throw new TypeError('xmlattr needs a dict')
  const items: string[] = []
  for (const [key, item] of value.pairs()) {
    if (item === null || item instanceof Undefined) continue
    const name = str(key)
    if (/[\s/>=]/.test(name)) throw new FilterArgumentError(`Invalid character in attribute name: ${name}`)
    items.push(`${escapeHtml(name)}="${escapeHtml(str(item))}"`)
  }
  return (autospace && items.length > 0 ? ' ' : '') + items.join(' ')
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  '#34': '"',
  '#39': "'",
  apos: "'",
  nbsp: '\u00a0',
}

/** Leaves out what stands between two marks, the marks included. */
function without(text: string, open: string, close: string): string {
  let [out, at] = ['', 0]
  for (;;) {
    const start = text.indexOf(open, at)
    const end = start < 0 ? -1 : text.indexOf(close, start + open.length)
    if (end < 0) return out + text.slice(at)
    out += text.slice(at, start)
    at = end + close.length
  }
}

const striptags = (text: string): string =>
  splitWords(without(without(text, '<!--', '-->'), '<', '>'))
    .join(' ')
    .replace(/&(#?\w+);/g, (whole, name: string) => ENTITIES[name] ?? whole)

const tojson: Filter = (value, args) => {
  const given = bind('tojson', ['ensure_ascii?', 'indent?', 'separators?', 'sort_keys?'], args)
  const step = given.value('indent')
  const indent =
    step === null
      ? null
      : isInteger(step)
        ? ' '.repeat(Math.min(Math.max(0, given.int('indent')), 1000))
        : given.text('indent')
  const pair = given.value('separators')
  const separators = pair === null ? [indent === null ? ', ' : ',', ': '] : Array.from(iterate(pair), str)
  return toJson(value, {
    ensureAscii: given.flag('ensure_ascii'),
    indent,
    separators: [separators[0], separators[1]],
    sortKeys: given.flag('sort_keys'),
  })
}

export const TEXT_FILTERS: Readonly<Record<string, Filter>> = {
  capitalize: plain(capitalize),
  center: (value, args) => center(str(value), bind('center', ['width?'], args).int('width', 80)),
  e: plain(escapeHtml),
  escape: plain(escapeHtml),
  forceescape: plain(escapeHtml),
  format: (value, args) => {
    if (args.positional.length > 0 && args.keywords.size > 0)
      throw new FilterArgumentError("can't handle positional and keyword arguments at the same time")
    return formatPercent(str(value), args.positional, {
      mapping: args.keywords.size > 0 ? Dict.of(args.keywords) : null,
      optional: args.keywords.size > 0,
    })
  },
  indent,
  lower: plain((text) => text.toLowerCase()),
  replace: (value, args) => {
    const given = bind('replace', ['old', 'new', 'count?'], args)
    return replace(str(value), str(given.value('old')), str(given.value('new')), given.optionalInt('count') ?? -1)
  },
  safe: plain((text) => text),
  string: plain((text) => text),
  striptags: plain(striptags),
  title: plain(titleWords),
  tojson,
  trim: (value, args) => strip(str(value), bind('trim', ['chars?'], args).optionalText('chars')),
  truncate,
  upper: plain((text) => text.toUpperCase()),
  urlencode,
  wordcount: plain((text) => BigInt((text.match(/[\p{L}\p{N}_]+/gu) ?? []).length)),
  wordwrap,
  xmlattr,
}
