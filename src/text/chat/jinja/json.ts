import { floatRepr } from './numbers.js'
import { compareOrder } from './operators.js'
import { Dict, isNumber, Tuple, typeName, type Value, Walk } from './values.js'

// Reference: Python's json.dumps.

export interface JsonOptions {
  readonly ensureAscii: boolean
  /** Text of one level of indentation; one line where null. */
  readonly indent: string | null
  readonly separators: readonly [item: string, key: string]
  readonly sortKeys: boolean
}

const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\f': '\\f',
  '\b': '\\b',
}

const unit = (code: number): string => `\\u${code.toString(16).padStart(4, '0')}`

function quoted(text: string, ensureAscii: boolean): string {
  let out = '"'
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    out += SHORT[text[i]] ?? (code < 0x20 || (ensureAscii && code > 0x7e) ? unit(code) : text[i])
  }
  return `${out}"`
}

function numberText(value: bigint | boolean | number): string {
  if (typeof value !== 'number') return String(value)
  if (Number.isNaN(value)) return 'NaN'
  return Number.isFinite(value) ? floatRepr(value) : value > 0 ? 'Infinity' : '-Infinity'
}

function keyText(key: Value): string {
  if (typeof key === 'string') return key
  if (key === null) return 'null'
  if (isNumber(key)) return numberText(key)
  throw new TypeError(`keys must be str, int, float, bool or None, not ${typeName(key)}`)
}

/** JSON text of a value. @throws TypeError for what JSON has no text for. */
export function toJson(value: Value, options: JsonOptions, walk = new Walk(), depth = 0): string {
  walk.visit(depth)
  if (value === null) return 'null'
  if (typeof value === 'string') return quoted(value, options.ensureAscii)
  if (isNumber(value)) return numberText(value)
  if (value instanceof Dict) {
    let pairs = Array.from(value.pairs())
    if (options.sortKeys) pairs = pairs.sort(([a], [b]) => compareOrder(a, b))
    const entries = pairs.map(
      ([key, item]) =>
        quoted(keyText(key), options.ensureAscii) + options.separators[1] + toJson(item, options, walk, depth + 1),
    )
    return enclosed('{', entries, '}', options, depth)
  }
  const items = Array.isArray(value) ? value : value instanceof Tuple ? value.items : null
  if (!items) throw new TypeError(`Object of type ${typeName(value)} is not JSON serializable`)
  return enclosed(
    '[',
    items.map((item) => toJson(item, options, walk, depth + 1)),
    ']',
    options,
    depth,
  )
}

function enclosed(open: string, parts: readonly string[], close: string, options: JsonOptions, depth: number): string {
  if (parts.length === 0) return open + close
  const { indent, separators } = options
  if (indent === null) return open + parts.join(separators[0]) + close
  const line = `\n${indent.repeat(depth + 1)}`
  return `${open}${line}${parts.join(separators[0] + line)}\n${indent.repeat(depth)}${close}`
}
