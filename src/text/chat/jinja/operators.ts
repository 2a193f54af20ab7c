import type { BinaryOperator, ComparisonOperator } from './ast.js'
import { OverflowError, SecurityError, ZeroDivisionError } from './errors.js'
import { formatPercent } from './percent.js'
import {
  Dict,
  DictView,
  isInteger,
  isNumber,
  iterableOf,
  iterate,
  Range,
  Tuple,
  toBigInt,
  typeName,
  Undefined,
  type Value,
  Walk,
} from './values.js'
import { spend, spendText } from './work.js'

/** Characters or items that one operation may make. */
export const MAX_SIZE = 1 << 26
const MAX_BITS = 1 << 16

export function checkSize(count: number): void {
  if (!(count <= MAX_SIZE))
    throw new SecurityError(`a template may not make more than ${MAX_SIZE} characters or items at once`)
}

function defined(...values: Value[]): void {
  for (const value of values) if (value instanceof Undefined) value.fail()
}

const unsupported = (operator: string, left: Value, right: Value): TypeError =>
  new TypeError(`unsupported operand type(s) for ${operator}: '${typeName(left)}' and '${typeName(right)}'`)

type Arithmetic = { readonly int: (a: bigint, b: bigint) => Value; readonly float: (a: number, b: number) => number }

const zero = (message: string): never => {
  throw new ZeroDivisionError(message)
}

const floorDivide = (a: bigint, b: bigint): bigint => {
  if (b === 0n) return zero('integer division or modulo by zero')
  const quotient = a / b
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient
}

/** Sign of the divisor, as in Python. */
const moduloFloat = (a: number, b: number): number => {
  if (b === 0) return zero('float modulo')
  const rest = a % b
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest
}

function power(a: bigint, b: bigint): Value {
  if (b < 0n) return a === 0n ? zero('0.0 cannot be raised to a negative power') : Number(a) ** Number(b)
  const bits = a.toString(2).length
  if (BigInt(bits) * b > BigInt(MAX_BITS) && a !== 1n && a !== 0n && a !== -1n)
    throw new SecurityError(`a template may not make integers of more than ${MAX_BITS} bits`)
  return a ** b
}

const ARITHMETIC: Readonly<Record<BinaryOperator, Arithmetic>> = {
  '+': { int: (a, b) => a + b, float: (a, b) => a + b },
  '-': { int: (a, b) => a - b, float: (a, b) => a - b },
  '*': { int: product, float: (a, b) => a * b },
  '/': {
    int: (a, b) => (b === 0n ? zero('division by zero') : Number(a) / Number(b)),
    float: (a, b) => (b === 0 ? zero('float division by zero') : a / b),
  },
  '//': {
    int: floorDivide,
    float: (a, b) => (b === 0 ? zero('float floor division by zero') : Math.floor(a / b)),
  },
  '%': { int: (a, b) => (b === 0n ? zero('integer modulo by zero') : a - floorDivide(a, b) * b), float: moduloFloat },
  '**': { int: power, float: (a, b) => (a === 0 && b < 0 ? zero('0.0 cannot be raised to a negative power') : a ** b) },
}

function product(a: bigint, b: bigint): bigint {
  const result = a * b
  if (result.toString(2).length > MAX_BITS)
    throw new SecurityError(`a template may not make integers of more than ${MAX_BITS} bits`)
  return result
}

function addSequences(left: Value, right: Value): Value | undefined {
  if (typeof left === 'string') {
    if (typeof right !== 'string') throw new TypeError(`can only concatenate str (not "${typeName(right)}") to str`)
    checkSize(left.length + right.length)
    return left + right
  }
  if (Array.isArray(left)) {
    if (!Array.isArray(right)) throw new TypeError(`can only concatenate list (not "${typeName(right)}") to list`)
    checkItems(left.length + right.length)
    return [...left, ...right]
  }
  if (left instanceof Tuple) {
    if (!(right instanceof Tuple)) throw new TypeError(`can only concatenate tuple (not "${typeName(right)}") to tuple`)
    checkItems(left.items.length + right.items.length)
    return new Tuple([...left.items, ...right.items])
  }
  return undefined
}

