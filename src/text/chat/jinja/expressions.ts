import type { Arguments, BinaryOperator, ComparisonOperator, Expression } from './ast.js'
import type { TokenStream } from './tokens.js'

// Reference: jinja2.parser: the same precedence, power to the left included.

const COMPARISONS = ['==', '!=', '<', '<=', '>', '>=']

export const NO_ARGUMENTS: Arguments = { positional: [], keywords: [], rest: null, restKeywords: null }

export interface TupleOptions {
  /** Whether `a if b else c` may stand in it. */
  readonly conditional?: boolean
  /** Whether it may be empty, in parentheses. */
  readonly parenthesised?: boolean
}

export class ExpressionParser {
  constructor(protected readonly stream: TokenStream) {}

  expression(conditional = true): Expression {
    return this.stream.nested(() => (conditional ? this.conditional() : this.or()))
  }

  private conditional(): Expression {
    const { line } = this.stream.current
    let value = this.or()
    while (this.stream.skip('name', 'if')) {
      const test = this.or()
      const otherwise = this.stream.skip('name', 'else') ? this.stream.nested(() => this.conditional()) : null
      value = { kind: 'conditional', test, value, otherwise, line }
    }
    return value
  }

  private or(): Expression {
    let left = this.and()
    while (this.stream.skip('name', 'or')) left = { kind: 'or', left, right: this.and() }
    return left
  }

  private and(): Expression {
    let left = this.not()
    while (this.stream.skip('name', 'and')) left = { kind: 'and', left, right: this.not() }
    return left
  }

  private not(): Expression {
    if (!this.stream.skip('name', 'not')) return this.compare()
    return { kind: 'not', operand: this.stream.nested(() => this.not()) }
  }

  private comparison(): ComparisonOperator | null {
    if (this.stream.isOperator(...COMPARISONS)) return this.stream.next().text as ComparisonOperator
    if (this.stream.skip('name', 'in')) return 'in'
    const { type, text } = this.stream.look()
    if (!this.stream.isName('not') || type !== 'name' || text !== 'in') return null
    this.stream.next()
    this.stream.next()
    return 'not in'
  }

  private compare(): Expression {
    const first = this.sum()
    const rest: [ComparisonOperator, Expression][] = []
    for (let op = this.comparison(); op; op = this.comparison()) rest.push([op, this.sum()])
    return rest.length === 0 ? first : { kind: 'compare', first, rest }
  }

  private binary(operators: readonly string[], operand: () => Expression): Expression {
    let left = operand()
    while (this.stream.isOperator(...operators)) {
      const operator = this.stream.next().text as BinaryOperator
      left = { kind: 'binary', operator, left, right: operand() }
    }
    return left
  }

  private sum(): Expression {
    return this.binary(['+', '-'], () => this.concat())
  }

  private concat(): Expression {
    const parts = [this.product()]
    while (this.stream.skip('operator', '~')) parts.push(this.product())
    return parts.length === 1 ? parts[0] : { kind: 'concat', parts }
  }

  private product(): Expression {
    return this.binary(['*', '/', '//', '%'], () => this.binary(['**'], () => this.unary(true)))
  }

  private unary(withFilter: boolean): Expression {
    let node: Expression
    if (this.stream.isOperator('-', '+')) {
      const operator = this.stream.next().text as '-' | '+'
      node = { kind: 'unary', operator, operand: this.stream.nested(() => this.unary(false)) }
    } else node = this.primary()
    node = this.postfix(node)
    return withFilter ? this.filtered(node) : node
  }

  private primary(): Expression {
    const token = this.stream.current
    if (token.type === 'name') return this.nameOrConstant()
    if (token.type === 'string') {
      let value = ''
      while (this.stream.is('string')) value += this.stream.next().text
      return { kind: 'constant', value }
    }
    if (token.type === 'integer' || token.type === 'float') {
      this.stream.next()
      return {
        kind: 'constant',
        value: token.type === 'integer' ? BigInt(token.text.toLowerCase()) : Number(token.text),
      }
    }
    if (this.stream.skip('operator', '(')) {
      const value = this.tuple({ parenthesised: true })
      this.stream.expect('operator', ')')
      return value
    }
    if (this.stream.isOperator('[')) return { kind: 'list', items: this.items('[', ']', () => this.expression()) }
    if (this.stream.isOperator('{')) {
      const entries = this.items('{', '}', (): readonly [Expression, Expression] => {
        const key = this.expression()
        this.stream.expect('operator', ':')
        return [key, this.expression()]
      })
      return { kind: 'dict', entries }
    }
    throw this.stream.unexpected()
  }

  private nameOrConstant(): Expression {
    const { text } = this.stream.next()
    const constants: Readonly<Record<string, boolean | null>> = {
      true: true,
      True: true,
      false: false,
      False: false,
      none: null,
      None: null,
    }
    return Object.hasOwn(constants, text) ? { kind: 'constant', value: constants[text] } : { kind: 'name', name: text }
  }

