/** Regular expressions of tokenizer files (Oniguruma, syntax of Ruby) as JavaScript's. */
import { FormatError } from '../../formats/errors.js'
import { CLASS_ESCAPES, caseVariants, GRAPHEME, LONE_WORD, posixClass, propertyClass } from './regex-classes.js'

const MAX_LENGTH = 100_000
const MAX_DEPTH = 100

interface Flags {
  readonly ignoreCase: boolean
  readonly dotAll: boolean
  readonly extended: boolean
}

const hex = (c: number): string => `\\u{${c.toString(16)}}`

const CONTROL: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, a: 7, e: 27 }

/** What stands for a position, not for characters. */
const ANCHORS: Readonly<Record<string, string>> = {
  A: '(?<![^])',
  z: '(?![^])',
  Z: '(?=\\n?(?![^]))',
}

/** Escapes outside of brackets. */
const LONE: Readonly<Record<string, () => string>> = {
  w: () => `[${LONE_WORD()}]`,
  W: () => `[^${LONE_WORD()}]`,
  N: () => '[^\\n]',
  O: () => '[^]',
  X: () => `(?:${GRAPHEME})`,
}

/** Escapes with a meaning that has no equivalent; other letters stand for themselves. */
const UNSUPPORTED = /[CGKMXYckgpxuy1-9]/

class Translator {
  private at = 0
  private depth = 0
  private groups = 0
  private atomics = 0
  private readonly names = new Map<string, number>()

  /** Groups are captured only where something may refer back to them. */
  private readonly captures: boolean

  constructor(private readonly source: string) {
    this.captures = /\\[1-9k]/.test(source)
  }

  private fail(what: string): never {
    throw new FormatError(`the pattern ${JSON.stringify(this.source.slice(0, 200))}: ${what} at ${this.at}`)
  }

  private peek(text: string): boolean {
    return this.source.startsWith(text, this.at)
  }

  private take(text: string): boolean {
    if (!this.peek(text)) return false
    this.at += text.length
    return true
  }

  private next(): number {
    const c = this.source.codePointAt(this.at)
    if (c === undefined) this.fail('ends too early')
    this.at += c > 0xffff ? 2 : 1
    return c
  }

  translate(): string {
    const out = this.alternatives({ ignoreCase: false, dotAll: false, extended: false })
    if (this.at < this.source.length) this.fail("an unmatched ')'")
    return out
  }

  private alternatives(flags: Flags): string {
    if (++this.depth > MAX_DEPTH) this.fail('groups nested too deep')
    let out = ''
    let current = flags
    while (this.at < this.source.length && !this.peek(')')) {
      if (this.take('|')) {
        out += '|'
        continue
      }
      const switched = this.flagSwitch(current)
      if (switched) {
        current = switched
        // `a(?i)b|c` reaches over the bars that follow.
        out += `(?:${this.alternatives(current)})`
        continue
      }
      out += this.quantified(current)
    }
    this.depth--
    return out
  }

  /** `(?i)` and the like, which hold to the end of the group. */
  private flagSwitch(flags: Flags): Flags | null {
    const match = /^\(\?([imx]*)(?:-([imx]*))?\)/.exec(this.source.slice(this.at, this.at + 16))
    if (!match) return null
    this.at += match[0].length
    return switchFlags(flags, match[1], match[2] ?? '')
  }

  private quantified(flags: Flags): string {
    const start = this.at
    const atom = this.atom(flags)
    if (atom === null) return ''
    let out = atom
    for (;;) {
      const quantifier = this.quantifier()
      if (quantifier === null) return out
      if (this.at === start) this.fail('a quantifier without target')
      // A second quantifier applies to the whole so far.
      const target = out === atom ? atom : `(?:${out})`
      out = quantifier.possessive ? this.atomic(target + quantifier.text) : target + quantifier.text
    }
  }

  private quantifier(): { text: string; possessive: boolean } | null {
    const char = this.source[this.at]
    if (char === '*' || char === '+' || char === '?') {
      this.at++
      if (this.take('?')) return { text: `${char}?`, possessive: false }
      return { text: char, possessive: this.take('+') }
    }
    const range = /^\{(\d*)(,?)(\d*)\}/.exec(this.source.slice(this.at, this.at + 32))
    if (!range || (range[1] === '' && range[3] === '')) return null
    this.at += range[0].length
    const [low, high] = [range[1] || '0', range[3]]
    const text = range[2] ? `{${low},${high}}` : `{${low}}`
    return { text: this.take('?') ? `${text}?` : text, possessive: false }
  }

  /** Without going back into it: a lookahead keeps the first way that it matched. */
  private atomic(inside: string): string {
    const name = `a${this.atomics++}`
    return `(?:(?=(?<${name}>${inside}))\\k<${name}>)`
  }

