import { stripEnd } from '../../python-text.js'
import { TemplateSyntaxError } from './errors.js'

// Reference: jinja2.lexer with trim_blocks and lstrip_blocks, as transformers sets them.

export type TokenType =
  | 'data'
  | 'block_begin'
  | 'block_end'
  | 'variable_begin'
  | 'variable_end'
  | 'name'
  | 'string'
  | 'integer'
  | 'float'
  | 'operator'
  | 'eof'

export interface Token {
  readonly type: TokenType
  /** Text of data, decoded strings, spelling of everything else. */
  readonly text: string
  readonly line: number
}

const OPERATORS = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y
// Python's \w, of Unicode, which JavaScript's is not.
const SPACE = /\s+/y
const FLOAT = /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy
const INTEGER = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy
const NAME = /[\p{L}\p{N}_\p{Mn}\p{Mc}]+/uy
const IDENTIFIER = /^[\p{ID_Start}_][\p{ID_Continue}]*$/u
const STRING = /'[^'\\]*(?:\\[\s\S][^'\\]*)*'|"[^"\\]*(?:\\[\s\S][^"\\]*)*"/y

const MAX_DIGITS = 4300

const CLOSING: Readonly<Record<string, string>> = { '{': '}', '(': ')', '[': ']' }

/** What an opening tag looks like: kind, sign, and whether it is a raw block. */
const OPENING = /\{%([-+]?)\s*raw\s*(?:-%\}\s*|%\})|\{\{([-+]?)|\{%([-+]?)|\{#([-+]?)/g
const ENDRAW = /\{%([-+]?)\s*endraw\s*(?:\+%\}|-%\}\s*|%\}\n?)/g
const END_OF_COMMENT = /\+#\}|-#\}\s*|#\}\n?/g
const END_OF_BLOCK = /\+%\}|-%\}\s*|%\}\n?/y
const END_OF_VARIABLE = /-\}\}\s*|\}\}/y

const ESCAPES: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

