import { strip } from '../../../python-text.js'
import { bind } from '../binding.js'
import { FilterArgumentError } from '../errors.js'
import { fixed, roundFloat, roundInteger } from '../numbers.js'
import { isInteger, isNumber, toBigInt, typeName, Undefined, type Value } from '../values.js'
import type { Filter } from './types.js'

// Reference: jinja2.filters, and Python's int(), float() and round().

const PREFIXES: Readonly<Record<number, string>> = { 2: '0b', 8: '0o', 16: '0x' }

/** int(text, base); null where the text is none. */
function parseInteger(text: string, base: number): bigint | null {
  const match = /^([-+]?)(.*)$/s.exec(strip(text).toLowerCase())
  let digits = match?.[2] ?? ''
  let radix = base
  for (const [value, prefix] of Object.entries(PREFIXES)) {
    if (!digits.startsWith(prefix) || (base !== 0 && base !== Number(value))) continue
    digits = digits.slice(2).replace(/^_/, '')
    radix = Number(value)
  }
  if (radix === 0) radix = 10
  if (!/^[\da-z]+(_[\da-z]+)*$/.test(digits) || digits.length > 4300) return null
  let value = 0n
  for (const character of digits.replaceAll('_', '')) {
    const digit = Number.parseInt(character, 36)
    if (digit >= radix) return null
    value = value * BigInt(radix) + BigInt(digit)
  }
  return match?.[1] === '-' ? -value : value
}

/** float(text); null where the text is none. */
function parseNumber(text: string): number | null {
  const body = strip(text).toLowerCase()
  const special = /^([-+]?)(inf(?:inity)?|nan)$/.exec(body)
  if (special) {
    const magnitude = special[2] === 'nan' ? Number.NaN : Number.POSITIVE_INFINITY
    return special[1] === '-' ? -magnitude : magnitude
  }
  const digits = '\\d+(?:_\\d+)*'
  const pattern = new RegExp(`^[-+]?(?:${digits}\\.?(?:${digits})?|\\.${digits})(?:e[-+]?${digits})?$`)
  return pattern.test(body) ? Number(body.replaceAll('_', '')) : null
}

function toFloat(value: Value): number | null {
  if (value instanceof Undefined) return value.fail()
  if (isNumber(value)) return Number(value)
  return typeof value === 'string' ? parseNumber(value) : null
}

const int: Filter = (value, args) => {
  const given = bind('int', ['default?', 'base?'], args)
  if (isInteger(value)) return toBigInt(value)
  const exact = typeof value === 'string' ? parseInteger(value, given.int('base', 10)) : null
  if (exact !== null) return exact
  const float = toFloat(value)
  return float === null || !Number.isFinite(float) ? given.value('default', 0n) : BigInt(Math.trunc(float))
}

const METHODS: Readonly<Record<string, (x: number) => number>> = { ceil: Math.ceil, floor: Math.floor }

const round: Filter = (value, args) => {
  const given = bind('round', ['precision?', 'method?'], args)
  const [precision, method] = [given.int('precision', 0), given.text('method', 'common')]
  if (!isNumber(value)) throw new TypeError(`type ${typeName(value)} doesn't define __round__ method`)
  if (method === 'common')
    return isInteger(value) ? roundInteger(toBigInt(value), precision) : roundFloat(value, precision)
  if (!Object.hasOwn(METHODS, method)) throw new FilterArgumentError('method must be common, ceil or floor')
  const scale = 10 ** precision
  return METHODS[method](Number(value) * scale) / scale
}

const abs: Filter = (value) => {
  if (!isNumber(value)) throw new TypeError(`bad operand type for abs(): '${typeName(value)}'`)
  if (typeof value === 'number') return Math.abs(value)
  const number = toBigInt(value)
  return number < 0n ? -number : number
}

const filesizeformat: Filter = (value, args) => {
  const binary = bind('filesizeformat', ['binary?'], args).flag('binary')
  const bytes = toFloat(value)
  if (bytes === null)
    throw new TypeError(`float() argument must be a string or a real number, not '${typeName(value)}'`)
  const base = binary ? 1024 : 1000
  if (bytes === 1) return '1 Byte'
  if (bytes < base) return `${Math.trunc(bytes)} Bytes`
  const prefixes = [...(binary ? 'KMGTPEZY' : 'kMGTPEZY')]
  const at = prefixes.findIndex((_, i) => bytes < base ** (i + 2))
  const place = at < 0 ? prefixes.length - 1 : at
  return `${fixed((base * bytes) / base ** (place + 2), 1)} ${prefixes[place]}${binary ? 'iB' : 'B'}`
}

export const NUMBER_FILTERS: Readonly<Record<string, Filter>> = {
  abs,
  filesizeformat,
  float: (value, args) => {
    const fallback = bind('float', ['default?'], args).value('default', 0)
    return toFloat(value) ?? fallback
  },
  int,
  round,
}
