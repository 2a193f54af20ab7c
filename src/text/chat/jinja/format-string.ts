import { IndexError, KeyError, ValueError } from './errors.js'
import { fixed, floatRepr, general } from './numbers.js'
import { floatDigits } from './percent.js'
import { asciiRepr, repr, str } from './repr.js'
import { type CallArguments, isInteger, toBigInt, typeName, Undefined, type Value } from './values.js'

// Reference: Python's str.format and its format specification mini-language.

/** How attributes and items of fields are found. */
export interface Lookup {
  attribute(object: Value, name: string): Value
  item(object: Value, key: Value): Value
}

interface Spec {
  readonly fill: string
  readonly align: string
  readonly sign: string
  readonly alternate: boolean
  readonly width: number
  readonly grouping: string
  readonly precision: number | null
  readonly type: string
}

const SPEC = /^(?:([\s\S])?([<>=^]))?([-+ ]?)(z?)(#?)(0?)(\d*)([,_]?)(?:\.(\d+))?([\s\S]?)$/u
const MAX_WIDTH = 1 << 20

function parseSpec(text: string): Spec {
  const match = SPEC.exec(text)
  if (!match) throw new ValueError('Invalid format specifier')
  const [, fill, align, sign, , alternate, zero, width, grouping, precision, type] = match
  const widths = [Number(width || 0), Number(precision ?? 0)]
  if (widths.some((n) => n > MAX_WIDTH)) throw new ValueError('Too many decimal digits in format string')
  return {
    fill: fill ?? (zero && !align ? '0' : ' '),
    align: align ?? (zero ? '=' : ''),
    sign,
    alternate: alternate === '#',
    width: widths[0],
    grouping,
    precision: precision === undefined ? null : widths[1],
    type,
  }
}

function aligned(body: string, { fill, align, width }: Spec, standard: string, prefix = ''): string {
  const missing = width - [...prefix, ...body].length
  if (missing <= 0) return prefix + body
  const side = align || standard
  if (side === '=') return prefix + fill.repeat(missing) + body
  if (side === '<') return prefix + body + fill.repeat(missing)
  if (side === '>') return fill.repeat(missing) + prefix + body
  const left = missing >> 1
  return fill.repeat(left) + prefix + body + fill.repeat(missing - left)
}

function grouped(digits: string, separator: string, size: number): string {
  if (!separator) return digits
  const [whole, ...rest] = digits.split(/(?=[.e])/)
  return [whole.replace(new RegExp(`\\B(?=(?:[\\da-fA-F]{${size}})+$)`, 'g'), separator), ...rest].join('')
}

const signOf = (negative: boolean, sign: string): string => (negative ? '-' : sign === '+' || sign === ' ' ? sign : '')

const BASES: Readonly<Record<string, readonly [base: number, prefix: string]>> = {
  b: [2, '0b'],
  o: [8, '0o'],
  x: [16, '0x'],
  X: [16, '0X'],
  d: [10, ''],
  n: [10, ''],
  '': [10, ''],
}

function integerText(value: bigint, spec: Spec): string {
  if (spec.type === 'c') return aligned(String.fromCodePoint(Number(value)), spec, '<')
  if (spec.precision !== null) throw new ValueError('Precision not allowed in integer format specifier')
  const [base, prefix] = BASES[spec.type]
  const digits = (value < 0n ? -value : value).toString(base)
  const body = grouped(spec.type === 'X' ? digits.toUpperCase() : digits, spec.grouping, base === 10 ? 3 : 4)
  return aligned(body, spec, '>', signOf(value < 0n, spec.sign) + (spec.alternate ? prefix : ''))
}

/** Without a type: as repr, or with so many digits and at least one decimal. */
function plainFloat(x: number, precision: number | null): string {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? 'nan' : 'inf'
  if (precision === null) return floatRepr(x)
  const text = general(x, precision)
  return /[.e]/.test(text) ? text : fixed(x, 1)
}

function floatText(x: number, spec: Spec): string {
  const magnitude = Math.abs(x)
  let digits: string
  if (spec.type === '%') digits = `${fixed(magnitude * 100, spec.precision ?? 6)}%`
  else if (spec.type === '') digits = plainFloat(magnitude, spec.precision)
  else digits = floatDigits(magnitude, spec.type === 'n' ? 'g' : spec.type, spec.precision ?? 6, spec.alternate)
  return aligned(grouped(digits, spec.grouping, 3), spec, '>', signOf(x < 0 || Object.is(x, -0), spec.sign))
}

function stringText(value: string, spec: Spec): string {
  if (spec.align === '=') throw new ValueError("'=' alignment not allowed in string format specifier")
  const cut = spec.precision === null ? value : [...value].slice(0, spec.precision).join('')
  return aligned(cut, spec, '<')
}

const unknownCode = (spec: Spec, value: Value): ValueError =>
  new ValueError(`Unknown format code '${spec.type}' for object of type '${typeName(value)}'`)

/** Python's format(value, spec). @throws ValueError, TypeError */
export function formatValue(value: Value, text: string): string {
  if (text === '') return str(value)
  if (value instanceof Undefined) return value.fail()
  const spec = parseSpec(text)
  if (typeof value === 'string') {
    if (spec.type !== '' && spec.type !== 's') throw unknownCode(spec, value)
    return stringText(value, spec)
  }
  if (isInteger(value) && (Object.hasOwn(BASES, spec.type) || spec.type === 'c'))
    return integerText(toBigInt(value), spec)
  if (isInteger(value) || typeof value === 'number') {
    if (spec.type !== '' && !'eEfFgGn%'.includes(spec.type)) throw unknownCode(spec, value)
    return floatText(Number(value), spec)
  }
  throw new TypeError(`unsupported format string passed to ${typeName(value)}.__format__`)
}

class Formatter {
  private automatic = 0

  constructor(
    private readonly args: CallArguments,
    private readonly lookup: Lookup,
  ) {}

  private first(name: string): Value {
    if (name === '' || /^\d+$/.test(name)) {
      const index = name === '' ? this.automatic++ : Number(name)
      if (index >= this.args.positional.length)
        throw new IndexError(`Replacement index ${index} out of range for positional args tuple`)
      return this.args.positional[index]
    }
    const value = this.args.keywords.get(name)
    if (value === undefined) throw new KeyError(`'${name}'`)
    return value
  }

  private field(name: string): Value {
    const head = /^[^.[]*/.exec(name)?.[0] ?? ''
    let value = this.first(head)
    let rest = name.slice(head.length)
    while (rest !== '') {
      const step = /^(?:\.([^.[]+)|\[([^\]]+)\])/.exec(rest)
      if (!step) throw new ValueError('Empty attribute in format string')
      const [whole, attribute, key] = step
      value =
        attribute !== undefined
          ? this.lookup.attribute(value, attribute)
          : this.lookup.item(value, /^\d+$/.test(key) ? BigInt(key) : key)
      rest = rest.slice(whole.length)
    }
    return value
  }

  /** Where the field that starts at `start` ends: at its closing brace. */
  private end(format: string, start: number): number {
    let depth = 1
    for (let i = start; i < format.length; i++) {
      if (format[i] === '{') depth++
      else if (format[i] === '}' && --depth === 0) return i
    }
    throw new ValueError("expected '}' before end of string")
  }

  format(format: string, depth = 0): string {
    if (depth > 2) throw new ValueError('Max string recursion exceeded')
    let out = ''
    for (let i = 0; i < format.length; i++) {
      const character = format[i]
      if ((character === '{' || character === '}') && format[i + 1] === character) {
        out += character
        i++
      } else if (character === '}') throw new ValueError("Single '}' encountered in format string")
      else if (character === '{') {
        const end = this.end(format, i + 1)
        out += this.replacement(format.slice(i + 1, end), depth)
        i = end
      } else out += character
    }
    return out
  }

  private replacement(text: string, depth: number): string {
    const match = /^((?:[^:![]|\[[^\]]*\])*)(?:!([\s\S]))?(?::([\s\S]*))?$/.exec(text)
    if (!match) throw new ValueError("expected ':' after conversion specifier")
    const [, name, conversion, spec = ''] = match
    const value = this.field(name)
    const nested = this.format(spec, depth + 1)
    if (conversion === undefined) return formatValue(value, nested)
    const conversions: Readonly<Record<string, (v: Value) => string>> = { s: str, r: repr, a: asciiRepr }
    const convert = Object.hasOwn(conversions, conversion) ? conversions[conversion] : null
    if (!convert) throw new ValueError(`Unknown conversion specifier '${conversion}'`)
    return formatValue(convert(value), nested)
  }
}

/** str.format. @throws IndexError, KeyError, ValueError */
export const formatString = (format: string, args: CallArguments, lookup: Lookup): string =>
  new Formatter(args, lookup).format(format)
