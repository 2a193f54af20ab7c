import { Tensor } from '../../tensor/tensor.js'
import type { Argument, BinaryOp, CompareOp, Expr, UnaryOp } from '../python/ast.js'
import {
  BoundMethod,
  type CallArgs,
  describe,
  ELLIPSIS,
  isSequence,
  itemsOf,
  NamedTuple,
  Path,
  type PyDict,
  type PyValue,
  SliceValue,
} from './values.js'

/** What names, methods and operators mean for tensors. */
export interface Host {
  call(path: string, args: CallArgs): PyValue | Promise<PyValue>
  method(receiver: Tensor, name: string, args: CallArgs): PyValue | Promise<PyValue>
  /** Value of a dotted name that is not called, such as `torch.bool`; undefined where there is none. */
  constant(path: string): PyValue | undefined
  /** Undefined where `name` is a method. */
  attribute(receiver: Tensor, name: string): PyValue | undefined
  /** One item a dimension: `x[i, j]` has two, `x[[i, j]]` has one, a list. */
  index(receiver: Tensor, items: readonly PyValue[]): Promise<Tensor>
  unary(op: UnaryOp, operand: Tensor): Tensor
  binary(op: BinaryOp | CompareOp, left: PyValue, right: PyValue): Tensor
}

export type Scope = ReadonlyMap<string, PyValue>

const NUMBER_OPS: Readonly<Record<BinaryOp, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '//': (a, b) => Math.floor(a / b),
  '%': (a, b) => a - Math.floor(a / b) * b,
  '**': (a, b) => a ** b,
  '@': () => {
    throw new TypeError('@ multiplies tensors, not numbers')
  },
  '<<': (a, b) => a << b,
  '>>': (a, b) => a >> b,
  '&': (a, b) => a & b,
  '|': (a, b) => a | b,
  '^': (a, b) => a ^ b,
}

const NUMBER_COMPARISONS: Readonly<Record<CompareOp, (a: PyValue, b: PyValue) => boolean>> = {
  '<': (a, b) => Number(a) < Number(b),
  '>': (a, b) => Number(a) > Number(b),
  '<=': (a, b) => Number(a) <= Number(b),
  '>=': (a, b) => Number(a) >= Number(b),
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
}

const truthy = (value: PyValue): boolean => {
  if (value instanceof Tensor) throw new TypeError('a tensor has no truth value here')
  return isSequence(value) ? itemsOf(value).length > 0 : Boolean(value)
}

class Evaluator {
  constructor(
    private readonly host: Host,
    private readonly scope: Scope,
  ) {}

  async evaluate(expr: Expr): Promise<PyValue> {
    switch (expr.kind) {
      case 'number':
      case 'string':
      case 'constant':
        return expr.value
      case 'ellipsis':
        return ELLIPSIS
      case 'name':
        return this.scope.get(expr.name) ?? this.path(expr.name)
      case 'attribute':
        return this.attribute(await this.evaluate(expr.object), expr.name)
      case 'call':
        return this.call(await this.evaluate(expr.callee), await this.callArgs(expr.args))
      case 'subscript':
        return this.subscript(await this.evaluate(expr.object), expr.index)
      case 'slice':
        return new SliceValue(await this.bound(expr.lower), await this.bound(expr.upper), await this.bound(expr.step))
      case 'tuple':
      case 'list':
        return this.sequence(expr.items)
      case 'dict':
        return this.pairs(expr.entries)
      case 'starred':
        throw new TypeError('* unpacks inside a call, tuple or list only')
      case 'unary':
        return this.unary(expr.op, await this.evaluate(expr.operand))
      case 'binary':
        return this.binary(expr.op, await this.evaluate(expr.left), await this.evaluate(expr.right))
      case 'compare':
        return this.compare(expr.op, await this.evaluate(expr.left), await this.evaluate(expr.right))
      case 'boolean': {
        const left = await this.evaluate(expr.left)
        return truthy(left) === (expr.op === 'or') ? left : this.evaluate(expr.right)
      }
      case 'not':
        return !truthy(await this.evaluate(expr.operand))
      case 'comprehension':
        return this.comprehension(expr)
      default:
        return expr satisfies never
    }
  }

  private async sequence(items: readonly Expr[]): Promise<readonly PyValue[]> {
    const values: PyValue[] = []
    for (const item of items) {
      if (item.kind === 'starred') values.push(...(await this.spread(item.value)))
      else values.push(await this.evaluate(item))
    }
    return values
  }

  private async pairs(entries: readonly (readonly [Expr, Expr])[]): Promise<PyDict> {
    const dict = new Map<string, PyValue>()
    for (const [key, value] of entries) dict.set(await this.key(key), await this.evaluate(value))
    return dict
  }

  private path(text: string): PyValue {
    const constant = this.host.constant(text)
    return constant === undefined ? new Path(text) : constant
  }

