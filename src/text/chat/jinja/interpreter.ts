import { getAttribute, getItem, getSlice } from './access.js'
import type { Arguments, BlockFilter, Body, Expression, Parameters, Statement, Target } from './ast.js'
import { SecurityError, TemplateRuntimeError, ValueError } from './errors.js'
import { type Environment, FILTERS } from './filters/index.js'
import { LoopContext } from './loop.js'
import { makeMacro } from './macro.js'
import { binary, checkSize, compare, unary } from './operators.js'
import { str } from './repr.js'
import { Scope } from './scope.js'
import { type Names, TESTS } from './tests.js'
import {
  type CallArguments,
  Callable,
  Dict,
  iterate,
  listOf,
  Namespace,
  Tuple,
  truthy,
  typeName,
  Undefined,
  type Value,
} from './values.js'
import { spend, spendText, startWork } from './work.js'

/** Work of one statement, call or round of a loop. */
const STEP = 8
const MAX_CALLS = 200

/** How a statement ended. */
type Flow = 'next' | 'break' | 'continue'

/** Spans of the text, in code points, that `{% generation %}` blocks wrote. */
export type GenerationSpans = [start: number, end: number][]

/** Renders a parsed template. Work, output and depth are bounded, so that a hostile template ends in an error. */
export class Interpreter implements Environment, Names {
  private out: string[] = []
  private written = 0
  private calls = 0
  /** Written by the template itself, not within a macro or captured block. */
  private direct = true
  readonly generations: GenerationSpans = []

  constructor(private readonly globals: ReadonlyMap<string, Value>) {}

  render(body: Body): string {
    startWork()
    try {
      this.run(body, new Scope(this.globals))
    } catch (error) {
      if (error instanceof RangeError && /call stack/i.test(error.message))
        throw new SecurityError('the template nests or recurses too deep')
      throw error
    }
    return this.out.join('')
  }

  step(): void {
    spend(STEP)
  }

  hasFilter(name: string): boolean {
    return Object.hasOwn(FILTERS, name)
  }

  hasTest(name: string): boolean {
    return Object.hasOwn(TESTS, name)
  }

  filter(name: string, value: Value, args: CallArguments): Value {
    this.step()
    if (!this.hasFilter(name)) throw new TemplateRuntimeError(`No filter named '${name}' found.`)
    if (typeof value === 'string') spendText(value)
    const result = FILTERS[name](value, args, this)
    if (typeof result === 'string') spendText(result)
    return result
  }

  test(name: string, value: Value, args: CallArguments): boolean {
    this.step()
    if (!this.hasTest(name)) throw new TemplateRuntimeError(`No test named '${name}' found.`)
    return TESTS[name](value, args, this)
  }

  private write(text: string): void {
    this.written += text.length
    checkSize(this.written)
    spendText(text)
    this.out.push(text)
  }

  /** What running a body writes. */
  private capture(run: () => void): string {
    const { out, direct } = this
    this.out = []
    this.direct = false
    try {
      run()
      return this.out.join('')
    } finally {
      this.out = out
      this.direct = direct
    }
  }

  private run(body: Body, scope: Scope): Flow {
    for (const statement of body) {
      const flow = this.statement(statement, scope)
      if (flow !== 'next') return flow
    }
    return 'next'
  }

  private statement(node: Statement, scope: Scope): Flow {
    this.step()
    switch (node.kind) {
      case 'text':
        this.write(node.text)
        return 'next'
      case 'output':
        this.write(str(this.evaluate(node.value, scope)))
        return 'next'
      case 'if':
        return this.branch(node, scope)
      case 'for':
        this.loop(node, this.evaluate(node.iterable, scope), scope, 0)
        return 'next'
      case 'set':
        if (node.target.kind === 'namespace') this.namespaceOf(node.target.name, scope)
        this.assign(node.target, this.evaluate(node.value, scope), scope)
        return 'next'
      case 'setblock':
        this.assign(node.target, this.block(node.filters, node.body, scope), scope)
        return 'next'
      case 'with':
        return this.with(node, scope)
      case 'macro':
        scope.set(node.name, this.macro(node.name, node.parameters, node.body, scope))
        return 'next'
      case 'callblock':
        this.callBlock(node, scope)
        return 'next'
      case 'filterblock':
        this.write(str(this.block(node.filters, node.body, scope)))
        return 'next'
      case 'generation':
        this.generation(node.body, scope)
        return 'next'
      case 'scope':
        return this.run(node.body, new Scope(scope))
      case 'unloadable':
        throw new TypeError('no loader for this environment specified')
      case 'break':
      case 'continue':
        return node.kind
      default:
        return node satisfies never
    }
  }

