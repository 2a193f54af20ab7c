import type { DType } from '../../ir/index.js'
import { asTensor } from '../../tensor/core.js'
import { Tensor } from '../../tensor/tensor.js'
import type { Expr } from '../python/ast.js'
import { parsePython } from '../python/parser.js'
import { type CallArgs, DTypeValue, describe, isSequence, itemsOf, type PyDict, type PyValue } from './values.js'

interface Param {
  readonly name: string
  readonly fallback: PyValue | undefined
}

function literal(expr: Expr): PyValue {
  if (expr.kind === 'number' || expr.kind === 'string' || expr.kind === 'constant') return expr.value
  if (expr.kind === 'unary' && expr.op === '-' && expr.operand.kind === 'number') return -expr.operand.value
  if (expr.kind === 'tuple' || expr.kind === 'list') return expr.items.map(literal)
  throw new TypeError(`a default is a literal, got ${expr.kind}`)
}

function dotted(expr: Expr): string {
  if (expr.kind === 'name') return expr.name
  if (expr.kind === 'attribute') return `${dotted(expr.object)}.${expr.name}`
  throw new TypeError(`a signature starts with a dotted name, got ${expr.kind}`)
}

/** Computes a call. Functions whose result's shape depends on the data answer later. */
export type Binding = (args: Args) => PyValue | Promise<PyValue>

/** A function of the references: its Python signature and what computes it here. */
export class Signature {
  private constructor(
    readonly path: string,
    private readonly params: readonly Param[],
    /** Parameters that positional arguments fill; those after `*rest` are given by name only. */
    private readonly positional: number,
    /** Name of a `*rest` parameter, which takes further positional arguments. */
    private readonly rest: string | null,
    /** Whether a `**kwargs` parameter takes further keywords. */
    private readonly open: boolean,
    readonly run: Binding,
  ) {}

  /** Reads `torch.sum(input, dim=None, keepdim=False)`; `*rest` and `**kwargs` collect what is left. */
  static parse(text: string, run: Binding): Signature {
    const call = parsePython(text)
    if (call.kind !== 'call') throw new TypeError(`a signature looks like a call, got ${text}`)
    const params: Param[] = []
    let rest: string | null = null
    let open = false
    let before = Number.POSITIVE_INFINITY
    for (const arg of call.args) {
      if (arg.kind === 'keyword') params.push({ name: arg.name, fallback: literal(arg.value) })
      else if (arg.kind === 'positional') params.push({ name: dotted(arg.value), fallback: undefined })
      else if (arg.kind === 'unpack') {
        rest = dotted(arg.value)
        before = params.length
      } else open = true
    }
    return new Signature(dotted(call.callee), params, Math.min(before, params.length), rest, open, run)
  }

  /** Binds arguments to parameters as Python does. */
  bind({ positional, keywords }: CallArgs): Args {
    const values = new Map<string, PyValue>()
    positional.slice(0, this.positional).forEach((value, i) => {
      values.set(this.params[i].name, value)
    })
    const left = positional.slice(this.positional)
    if (this.rest) values.set(this.rest, left)
    else if (left.length > 0)
      throw new TypeError(`${this.path} takes ${this.positional} arguments, got ${positional.length}`)
    const others = new Map<string, PyValue>()
    for (const [name, value] of keywords) {
      if (values.has(name) && name !== this.rest) throw new TypeError(`${this.path} got '${name}' twice`)
      if (this.params.some((param) => param.name === name)) values.set(name, value)
      else if (this.open) others.set(name, value)
      else throw new TypeError(`${this.path} has no parameter '${name}'`)
    }
    for (const { name, fallback } of this.params) {
      if (values.has(name)) continue
      if (fallback === undefined) throw new TypeError(`${this.path} needs '${name}'`)
      values.set(name, fallback)
    }
    return new Args(this.path, values, others)
  }
}

/** Arguments of one call with checked access: each reader says what it wants, and errors name the function and parameter. */
export class Args {
  constructor(
    private readonly path: string,
    private readonly values: PyDict,
    /** Keywords that `**kwargs` took. */
    readonly others: PyDict,
  ) {}

  raw(name: string): PyValue {
    const value = this.values.get(name)
    if (value === undefined) throw new Error(`${this.path}: the signature has no parameter '${name}'`)
    return value
  }

