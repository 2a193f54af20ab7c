import { TemplateSyntaxError } from './errors.js'
import type { Token, TokenType } from './lexer.js'

const MAX_DEPTH = 200

const describe = ({ type, text }: Token): string => {
  if (type === 'eof') return 'end of template'
  if (type === 'block_end') return 'end of statement block'
  if (type === 'variable_end') return 'end of print statement'
  return type === 'data' ? 'template data' : text
}

/** Tokens with a place among them. */
export class TokenStream {
  private at = 0
  private depth = 0

  constructor(private readonly tokens: readonly Token[]) {}

  get current(): Token {
    return this.tokens[this.at]
  }

  look(): Token {
    return this.tokens[Math.min(this.at + 1, this.tokens.length - 1)]
  }

  next(): Token {
    const token = this.current
    if (token.type !== 'eof') this.at++
    return token
  }

  is(type: TokenType, text?: string): boolean {
    return this.current.type === type && (text === undefined || this.current.text === text)
  }

  /** Whether the current token is one of these operators. */
  isOperator(...texts: string[]): boolean {
    return this.current.type === 'operator' && texts.includes(this.current.text)
  }

  isName(...texts: string[]): boolean {
    return this.current.type === 'name' && texts.includes(this.current.text)
  }

  /** Passes the current token where it is the one asked for. */
  skip(type: TokenType, text?: string): boolean {
    if (!this.is(type, text)) return false
    this.next()
    return true
  }

  expect(type: TokenType, text?: string): Token {
    if (this.is(type, text)) return this.next()
    throw this.error(`expected token '${text ?? type.replace('_', ' ')}', got '${describe(this.current)}'`)
  }

  error(message: string, line = this.current.line): TemplateSyntaxError {
    return new TemplateSyntaxError(message, line)
  }

  unexpected(): TemplateSyntaxError {
    return this.error(`unexpected '${describe(this.current)}'`)
  }

  /** Bounds how deep what is parsed nests. */
  nested<T>(parse: () => T): T {
    if (++this.depth > MAX_DEPTH) throw this.error(`nested more than ${MAX_DEPTH} deep`)
    try {
      return parse()
    } finally {
      this.depth--
    }
  }
}
