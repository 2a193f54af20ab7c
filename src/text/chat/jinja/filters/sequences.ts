import { safeAttribute } from '../access.js'
import { bind } from '../binding.js'
import { FilterArgumentError } from '../errors.js'
import { binary, checkItems, checkSize, compareOrder, equals } from '../operators.js'
import { repr, str } from '../repr.js'
import {
  type CallArguments,
  Dict,
  given as found,
  hashKey,
  Iter,
  iterableOf,
  iterate,
  lengthOf,
  listOf,
  Tuple,
  truthy,
  typeName,
  Undefined,
  type Value,
} from '../values.js'
import { attributeGetter, type Environment, type Filter, type Getter, ignoreCase } from './types.js'

// Reference: jinja2.filters. Those that give generators there give iterators here, which can be gone through once.

const length: Filter = (value, args) => {
  bind('length', [], args)
  return BigInt(lengthOf(value))
}

const withCase = (getter: Getter, caseSensitive: boolean): Getter =>
  caseSensitive ? getter : (item) => ignoreCase(getter(item))

function sorted(items: readonly Value[], key: (item: Value) => Value, reverse: boolean): Value[] {
  const keyed = items.map((item) => ({ item, key: key(item) }))
  const sign = reverse ? -1 : 1
  return keyed.sort((a, b) => sign * compareOrder(a.key, b.key)).map(({ item }) => item)
}

const sort: Filter = (value, args) => {
  const given = bind('sort', ['reverse?', 'case_sensitive?', 'attribute?'], args)
  const attribute = given.value('attribute')
  const names: Value[] = typeof attribute === 'string' ? attribute.split(',') : [attribute]
  const getters = names.map((name) => withCase(attributeGetter(name), given.flag('case_sensitive')))
  return sorted(listOf(value), (item) => getters.map((getter) => getter(item)), given.flag('reverse'))
}

const dictsort: Filter = (value, args) => {
  const given = bind('dictsort', ['case_sensitive?', 'by?', 'reverse?'], args)
  const by = given.text('by', 'key')
  if (by !== 'key' && by !== 'value') throw new FilterArgumentError('You can only sort by either "key" or "value"')
  if (value instanceof Undefined) value.fail()
  if (!(value instanceof Dict)) throw new TypeError(`'${typeName(value)}' object has no attribute 'items'`)
  const place = by === 'key' ? 0n : 1n
  const key = withCase(attributeGetter(place), given.flag('case_sensitive'))
  return sorted(
    Array.from(value.pairs(), (pair) => new Tuple(pair)),
    key,
    given.flag('reverse'),
  )
}

const extreme =
  (name: string, sign: number): Filter =>
  (value, args) => {
    const given = bind(name, ['case_sensitive?', 'attribute?'], args)
    const key = withCase(attributeGetter(given.value('attribute')), given.flag('case_sensitive'))
    let best: { item: Value; key: Value } | null = null
    for (const item of iterate(value)) {
      const candidate = { item, key: key(item) }
      if (!best || sign * compareOrder(candidate.key, best.key, sign > 0 ? '>' : '<') > 0) best = candidate
    }
    return best ? best.item : new Undefined('No aggregated item, sequence was empty.')
  }

function* uniqueItems(value: Value, key: Getter): Generator<Value> {
  const seen = new Set<string>()
  for (const item of iterate(value)) {
    const hash = hashKey(key(item))
    if (seen.has(hash)) continue
    seen.add(hash)
    yield item
  }
}

const unique: Filter = (value, args) => {
  const given = bind('unique', ['case_sensitive?', 'attribute?'], args)
  return new Iter(uniqueItems(value, withCase(attributeGetter(given.value('attribute')), given.flag('case_sensitive'))))
}

const groupby: Filter = (value, args) => {
  const given = bind('groupby', ['attribute', 'default?', 'case_sensitive?'], args)
  const plain = attributeGetter(given.value('attribute'), given.value('default'))
  const key = withCase(plain, given.flag('case_sensitive'))
  const groups: { key: Value; items: Value[] }[] = []
  for (const item of sorted(listOf(value), key, false)) {
    const last = groups[groups.length - 1]
    const own = key(item)
    if (last && equals(last.key, own)) last.items.push(item)
    else groups.push({ key: own, items: [item] })
  }
  return groups.map(({ items }) => new Tuple([plain(items[0]), items], ['grouper', 'list']))
}

const join: Filter = (value, args) => {
  const given = bind('join', ['d?', 'attribute?'], args)
  const [joint, getter] = [str(given.value('d', '')), attributeGetter(given.value('attribute'))]
  const parts: string[] = []
  let size = 0
  for (const item of iterate(value)) {
    const text = str(getter(item))
    size += text.length + joint.length
    checkSize(size)
    parts.push(text)
  }
  return parts.join(joint)
}

const first: Filter = (value) => {
  for (const item of iterate(value)) return item
  return new Undefined('No first item, sequence was empty.')
}

/** Items in reverse. @throws TypeError for iterators, which have no end to start at. */
function reversed(value: Value): Value[] {
  if (value instanceof Iter) throw new TypeError(`'${typeName(value)}' object is not reversible`)
  return listOf(value).reverse()
}

const reverse: Filter = (value) => {
  if (typeof value === 'string') return [...value].reverse().join('')
  if (iterableOf(value) === undefined) throw new FilterArgumentError('argument must be iterable')
  if (value instanceof Iter) return listOf(value).reverse()
  return new Iter(reversed(value), 'list_reverseiterator')
}

