import { SecurityError, UndefinedError } from './errors.js'
import { spend } from './work.js'

/**
 * Values of templates: Python's. Integers are bigints, floats are numbers, lists are arrays; nothing of JavaScript's objects is reachable, since
 * attributes exist only where {@link PyObject.attribute} or a method table names them.
 */
export type Value = null | boolean | bigint | number | string | Value[] | PyObject

export interface CallArguments {
  readonly positional: readonly Value[]
  readonly keywords: ReadonlyMap<string, Value>
}

export abstract class PyObject {
  /** Name of the Python type. */
  abstract readonly type: string

  /** Value of an attribute, undefined where there is none. */
  attribute(_name: string): Value | undefined {
    return undefined
  }

  truthy(): boolean {
    return true
  }

  /** Undefined where the object has no length. */
  length(): number | undefined {
    return undefined
  }

  /** Undefined where the object cannot be iterated. */
  iterate(): Iterable<Value> | undefined {
    return undefined
  }
}

/** What a missing name, attribute or item gives: empty in output, and an error in most operations. */
export class Undefined extends PyObject {
  readonly type = 'Undefined'

  constructor(
    readonly message: string,
    private readonly unsafe = false,
  ) {
    super()
  }

  fail(): never {
    throw this.unsafe ? new SecurityError(this.message) : new UndefinedError(this.message)
  }

  override truthy(): boolean {
    return false
  }

  override length(): number {
    return 0
  }

  override iterate(): Iterable<Value> {
    return []
  }
}

export class Tuple extends PyObject {
  constructor(
    readonly items: readonly Value[],
    /** Names of the items, for named tuples. */
    private readonly names: readonly string[] = [],
    readonly type = 'tuple',
  ) {
    super()
  }

  override attribute(name: string): Value | undefined {
    const at = this.names.indexOf(name)
    return at < 0 ? undefined : this.items[at]
  }

  override truthy(): boolean {
    return this.items.length > 0
  }

  override length(): number {
    return this.items.length
  }

  override iterate(): Iterable<Value> {
    return this.items
  }
}

const MAX_NESTING = 200
const MAX_NODES = 1 << 22

/** One walk through a value. A value may hold another many times over, so that its size as a tree has no bound of its own. */
export class Walk {
  private nodes = 0

  /** Counts one node. @throws SecurityError beyond what templates may hold. */
  visit(depth: number): void {
    if (depth > MAX_NESTING) throw new SecurityError(`a value nests more than ${MAX_NESTING} deep`)
    spend(1)
    if (++this.nodes > MAX_NODES) throw new SecurityError(`a value has more than ${MAX_NODES} parts`)
  }
}

/** Equal keys have equal texts. @throws TypeError for lists and dicts. */
export function hashKey(key: Value, walk = new Walk(), depth = 0): string {
  walk.visit(depth)
  if (typeof key === 'string') return `s${key}`
  if (key === null) return 'n'
  if (key instanceof Undefined) return 'u'
  if (typeof key === 'boolean') return key ? 'i1' : 'i0'
  if (typeof key === 'bigint') return `i${key}`
  if (typeof key === 'number') return Number.isInteger(key) ? `i${BigInt(key)}` : `f${key}`
  if (key instanceof Tuple) {
    // With lengths, so that no two tuples share a text.
    const parts = key.items.map((item) => hashKey(item, walk, depth + 1))
    return `t${parts.map((part) => `${part.length}:${part}`).join('')}`
  }
  if (Array.isArray(key) || key instanceof Dict)
    throw new TypeError(`unhashable type: '${Array.isArray(key) ? 'list' : 'dict'}'`)
  return `o${identity(key)}`
}

const identities = new WeakMap<PyObject, number>()
let lastIdentity = 0

function identity(object: PyObject): number {
  const known = identities.get(object) ?? ++lastIdentity
  identities.set(object, known)
  return known
}

/** A dict, in the order in which keys were first set. */
export class Dict extends PyObject {
  readonly type = 'dict'
  private readonly entries = new Map<string, readonly [Value, Value]>()

  static of(pairs: Iterable<readonly [Value, Value]>): Dict {
    const dict = new Dict()
    for (const [key, value] of pairs) dict.set(key, value)
    return dict
  }

  get(key: Value): Value | undefined {
    return this.entries.get(hashKey(key))?.[1]
  }

  has(key: Value): boolean {
    return this.entries.has(hashKey(key))
  }

  set(key: Value, value: Value): void {
    const hash = hashKey(key)
    this.entries.set(hash, [this.entries.get(hash)?.[0] ?? key, value])
  }

  pairs(): Iterable<readonly [Value, Value]> {
    return this.entries.values()
  }

  keys(): Value[] {
    return Array.from(this.entries.values(), ([key]) => key)
  }

  values(): Value[] {
    return Array.from(this.entries.values(), ([, value]) => value)
  }

  override truthy(): boolean {
    return this.entries.size > 0
  }

  override length(): number {
    return this.entries.size
  }

  override iterate(): Iterable<Value> {
    return this.keys()
  }
}

/** keys(), values() or items() of a dict. */
export class DictView extends PyObject {
  constructor(
    readonly type: 'dict_keys' | 'dict_values' | 'dict_items',
    private readonly dict: Dict,
  ) {
    super()
  }

  override truthy(): boolean {
    return this.dict.truthy()
  }

  override length(): number {
    return this.dict.length()
  }

  override iterate(): Value[] {
    if (this.type === 'dict_keys') return this.dict.keys()
    if (this.type === 'dict_values') return this.dict.values()
    return Array.from(this.dict.pairs(), (pair) => new Tuple(pair))
  }
}