function repeat(sequence: Value, times: bigint): Value | undefined {
  const count = times > 0n ? Number(times) : 0
  if (typeof sequence === 'string') {
    checkSize(sequence.length * count)
    return sequence.repeat(count)
  }
  const items = Array.isArray(sequence) ? sequence : sequence instanceof Tuple ? sequence.items : null
  if (!items) return undefined
  checkItems(items.length * count)
  const repeated = Array.from({ length: items.length * count }, (_, i) => items[i % items.length])
  return Array.isArray(sequence) ? repeated : new Tuple(repeated)
}

function ofSequences(operator: BinaryOperator, left: Value, right: Value): Value | undefined {
  if (operator === '+') return addSequences(left, right)
  if (operator === '%' && typeof left === 'string')
    return formatPercent(left, right instanceof Tuple ? right.items : [right], {
      mapping: right instanceof Dict ? right : null,
      // What can be subscripted may go unused.
      optional: right instanceof Dict || right instanceof Range || right instanceof Undefined || Array.isArray(right),
    })
  if (operator !== '*') return undefined
  if (isInteger(right)) return repeat(left, toBigInt(right))
  return isInteger(left) ? repeat(right, toBigInt(left)) : undefined
}

const MAX_ITEMS = 1 << 20

/** @throws SecurityError for a list that is too long. */
export function checkItems(count: number): void {
  if (!(count <= MAX_ITEMS)) throw new SecurityError(`a template may not make lists of more than ${MAX_ITEMS} items`)
  spend(count)
}

/** left operator right, by Python's rules. @throws TypeError, ZeroDivisionError, UndefinedError */
export function binary(operator: BinaryOperator, left: Value, right: Value): Value {
  if (left instanceof Undefined) left.fail()
  if (!(operator === '%' && typeof left === 'string')) defined(right)
  const arithmetic = ARITHMETIC[operator]
  if (isInteger(left) && isInteger(right)) return arithmetic.int(toBigInt(left), toBigInt(right))
  if (isNumber(left) && isNumber(right)) return arithmetic.float(Number(left), Number(right))
  const result = ofSequences(operator, left, right)
  if (typeof result === 'string') spendText(result)
  if (result === undefined) throw unsupported(operator === '**' ? '** or pow()' : operator, left, right)
  return result
}

/** -x or +x. */
export function unary(operator: '-' | '+', operand: Value): Value {
  defined(operand)
  if (isInteger(operand)) return operator === '-' ? -toBigInt(operand) : toBigInt(operand)
  if (typeof operand === 'number') return operator === '-' ? -operand : operand
  throw new TypeError(`bad operand type for unary ${operator}: '${typeName(operand)}'`)
}

const sequenceItems = (value: Value): readonly Value[] | null =>
  Array.isArray(value) ? value : value instanceof Tuple ? value.items : null

/** Python's ==. */
export function equals(left: Value, right: Value, walk = new Walk(), depth = 0): boolean {
  walk.visit(depth)
  if (isNumber(left) && isNumber(right)) {
    if (typeof left === 'number' || typeof right === 'number') return sameNumber(left, right)
    return toBigInt(left) === toBigInt(right)
  }
  if (left === right) return true
  if (left instanceof Undefined) return right instanceof Undefined
  const [a, b] = [sequenceItems(left), sequenceItems(right)]
  if (a && b)
    return (
      Array.isArray(left) === Array.isArray(right) &&
      a.length === b.length &&
      a.every((item, i) => equals(item, b[i], walk, depth + 1))
    )
  if (left instanceof Range && right instanceof Range)
    return String([...left.iterate()]) === String([...right.iterate()])
  if (!(left instanceof Dict && right instanceof Dict) || left.length() !== right.length()) return false
  return Array.from(left.pairs()).every(([key, value]) => {
    const other = right.get(key)
    return other !== undefined && equals(value, other, walk, depth + 1)
  })
}

