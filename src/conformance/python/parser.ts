import { type Argument, type BinaryOp, type CompareOp, type Expr, PythonSyntaxError, type UnaryOp } from './ast.js'
import { type Token, tokenize } from './lexer.js'

/** Left-associative operators from loosest to tightest binding. */
const BINARY_LEVELS: readonly (readonly BinaryOp[])[] = [
  ['|'],
  ['^'],
  ['&'],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '//', '%', '@'],
]
const COMPARISONS: readonly CompareOp[] = ['<', '>', '<=', '>=', '==', '!=']
const UNARY: readonly UnaryOp[] = ['-', '+', '~']
const CONSTANTS: Readonly<Record<string, boolean | null>> = { True: true, False: false, None: null }
/** Expressions nest at most this deep: hostile text must not overflow the stack. */
const MAX_DEPTH = 200

class Parser {
  private next = 0
  private depth = 0
  private readonly tokens: readonly Token[]

  constructor(private readonly source: string) {
    this.tokens = tokenize(source)
  }

  whole(): Expr {
    const expr = this.items(() => this.expression(), 'end')
    if (this.peek.kind !== 'end') this.fail('an operator or the end')
    return expr
  }

  private get peek(): Token {
    return this.tokens[this.next]
  }

  private isOp(text: string): boolean {
    return this.peek.kind === 'op' && this.peek.text === text
  }

  private isWord(text: string): boolean {
    return this.peek.kind === 'name' && this.peek.text === text
  }

  private accept(text: string): boolean {
    if (!this.isOp(text)) return false
    this.next++
    return true
  }

  private acceptWord(text: string): boolean {
    if (!this.isWord(text)) return false
    this.next++
    return true
  }

  private expect(text: string): void {
    if (!this.accept(text)) this.fail(`'${text}'`)
  }

  private name(): string {
    if (this.peek.kind !== 'name') this.fail('a name')
    return this.tokens[this.next++].text
  }

  private fail(expected: string): never {
    const { text, at, kind } = this.peek
    const got = kind === 'end' ? 'the end' : `'${text}'`
    throw new PythonSyntaxError(
      `expected ${expected}, got ${got} at column ${at + 1} of ${JSON.stringify(this.source)}`,
    )
  }

  /** One item, or a tuple where a comma follows. `close` may follow a trailing comma. */
  private items(item: () => Expr, close: string): Expr {
    const first = item()
    if (!this.isOp(',')) return first
    const items = [first]
    while (this.accept(',')) {
      if (this.isOp(close) || this.peek.kind === 'end') break
      items.push(item())
    }
    return { kind: 'tuple', items }
  }

  private nested(parse: () => Expr): Expr {
    if (++this.depth > MAX_DEPTH) throw new PythonSyntaxError(`an expression nests deeper than ${MAX_DEPTH}`)
    const expr = parse()
    this.depth--
    return expr
  }

  private expression(): Expr {
    return this.nested(() => this.or())
  }

  private or(): Expr {
    let left = this.and()
    while (this.acceptWord('or')) left = { kind: 'boolean', op: 'or', left, right: this.and() }
    return left
  }

  private and(): Expr {
    let left = this.not()
    while (this.acceptWord('and')) left = { kind: 'boolean', op: 'and', left, right: this.not() }
    return left
  }

  private not(): Expr {
    return this.acceptWord('not') ? { kind: 'not', operand: this.nested(() => this.not()) } : this.comparison()
  }

  private comparison(): Expr {
    const left = this.binary(0)
    const op = COMPARISONS.find((candidate) => this.isOp(candidate))
    if (!op) return left
    this.next++
    return { kind: 'compare', op, left, right: this.binary(0) }
  }

  private binary(level: number): Expr {
    if (level === BINARY_LEVELS.length) return this.unary()
    let left = this.binary(level + 1)
    for (;;) {
      const op = BINARY_LEVELS[level].find((candidate) => this.isOp(candidate))
      if (!op) return left
      this.next++
      left = { kind: 'binary', op, left, right: this.binary(level + 1) }
    }
  }

  private unary(): Expr {
    const op = UNARY.find((candidate) => this.isOp(candidate))
    if (!op) return this.power()
    this.next++
    return { kind: 'unary', op, operand: this.nested(() => this.unary()) }
  }

