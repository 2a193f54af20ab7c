import type { Body } from './ast.js'
import { makeGlobals } from './globals.js'
import { type GenerationSpans, Interpreter } from './interpreter.js'
import { parseTemplate } from './parser.js'
import { fromData, type Value } from './values.js'

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

/** A parsed template, rendered as jinja2's ImmutableSandboxedEnvironment renders it with transformers' settings. */
export class Template {
  private readonly body: Body

  /** @throws TemplateSyntaxError */
  constructor(source: string) {
    if (source.length > MAX_LENGTH) throw new RangeError(`a template of ${source.length} characters is too long`)
    this.body = parseTemplate(source)
  }

  /** @throws TemplateError for what the template raises, and the errors of its operations. */
  render(variables: Readonly<Record<string, unknown>>, options: RenderOptions = {}): Rendered {
    const globals = new Map<string, Value>(makeGlobals(options.now ?? (() => new Date())))
    for (const [name, value] of Object.entries(variables)) if (value !== undefined) globals.set(name, fromData(value))
    const interpreter = new Interpreter(globals)
    return { text: interpreter.render(this.body), generations: interpreter.generations }
  }
}
