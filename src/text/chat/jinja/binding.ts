import type { CallArguments, Value } from './values.js'
import { isInteger, toBigInt, truthy, typeName } from './values.js'

/** Arguments of a call under the names of its parameters. */
export class Bound {
  constructor(
    private readonly callee: string,
    private readonly values: ReadonlyMap<string, Value>,
  ) {}

  /** Undefined where the argument was not given. */
  get(name: string): Value | undefined {
    return this.values.get(name)
  }

  has(name: string): boolean {
    return this.values.has(name)
  }

  value(name: string, fallback: Value = null): Value {
    const value = this.values.get(name)
    return value === undefined ? fallback : value
  }

  flag(name: string, fallback = false): boolean {
    const value = this.values.get(name)
    return value === undefined ? fallback : truthy(value)
  }

  /** @throws TypeError unless the argument is a string. */
  text(name: string, fallback?: string): string {
    const value = this.values.has(name) ? this.values.get(name) : fallback
    if (typeof value !== 'string')
      throw new TypeError(`${this.callee}() argument '${name}' must be str, not ${typeName(value ?? null)}`)
    return value
  }

  /** A string, or null where the argument is None or was not given. */
  optionalText(name: string): string | null {
    return this.value(name) === null ? null : this.text(name)
  }

  /** @throws TypeError unless the argument is an integer. */
  int(name: string, fallback?: number): number {
    const value = this.values.get(name)
    if (value === undefined && fallback !== undefined) return fallback
    if (value === undefined || !isInteger(value))
      throw new TypeError(`${this.callee}() argument '${name}' must be int, not ${typeName(value ?? null)}`)
    const number = Number(toBigInt(value))
    if (!Number.isSafeInteger(number)) throw new RangeError(`${this.callee}() argument '${name}' is too large`)
    return number
  }

  optionalInt(name: string): number | null {
    return this.value(name) === null ? null : this.int(name)
  }
}

/**
 * Binds arguments to parameters as Python does: a list of names, in order; those that end in '?' may be left out.
 * @throws TypeError for arguments that are missing, too many, unknown or given twice.
 */
export function bind(callee: string, parameters: readonly string[], { positional, keywords }: CallArguments): Bound {
  const names = parameters.map((parameter) => parameter.replace('?', ''))
  if (positional.length > names.length)
    throw new TypeError(`${callee}() takes at most ${names.length} arguments (${positional.length} given)`)
  const values = new Map(positional.map((value, i) => [names[i], value]))
  for (const [name, value] of keywords) {
    if (!names.includes(name)) throw new TypeError(`${callee}() got an unexpected keyword argument '${name}'`)
    if (values.has(name)) throw new TypeError(`${callee}() got multiple values for argument '${name}'`)
    values.set(name, value)
  }
  for (const [i, name] of names.entries())
    if (!values.has(name) && !parameters[i].endsWith('?'))
      throw new TypeError(`${callee}() missing required argument: '${name}'`)
  return new Bound(callee, values)
}

export const NO_CALL_ARGUMENTS: CallArguments = { positional: [], keywords: new Map() }
