import { FormatError } from './host-array.js'

/**
 * Parses JSON from UTF-8 bytes and refuses what `JSON.parse` lets pass: invalid UTF-8 and a key that occurs twice in one
 * object (where readers of different languages would pick different values).
 */
export function parseStrictJson(bytes: Uint8Array, where: string): unknown {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new FormatError(`${where}: expected UTF-8 text, found bytes that are not`)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new FormatError(`${where}: not valid JSON (${(error as Error).message})`)
  }
  const duplicate = findDuplicateKey(text)
  if (duplicate !== undefined) throw new FormatError(`${where}: the key ${JSON.stringify(duplicate)} occurs twice`)
  return value
}

/** The first key that repeats within one object of `text`, which must be valid JSON. */
function findDuplicateKey(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [] // one entry an open bracket; undefined for arrays
  let position = 0
  while (position < text.length) {
    const char = text[position]
    if (char === '"') {
      const start = position
      position = afterString(text, start)
      const literal = text.slice(start, position)
      while (text.charCodeAt(position) <= 0x20) position++
      const keys = text[position] === ':' ? open[open.length - 1] : undefined
      if (keys === undefined) continue
      const key = literal.includes('\\') ? (JSON.parse(literal) as string) : literal.slice(1, -1)
      if (keys.has(key)) return key
      keys.add(key)
      continue
    }
    if (char === '{') open.push(new Set())
    else if (char === '[') open.push(undefined)
    else if (char === '}' || char === ']') open.pop()
    position++
  }
  return undefined
}

/** Position after the string literal that starts at `start`. (A regular expression would overflow its stack on long ones.) */
function afterString(text: string, start: number): number {
  let position = start + 1
  while (text[position] !== '"') position += text[position] === '\\' ? 2 : 1
  return position + 1
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A short form of any value for error messages. */
export function show(value: unknown, limit = 60): string {
  const text = typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? String(value))
  return text.length > limit ? `${text.slice(0, limit)}...` : text
}