  private branch({ branches, otherwise }: Extract<Statement, { kind: 'if' }>, scope: Scope): Flow {
    for (const [test, body] of branches) if (truthy(this.evaluate(test, scope))) return this.run(body, scope)
    return this.run(otherwise, scope)
  }

  /** Text of a body, through filters. */
  private block(filters: BlockFilter, body: Body, scope: Scope): Value {
    let value: Value = this.capture(() => this.run(body, new Scope(scope)))
    for (const { name, args } of filters) value = this.filter(name, value, this.arguments(args, scope))
    return value
  }

  private with({ targets, values, body }: Extract<Statement, { kind: 'with' }>, scope: Scope): Flow {
    const given = values.map((value) => this.evaluate(value, scope))
    const inner = new Scope(scope)
    for (const [i, target] of targets.entries()) this.assign(target, given[i], inner)
    return this.run(body, inner)
  }

  private generation(body: Body, scope: Scope): void {
    const text = this.capture(() => this.run(body, new Scope(scope)))
    if (this.direct) {
      const start = [...this.out.join('')].length
      this.generations.push([start, start + [...text].length])
    }
    this.write(text)
  }

  private namespaceOf(name: string, scope: Scope): Namespace {
    const object = scope.get(name)
    if (object instanceof Namespace) return object
    throw new TemplateRuntimeError('cannot assign attribute on non-namespace object')
  }

  private assign(target: Target, value: Value, scope: Scope): void {
    if (target.kind === 'name') scope.set(target.name, value)
    else if (target.kind === 'namespace') {
      this.namespaceOf(target.name, scope).set(target.attribute, value)
    } else {
      const items = listOf(value)
      const count = target.items.length
      if (items.length > count) throw new ValueError(`too many values to unpack (expected ${count})`)
      if (items.length < count)
        throw new ValueError(`not enough values to unpack (expected ${count}, got ${items.length})`)
      for (const [i, item] of target.items.entries()) this.assign(item, items[i], scope)
    }
  }

  private *kept(node: Extract<Statement, { kind: 'for' }>, items: Iterable<Value>, scope: Scope): Generator<Value> {
    for (const item of items) {
      this.step()
      const inner = new Scope(scope)
      this.assign(node.target, item, inner)
      if (!node.test || truthy(this.evaluate(node.test, inner))) yield item
    }
  }

  private loop(node: Extract<Statement, { kind: 'for' }>, items: Value, scope: Scope, depth: number): void {
    const source = iterate(items)
    const sized = !node.test && (Array.isArray(items) || items instanceof Tuple || items instanceof Dict)
    const length = sized ? Array.from(source).length : null
    const recurse = node.recursive
      ? (inner: Value, level: number): string =>
          this.guarded(() => this.capture(() => this.loop(node, inner, scope, level)))
      : null
    const loop = new LoopContext(node.test ? this.kept(node, source, scope) : source, length, recurse, depth)
    let ran = false
    for (let item = loop.advance(); item !== undefined; item = loop.advance()) {
      this.step()
      ran = true
      const inner = new Scope(scope)
      inner.set('loop', loop)
      this.assign(node.target, item, inner)
      if (this.run(node.body, inner) === 'break') break
    }
    if (!ran) this.run(node.otherwise, new Scope(scope))
  }

  /** Bounds how deep calls nest. */
  private guarded<T>(call: () => T): T {
    if (++this.calls > MAX_CALLS)
      throw new SecurityError(`macros and loops may not call one another more than ${MAX_CALLS} deep`)
    try {
      return call()
    } finally {
      this.calls--
    }
  }

  private macro(name: string, parameters: Parameters, body: Body, scope: Scope): Callable {
    return makeMacro(name, parameters, body, (prepare) =>
      this.guarded(() => {
        const inner = new Scope(scope)
        prepare(inner, (expression) => this.evaluate(expression, inner))
        return this.capture(() => this.run(body, inner))
      }),
    )
  }

  private callBlock({ call, parameters, body }: Extract<Statement, { kind: 'callblock' }>, scope: Scope): void {
    if (call.kind !== 'call') throw new TemplateRuntimeError('expected call')
    const args = this.arguments(call.args, scope)
    const keywords = new Map(args.keywords).set('caller', this.macro('caller', parameters, body, scope))
    this.write(str(this.call(this.evaluate(call.callee, scope), { positional: args.positional, keywords })))
  }

