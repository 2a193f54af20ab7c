import { bind } from './binding.js'
import { OverflowError, TemplateError, ValueError } from './errors.js'
import { toIndex } from './operators.js'
import { str } from './repr.js'
import { strftime } from './strftime.js'
import {
  type CallArguments,
  Callable,
  Dict,
  iterate,
  listOf,
  Namespace,
  PyObject,
  Range,
  type Value,
} from './values.js'

// Reference: jinja2's globals, and those that transformers adds.

const MAX_RANGE = 100_000

const range = ({ positional }: CallArguments): Value => {
  if (positional.length < 1 || positional.length > 3)
    throw new TypeError(`range expected 1 to 3 arguments, got ${positional.length}`)
  const numbers = positional.map((value) => BigInt(toIndex(value, 'range() argument')))
  const [start, stop, step] = numbers.length === 1 ? [0n, numbers[0], 1n] : [numbers[0], numbers[1], numbers[2] ?? 1n]
  if (step === 0n) throw new ValueError('range() arg 3 must not be zero')
  const made = new Range(start, stop, step)
  if (made.length() > MAX_RANGE)
    throw new OverflowError(`Range too big. The sandbox blocks ranges larger than MAX_RANGE (${MAX_RANGE}).`)
  return made
}

/** dict(mapping or pairs, **more). */
function dict({ positional, keywords }: CallArguments): Dict {
  if (positional.length > 1) throw new TypeError(`dict expected at most 1 argument, got ${positional.length}`)
  const made = new Dict()
  const [source] = positional
  if (source instanceof Dict) for (const [key, value] of source.pairs()) made.set(key, value)
  else if (source !== undefined)
    for (const pair of iterate(source)) {
      const items = listOf(pair)
      if (items.length !== 2)
        throw new ValueError(`dictionary update sequence element has length ${items.length}; 2 is required`)
      made.set(items[0], items[1])
    }
  for (const [name, value] of keywords) made.set(name, value)
  return made
}

const fromKeys = new Callable('fromkeys', (args) => {
  const given = bind('fromkeys', ['iterable', 'value?'], args)
  return Dict.of(Array.from(iterate(given.value('iterable')), (key) => [key, given.value('value')] as const))
})

const namespace = (args: CallArguments): Namespace => {
  const made = new Namespace()
  for (const [name, value] of dict(args).pairs()) made.set(str(name), value)
  return made
}

/** Values given one after the other, again and again. */
class Cycler extends PyObject {
  readonly type = 'Cycler'
  private place = 0

  constructor(private readonly items: readonly Value[]) {
    super()
  }

  private readonly methods: Readonly<Record<string, Callable>> = {
    next: new Callable('next', () => {
      const value = this.items[this.place]
      this.place = (this.place + 1) % this.items.length
      return value
    }),
    reset: new Callable('reset', () => {
      this.place = 0
      return null
    }),
  }

  override attribute(name: string): Value | undefined {
    if (name === 'current') return this.items[this.place]
    return Object.hasOwn(this.methods, name) ? this.methods[name] : undefined
  }
}

const cycler = ({ positional, keywords }: CallArguments): Value => {
  for (const name of keywords.keys()) throw new TypeError(`cycler() got an unexpected keyword argument '${name}'`)
  if (positional.length === 0) throw new TypeError('at least one item has to be provided')
  return new Cycler(positional)
}

/** Nothing the first time it is called, then the separator. */
const joiner = (args: CallArguments): Value => {
  const separator = bind('joiner', ['sep?'], args).value('sep', ', ')
  let used = false
  return new Callable('joiner', () => {
    if (used) return separator
    used = true
    return ''
  })
}

const raiseException = (args: CallArguments): never => {
  throw new TemplateError(str(bind('raise_exception', ['message'], args).value('message')))
}

/** Names that every template knows. `now` is what strftime_now formats. */
export function makeGlobals(now: () => Date): ReadonlyMap<string, Value> {
  const functions: Readonly<Record<string, (args: CallArguments) => Value>> = {
    range,
    namespace,
    cycler,
    joiner,
    raise_exception: raiseException,
    strftime_now: (args) => strftime(now(), bind('strftime_now', ['format'], args).text('format')),
  }
  const made = Object.entries(functions).map(([name, call]): [string, Value] => [name, new Callable(name, call)])
  return new Map([...made, ['dict', new Callable('dict', dict, 'TemplateDict', { fromkeys: fromKeys })]])
}
