import { PythonSyntaxError } from './ast.js'

export interface Token {
  readonly kind: 'name' | 'number' | 'string' | 'op' | 'end'
  /** Source text; for strings, what they hold. */
  readonly text: string
  readonly at: number
}

const SPACE = /[ \t\r\n]+/y
const NUMBER = /(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y
const STRING = /'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"/y
// Longest first.
const OPERATOR = /\.\.\.|\*\*|\/\/|<<|>>|<=|>=|==|!=|[-+*/%@&|^~<>()[\]{},:.=]/y

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\\': '\\', "'": "'", '"': '"' }

function decodeEscapes(text: string): string {
  return text.replace(/\\(.)/g, (whole, letter: string) => ESCAPES[letter] ?? whole)
}

function matchAt(pattern: RegExp, source: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(source)
}

/** Splits one expression into tokens, with an `end` token last. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  const take = (kind: Token['kind'], pattern: RegExp): boolean => {
    const match = matchAt(pattern, source, at)
    if (!match) return false
    const text = kind === 'string' ? decodeEscapes(match[1] ?? match[2] ?? '') : match[0]
    tokens.push({ kind, text, at })
    at += match[0].length
    return true
  }
  while (at < source.length) {
    const space = matchAt(SPACE, source, at)
    if (space) {
      at += space[0].length
      continue
    }
    // Numbers before operators: `.2` is a number, `x.y` is not.
    if (take('number', NUMBER) || take('name', NAME) || take('string', STRING) || take('op', OPERATOR)) continue
    throw new PythonSyntaxError(
      `unexpected ${JSON.stringify(source[at])} at column ${at + 1} of ${JSON.stringify(source)}`,
    )
  }
  tokens.push({ kind: 'end', text: '', at })
  return tokens
}