  private atom(flags: Flags): string | null {
    if (this.take('(')) return this.group(flags)
    if (this.take('[')) return this.characterClass(flags)
    if (this.take('\\')) return this.escape(flags)
    const c = this.next()
    switch (String.fromCodePoint(c)) {
      case '.':
        return flags.dotAll ? '[^]' : '[^\\n]'
      case '^':
        return '(?:(?<![^])|(?<=\\n)(?=[^]))'
      case '$':
        return '(?=\\n|(?![^]))'
      case '*':
      case '+':
      case '?':
        return this.fail('a quantifier without target')
      case '#':
        if (!flags.extended) break
        while (this.at < this.source.length && this.source[this.at] !== '\n') this.at++
        return null
    }
    if (flags.extended && /\s/.test(String.fromCodePoint(c))) return null
    return literal(c, flags)
  }

  private group(flags: Flags): string {
    const close = (prefix: string, inner = flags, suffix = ')'): string => {
      const inside = this.alternatives(inner)
      if (!this.take(')')) this.fail("expected ')'")
      return prefix + inside + suffix
    }
    if (!this.take('?')) return close(this.captures ? `(?<g${++this.groups}>` : '(?:')
    if (this.take('#')) {
      while (!this.take(')')) this.next()
      return '(?:)'
    }
    for (const kind of [':', '=', '!', '<=', '<!']) if (this.take(kind)) return close(`(?${kind}`)
    if (this.take('>')) {
      const name = `a${this.atomics++}`
      return close(`(?:(?=(?<${name}>`, flags, `))\\k<${name}>)`)
    }
    const named = /^<([A-Za-z_]\w*)>/.exec(this.source.slice(this.at, this.at + 100))
    if (named) {
      this.at += named[0].length
      this.names.set(named[1], ++this.groups)
      return close(`(?<g${this.groups}>`)
    }
    const switched = /^([imx]*)(?:-([imx]*))?:/.exec(this.source.slice(this.at, this.at + 16))
    if (!switched) this.fail('a kind of group that is not supported')
    this.at += switched[0].length
    return close('(?:', switchFlags(flags, switched[1], switched[2] ?? ''))
  }

  private escape(flags: Flags): string {
    const start = this.at
    const char = this.source[this.at]
    if (char !== undefined && char in ANCHORS) {
      this.at++
      return ANCHORS[char]
    }
    if (char === 'b' || char === 'B') {
      this.at++
      const word = `[${LONE_WORD()}]`
      const boundary = `(?:(?<=${word})(?!${word})|(?<!${word})(?=${word}))`
      return char === 'b' ? boundary : `(?!${boundary})`
    }
    if (char === 'R') {
      this.at++
      return this.atomic('\\r\\n|[\\n-\\r\\u{85}\\u{2028}\\u{2029}]')
    }
    if (char !== undefined && char in LONE) {
      this.at++
      return LONE[char]()
    }
    const back = /^(?:([1-9]\d?)|k<(\w+)>)/.exec(this.source.slice(start, start + 64))
    if (back) {
      const number = back[1] ? Number(back[1]) : (this.names.get(back[2]) ?? Number(back[2]))
      if (number >= 1 && number <= this.groups) {
        this.at += back[0].length
        return `\\k<g${number}>`
      }
      if (back[2]) this.fail('a reference to a group that is not there')
    }
    const inside = this.classEscape()
    return typeof inside === 'string' ? `[${inside}]` : literal(inside, flags)
  }

  /** What follows a backslash: the inside of a class, or a code point. */
  private classEscape(): string | number {
    const c = this.next()
    const char = String.fromCodePoint(c)
    const lower = char.toLowerCase()
    if (lower in CLASS_ESCAPES && c < 0x80) {
      const inside = CLASS_ESCAPES[lower]()
      return char === lower ? inside : `[^${inside}]`
    }
    if (lower === 'p' && this.take('{')) {
      const end = this.source.indexOf('}', this.at)
      if (end < 0) this.fail("expected '}'")
      const name = this.source.slice(this.at, end)
      const inside = propertyClass(name.replace(/^\^/, ''))
      if (inside === undefined) this.fail(`the property ${JSON.stringify(name)} is not known`)
      this.at = end + 1
      return name.startsWith('^') !== (char === 'P') ? `[^${inside}]` : inside
    }
    if (char in CONTROL) return CONTROL[char]
    const code = /^(?:x\{([0-9a-fA-F]{1,8})\}|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|0([0-7]{0,2}))/.exec(
      this.source.slice(this.at - 1, this.at + 11),
    )
    if (code) {
      this.at += code[0].length - 1
      const value =
        code[4] === undefined ? Number.parseInt(code[1] ?? code[2] ?? code[3], 16) : Number.parseInt(code[4] || '0', 8)
      if (value > 0x10ffff) this.fail('a code point out of range')
      return value
    }
    if (UNSUPPORTED.test(char)) this.fail(`the escape \\${char} is not supported`)
    return c
  }

