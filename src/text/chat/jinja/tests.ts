import type { ComparisonOperator } from './ast.js'
import { bind } from './binding.js'
import { binary, compare, contains, equals } from './operators.js'
import { str } from './repr.js'
import { isLower, isUpper } from './string-methods.js'
import {
  type CallArguments,
  Callable,
  Dict,
  isNumber,
  iterableOf,
  PyObject,
  Range,
  Tuple,
  Undefined,
  type Value,
} from './values.js'

// Reference: jinja2.tests.

/** What tests can ask for. */
export interface Names {
  hasFilter(name: string): boolean
  hasTest(name: string): boolean
}

export type Test = (value: Value, args: CallArguments, names: Names) => boolean

const simple =
  (test: (value: Value) => boolean): Test =>
  (value, args) => {
    bind('test', [], args)
    return test(value)
  }

const against =
  (test: (value: Value, other: Value) => boolean): Test =>
  (value, args) =>
    test(value, bind('test', ['other'], args).value('other'))

const comparison = (operator: ComparisonOperator): Test => against((value, other) => compare(operator, value, other))

const divides = (value: Value, by: Value): boolean => equals(binary('%', value, by), 0n)

const isSequence = (value: Value): boolean =>
  typeof value === 'string' ||
  Array.isArray(value) ||
  value instanceof Tuple ||
  value instanceof Dict ||
  value instanceof Range ||
  value instanceof Undefined

export const TESTS: Readonly<Record<string, Test>> = {
  odd: simple((value) => equals(binary('%', value, 2n), 1n)),
  even: simple((value) => divides(value, 2n)),
  divisibleby: against(divides),
  defined: simple((value) => !(value instanceof Undefined)),
  undefined: simple((value) => value instanceof Undefined),
  filter: (value, _args, names) => names.hasFilter(str(value)),
  test: (value, _args, names) => names.hasTest(str(value)),
  none: simple((value) => value === null),
  boolean: simple((value) => typeof value === 'boolean'),
  false: simple((value) => value === false),
  true: simple((value) => value === true),
  integer: simple((value) => typeof value === 'bigint'),
  float: simple((value) => typeof value === 'number'),
  lower: simple((value) => isLower(str(value))),
  upper: simple((value) => isUpper(str(value))),
  string: simple((value) => typeof value === 'string'),
  mapping: simple((value) => value instanceof Dict),
  number: simple(isNumber),
  sequence: simple(isSequence),
  iterable: simple((value) => iterableOf(value) !== undefined),
  callable: simple(
    (value) => value instanceof Callable || (value instanceof PyObject && value.attribute('__call__') === true),
  ),
  sameas: against((value, other) => value === other || (value instanceof Undefined && value === other)),
  escaped: simple(() => false),
  in: against((value, container) => contains(container, value)),
  '==': comparison('=='),
  eq: comparison('=='),
  equalto: comparison('=='),
  '!=': comparison('!='),
  ne: comparison('!='),
  '>': comparison('>'),
  gt: comparison('>'),
  greaterthan: comparison('>'),
  ge: comparison('>='),
  '>=': comparison('>='),
  '<': comparison('<'),
  lt: comparison('<'),
  lessthan: comparison('<'),
  '<=': comparison('<='),
  le: comparison('<='),
}
