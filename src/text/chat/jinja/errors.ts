/** What goes wrong with a template; names are those of jinja2 and Python, so that messages can be compared. */
export class TemplateError extends Error {
  override name = 'TemplateError'
}

export class TemplateSyntaxError extends TemplateError {
  override name = 'TemplateSyntaxError'
  constructor(
    message: string,
    /** Line of the template, from 1. */
    readonly line: number,
  ) {
    super(`${message} (line ${line})`)
  }
}

/** An unknown filter or test. */
export class TemplateAssertionError extends TemplateError {
  override name = 'TemplateAssertionError'
}

export class TemplateRuntimeError extends TemplateError {
  override name = 'TemplateRuntimeError'
}

/** Something undefined was used in an operation. */
export class UndefinedError extends TemplateRuntimeError {
  override name = 'UndefinedError'
}

/** Something that templates must not touch, or a bound that they must not pass. */
export class SecurityError extends TemplateRuntimeError {
  override name = 'SecurityError'
}

export class FilterArgumentError extends TemplateRuntimeError {
  override name = 'FilterArgumentError'
}

/** A value of the right type that will not do, as Python's ValueError. */
export class ValueError extends Error {
  override name = 'ValueError'
}

export class ZeroDivisionError extends Error {
  override name = 'ZeroDivisionError'
}

export class OverflowError extends Error {
  override name = 'OverflowError'
}

export class IndexError extends Error {
  override name = 'IndexError'
}

export class KeyError extends Error {
  override name = 'KeyError'
}
