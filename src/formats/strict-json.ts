import { FormatError } from './errors.js'

/** Deeper than any header or index; bounds the stack and time that hostile nesting could take. */
const MAX_DEPTH = 64

/**
 * Parses JSON from UTF-8 bytes and refuses what `JSON.parse` lets pass: invalid UTF-8, nesting beyond {@link MAX_DEPTH}, and
 * a key that occurs twice in one object (where readers of different languages would pick different values).
 * @throws FormatError that starts with `where`
 */
export function parseStrictJson(bytes: Uint8Array, where: string): unknown {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new FormatError(`${where}: expected UTF-8 text, found bytes that are not`)
  }
  const { depth, duplicate } = scan(text)
  if (depth > MAX_DEPTH) throw new FormatError(`${where}: nested deeper than ${MAX_DEPTH} levels`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new FormatError(`${where}: not valid JSON (${(error as Error).message})`)
  }
  if (duplicate !== undefined) throw new FormatError(`${where}: the key ${show(duplicate)} occurs twice`)
  return value
}

/** Depth of nesting and the first repeated key, for text that may not be JSON at all; stops at either. */
function scan(text: string): { depth: number; duplicate?: string } {
  const open: (Set<string> | undefined)[] = [] // one entry an open bracket; undefined for arrays
  let deepest = 0
  let position = 0
  while (position < text.length && deepest <= MAX_DEPTH) {
    const char = text[position]
    if (char === '"') {
      const start = position
      position = afterString(text, start)
      const end = position
      while (text.charCodeAt(position) <= 0x20) position++
      const keys = text[position] === ':' ? open[open.length - 1] : undefined
      if (keys === undefined) continue
      const key = unquote(text.slice(start, end))
      if (keys.has(key)) return { depth: deepest, duplicate: key }
      keys.add(key)
      continue
    }
    if (char === '{' || char === '[') deepest = Math.max(deepest, open.push(char === '{' ? new Set() : undefined))
    else if (char === '}' || char === ']') open.pop()
    position++
  }
  return { depth: deepest }
}

/** Position after the string literal that starts at `start`. (A regular expression would overflow its stack on long ones.) */
function afterString(text: string, start: number): number {
  let position = start + 1
  while (position < text.length && text[position] !== '"') position += text[position] === '\\' ? 2 : 1
  return position + 1
}

function unquote(literal: string): string {
  if (!literal.includes('\\')) return literal.slice(1, -1)
  try {
    return JSON.parse(literal) as string
  } catch {
    return literal // not JSON: reported as such later
  }
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A short form of any value for error messages. */
export function show(value: unknown, limit = 60): string {
  const text = typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? String(value))
  return text.length > limit ? `${text.slice(0, limit)}...` : text
}