  private wrong(name: string, wanted: string): never {
    throw new TypeError(`${this.path}: '${name}' must be ${wanted}, got ${describe(this.raw(name))}`)
  }

  has(name: string): boolean {
    return this.raw(name) !== null
  }

  tensor(name: string): Tensor {
    const value = this.raw(name)
    return value instanceof Tensor ? value : this.wrong(name, 'a tensor')
  }

  maybeTensor(name: string): Tensor | undefined {
    return this.has(name) ? this.tensor(name) : undefined
  }

  /** A tensor, or a number as it stands. */
  operand(name: string): Tensor | number {
    const value = this.raw(name)
    return typeof value === 'number' ? value : this.tensor(name)
  }

  /** A tensor; numbers become scalars. */
  lifted(name: string): Tensor {
    return asTensor(this.operand(name))
  }

  number(name: string): number {
    const value = this.raw(name)
    return typeof value === 'number' ? value : this.wrong(name, 'a number')
  }

  maybeNumber(name: string): number | undefined {
    return this.has(name) ? this.number(name) : undefined
  }

  int(name: string): number {
    const value = this.raw(name)
    return Number.isInteger(value) ? (value as number) : this.wrong(name, 'an integer')
  }

  maybeInt(name: string): number | undefined {
    return this.has(name) ? this.int(name) : undefined
  }

  bool(name: string): boolean {
    const value = this.raw(name)
    return typeof value === 'boolean' ? value : this.wrong(name, 'True or False')
  }

  string(name: string): string {
    const value = this.raw(name)
    return typeof value === 'string' ? value : this.wrong(name, 'a string')
  }

  maybeString(name: string): string | undefined {
    return this.has(name) ? this.string(name) : undefined
  }

  /** A sequence of integers; one integer counts as a sequence of one. */
  ints(name: string): number[] {
    const value = this.raw(name)
    const items = isSequence(value) ? itemsOf(value) : [value]
    if (!items.every((item) => Number.isInteger(item))) this.wrong(name, 'integers')
    return items as number[]
  }

  maybeInts(name: string): number[] | undefined {
    return this.has(name) ? this.ints(name) : undefined
  }

  /** An integer, or a list of them. */
  intOrInts(name: string): number | number[] {
    return typeof this.raw(name) === 'number' ? this.int(name) : this.ints(name)
  }

  /** An integer, or a list of integers and None. */
  sizes(name: string): number | (number | null)[] {
    const value = this.raw(name)
    if (!isSequence(value)) return this.int(name)
    const items = itemsOf(value)
    if (!items.every((item) => item === null || Number.isInteger(item))) this.wrong(name, 'integers or None')
    return items as (number | null)[]
  }

  numbers(name: string): number[] {
    const value = this.raw(name)
    const items = isSequence(value) ? itemsOf(value) : [value]
    if (!items.every((item) => typeof item === 'number')) this.wrong(name, 'numbers')
    return items as number[]
  }

  /** `*shape` given as integers or as one sequence. */
  shape(name: string): number[] {
    const items = itemsOf(this.raw(name))
    const list = items.length === 1 && isSequence(items[0]) ? itemsOf(items[0]) : items
    if (!list.every((item) => Number.isInteger(item))) this.wrong(name, 'integers')
    return list as number[]
  }

  tensors(name: string): Tensor[] {
    const items = itemsOf(this.raw(name))
    if (!items.every((item) => item instanceof Tensor)) this.wrong(name, 'tensors')
    return items as Tensor[]
  }

  dtype(name: string): DType {
    const value = this.raw(name)
    return value instanceof DTypeValue ? value.dtype : this.wrong(name, 'a dtype')
  }

  maybeDtype(name: string): DType | undefined {
    return this.has(name) ? this.dtype(name) : undefined
  }

  dict(name: string): PyDict {
    const value = this.raw(name)
    return value instanceof Map ? value : this.wrong(name, 'a dict')
  }
}

/** Bindings by dotted path. */
export type BindingTable = ReadonlyMap<string, Signature>

/** Builds a table from `signature text -> function`. */
export function bindings(entries: Readonly<Record<string, Binding>>): BindingTable {
  return new Map(
    Object.entries(entries).map(([text, run]) => {
      const signature = Signature.parse(text, run)
      return [signature.path, signature]
    }),
  )
}
