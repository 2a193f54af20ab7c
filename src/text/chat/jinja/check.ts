import type { Body } from './ast.js'
import { TemplateAssertionError } from './errors.js'
import type { Names } from './tests.js'

/** What a walk may meet: any node's fields. */
interface AnyNode {
  readonly kind?: unknown
  readonly name?: unknown
  readonly target?: unknown
  readonly filters?: unknown
}

// Within these jinja2 looks filters and tests up only when it comes to them, so that templates can ask whether there are such;
// in the bodies of the others it is strict again.
const LATE = new Set<unknown>(['if', 'conditional'])
const SCOPES = new Set<unknown>(['for', 'with', 'setblock', 'filterblock', 'macro', 'callblock', 'generation', 'scope'])

const missing = (what: string, name: unknown): TemplateAssertionError =>
  new TemplateAssertionError(`No ${what} named '${String(name)}'.`)

/** Refuses what jinja2 refuses to compile: unknown filters and tests that are reached for certain, and loops over `loop`. @throws TemplateAssertionError */
export function checkTemplate(body: Body, names: Names): void {
  const visitNode = (node: AnyNode, late: boolean): void => {
    const lenient = late || LATE.has(node.kind)
    if (!lenient) {
      if (node.kind === 'filter' && !names.hasFilter(String(node.name))) throw missing('filter', node.name)
      if (node.kind === 'test' && !names.hasTest(String(node.name))) throw missing('test', node.name)
      const filters: readonly AnyNode[] = Array.isArray(node.filters) ? node.filters : []
      for (const { name } of filters) if (!names.hasFilter(String(name))) throw missing('filter', name)
    }
    if (node.kind === 'for' && JSON.stringify(node.target).includes('"name":"loop"'))
      throw new TemplateAssertionError("Can't assign to special loop variable in for-loop target")
    for (const [field, value] of Object.entries(node))
      visit(value, lenient && !(SCOPES.has(node.kind) && field === 'body'))
  }
  const visit = (value: unknown, late: boolean): void => {
    if (Array.isArray(value)) for (const item of value) visit(item, late)
    else if (typeof value === 'object' && value !== null) visitNode(value, late)
  }
  visit(body, false)
}