  private call(callee: Value, args: CallArguments): Value {
    this.step()
    if (callee instanceof Undefined) return callee.fail()
    if (callee instanceof Callable) return callee.call(args)
    if (callee instanceof LoopContext) {
      if (!callee.recurse) throw new TypeError("The loop must have the 'recursive' marker to be called recursively.")
      return callee.recurse(args.positional[0] ?? null, callee.depth)
    }
    throw new TypeError(`'${typeName(callee)}' object is not callable`)
  }

  private arguments({ positional, keywords, rest, restKeywords }: Arguments, scope: Scope): CallArguments {
    const values = positional.map((node) => this.evaluate(node, scope))
    const named = new Map(keywords.map(([name, node]) => [name, this.evaluate(node, scope)] as const))
    if (rest) values.push(...listOf(this.evaluate(rest, scope)))
    if (restKeywords) {
      const more = this.evaluate(restKeywords, scope)
      if (!(more instanceof Dict)) throw new TypeError(`argument after ** must be a mapping, not ${typeName(more)}`)
      for (const [name, value] of more.pairs()) named.set(str(name), value)
    }
    return { positional: values, keywords: named }
  }

  private evaluate(node: Expression, scope: Scope): Value {
    switch (node.kind) {
      case 'constant':
        return node.value
      case 'name':
        return scope.get(node.name)
      case 'list':
        return node.items.map((item) => this.evaluate(item, scope))
      case 'tuple':
        return new Tuple(node.items.map((item) => this.evaluate(item, scope)))
      case 'dict':
        return Dict.of(
          node.entries.map(([key, value]) => [this.evaluate(key, scope), this.evaluate(value, scope)] as const),
        )
      case 'attribute':
        return getAttribute(this.evaluate(node.object, scope), node.name)
      case 'item':
        return getItem(this.evaluate(node.object, scope), this.evaluate(node.key, scope))
      case 'slice':
        return this.slice(node, scope)
      case 'call':
        return this.call(this.evaluate(node.callee, scope), this.arguments(node.args, scope))
      case 'filter':
        return this.filter(node.name, this.evaluate(node.input, scope), this.arguments(node.args, scope))
      case 'test':
        return this.test(node.name, this.evaluate(node.input, scope), this.arguments(node.args, scope)) !== node.negated
      case 'binary':
        return binary(node.operator, this.evaluate(node.left, scope), this.evaluate(node.right, scope))
      case 'unary':
        return unary(node.operator, this.evaluate(node.operand, scope))
      case 'concat':
        return this.concat(node.parts.map((part) => str(this.evaluate(part, scope))))
      case 'not':
        return !truthy(this.evaluate(node.operand, scope))
      case 'and':
      case 'or': {
        const left = this.evaluate(node.left, scope)
        return truthy(left) === (node.kind === 'or') ? left : this.evaluate(node.right, scope)
      }
      case 'compare':
        return this.compare(node, scope)
      case 'conditional':
        return this.conditional(node, scope)
      default:
        return node satisfies never
    }
  }

  private concat(parts: readonly string[]): string {
    checkSize(parts.reduce((sum, part) => sum + part.length, 0))
    const text = parts.join('')
    spendText(text)
    return text
  }

  private slice({ object, bounds }: Extract<Expression, { kind: 'slice' }>, scope: Scope): Value {
    const value = this.evaluate(object, scope)
    const [start, stop, step] = bounds.map((bound) => (bound ? this.evaluate(bound, scope) : null))
    return getSlice(value, [start, stop, step])
  }

  private compare({ first, rest }: Extract<Expression, { kind: 'compare' }>, scope: Scope): boolean {
    let left = this.evaluate(first, scope)
    for (const [operator, node] of rest) {
      const right = this.evaluate(node, scope)
      if (!compare(operator, left, right)) return false
      left = right
    }
    return true
  }

  private conditional(node: Extract<Expression, { kind: 'conditional' }>, scope: Scope): Value {
    if (truthy(this.evaluate(node.test, scope))) return this.evaluate(node.value, scope)
    if (node.otherwise) return this.evaluate(node.otherwise, scope)
    return new Undefined(
      `the inline if-expression on line ${node.line} evaluated to false and no else section was defined.`,
    )
  }
}
