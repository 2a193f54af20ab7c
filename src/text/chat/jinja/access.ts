import { bind } from './binding.js'
import { ValueError } from './errors.js'
import type { Lookup } from './format-string.js'
import { equals } from './operators.js'
import { repr } from './repr.js'
import { type Bounds, itemAt, sliceOf } from './slices.js'
import { STRING_METHODS } from './string-methods.js'
import {
  type CallArguments,
  Callable,
  Dict,
  DictView,
  given,
  hashKey,
  iterate,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js'
import { spend, spendText } from './work.js'

type Method<T extends Value> = (self: T, args: CallArguments) => Value

function positionOf(items: Iterable<Value>, args: CallArguments): bigint {
  const wanted = bind('index', ['value', 'start?', 'stop?'], args)
  const list = Array.from(items)
  const bound = (name: string, fallback: number): number => {
    const at = wanted.int(name, fallback)
    return at < 0 ? Math.max(0, at + list.length) : at
  }
  const [start, stop] = [bound('start', 0), bound('stop', list.length)]
  const at = list.findIndex((item, i) => i >= start && i < stop && equals(item, wanted.value('value')))
  if (at < 0) throw new ValueError(`${repr(wanted.value('value'))} is not in list`)
  return BigInt(at)
}

const sequence: Readonly<Record<string, Method<Value>>> = {
  index: (self, args) => positionOf(iterate(self), args),
  count: (self, args) => {
    const wanted = bind('count', ['value'], args).value('value')
    return BigInt(Array.from(iterate(self)).filter((item) => equals(item, wanted)).length)
  },
}

const LIST_METHODS: Readonly<Record<string, Method<Value[]>>> = {
  ...sequence,
  copy: (self) => [...self],
}

const DICT_METHODS: Readonly<Record<string, Method<Dict>>> = {
  get: (self, args) => {
    const call = bind('get', ['key', 'default?'], args)
    return given(self.get(call.value('key')), () => call.value('default'))
  },
  items: (self, args) => {
    bind('items', [], args)
    return new DictView('dict_items', self)
  },
  keys: (self, args) => {
    bind('keys', [], args)
    return new DictView('dict_keys', self)
  },
  values: (self, args) => {
    bind('values', [], args)
    return new DictView('dict_values', self)
  },
  copy: (self) => Dict.of(self.pairs()),
}

const NUMBER_METHODS: Readonly<Record<string, Method<Value>>> = {
  is_integer: (self) => typeof self !== 'number' || Number.isInteger(self),
  bit_length: (self) => BigInt(self === 0n ? 0 : String(BigInt(self as bigint).toString(2)).replace('-', '').length),
}

/** Methods that change their object: seen, but not to be called. */
const MUTATORS: Readonly<Record<string, readonly string[]>> = {
  list: ['append', 'clear', 'pop', 'reverse', 'insert', 'sort', 'extend', 'remove'],
  dict: ['clear', 'pop', 'popitem', 'setdefault', 'update'],
}

const own = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined

const method = (name: string, call: ((args: CallArguments) => Value) | undefined): Value | undefined =>
  call && new Callable(name, call, 'builtin_function_or_method')

function bound<T extends Value>(table: Readonly<Record<string, Method<T>>>, self: T, name: string): Value | undefined {
  const f = own(table, name)
  return method(name, f && ((args) => f(self, args)))
}

/** Counts the work of a method of a string. */
function ofString(result: Value, self: string): Value {
  spendText(self)
  if (typeof result === 'string') spendText(result)
  else if (Array.isArray(result)) spend(result.length)
  return result
}

function pythonAttribute(object: Value, name: string): Value | undefined {
  if (typeof object === 'string') {
    const f = own(STRING_METHODS, name)
    return method(name, f && ((args) => ofString(f(object, args, LOOKUP), object)))
  }
  if (object === null) return undefined
  if (Array.isArray(object)) return bound(LIST_METHODS, object, name)
  if (object instanceof Dict) return bound(DICT_METHODS, object, name)
  if (object instanceof Tuple || object instanceof Range) {
    const value = object.attribute(name)
    return value === undefined ? bound(sequence, object as Value, name) : value
  }
  return typeof object === 'object' ? object.attribute(name) : bound(NUMBER_METHODS, object as Value, name)
}

const objectName = (object: Value): string => (object === null ? 'None' : `${typeName(object)} object`)

function missing(object: Value, key: Value): Undefined {
  if (typeof key === 'string') return new Undefined(`'${objectName(object)}' has no attribute ${repr(key)}`)
  return new Undefined(`${objectName(object)} has no element ${repr(key)}`)
}

/** An attribute in a template's sense, unsafe ones marked: undefined where there is none. */
export function safeAttribute(object: Value, name: string): Value | undefined {
  const unsafe = /^__.*__$/.test(name) || (own(MUTATORS, typeName(object)) ?? []).includes(name)
  if (unsafe) return new Undefined(`access to attribute '${name}' of '${typeName(object)}' object is unsafe.`, true)
  return pythonAttribute(object, name)
}

const isHashable = (key: Value): boolean => {
  try {
    hashKey(key)
    return true
  } catch {
    return false
  }
}

function subscript(object: Value, key: Value): Value | undefined {
  if (object instanceof Dict) return isHashable(key) ? object.get(key) : undefined
  return itemAt(object, key)
}

/** object.name: an attribute, or else an item. @throws UndefinedError where the object is undefined. */
export function getAttribute(object: Value, name: string): Value {
  if (object instanceof Undefined) return object.fail()
  return given(safeAttribute(object, name), () => given(subscript(object, name), () => missing(object, name)))
}

/** object[key]: an item, or else an attribute. @throws UndefinedError where the object is undefined. */
export function getItem(object: Value, key: Value): Value {
  if (object instanceof Undefined) return object.fail()
  const item = subscript(object, key)
  if (item !== undefined) return item
  return given(typeof key === 'string' ? safeAttribute(object, key) : undefined, () => missing(object, key))
}

/** object[start:stop:step]. Unlike an item, a slice that cannot be taken is an error. @throws TypeError */
export function getSlice(object: Value, bounds: Bounds): Value {
  if (object instanceof Undefined) return object.fail()
  if (object instanceof Dict) throw new TypeError("unhashable type: 'slice'")
  return given(sliceOf(object, bounds), () => {
    throw new TypeError(`'${typeName(object)}' object is not subscriptable`)
  })
}

const LOOKUP: Lookup = { attribute: getAttribute, item: getItem }
