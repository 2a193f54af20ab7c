import type { OpAttrs, OpName, ShapeDType } from './attrs.js'
import * as contract from './infer/contract.js'
import * as control from './infer/control.js'
import * as elementwise from './infer/elementwise.js'
import * as indexing from './infer/indexing.js'
import * as movement from './infer/movement.js'

/** What a pass may assume about an op. Stated here and nowhere else. */
export type OpClass =
  | 'source'
  | 'unary'
  | 'binary'
  | 'compare'
  | 'select'
  | 'cast'
  | 'movement'
  | 'indexing'
  | 'contract'
  | 'control'
  | 'meta'

export interface OpRule<K extends OpName> {
  readonly class: OpClass
  /** Number of operands; null when it varies. */
  readonly arity: number | null
  readonly commutative?: boolean
  readonly infer: (op: string, inputs: readonly ShapeDType[], attrs: OpAttrs[K]) => ShapeDType | ShapeDType[]
}

type Rule = Omit<OpRule<'negate'>, 'infer'> & { infer: (op: string, inputs: readonly ShapeDType[]) => ShapeDType }

const floats = elementwise.unary(['float'])
const numbers = elementwise.unary(['float', 'int'])
const bits = elementwise.unary(['int', 'bool'])
const unary = (infer: typeof floats): Rule => ({ class: 'unary', arity: 1, infer })
const binary = (kinds: ('float' | 'int' | 'bool')[], commutative = false): Rule => ({
  class: 'binary',
  arity: 2,
  commutative,
  infer: elementwise.binary(kinds),
})

export const OPS: { readonly [K in OpName]: OpRule<K> } = {
  parameter: { class: 'source', arity: 0, infer: movement.source },
  constant: { class: 'source', arity: 0, infer: movement.constant },
  iota: { class: 'source', arity: 0, infer: movement.iota },

  negate: unary(numbers),
  abs: unary(numbers),
  sign: unary(numbers),
  floor: unary(floats),
  ceil: unary(floats),
  round_nearest_even: unary(floats),
  exponential: unary(floats),
  exponential_minus_one: unary(floats),
  log: unary(floats),
  log_plus_one: unary(floats),
  sqrt: unary(floats),
  rsqrt: unary(floats),
  sine: unary(floats),
  cosine: unary(floats),
  tangent: unary(floats),
  tanh: unary(floats),
  erf: unary(floats),
  erfc: unary(floats),
  erf_inv: unary(floats),
  lgamma: unary(floats),
  digamma: unary(floats),
  not: unary(bits),

  convert: { class: 'cast', arity: 1, infer: elementwise.convert },
  bitcast_convert: { class: 'cast', arity: 1, infer: elementwise.bitcast },

  add: binary(['float', 'int'], true),
  subtract: binary(['float', 'int']),
  multiply: binary(['float', 'int'], true),
  divide: binary(['float', 'int']),
  remainder: binary(['float', 'int']),
  power: binary(['float', 'int']),
  maximum: binary(['float', 'int', 'bool'], true),
  minimum: binary(['float', 'int', 'bool'], true),
  atan2: binary(['float']),
  and: binary(['int', 'bool'], true),
  or: binary(['int', 'bool'], true),
  xor: binary(['int', 'bool'], true),
  shift_left: binary(['int']),
  shift_right_logical: binary(['int']),
  shift_right_arithmetic: binary(['int']),

  compare: { class: 'compare', arity: 2, infer: elementwise.compare },
  select: { class: 'select', arity: 3, infer: elementwise.select },

  reshape: { class: 'movement', arity: 1, infer: movement.reshape },
  transpose: { class: 'movement', arity: 1, infer: movement.transpose },
  broadcast_in_dim: { class: 'movement', arity: 1, infer: movement.broadcastInDim },
  slice: { class: 'movement', arity: 1, infer: movement.slice },
  pad: { class: 'movement', arity: 2, infer: movement.pad },
  concatenate: { class: 'movement', arity: null, infer: movement.concatenate },
  reverse: { class: 'movement', arity: 1, infer: movement.reverse },

  gather: { class: 'indexing', arity: 2, infer: indexing.gather },
  scatter: { class: 'indexing', arity: 3, infer: indexing.scatter },
  dynamic_slice: { class: 'indexing', arity: null, infer: indexing.dynamicSlice },
  dynamic_update_slice: { class: 'indexing', arity: null, infer: indexing.dynamicUpdateSlice },
  sort: { class: 'indexing', arity: null, infer: indexing.sort },

  dot_general: { class: 'contract', arity: 2, infer: contract.dotGeneral },
  convolution: { class: 'contract', arity: 2, infer: contract.convolution },
  reduce: { class: 'contract', arity: 1, infer: contract.reduce },
  reduce_window: { class: 'contract', arity: 1, infer: contract.reduceWindow },

  while: { class: 'control', arity: null, infer: control.whileLoop },
  scan: { class: 'control', arity: null, infer: control.scan },
  call: { class: 'control', arity: null, infer: control.withBody },

  stop_gradient: { class: 'meta', arity: 1, infer: (_op, inputs) => inputs[0] },
  optimization_barrier: {
    class: 'meta',
    arity: null,
    infer: (_op, inputs) => inputs.map(({ shape, dtype }) => ({ shape, dtype })),
  },
  composite: { class: 'meta', arity: null, infer: control.composite },
}
