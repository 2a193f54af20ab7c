import type { BlockFilter, Body, Expression, Parameters, Statement, Target } from './ast.js'
import { ExpressionParser } from './expressions.js'
import { tokenize } from './lexer.js'
import { TokenStream } from './tokens.js'

// Reference: jinja2.parser, with the extensions that transformers loads: loopcontrols and its own `generation` tag.

type Rule = (parser: TemplateParser) => Statement

class TemplateParser extends ExpressionParser {
  private loops = 0

  template(): Body {
    const body = this.body([])
    return body
  }

  /** Statements up to a tag with one of these names, which is left in place; to the end of the template where there are none. */
  private body(ends: readonly string[]): Body {
    return this.stream.nested(() => {
      const statements: Statement[] = []
      for (;;) {
        const token = this.stream.current
        if (token.type === 'eof') {
          if (ends.length === 0) return statements
          throw this.stream.error(
            `Unexpected end of template. Jinja was looking for the following tags: '${ends.join("' or '")}'.`,
          )
        }
        this.stream.next()
        if (token.type === 'data') statements.push({ kind: 'text', text: token.text })
        else if (token.type === 'variable_begin') {
          statements.push({ kind: 'output', value: this.tuple() })
          this.stream.expect('variable_end')
        } else {
          if (this.stream.isName(...ends)) return statements
          statements.push(this.statement())
          this.stream.expect('block_end')
        }
      }
    })
  }

  private statement(): Statement {
    const { type, text, line } = this.stream.current
    if (type !== 'name') throw this.stream.error('tag name expected')
    if (!Object.hasOwn(STATEMENTS, text)) throw this.stream.error(`Encountered unknown tag '${text}'.`, line)
    this.stream.next()
    return STATEMENTS[text](this)
  }

  /** The rest of the tag, a body, and its end tag, whose name is passed. */
  private block(...ends: string[]): Body {
    this.stream.skip('operator', ':')
    this.stream.expect('block_end')
    return this.body(ends)
  }

  private closedBlock(end: string): Body {
    const body = this.block(end)
    this.stream.next()
    return body
  }

  private target(withNamespace = false): Target {
    const item = (): Target => {
      if (this.stream.skip('operator', '(')) {
        const inner = this.target()
        this.stream.expect('operator', ')')
        return inner
      }
      const { text: name } = this.stream.expect('name')
      if (['true', 'false', 'none', 'True', 'False', 'None'].includes(name))
        throw this.stream.error(`can't assign to '${name}'`)
      if (withNamespace && this.stream.skip('operator', '.'))
        return { kind: 'namespace', name, attribute: this.stream.expect('name').text }
      return { kind: 'name', name }
    }
    return this.stream.nested(() => {
      const first = item()
      if (!this.stream.isOperator(',')) return first
      const items = [first]
      while (this.stream.skip('operator', ',') && !this.stream.isOperator(')')) items.push(item())
      return { kind: 'targets', items }
    })
  }

  private filters(): BlockFilter {
    const filters: BlockFilter[number][] = []
    while (this.stream.skip('operator', '|')) filters.push(this.filter())
    return filters
  }

  private parameters(): Parameters {
    const names: string[] = []
    const defaults: Expression[] = []
    this.stream.expect('operator', '(')
    while (!this.stream.isOperator(')')) {
      if (names.length > 0) this.stream.expect('operator', ',')
      names.push(this.stream.expect('name').text)
      if (this.stream.skip('operator', '=')) defaults.push(this.expression())
      else if (defaults.length > 0) throw this.stream.error('non-default argument follows default argument')
    }
    this.stream.expect('operator', ')')
    return { names, defaults }
  }

  set(): Statement {
    const target = this.target(true)
    if (this.stream.skip('operator', '=')) return { kind: 'set', target, value: this.tuple() }
    const filters = this.filters()
    return { kind: 'setblock', target, filters, body: this.closedBlock('endset') }
  }