const batchItems = function* (value: Value, count: number, fill: Value): Generator<Value> {
  let part: Value[] = []
  for (const item of iterate(value)) {
    if (part.length === count) {
      yield part
      part = []
    }
    part.push(item)
  }
  if (part.length === 0) return
  checkItems(fill === null ? 0 : count)
  while (fill !== null && part.length < count) part.push(fill)
  yield part
}

function* sliceItems(value: Value, slices: number, fill: Value): Generator<Value> {
  const items = listOf(value)
  const [each, extra] = [Math.floor(items.length / slices), items.length % slices]
  let start = 0
  for (let i = 0; i < slices; i++) {
    const end = start + each + (i < extra ? 1 : 0)
    const part = items.slice(start, end)
    if (fill !== null && i >= extra) part.push(fill)
    yield part
    start = end
  }
}

const sum: Filter = (value, args) => {
  const given = bind('sum', ['attribute?', 'start?'], args)
  const getter = attributeGetter(given.value('attribute'))
  let total = given.value('start', 0n)
  if (typeof total === 'string') throw new TypeError("sum() can't sum strings [use ''.join(seq) instead]")
  for (const item of iterate(value)) total = binary('+', total, getter(item))
  return total
}

function mapper(args: CallArguments, environment: Environment): Getter {
  const attribute = args.keywords.get('attribute')
  if (args.positional.length === 0 && attribute !== undefined) {
    for (const name of args.keywords.keys())
      if (name !== 'attribute' && name !== 'default')
        throw new FilterArgumentError(`Unexpected keyword argument '${name}'`)
    return attributeGetter(attribute, args.keywords.get('default') ?? null)
  }
  const [name, ...rest] = args.positional
  if (name === undefined) throw new FilterArgumentError('map requires a filter argument')
  return (item) => environment.filter(str(name), item, { positional: rest, keywords: args.keywords })
}

const map: Filter = (value, args, environment) =>
  new Iter(
    (function* () {
      if (!truthy(value)) return
      const f = mapper(args, environment)
      for (const item of iterate(value)) {
        environment.step()
        yield f(item)
      }
    })(),
  )

function predicate(args: CallArguments, environment: Environment, byAttribute: boolean): (item: Value) => boolean {
  const [attribute] = args.positional
  if (byAttribute && attribute === undefined) throw new FilterArgumentError('Missing parameter for attribute name')
  const getter: Getter = byAttribute ? attributeGetter(attribute) : (item) => item
  const [name, ...rest] = args.positional.slice(byAttribute ? 1 : 0)
  if (name === undefined) return (item) => truthy(getter(item))
  return (item) => environment.test(str(name), getter(item), { positional: rest, keywords: args.keywords })
}

const filtering =
  (wanted: boolean, byAttribute: boolean): Filter =>
  (value, args, environment) =>
    new Iter(
      (function* () {
        if (!truthy(value)) return
        const test = predicate(args, environment, byAttribute)
        for (const item of iterate(value)) {
          environment.step()
          if (test(item) === wanted) yield item
        }
      })(),
    )

const fallback: Filter = (value, args) => {
  const given = bind('default', ['default_value?', 'boolean?'], args)
  return value instanceof Undefined || (given.flag('boolean') && !truthy(value))
    ? given.value('default_value', '')
    : value
}

/** repr with the keys of dicts in order. */
const ordered = (value: Value, depth = 0): Value => {
  if (depth > 200) return value
  if (Array.isArray(value)) return value.map((item) => ordered(item, depth + 1))
  if (!(value instanceof Dict)) return value
  const pairs = Array.from(value.pairs()).sort(([a], [b]) => (str(a) < str(b) ? -1 : 1))
  return Dict.of(pairs.map(([key, item]) => [key, ordered(item, depth + 1)] as const))
}

export const SEQUENCE_FILTERS: Readonly<Record<string, Filter>> = {
  attr: (value, args) => {
    const name = bind('attr', ['name'], args).text('name')
    if (value instanceof Undefined) value.fail()
    return found(
      safeAttribute(value, name),
      () => new Undefined(`'${typeName(value)} object' has no attribute ${repr(name)}`),
    )
  },
  batch: (value, args) => {
    const given = bind('batch', ['linecount', 'fill_with?'], args)
    return new Iter(batchItems(value, given.int('linecount'), given.value('fill_with')))
  },
  count: length,
  d: fallback,
  default: fallback,
  dictsort,
  first,
  groupby,
  items: (value, args) => {
    bind('items', [], args)
    if (value instanceof Undefined) return new Iter([])
    if (!(value instanceof Dict)) throw new TypeError('Can only get item pairs from a mapping.')
    return new Iter(Array.from(value.pairs(), (pair) => new Tuple(pair)))
  },
  join,
  last: (value) => found(reversed(value)[0], () => new Undefined('No last item, sequence was empty.')),
  length,
  list: (value) => listOf(value),
  map,
  max: extreme('max', 1),
  min: extreme('min', -1),
  pprint: (value) => repr(ordered(value)),
  random: (value) => {
    const items = listOf(value)
    return found(
      items[Math.floor(Math.random() * items.length)],
      () => new Undefined('No random item, sequence was empty.'),
    )
  },
  reject: filtering(false, false),
  rejectattr: filtering(false, true),
  reverse,
  select: filtering(true, false),
  selectattr: filtering(true, true),
  slice: (value, args) => {
    const given = bind('slice', ['slices', 'fill_with?'], args)
    checkItems(given.int('slices'))
    return new Iter(sliceItems(value, given.int('slices'), given.value('fill_with')))
  },
  sort,
  sum,
  unique,
}
