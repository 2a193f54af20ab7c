import { ValueError } from './errors.js'
import { fixed, general, scientific } from './numbers.js'
import { asciiRepr, repr, str } from './repr.js'
import { type Dict, isInteger, isNumber, toBigInt, typeName, type Value } from './values.js'

// Reference: Python's printf-style string formatting.

interface Spec {
  readonly flags: string
  readonly width: number
  readonly precision: number | null
}

const MAX_WIDTH = 1 << 20

function pad(text: string, { flags, width }: Spec, zeros: boolean): string {
  const missing = width - [...text].length
  if (missing <= 0) return text
  if (flags.includes('-')) return text + ' '.repeat(missing)
  if (!zeros || !flags.includes('0')) return ' '.repeat(missing) + text
  const sign = /^[-+ ]?(0[xXo])?/.exec(text)?.[0] ?? ''
  return sign + '0'.repeat(missing) + text.slice(sign.length)
}

const signed = (negative: boolean, digits: string, flags: string): string =>
  (negative ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '') + digits

function integer(value: Value, type: string): bigint {
  if (isInteger(value)) return toBigInt(value)
  if (typeof value === 'number' && type === 'd') return BigInt(Math.trunc(value))
  throw new TypeError(
    `%${type} format: ${type === 'd' ? 'a real number' : 'an integer'} is required, not ${typeName(value)}`,
  )
}

const BASES: Readonly<Record<string, readonly [base: number, prefix: string]>> = {
  d: [10, ''],
  o: [8, '0o'],
  x: [16, '0x'],
  X: [16, '0X'],
}

function formatInteger(value: Value, type: string, spec: Spec): string {
  const [base, prefix] = BASES[type]
  const number = integer(value, type)
  let digits = (number < 0n ? -number : number).toString(base)
  if (type === 'X') digits = digits.toUpperCase()
  digits = digits.padStart(Math.min(spec.precision ?? 0, MAX_WIDTH), '0')
  return pad(signed(number < 0n, (spec.flags.includes('#') ? prefix : '') + digits, spec.flags), spec, true)
}

/** Digits of |x| in the format of `type`. */
export function floatDigits(x: number, type: string, precision: number, alternate: boolean): string {
  const lower = type.toLowerCase()
  const magnitude = Math.abs(x)
  let text: string
  if (Number.isNaN(x)) text = 'nan'
  else if (!Number.isFinite(x)) text = 'inf'
  else if (lower === 'e') text = scientific(magnitude, precision)
  else if (lower === 'f') text = fixed(magnitude, precision)
  else text = general(magnitude, precision, alternate)
  return type === lower ? text : text.toUpperCase()
}

function formatFloat(value: Value, type: string, spec: Spec): string {
  if (!isNumber(value)) throw new TypeError(`must be real number, not ${typeName(value)}`)
  const x = Number(value)
  const digits = floatDigits(x, type, spec.precision ?? 6, spec.flags.includes('#'))
  return pad(signed(x < 0 || Object.is(x, -0), digits, spec.flags), spec, Number.isFinite(x))
}

function formatText(text: string, spec: Spec): string {
  return pad(spec.precision === null ? text : [...text].slice(0, spec.precision).join(''), spec, false)
}

function character(value: Value): string {
  if (isInteger(value)) return String.fromCodePoint(Number(value))
  if (typeof value === 'string' && [...value].length === 1) return value
  throw new TypeError('%c requires int or char')
}

type Format = (value: Value, type: string, spec: Spec) => string

const FORMATS: Readonly<Record<string, Format>> = {
  d: formatInteger,
  i: (value, _type, spec) => formatInteger(value, 'd', spec),
  u: (value, _type, spec) => formatInteger(value, 'd', spec),
  o: formatInteger,
  x: formatInteger,
  X: formatInteger,
  e: formatFloat,
  E: formatFloat,
  f: formatFloat,
  F: formatFloat,
  g: formatFloat,
  G: formatFloat,
  c: (value, _type, spec) => pad(character(value), spec, false),
  s: (value, _type, spec) => formatText(str(value), spec),
  r: (value, _type, spec) => formatText(repr(value), spec),
  a: (value, _type, spec) => formatText(asciiRepr(value), spec),
}

const DIRECTIVE = /%(?:\(([^)]*)\))?([-+ #0]*)(\*|\d+)?(?:\.(\*|\d*))?[hlL]?([\s\S]?)/g

const size = (count: number): number => {
  if (count > MAX_WIDTH) throw new ValueError('width or precision too big')
  return count
}

/** format % args, or format % mapping. @throws TypeError, ValueError */
export function formatPercent(
  format: string,
  args: readonly Value[],
  { mapping, optional }: { readonly mapping: Dict | null; readonly optional: boolean },
): string {
  let used = 0
  const next = (): Value => {
    if (used >= args.length) throw new TypeError('not enough arguments for format string')
    return args[used++]
  }
  const number = (text: string | undefined): number | null => {
    if (text === undefined) return null
    if (text === '') return 0
    return size(text === '*' ? Number(integer(next(), 'd')) : Number(text))
  }
  let named = false
  const out = format.replace(
    DIRECTIVE,
    (
      _whole,
      key: string | undefined,
      flags: string,
      width: string | undefined,
      precision: string | undefined,
      type: string,
    ) => {
      if (type === '%') return '%'
      if (type === '') throw new ValueError('incomplete format')
      const spec: Spec = { flags, width: number(width) ?? 0, precision: number(precision) }
      if (!Object.hasOwn(FORMATS, type)) throw new ValueError(`unsupported format character '${type}'`)
      if (key === undefined) return FORMATS[type](next(), type, spec)
      named = true
      const value = mapping?.get(key)
      if (!mapping) throw new TypeError('format requires a mapping')
      if (value === undefined) throw new TypeError(`the mapping has no key '${key}'`)
      return FORMATS[type](value, type, spec)
    },
  )
  if (!named && !optional && used < args.length)
    throw new TypeError('not all arguments converted during string formatting')
  return out
}