  private attribute(object: PyValue, name: string): PyValue {
    if (object instanceof Path) return this.path(`${object.text}.${name}`)
    if (object instanceof Tensor) {
      const value = this.host.attribute(object, name)
      return value === undefined ? new BoundMethod(object, name) : value
    }
    if (object instanceof NamedTuple && object.names.includes(name)) return object.items[object.names.indexOf(name)]
    throw new TypeError(`${describe(object)} has no attribute '${name}'`)
  }

  private async spread(expr: Expr): Promise<readonly PyValue[]> {
    return itemsOf(await this.evaluate(expr))
  }

  private async key(expr: Expr): Promise<string> {
    const key = await this.evaluate(expr)
    if (typeof key !== 'string') throw new TypeError(`keys of a dict are strings here, got ${describe(key)}`)
    return key
  }

  private async bound(expr: Expr | null): Promise<number | null> {
    const value = expr && (await this.evaluate(expr))
    if (value !== null && typeof value !== 'number')
      throw new TypeError(`the bounds of a slice are integers, got ${describe(value)}`)
    return value
  }

  private async callArgs(args: readonly Argument[]): Promise<CallArgs> {
    const positional: PyValue[] = []
    const keywords = new Map<string, PyValue>()
    for (const arg of args) {
      if (arg.kind === 'positional') positional.push(await this.evaluate(arg.value))
      else if (arg.kind === 'unpack') positional.push(...(await this.spread(arg.value)))
      else if (arg.kind === 'keyword') keywords.set(arg.name, await this.evaluate(arg.value))
      else for (const [name, value] of await this.dict(arg.value)) keywords.set(name, value)
    }
    return { positional, keywords }
  }

  private async dict(expr: Expr): Promise<PyDict> {
    const value = await this.evaluate(expr)
    if (!(value instanceof Map)) throw new TypeError(`** unpacks a dict, got ${describe(value)}`)
    return value
  }

  private call(target: PyValue, args: CallArgs): PyValue | Promise<PyValue> {
    if (target instanceof Path) return this.host.call(target.text, args)
    if (target instanceof BoundMethod) return this.host.method(target.receiver, target.name, args)
    throw new TypeError(`${describe(target)} cannot be called`)
  }

  private async subscript(object: PyValue, index: Expr): Promise<PyValue> {
    const key = await this.evaluate(index)
    // A tuple indexes dimension by dimension; a list is one index array.
    if (object instanceof Tensor) return this.host.index(object, index.kind === 'tuple' ? itemsOf(key) : [key])
    if (object instanceof Map) {
      const value = object.get(String(key)) as PyValue | undefined
      if (value === undefined) throw new RangeError(`no key ${describe(key)} in the dict`)
      return value
    }
    if (typeof key !== 'number') throw new TypeError(`an integer selects from a tuple, got ${describe(key)}`)
    const item = itemsOf(object).at(key)
    if (item === undefined) throw new RangeError(`index ${key} is out of a tuple of ${itemsOf(object).length}`)
    return item
  }

  private unary(op: UnaryOp, operand: PyValue): PyValue {
    if (operand instanceof Tensor) return this.host.unary(op, operand)
    if (typeof operand !== 'number') throw new TypeError(`${op} needs a number or tensor, got ${describe(operand)}`)
    return op === '-' ? -operand : op === '~' ? ~operand : operand
  }

  private binary(op: BinaryOp, left: PyValue, right: PyValue): PyValue {
    if (left instanceof Tensor || right instanceof Tensor) return this.host.binary(op, left, right)
    if (typeof left === 'number' && typeof right === 'number') return NUMBER_OPS[op](left, right)
    if (op === '*' && isSequence(left) && typeof right === 'number') {
      const items = itemsOf(left)
      return Array.from({ length: Math.max(0, right) * items.length }, (_, i) => items[i % items.length])
    }
    if (op === '+' && isSequence(left) && isSequence(right)) return [...itemsOf(left), ...itemsOf(right)]
    throw new TypeError(`${describe(left)} ${op} ${describe(right)} is not in the subset`)
  }

  private compare(op: CompareOp, left: PyValue, right: PyValue): PyValue {
    if (left instanceof Tensor || right instanceof Tensor) return this.host.binary(op, left, right)
    return NUMBER_COMPARISONS[op](left, right)
  }

  private async comprehension({ key, value, target, iterable }: Comprehension): Promise<PyValue> {
    const items: PyValue[] = []
    const dict = new Map<string, PyValue>()
    for (const item of await this.spread(iterable)) {
      const inner = new Evaluator(this.host, new Map([...this.scope, [target, item]]))
      const result = await inner.evaluate(value)
      if (key === null) items.push(result)
      else dict.set(await inner.key(key), result)
    }
    return key === null ? items : dict
  }
}

type Comprehension = Extract<Expr, { kind: 'comprehension' }>

/** Evaluates `expr` with `scope` for its free names; all others are looked up in `host`. */
export const evaluatePython = (expr: Expr, scope: Scope, host: Host): Promise<PyValue> =>
  new Evaluator(host, scope).evaluate(expr)
