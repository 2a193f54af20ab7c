import { floatRepr } from './numbers.js'
import {
  Callable,
  Dict,
  DictView,
  Namespace,
  type PyObject,
  Range,
  Tuple,
  Undefined,
  type Value,
  Walk,
} from './values.js'

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }
// Other, Separator but the space: what str.isprintable() denies.
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}\p{Zs}]/u

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0
  const hex = code.toString(16)
  if (code < 0x100) return `\\x${hex.padStart(2, '0')}`
  return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`
}

export const isPrintable = (character: string): boolean => character === ' ' || !UNPRINTABLE.test(character)

function stringRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  let out = quote
  for (const character of text) {
    if (character === quote) out += `\\${quote}`
    else out += ESCAPES[character] ?? (isPrintable(character) ? character : escaped(character))
  }
  return out + quote
}

function objectRepr(value: PyObject, walk: Walk, depth: number): string {
  if (value instanceof Tuple) {
    const items = value.items.map((item) => repr(item, walk, depth + 1))
    return items.length === 1 ? `(${items[0]},)` : `(${items.join(', ')})`
  }
  if (value instanceof Dict)
    return `{${Array.from(value.pairs(), ([key, item]) => `${repr(key, walk, depth + 1)}: ${repr(item, walk, depth + 1)}`).join(', ')}}`
  if (value instanceof DictView)
    return `${value.type}([${value
      .iterate()
      .map((item) => repr(item, walk, depth + 1))
      .join(', ')}])`
  if (value instanceof Range) return `range(${value.start}, ${value.stop}${value.step === 1n ? '' : `, ${value.step}`})`
  if (value instanceof Undefined) return 'Undefined'
  if (value instanceof Namespace)
    return `<Namespace {${Array.from(value.entries(), ([name, item]) => `'${name}': ${repr(item, walk, depth + 1)}`).join(', ')}}>`
  if (value instanceof Callable)
    return value.type === 'macro' ? `<Macro '${value.name}'>` : `<${value.type} ${value.name}>`
  return `<${value.type} object>`
}

/** Python's repr(). */
export function repr(value: Value, walk = new Walk(), depth = 0): string {
  walk.visit(depth)
  if (value === null) return 'None'
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'number') return floatRepr(value)
  if (typeof value === 'string') return stringRepr(value)
  if (Array.isArray(value)) return `[${value.map((item) => repr(item, walk, depth + 1)).join(', ')}]`
  return objectRepr(value, walk, depth)
}

/** Python's ascii(): repr with everything beyond ASCII escaped. */
export const asciiRepr = (value: Value): string =>
  Array.from(repr(value), (c) => ((c.codePointAt(0) ?? 0) < 128 ? c : escaped(c))).join('')

/** Python's str(): strings as they are, undefined values as nothing. */
export function str(value: Value): string {
  if (typeof value === 'string') return value
  return value instanceof Undefined ? '' : repr(value)
}