  private characterClass(flags: Flags): string {
    if (++this.depth > MAX_DEPTH) this.fail('classes nested too deep')
    const negated = this.take('^')
    const operands: string[] = []
    let inside = ''
    let first = true
    for (; first || !this.peek(']'); first = false) {
      if (this.at >= this.source.length) this.fail("expected ']'")
      if (this.take('&&')) {
        operands.push(inside)
        inside = ''
      } else inside += this.classItem(flags)
    }
    this.at++
    this.depth--
    operands.push(inside)
    const body = operands.length === 1 ? inside : operands.map((operand) => `[${operand}]`).join('&&')
    return negated ? `[^${body}]` : `[${body}]`
  }

  private classItem(flags: Flags): string {
    const posix = /^\[:(\^?)(\w+):\]/.exec(this.source.slice(this.at, this.at + 24))
    if (posix) {
      const inside = posixClass(posix[2])
      if (inside === undefined) this.fail(`the class [:${posix[2]}:] is not known`)
      this.at += posix[0].length
      return posix[1] ? `[^${inside}]` : `[${inside}]`
    }
    if (this.take('[')) return this.characterClass(flags)
    const low = this.take('\\') ? this.classEscape() : this.next()
    if (typeof low === 'string') return `[${low}]`
    if (!this.peek('-') || this.source[this.at + 1] === ']') return classRange(low, low, flags)
    const mark = this.at++
    if (this.peek('[')) {
      this.at = mark
      return classRange(low, low, flags)
    }
    const high = this.take('\\') ? this.classEscape() : this.next()
    if (typeof high === 'string') return `${classRange(low, low, flags)}\\-[${high}]`
    if (high < low) this.fail('a range that goes backwards')
    return classRange(low, high, flags)
  }
}

function switchFlags(flags: Flags, on: string, off: string): Flags {
  const of = (letter: string, before: boolean): boolean => (on.includes(letter) || before) && !off.includes(letter)
  return { ignoreCase: of('i', flags.ignoreCase), dotAll: of('m', flags.dotAll), extended: of('x', flags.extended) }
}

function literal(c: number, flags: Flags): string {
  if (flags.ignoreCase) {
    const variants = caseVariants(c)
    if (variants.length > 1) return `[${variants.map(hex).join('')}]`
  }
  return hex(c)
}

function classRange(low: number, high: number, flags: Flags): string {
  let out = low === high ? hex(low) : `${hex(low)}-${hex(high)}`
  if (!flags.ignoreCase) return out
  const added = new Set<number>()
  for (let c = low; c <= Math.min(high, low + 0x2000); c++)
    for (const variant of caseVariants(c)) if (variant < low || variant > high) added.add(variant)
  for (const variant of added) out += hex(variant)
  return out
}

/**
 * Translates a pattern: Unicode classes as Oniguruma sees them, possessive and atomic groups, `^` and `$` at lines, case ignored in parts.
 * @throws FormatError for syntax that has no equivalent
 */
export function translateRegex(source: string): RegExp {
  if (source.length > MAX_LENGTH)
    throw new FormatError(`a pattern of ${source.length} characters; at most ${MAX_LENGTH} are read`)
  const translated = new Translator(source).translate()
  try {
    return new RegExp(translated, 'gv')
  } catch (error) {
    throw new FormatError(
      `the pattern ${JSON.stringify(source.slice(0, 200))} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}

const insidePair = (text: string, at: number): boolean =>
  at > 0 && (text.charCodeAt(at) & 0xfc00) === 0xdc00 && (text.charCodeAt(at - 1) & 0xfc00) === 0xd800

/** Matches of a global expression from left to right; an empty one right after a match does not count. */
export function findAll(pattern: RegExp, text: string): [number, number][] {
  const found: [number, number][] = []
  let last = -1
  pattern.lastIndex = 0
  for (;;) {
    const from = pattern.lastIndex
    const match = pattern.exec(text)
    if (!match) return found
    // V8 looks for empty matches between the halves of a pair, too.
    if (insidePair(text, match.index)) {
      pattern.lastIndex = match.index + 1
      continue
    }
    const end = match.index + match[0].length
    if (match[0].length > 0 || match.index !== last) {
      found.push([match.index, end])
      last = end
    }
    if (match[0].length === 0) {
      const next = Math.max(from, end)
      if (next >= text.length) return found
      pattern.lastIndex = next + (text.codePointAt(next)! > 0xffff ? 2 : 1)
    }
  }
}
