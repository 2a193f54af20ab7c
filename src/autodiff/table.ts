import type { OpName } from '../ir/index.js'
import type { VjpRule } from './rule.js'
import { contractRules } from './rules/contract.js'
import { controlRules, type Vjp } from './rules/control.js'
import { binaryRules, unaryRules } from './rules/elementwise.js'
import { indexingRules } from './rules/indexing.js'
import { movementRules } from './rules/movement.js'

/** One rule an op; null where no gradient flows: constants, steps, integers and bits. */
export type VjpTable = { readonly [K in OpName]: VjpRule<K> | null }

export const makeTable = (vjp: Vjp): VjpTable => ({
  parameter: null,
  constant: null,
  iota: null,

  ...unaryRules,
  sign: null,
  floor: null,
  ceil: null,
  round_nearest_even: null,
  not: null,

  bitcast_convert: null,

  ...binaryRules,
  and: null,
  or: null,
  xor: null,
  shift_left: null,
  shift_right_logical: null,
  shift_right_arithmetic: null,
  compare: null,

  ...movementRules,
  ...indexingRules,
  ...contractRules,
  ...controlRules(vjp),

  stop_gradient: null,
  optimization_barrier: (_node, cts) => cts,
})