/** An iterator or generator: what it has given is gone. */
export class Iter extends PyObject {
  private readonly iterator: Iterator<Value>

  constructor(
    items: Iterable<Value>,
    readonly type = 'generator',
  ) {
    super()
    this.iterator = items[Symbol.iterator]()
  }

  override iterate(): Iterable<Value> {
    const { iterator } = this
    // Leaving a loop early must not end the iterator for the next one.
    return { [Symbol.iterator]: () => ({ next: () => iterator.next() }) }
  }
}

export class Range extends PyObject {
  readonly type = 'range'

  constructor(
    readonly start: bigint,
    readonly stop: bigint,
    readonly step: bigint,
  ) {
    super()
  }

  override length(): number {
    const span = this.step > 0n ? this.stop - this.start : this.start - this.stop
    const step = this.step > 0n ? this.step : -this.step
    return span <= 0n ? 0 : Number((span + step - 1n) / step)
  }

  override truthy(): boolean {
    return this.length() > 0
  }

  at(index: number): bigint {
    return this.start + BigInt(index) * this.step
  }

  override *iterate(): Iterable<Value> {
    const count = this.length()
    for (let i = 0; i < count; i++) yield this.at(i)
  }
}

/** Something that can be called. */
export class Callable extends PyObject {
  constructor(
    readonly name: string,
    readonly call: (args: CallArguments) => Value,
    readonly type = 'function',
    private readonly attributes: Readonly<Record<string, Value>> = {},
  ) {
    super()
  }

  override attribute(name: string): Value | undefined {
    return Object.hasOwn(this.attributes, name) ? this.attributes[name] : undefined
  }
}

/** The one object that templates can write to: `{% set ns.x = 1 %}`. */
export class Namespace extends PyObject {
  readonly type = 'TemplateNamespace'
  private readonly values = new Map<string, Value>()

  set(name: string, value: Value): void {
    if (name.startsWith('_'))
      throw new SecurityError(
        `Chat templates cannot store underscore-prefixed attributes on a namespace, but got '${name}'. Please rename the attribute.`,
      )
    this.values.set(name, value)
  }

  get(name: string): Value | undefined {
    return this.values.get(name)
  }

  override attribute(name: string): Value | undefined {
    return this.values.get(name)
  }

  entries(): Iterable<[string, Value]> {
    return this.values.entries()
  }
}

/** The value, or a fallback where there is none; None is a value. */
export const given = (value: Value | undefined, fallback: () => Value): Value =>
  value === undefined ? fallback() : value

/** Data of a caller as values of a template: what is not JSON becomes a text that names its kind, as transformers does. @throws RangeError for data nested too deep. */
export function fromData(data: unknown, depth = 0): Value {
  if (depth > MAX_NESTING) throw new RangeError(`data nested more than ${MAX_NESTING} deep`)
  if (data === null || data === undefined) return null
  if (typeof data === 'string' || typeof data === 'boolean' || typeof data === 'bigint') return data
  if (typeof data === 'number') return Number.isSafeInteger(data) && !Object.is(data, -0) ? BigInt(data) : data
  if (Array.isArray(data)) return data.map((item) => fromData(item, depth + 1))
  if (data instanceof Map)
    return Dict.of(Array.from(data, ([key, value]) => [fromData(key, depth + 1), fromData(value, depth + 1)] as const))
  if (data instanceof PyObject) return data
  const prototype: unknown = Object.getPrototypeOf(data)
  if (prototype !== Object.prototype && prototype !== null)
    return `<${typeof data === 'object' ? (data.constructor?.name ?? 'object') : typeof data}>`
  const pairs = Object.entries(data as Record<string, unknown>).filter(([, value]) => value !== undefined)
  return Dict.of(pairs.map(([key, value]) => [key, fromData(value, depth + 1)] as const))
}

/** Name of a value's Python type. */
export function typeName(value: Value): string {
  if (value === null) return 'NoneType'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'bigint') return 'int'
  if (typeof value === 'number') return 'float'
  if (typeof value === 'string') return 'str'
  return Array.isArray(value) ? 'list' : value.type
}

export function truthy(value: Value): boolean {
  if (Array.isArray(value)) return value.length > 0
  return value instanceof PyObject ? value.truthy() : Boolean(value)
}

/** Number of characters of a string: code points. */
export function textLength(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}

/** Python's len(). @throws TypeError where a value has none. */
export function lengthOf(value: Value): number {
  if (typeof value === 'string') return textLength(value)
  if (Array.isArray(value)) return value.length
  const length = value instanceof PyObject ? value.length() : undefined
  if (length === undefined) throw new TypeError(`object of type '${typeName(value)}' has no len()`)
  return length
}

/** Undefined where a value cannot be iterated. */
export function iterableOf(value: Value): Iterable<Value> | undefined {
  if (typeof value === 'string' || Array.isArray(value)) return value
  return value instanceof PyObject ? value.iterate() : undefined
}

/** @throws TypeError where a value cannot be iterated. */
export function iterate(value: Value): Iterable<Value> {
  const items = iterableOf(value)
  if (items === undefined) throw new TypeError(`'${typeName(value)}' object is not iterable`)
  return items
}

export function listOf(value: Value): Value[] {
  const items = Array.from(iterate(value))
  spend(items.length)
  return items
}

export const isInteger = (value: Value): value is bigint | boolean =>
  typeof value === 'bigint' || typeof value === 'boolean'

export const isNumber = (value: Value): value is bigint | boolean | number =>
  isInteger(value) || typeof value === 'number'

export const toBigInt = (value: bigint | boolean): bigint => BigInt(value)
