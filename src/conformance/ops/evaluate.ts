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
  call(path: string, args: CallArgs): PyValue
  method(receiver: Tensor, name: string, args: CallArgs): PyValue
  /** Value of a dotted name that is not called, such as `torch.bool`; undefined where there is none. */
  constant(path: string): PyValue | undefined
  /** Undefined where `name` is a method. */
  attribute(receiver: Tensor, name: string): PyValue | undefined
  /** One item a dimension: `x[i, j]` has two, `x[[i, j]]` has one, a list. */
  index(receiver: Tensor, items: readonly PyValue[]): Tensor
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

  evaluate(expr: Expr): PyValue {
    switch (expr.kind) {
      case 'number':
      case 'string':
      case 'constant':
        return expr.value
      case 'ellipsis':
        return ELLIPSIS
      case 'name':
        return this.name(expr.name)
      case 'attribute':
        return this.attribute(this.evaluate(expr.object), expr.name)
      case 'call':
        return this.call(expr.callee, expr.args)
      case 'subscript':
        return this.subscript(this.evaluate(expr.object), expr.index)
      case 'slice':
        return new SliceValue(this.bound(expr.lower), this.bound(expr.upper), this.bound(expr.step))
      case 'tuple':
      case 'list':
        return this.sequence(expr.items)
      case 'dict':
        return new Map(expr.entries.map(([key, value]) => [this.key(key), this.evaluate(value)]))
      case 'starred':
        throw new TypeError('* unpacks inside a call, tuple or list only')
      case 'unary':
        return this.unary(expr.op, this.evaluate(expr.operand))
      case 'binary':
        return this.binary(expr.op, this.evaluate(expr.left), this.evaluate(expr.right))
      case 'compare':
        return this.compare(expr.op, this.evaluate(expr.left), this.evaluate(expr.right))
      case 'boolean': {
        const left = this.evaluate(expr.left)
        return truthy(left) === (expr.op === 'or') ? left : this.evaluate(expr.right)
      }
      case 'not':
        return !truthy(this.evaluate(expr.operand))
      case 'comprehension':
        return this.comprehension(expr)
      default:
        return expr satisfies never
    }
  }

  private sequence(items: readonly Expr[]): readonly PyValue[] {
    const values: PyValue[] = []
    for (const item of items) {
      if (item.kind === 'starred') values.push(...this.spread(item.value))
      else values.push(this.evaluate(item))
    }
    return values
  }

  private name(name: string): PyValue {
    const bound = this.scope.get(name)
    return bound === undefined ? this.path(name) : bound
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

  private spread(expr: Expr): readonly PyValue[] {
    return itemsOf(this.evaluate(expr))
  }

  private key(expr: Expr): string {
    const key = this.evaluate(expr)
    if (typeof key !== 'string') throw new TypeError(`keys of a dict are strings here, got ${describe(key)}`)
    return key
  }

  private bound(expr: Expr | null): number | null {
    const value = expr && this.evaluate(expr)
    if (value !== null && typeof value !== 'number')
      throw new TypeError(`the bounds of a slice are integers, got ${describe(value)}`)
    return value
  }

  private callArgs(args: readonly Argument[]): CallArgs {
    const positional: PyValue[] = []
    const keywords = new Map<string, PyValue>()
    for (const arg of args) {
      if (arg.kind === 'positional') positional.push(this.evaluate(arg.value))
      else if (arg.kind === 'unpack') positional.push(...this.spread(arg.value))
      else if (arg.kind === 'keyword') keywords.set(arg.name, this.evaluate(arg.value))
      else for (const [name, value] of this.dict(arg.value)) keywords.set(name, value)
    }
    return { positional, keywords }
  }

  private dict(expr: Expr): PyDict {
    const value = this.evaluate(expr)
    if (!(value instanceof Map)) throw new TypeError(`** unpacks a dict, got ${describe(value)}`)
    return value
  }

  private call(callee: Expr, args: readonly Argument[]): PyValue {
    const target = this.evaluate(callee)
    if (target instanceof Path) return this.host.call(target.text, this.callArgs(args))
    if (target instanceof BoundMethod) return this.host.method(target.receiver, target.name, this.callArgs(args))
    throw new TypeError(`${describe(target)} cannot be called`)
  }

  private subscript(object: PyValue, index: Expr): PyValue {
    if (object instanceof Tensor) {
      // A tuple indexes dimension by dimension; a list is one index array.
      const items: readonly PyValue[] = index.kind === 'tuple' ? itemsOf(this.evaluate(index)) : [this.evaluate(index)]
      return this.host.index(object, items)
    }
    const key = this.evaluate(index)
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
    if (op === '*' && isSequence(left) && typeof right === 'number')
      return Array.from(
        { length: Math.max(0, right) * itemsOf(left).length },
        (_, i) => itemsOf(left)[i % itemsOf(left).length],
      )
    if (op === '+' && isSequence(left) && isSequence(right)) return [...itemsOf(left), ...itemsOf(right)]
    throw new TypeError(`${describe(left)} ${op} ${describe(right)} is not in the subset`)
  }

  private compare(op: CompareOp, left: PyValue, right: PyValue): PyValue {
    if (left instanceof Tensor || right instanceof Tensor) return this.host.binary(op, left, right)
    return NUMBER_COMPARISONS[op](left, right)
  }

  private comprehension(expr: Extract<Expr, { kind: 'comprehension' }>): PyValue {
    const inner = this.spread(expr.iterable).map(
      (item) => new Evaluator(this.host, new Map([...this.scope, [expr.target, item]])),
    )
    const { key, value } = expr
    if (key === null) return inner.map((evaluator) => evaluator.evaluate(value))
    return new Map(inner.map((evaluator) => [evaluator.key(key), evaluator.evaluate(value)]))
  }
}

/** Evaluates `expr` with `scope` for its free names; all others are looked up in `host`. */
export const evaluatePython = (expr: Expr, scope: Scope, host: Host): PyValue =>
  new Evaluator(host, scope).evaluate(expr)
