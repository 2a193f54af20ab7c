/** Reading of the parts of a tokenizer file, which is not trusted. */
import { FormatError } from '../../formats/errors.js'

export type JsonObject = { readonly [key: string]: unknown }

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 60)}...` : text
}

/** One object of a tokenizer file, with the place that errors name. */
export class Fields {
  constructor(
    readonly json: JsonObject,
    readonly where: string,
  ) {}

  static of(value: unknown, where: string): Fields {
    if (!isObject(value)) throw new FormatError(`${where}: expected an object, found ${show(value)}`)
    return new Fields(value, where)
  }

  fail(key: string, expected: string): never {
    throw new FormatError(`${this.where}.${key}: expected ${expected}, found ${show(this.json[key])}`)
  }

  has(key: string): boolean {
    return this.json[key] !== undefined && this.json[key] !== null
  }

  string(key: string, fallback?: string): string {
    const value = this.json[key] ?? fallback
    if (typeof value !== 'string') this.fail(key, 'a string')
    return value
  }

  optionalString(key: string): string | null {
    return this.has(key) ? this.string(key) : null
  }

  boolean(key: string, fallback?: boolean): boolean {
    const value = this.json[key] ?? fallback
    if (typeof value !== 'boolean') this.fail(key, 'true or false')
    return value
  }

  /** A whole number of at least 0. */
  count(key: string, fallback?: number): number {
    const value = this.json[key] ?? fallback
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) this.fail(key, 'a whole number')
    return value
  }

  number(key: string, fallback?: number): number {
    const value = this.json[key] ?? fallback
    if (typeof value !== 'number') this.fail(key, 'a number')
    return value
  }

  list(key: string): readonly unknown[] {
    const value = this.json[key]
    if (!Array.isArray(value)) this.fail(key, 'a list')
    return value
  }

  object(key: string): JsonObject {
    const value = this.json[key]
    if (!isObject(value)) this.fail(key, 'an object')
    return value
  }

  oneOf<T extends string>(key: string, choices: readonly T[], fallback?: T): T {
    const value = this.json[key] ?? fallback
    const choice = choices.find((item) => item === value)
    if (choice === undefined) this.fail(key, `one of ${choices.join(', ')}`)
    return choice
  }

  /** One character. */
  character(key: string, fallback?: string): string {
    const value = this.string(key, fallback)
    if (Array.from(value).length !== 1) this.fail(key, 'one character')
    return value
  }
}

/** Components that hold others may nest this deep. */
const MAX_NESTING = 32

/** Builds a component by its `type` from a table of builders. */
export function buildComponent<T>(
  kind: string,
  builders: Readonly<Record<string, (fields: Fields, depth: number) => T>>,
  json: unknown,
  where: string,
  depth = 0,
): T {
  if (depth > MAX_NESTING) throw new FormatError(`${where}: ${kind}s nested deeper than ${MAX_NESTING}`)
  const fields = Fields.of(json, where)
  const type = fields.string('type')
  if (!Object.hasOwn(builders, type))
    throw new FormatError(
      `${where}: the ${kind} ${show(type)} is not known; known are ${Object.keys(builders).join(', ')}`,
    )
  return builders[type](fields, depth)
}