  /** `**` binds tighter than a sign on its left and looser than one on its right. */
  private power(): Expr {
    const base = this.postfix()
    return this.accept('**') ? { kind: 'binary', op: '**', left: base, right: this.nested(() => this.unary()) } : base
  }

  private postfix(): Expr {
    let object = this.atom()
    for (;;) {
      if (this.accept('.')) object = { kind: 'attribute', object, name: this.name() }
      else if (this.accept('(')) object = { kind: 'call', callee: object, args: this.args() }
      else if (this.accept('[')) {
        object = { kind: 'subscript', object, index: this.items(() => this.indexItem(), ']') }
        this.expect(']')
      } else return object
    }
  }

  private args(): Argument[] {
    const args: Argument[] = []
    while (!this.isOp(')')) {
      args.push(this.argument())
      if (!this.accept(',')) break
    }
    this.expect(')')
    return args
  }

  private argument(): Argument {
    if (this.accept('**')) return { kind: 'unpackKeywords', value: this.expression() }
    if (this.accept('*')) return { kind: 'unpack', value: this.expression() }
    const following = this.tokens[this.next + 1]
    if (this.peek.kind === 'name' && following.kind === 'op' && following.text === '=') {
      const name = this.name()
      this.expect('=')
      return { kind: 'keyword', name, value: this.expression() }
    }
    return { kind: 'positional', value: this.expression() }
  }

  private indexItem(): Expr {
    const ends = (): boolean => this.isOp(':') || this.isOp(',') || this.isOp(']')
    const lower = ends() ? null : this.expression()
    if (!this.accept(':')) return lower ?? this.fail('an index')
    const upper = ends() ? null : this.expression()
    const step = this.accept(':') && !ends() ? this.expression() : null
    return { kind: 'slice', lower, upper, step }
  }

  private atom(): Expr {
    const token = this.peek
    if (token.kind === 'end') this.fail('an expression')
    this.next++
    if (token.kind === 'number') return { kind: 'number', value: Number(token.text.replaceAll('_', '')) }
    if (token.kind === 'string') return { kind: 'string', value: token.text }
    if (token.kind === 'name') {
      if (token.text in CONSTANTS) return { kind: 'constant', value: CONSTANTS[token.text] }
      return { kind: 'name', name: token.text }
    }
    if (token.text === '...') return { kind: 'ellipsis' }
    if (token.text === '(') return this.parenthesized()
    if (token.text === '[') return this.list()
    if (token.text === '{') return this.dict()
    this.next--
    return this.fail('an expression')
  }

  private starrable(): Expr {
    return this.accept('*') ? { kind: 'starred', value: this.expression() } : this.expression()
  }

  private parenthesized(): Expr {
    if (this.accept(')')) return { kind: 'tuple', items: [] }
    const inner = this.items(() => this.starrable(), ')')
    this.expect(')')
    return inner
  }

  private list(): Expr {
    if (this.accept(']')) return { kind: 'list', items: [] }
    const first = this.starrable()
    if (this.isWord('for')) {
      const loop = this.loop()
      this.expect(']')
      return { kind: 'comprehension', key: null, value: first, ...loop }
    }
    const items = [first]
    while (this.accept(',') && !this.isOp(']')) items.push(this.starrable())
    this.expect(']')
    return { kind: 'list', items }
  }

  private loop(): { target: string; iterable: Expr } {
    this.acceptWord('for')
    const target = this.name()
    if (!this.acceptWord('in')) this.fail("'in'")
    return { target, iterable: this.expression() }
  }

  private dict(): Expr {
    const entries: [Expr, Expr][] = []
    while (!this.isOp('}')) {
      const key = this.expression()
      this.expect(':')
      const value = this.expression()
      if (entries.length === 0 && this.isWord('for')) {
        const loop = this.loop()
        this.expect('}')
        return { kind: 'comprehension', key, value, ...loop }
      }
      entries.push([key, value])
      if (!this.accept(',')) break
    }
    this.expect('}')
    return { kind: 'dict', entries }
  }
}

/**
 * Parses one Python expression: names, literals, attributes, calls, subscripts and slices, tuples, lists, dicts, comprehensions of one
 * loop, arithmetic, a comparison, and/or/not.
 * @throws PythonSyntaxError for anything else.
 */
export const parsePython = (source: string): Expr => new Parser(source).whole()