  if(): Statement {
    const branches: [Expression, Body][] = []
    let otherwise: Body = []
    for (;;) {
      const test = this.tuple({ conditional: false })
      branches.push([test, this.block('elif', 'else', 'endif')])
      const { text } = this.stream.next()
      if (text === 'elif') continue
      if (text === 'else') otherwise = this.closedBlock('endif')
      return { kind: 'if', branches, otherwise }
    }
  }

  for(): Statement {
    const target = this.target()
    this.stream.expect('name', 'in')
    const iterable = this.tuple({ conditional: false })
    const test = this.stream.skip('name', 'if') ? this.expression() : null
    const recursive = this.stream.skip('name', 'recursive')
    this.loops++
    const body = this.block('endfor', 'else')
    this.loops--
    const otherwise = this.stream.next().text === 'else' ? this.closedBlock('endfor') : []
    return { kind: 'for', target, iterable, test, recursive, body, otherwise }
  }

  control(kind: 'break' | 'continue'): Statement {
    if (this.loops === 0) throw this.stream.error(`'${kind}' outside of a loop`)
    return { kind }
  }

  /** A body from which a loop around it cannot be left. */
  private separate(end: string): Body {
    const { loops } = this
    this.loops = 0
    const body = this.closedBlock(end)
    this.loops = loops
    return body
  }

  macro(): Statement {
    const { text: name } = this.stream.expect('name')
    const parameters = this.parameters()
    return { kind: 'macro', name, parameters, body: this.separate('endmacro') }
  }

  call(): Statement {
    const parameters = this.stream.isOperator('(') ? this.parameters() : { names: [], defaults: [] }
    const call = this.expression()
    if (call.kind !== 'call') throw this.stream.error('expected call')
    return { kind: 'callblock', call, parameters, body: this.separate('endcall') }
  }

  with(): Statement {
    const targets: Target[] = []
    const values: Expression[] = []
    while (!this.stream.is('block_end')) {
      if (targets.length > 0) this.stream.expect('operator', ',')
      targets.push({ kind: 'name', name: this.stream.expect('name').text })
      this.stream.expect('operator', '=')
      values.push(this.expression())
    }
    return { kind: 'with', targets, values, body: this.closedBlock('endwith') }
  }

  filterBlock(): Statement {
    const filters = [this.filter(), ...this.filters()]
    return { kind: 'filterblock', filters, body: this.closedBlock('endfilter') }
  }

  generation(): Statement {
    return { kind: 'generation', body: this.separate('endgeneration') }
  }

  namedBlock(): Statement {
    const { text: name } = this.stream.expect('name')
    this.stream.skip('name', 'scoped')
    this.stream.expect('block_end')
    const { loops } = this
    this.loops = 0
    const body = this.body(['endblock'])
    this.loops = loops
    this.stream.next()
    this.stream.skip('name', name)
    return { kind: 'scope', body }
  }

  unloadable(): Statement {
    while (!this.stream.is('block_end') && !this.stream.is('eof')) this.stream.next()
    return { kind: 'unloadable' }
  }

  autoescape(): Statement {
    const value = this.expression()
    if (value.kind !== 'constant' || value.value !== false)
      throw this.stream.error('chat templates are not escaped: only `autoescape false`')
    return { kind: 'scope', body: this.closedBlock('endautoescape') }
  }
}

const STATEMENTS: Readonly<Record<string, Rule>> = {
  set: (p) => p.set(),
  if: (p) => p.if(),
  for: (p) => p.for(),
  macro: (p) => p.macro(),
  call: (p) => p.call(),
  with: (p) => p.with(),
  filter: (p) => p.filterBlock(),
  generation: (p) => p.generation(),
  block: (p) => p.namedBlock(),
  autoescape: (p) => p.autoescape(),
  extends: (p) => p.unloadable(),
  include: (p) => p.unloadable(),
  import: (p) => p.unloadable(),
  from: (p) => p.unloadable(),
  break: (p) => p.control('break'),
  continue: (p) => p.control('continue'),
}

/** Reads a template. @throws TemplateSyntaxError */
export const parseTemplate = (template: string): Body =>
  new TemplateParser(new TokenStream(tokenize(template))).template()