  /** What stands between brackets, separated by commas; one may follow the last. */
  private items<T>(open: string, close: string, item: () => T): T[] {
    this.stream.expect('operator', open)
    const found: T[] = []
    while (!this.stream.isOperator(close)) {
      if (found.length > 0) this.stream.expect('operator', ',')
      if (this.stream.isOperator(close)) break
      found.push(item())
    }
    this.stream.expect('operator', close)
    return found
  }

  private atTupleEnd(): boolean {
    const { type } = this.stream.current
    return type === 'variable_end' || type === 'block_end' || this.stream.isOperator(')')
  }

  /** An expression, or several separated by commas. */
  tuple({ conditional = true, parenthesised = false }: TupleOptions = {}): Expression {
    const items: Expression[] = []
    let commas = false
    for (;;) {
      if (items.length > 0) this.stream.expect('operator', ',')
      if (this.atTupleEnd()) break
      items.push(this.expression(conditional))
      if (!this.stream.isOperator(',')) break
      commas = true
    }
    if (commas) return { kind: 'tuple', items }
    if (items.length > 0) return items[0]
    if (!parenthesised) throw this.stream.error('Expected an expression')
    return { kind: 'tuple', items }
  }

  private postfix(node: Expression): Expression {
    let value = node
    for (;;) {
      if (this.stream.isOperator('.', '[')) value = this.subscript(value)
      else if (this.stream.isOperator('(')) value = { kind: 'call', callee: value, args: this.arguments() }
      else return value
    }
  }

  private filtered(node: Expression): Expression {
    let value = node
    for (;;) {
      if (this.stream.skip('operator', '|')) value = { kind: 'filter', input: value, ...this.filter() }
      else if (this.stream.skip('name', 'is')) value = this.test(value)
      else if (this.stream.isOperator('(')) value = { kind: 'call', callee: value, args: this.arguments() }
      else return value
    }
  }

  private dottedName(): string {
    let name = this.stream.expect('name').text
    while (this.stream.skip('operator', '.')) name += `.${this.stream.expect('name').text}`
    return name
  }

  /** Name and arguments of a filter, after '|'. */
  filter(): { name: string; args: Arguments } {
    const name = this.dottedName()
    return { name, args: this.stream.isOperator('(') ? this.arguments() : NO_ARGUMENTS }
  }

  private test(input: Expression): Expression {
    const negated = this.stream.skip('name', 'not')
    const name = this.dottedName()
    return { kind: 'test', input, name, args: this.testArguments(), negated }
  }

  /** In parentheses, or one operand without: `is divisibleby 3`. */
  private testArguments(): Arguments {
    if (this.stream.isOperator('(')) return this.arguments()
    const { type } = this.stream.current
    const starts = ['name', 'string', 'integer', 'float'].includes(type) || this.stream.isOperator('(', '[', '{')
    if (!starts || this.stream.isName('else', 'or', 'and')) return NO_ARGUMENTS
    if (this.stream.isName('is')) throw this.stream.error('You cannot chain multiple tests with is')
    return { ...NO_ARGUMENTS, positional: [this.postfix(this.primary())] }
  }

  private subscript(object: Expression): Expression {
    if (this.stream.skip('operator', '.')) {
      if (this.stream.is('integer'))
        return { kind: 'item', object, key: { kind: 'constant', value: BigInt(this.stream.next().text) } }
      return { kind: 'attribute', object, name: this.stream.expect('name').text }
    }
    this.stream.expect('operator', '[')
    const result = this.subscribed(object)
    this.stream.expect('operator', ']')
    return result
  }

  private subscribed(object: Expression): Expression {
    const part = (): Expression | null => (this.stream.isOperator(':', ']') ? null : this.expression())
    const first = part()
    if (!this.stream.skip('operator', ':')) {
      if (!first) return { kind: 'item', object, key: { kind: 'tuple', items: [] } }
      if (!this.stream.isOperator(',')) return { kind: 'item', object, key: first }
      const items = [first]
      while (this.stream.skip('operator', ',')) items.push(this.expression())
      return { kind: 'item', object, key: { kind: 'tuple', items } }
    }
    const stop = part()
    const step = this.stream.skip('operator', ':') ? part() : null
    return { kind: 'slice', object, bounds: [first, stop, step] }
  }

  arguments(): Arguments {
    const { line } = this.stream.current
    const positional: Expression[] = []
    const keywords: [string, Expression][] = []
    let [rest, restKeywords]: [Expression | null, Expression | null] = [null, null]
    this.items('(', ')', () => {
      const invalid = (): Error => this.stream.error('invalid syntax for function call expression', line)
      const next = this.stream.look()
      if (this.stream.skip('operator', '*')) {
        if (rest || restKeywords) throw invalid()
        rest = this.expression()
      } else if (this.stream.skip('operator', '**')) {
        if (restKeywords) throw invalid()
        restKeywords = this.expression()
      } else if (this.stream.is('name') && next.type === 'operator' && next.text === '=') {
        if (restKeywords) throw invalid()
        const name = this.stream.next().text
        this.stream.next()
        keywords.push([name, this.expression()])
      } else {
        if (rest || restKeywords || keywords.length > 0) throw invalid()
        positional.push(this.expression())
      }
    })
    return { positional, keywords, rest, restKeywords }
  }
}