const backslashed = (code: number): string => {
  const hex = code.toString(16)
  if (code < 0x100) return `\\x${hex.padStart(2, '0')}`
  return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`
}

function decodeEscape(code: string, line: number): string {
  const known = ESCAPES[code[0]]
  if (known !== undefined) return known
  if (/^[0-7]/.test(code)) return String.fromCodePoint(Number.parseInt(code, 8))
  const point = Number.parseInt(code.slice(1), 16)
  if (!(point <= 0x10ffff)) throw new TemplateSyntaxError('illegal Unicode character', line)
  return String.fromCodePoint(point)
}

/** Contents of a string literal: Python's unicode-escape, in which a character beyond ASCII stands for its own escape. */
function decodeString(body: string, line: number): string {
  if (!body.includes('\\')) return body
  let ascii = ''
  for (const character of body) {
    const code = character.codePointAt(0) ?? 0
    ascii += code < 128 ? character : backslashed(code)
  }
  const pattern = /\\(x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|[0-7]{1,3}|[xuUN]|[\s\S])/g
  return ascii.replace(pattern, (whole, code: string) => {
    if (/^[xuUN]$/.test(code)) throw new TemplateSyntaxError(`truncated \\${code} escape`, line)
    return /^([xuU0-7]|[\n\\'"abfnrtv]$)/.test(code) ? decodeEscape(code, line) : whole
  })
}

class Lexer {
  private readonly tokens: Token[] = []
  private line = 1
  private at = 0
  /** Whether what comes next starts a line. */
  private lineStarting = true

  constructor(private readonly source: string) {}

  run(): Token[] {
    while (this.at < this.source.length) this.root()
    this.push('eof', '')
    return this.tokens
  }

  private push(type: TokenType, text: string): void {
    this.tokens.push({ type, text, line: this.line })
  }

  /** Moves past `text`. */
  private advance(end: number): void {
    for (let i = this.at; i < end; i++) if (this.source[i] === '\n') this.line++
    this.at = end
    this.lineStarting = this.source[end - 1] === '\n'
  }

  private data(text: string): void {
    if (text !== '') this.push('data', text)
  }

  /** Text before a tag: '-' strips it, and white space alone on the tag's line goes unless '+' keeps it. */
  private before(text: string, sign: string, isVariable: boolean): string {
    if (sign === '-') return stripEnd(text)
    if (sign === '+' || isVariable) return text
    const start = text.lastIndexOf('\n') + 1
    if (start === 0 && !this.lineStarting) return text
    const rest = text.slice(start)
    return rest !== '' && stripEnd(rest) === '' ? text.slice(0, start) : text
  }

  private root(): void {
    OPENING.lastIndex = this.at
    const match = OPENING.exec(this.source)
    if (!match) {
      this.data(this.source.slice(this.at))
      this.advance(this.source.length)
      return
    }
    const [whole, raw, variable, block, comment] = match
    const sign = raw ?? variable ?? block ?? comment
    this.data(this.before(this.source.slice(this.at, match.index), sign, variable !== undefined))
    this.advance(match.index + whole.length)
    if (raw !== undefined) this.raw()
    else if (comment !== undefined) this.comment()
    else if (variable !== undefined) this.tag('variable_begin', 'variable_end', END_OF_VARIABLE)
    else this.tag('block_begin', 'block_end', END_OF_BLOCK)
  }

  private raw(): void {
    ENDRAW.lastIndex = this.at
    const match = ENDRAW.exec(this.source)
    if (!match) throw new TemplateSyntaxError('Missing end of raw directive', this.line)
    this.data(this.before(this.source.slice(this.at, match.index), match[1], false))
    this.advance(match.index + match[0].length)
  }

  private comment(): void {
    END_OF_COMMENT.lastIndex = this.at
    const match = END_OF_COMMENT.exec(this.source)
    if (!match) throw new TemplateSyntaxError('Missing end of comment tag', this.line)
    this.advance(match.index + match[0].length)
  }

  private match(pattern: RegExp): string | null {
    pattern.lastIndex = this.at
    return pattern.exec(this.source)?.[0] ?? null
  }

  private tag(begin: TokenType, end: TokenType, ending: RegExp): void {
    this.push(begin, '')
    const open: string[] = []
    for (;;) {
      const close = open.length === 0 ? this.match(ending) : null
      if (close !== null) {
        this.push(end, '')
        this.advance(this.at + close.length)
        return
      }
      if (this.at >= this.source.length) {
        this.push('eof', '')
        throw new TemplateSyntaxError(
          `unexpected end of template, expected ${begin === 'block_begin' ? "'%}'" : "'}}'"}`,
          this.line,
        )
      }
      this.expressionToken(open)
    }
  }

  private expressionToken(open: string[]): void {
    const space = this.match(SPACE)
    if (space !== null) {
      this.advance(this.at + space.length)
      return
    }
    for (const [type, pattern] of [
      ['float', FLOAT],
      ['integer', INTEGER],
      ['name', NAME],
      ['string', STRING],
    ] as const) {
      const text = this.match(pattern)
      if (text === null) continue
      if (type === 'name' && !IDENTIFIER.test(text))
        throw new TemplateSyntaxError('Invalid character in identifier', this.line)
      if (type === 'integer' && text.length > MAX_DIGITS)
        throw new TemplateSyntaxError(`an integer of ${text.length} digits`, this.line)
      this.push(
        type,
        type === 'string'
          ? decodeString(text.slice(1, -1), this.line)
          : text.replaceAll('_', type === 'name' ? '_' : ''),
      )
      this.advance(this.at + text.length)
      return
    }
    const operator = this.match(OPERATORS)
    if (operator === null)
      throw new TemplateSyntaxError(`unexpected char '${this.source[this.at]}' at ${this.at}`, this.line)
    if (CLOSING[operator]) open.push(CLOSING[operator])
    else if (operator === '}' || operator === ')' || operator === ']') {
      const expected = open.pop()
      if (expected !== operator)
        throw new TemplateSyntaxError(
          `unexpected '${operator}'${expected ? `, expected '${expected}'` : ''}`,
          this.line,
        )
    }
    this.push('operator', operator)
    this.advance(this.at + operator.length)
  }
}

/** Tokens of a template. Line breaks become \n, and one at the very end goes. @throws TemplateSyntaxError */
export function tokenize(template: string): Token[] {
  const source = template.replace(/\r\n|\r/g, '\n')
  return new Lexer(source.endsWith('\n') ? source.slice(0, -1) : source).run()
}
