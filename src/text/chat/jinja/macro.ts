import type { Body, Expression, Parameters } from './ast.js'
import type { Scope } from './scope.js'
import { type CallArguments, Callable, Dict, given, Tuple, Undefined, type Value } from './values.js'

// Reference: jinja2.runtime.Macro.

const namesOf = new WeakMap<object, ReadonlySet<string>>()

/** Names that nodes read, wherever in them. */
function readNames(nodes: object): ReadonlySet<string> {
  const known = namesOf.get(nodes)
  if (known) return known
  const found = new Set<string>()
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) for (const item of node) visit(item)
    else if (typeof node === 'object' && node !== null) {
      const { kind, name } = node as { kind?: unknown; name?: unknown }
      if (kind === 'name' && typeof name === 'string') found.add(name)
      for (const value of Object.values(node)) visit(value)
    }
  }
  visit(nodes)
  namesOf.set(nodes, found)
  return found
}

/** Fills the scope of one call; `evaluate` computes defaults in it. */
export type Prepare = (scope: Scope, evaluate: (expression: Expression) => Value) => void

interface Signature extends Parameters {
  readonly name: string
  /** Which of varargs, kwargs and caller the body reads. */
  readonly reads: ReadonlySet<string>
}

/** Positional and named arguments under the names of parameters, undefined where not given, and what is left of the named ones. */
function matched(names: readonly string[], args: CallArguments): [Map<string, Value>, Map<string, Value>] {
  const rest = new Map(args.keywords)
  const found = new Map<string, Value>()
  for (const [i, name] of names.entries()) {
    const value = i < args.positional.length ? args.positional[i] : rest.get(name)
    if (i >= args.positional.length) rest.delete(name)
    if (value !== undefined) found.set(name, value)
  }
  return [found, rest]
}

function prepare({ name, names, defaults, reads }: Signature, args: CallArguments): Prepare {
  const [values, rest] = matched(names, args)
  const extra = args.positional.slice(names.length)
  const caller =
    reads.has('caller') && !names.includes('caller')
      ? given(rest.get('caller'), () => new Undefined('No caller defined'))
      : null
  if (caller) rest.delete('caller')
  if (rest.has('caller') && !reads.has('kwargs'))
    throw new TypeError(
      `macro '${name}' was invoked with two values for the special caller argument. This is most likely a bug.`,
    )
  if (rest.size > 0 && !reads.has('kwargs')) {
    const [first] = rest.keys()
    throw new TypeError(`macro '${name}' takes no keyword argument '${first}'`)
  }
  if (extra.length > 0 && !reads.has('varargs'))
    throw new TypeError(`macro '${name}' takes not more than ${names.length} argument(s)`)
  return (scope, evaluate) => {
    if (caller) scope.set('caller', caller)
    if (reads.has('kwargs')) scope.set('kwargs', Dict.of(rest))
    if (reads.has('varargs')) scope.set('varargs', new Tuple(extra))
    const firstDefault = names.length - defaults.length
    for (const [i, parameter] of names.entries()) {
      const value = values.get(parameter)
      if (value !== undefined) scope.set(parameter, value)
      else if (i >= firstDefault) scope.set(parameter, evaluate(defaults[i - firstDefault]))
      else scope.set(parameter, new Undefined(`parameter '${parameter}' was not provided`))
    }
  }
}

/** A macro as a function of templates. `run` gives the text of the body in a scope that it prepares. */
export function makeMacro(
  name: string,
  parameters: Parameters,
  body: Body,
  run: (prepare: Prepare) => string,
): Callable {
  const reads = readNames(body)
  const signature: Signature = { ...parameters, name, reads }
  return new Callable(name, (args) => run(prepare(signature, args)), 'macro', {
    name,
    arguments: new Tuple(parameters.names),
    catch_kwargs: reads.has('kwargs'),
    catch_varargs: reads.has('varargs'),
    caller: reads.has('caller'),
  })
}
