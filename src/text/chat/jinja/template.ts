import type { Body } from './ast.js'
import { checkTemplate } from './check.js'
import { TemplateSyntaxError } from './errors.js'
import { FILTERS } from './filters/index.js'
import { makeGlobals } from './globals.js'
import { type GenerationSpans, Interpreter } from './interpreter.js'
import { parseTemplate } from './parser.js'
import { type Names, TESTS } from './tests.js'
import { fromData, type Value } from './values.js'
import { startWork } from './work.js'

export interface RenderOptions {
  /** What strftime_now formats. Default the current time. */
  readonly now?: () => Date
}

export interface Rendered {
  readonly text: string
  /** What `{% generation %}` blocks wrote, as spans of code points. */
  readonly generations: GenerationSpans
}

/** Characters of a template. */
const MAX_LENGTH = 1 << 22

const KNOWN: Names = {
  hasFilter: (name) => Object.hasOwn(FILTERS, name),
  hasTest: (name) => Object.hasOwn(TESTS, name),
}

/** A parsed template, rendered as jinja2's ImmutableSandboxedEnvironment renders it with transformers' settings. */
export class Template {
  private readonly body: Body

  /** @throws TemplateSyntaxError */
  constructor(source: string) {
    if (source.length > MAX_LENGTH) throw new RangeError(`a template of ${source.length} characters is too long`)
    try {
      this.body = parseTemplate(source)
      checkTemplate(this.body, KNOWN)
    } catch (error) {
      if (error instanceof RangeError && /call stack/i.test(error.message))
        throw new TemplateSyntaxError('an expression has too many parts', 1)
      throw error
    }
  }

  /** @throws TemplateError for what the template raises, and the errors of its operations. */
  render(variables: Readonly<Record<string, unknown>>, options: RenderOptions = {}): Rendered {
    startWork()
    const globals = new Map<string, Value>(makeGlobals(options.now ?? (() => new Date())))
    for (const [name, value] of Object.entries(variables)) if (value !== undefined) globals.set(name, fromData(value))
    const interpreter = new Interpreter(globals)
    return { text: interpreter.render(this.body), generations: interpreter.generations }
  }
}
