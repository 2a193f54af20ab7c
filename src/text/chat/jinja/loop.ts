import { equals } from './operators.js'
import { Callable, given, PyObject, Tuple, Undefined, type Value } from './values.js'

// Reference: jinja2.runtime.LoopContext.

export type Recurse = (items: Value, depth: number) => string

/** What `loop` is within a loop. Items are taken one at a time, one ahead where `last` or `nextitem` is asked for. */
export class LoopContext extends PyObject {
  readonly type = 'LoopContext'
  private iterator: Iterator<Value>
  private index0 = -1
  private known: number | null
  private ahead: { readonly value: Value } | null = null
  private current: Value | undefined
  private before: Value | undefined
  private lastChanged: Value | null = null

  constructor(
    items: Iterable<Value>,
    /** Null where the number of items is not known before they are taken. */
    length: number | null,
    readonly recurse: Recurse | null,
    private readonly depth0: number,
  ) {
    super()
    this.iterator = items[Symbol.iterator]()
    this.known = length
  }

  /** The next item; undefined at the end. */
  advance(): Value | undefined {
    const next = this.peek()
    this.ahead = null
    if (next === undefined) return undefined
    this.index0++
    this.before = this.current
    this.current = next
    return next
  }

  private peek(): Value | undefined {
    if (this.ahead) return this.ahead.value
    const { done, value } = this.iterator.next()
    if (done) return undefined
    this.ahead = { value }
    return value
  }

  override length(): number {
    if (this.known === null) {
      const rest: Value[] = []
      for (let next = this.iterator.next(); !next.done; next = this.iterator.next()) rest.push(next.value)
      this.iterator = rest[Symbol.iterator]()
      this.known = rest.length + this.index0 + 1 + (this.ahead ? 1 : 0)
    }
    return this.known
  }

  get depth(): number {
    return this.depth0 + 1
  }

  private changed(value: Value): boolean {
    if (this.lastChanged !== null && equals(this.lastChanged, value)) return false
    this.lastChanged = value
    return true
  }

  private readonly readers: Readonly<Record<string, () => Value>> = {
    index: () => BigInt(this.index0 + 1),
    index0: () => BigInt(this.index0),
    revindex: () => BigInt(this.length() - this.index0),
    revindex0: () => BigInt(this.length() - this.index0 - 1),
    first: () => this.index0 === 0,
    last: () => this.peek() === undefined,
    length: () => BigInt(this.length()),
    depth: () => BigInt(this.depth),
    depth0: () => BigInt(this.depth0),
    previtem: () =>
      given(this.index0 === 0 ? undefined : this.before, () => new Undefined('there is no previous item')),
    nextitem: () => given(this.peek(), () => new Undefined('there is no next item')),
    cycle: () =>
      new Callable('cycle', ({ positional }) => {
        if (positional.length === 0) throw new TypeError('no items for cycling given')
        return positional[this.index0 % positional.length]
      }),
    changed: () => new Callable('changed', ({ positional }) => this.changed(new Tuple(positional))),
  }

  override attribute(name: string): Value | undefined {
    return Object.hasOwn(this.readers, name) ? this.readers[name]() : undefined
  }
}