/** Mixed comparison of int and float is exact, as in Python. */
function sameNumber(left: bigint | boolean | number, right: bigint | boolean | number): boolean {
  const [a, b] = [left, right].map((x) => (typeof x === 'boolean' ? BigInt(x) : x))
  // biome-ignore lint/suspicious/noDoubleEquals: an integer and a float of one value are equal
  return a == b
}

/** -1, 0 or 1. @throws TypeError where the types have no order. */
export function compareOrder(left: Value, right: Value, operator = '<', walk = new Walk(), depth = 0): number {
  walk.visit(depth)
  defined(left, right)
  if (isNumber(left) && isNumber(right))
    return left < right ? -1 : left > right ? 1 : sameNumber(left, right) ? 0 : Number.NaN
  if (typeof left === 'string' && typeof right === 'string') return compareText(left, right)
  const [a, b] = [sequenceItems(left), sequenceItems(right)]
  if (!a || !b || Array.isArray(left) !== Array.isArray(right))
    throw new TypeError(`'${operator}' not supported between instances of '${typeName(left)}' and '${typeName(right)}'`)
  for (let i = 0; i < Math.min(a.length, b.length); i++)
    if (!equals(a[i], b[i], walk, depth)) return compareOrder(a[i], b[i], operator, walk, depth + 1)
  return Math.sign(a.length - b.length)
}

/** By code point. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  let i = 0
  while (i < length && a.charCodeAt(i) === b.charCodeAt(i)) i++
  if (i === length) return Math.sign(a.length - b.length)
  // Surrogates stand for code points above those of U+E000 to U+FFFF.
  const rank = (unit: number): number => (unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit)
  return rank(a.charCodeAt(i)) < rank(b.charCodeAt(i)) ? -1 : 1
}

/** Python's `item in container`. */
export function contains(container: Value, item: Value): boolean {
  if (typeof container === 'string') {
    if (item instanceof Undefined || typeof item !== 'string')
      throw new TypeError(`'in <string>' requires string as left operand, not ${typeName(item)}`)
    spendText(container)
    return container.includes(item)
  }
  if (container instanceof Dict) return container.has(item)
  if (container instanceof DictView && container.type === 'dict_keys')
    return Array.from(container.iterate()).some((key) => equals(key, item))
  if (iterableOf(container) === undefined)
    throw new TypeError(`argument of type '${typeName(container)}' is not iterable`)
  for (const other of iterate(container)) if (equals(other, item)) return true
  return false
}

const COMPARISONS: Readonly<Record<ComparisonOperator, (left: Value, right: Value) => boolean>> = {
  '==': (a, b) => equals(a, b),
  '!=': (a, b) => !equals(a, b),
  '<': (a, b) => compareOrder(a, b, '<') < 0,
  '<=': (a, b) => compareOrder(a, b, '<=') <= 0,
  '>': (a, b) => compareOrder(a, b, '>') > 0,
  '>=': (a, b) => compareOrder(a, b, '>=') >= 0,
  in: (a, b) => contains(b, a),
  'not in': (a, b) => !contains(b, a),
}

export const compare = (operator: ComparisonOperator, left: Value, right: Value): boolean =>
  COMPARISONS[operator](left, right)

/** An index as a number. @throws TypeError, OverflowError */
export function toIndex(value: Value, what: string): number {
  if (!isInteger(value)) throw new TypeError(`${what} must be an integer, not ${typeName(value)}`)
  const index = Number(value)
  if (!Number.isSafeInteger(index)) throw new OverflowError("cannot fit 'int' into an index-sized integer")
  return index
}
