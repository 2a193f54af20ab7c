import {
  type CompareDirection,
  type DType,
  dtypeBytes,
  isFloat,
  type OpName,
  type Shape,
  type Value,
} from '../../ir/index.js'
import type { InputSpec } from './data.js'
import { ALL, type Draft, type Drafts, FLOATS, INTEGERS, op, SHAPES, shapeLabel, within } from './draft.js'
import type { Accuracy } from './tolerance.js'

interface Domain {
  readonly low: number
  readonly high: number
}

type Emit = (...inputs: Value[]) => Value

interface Family {
  readonly arity: number
  readonly emit: Emit
  readonly dtypes: readonly DType[]
  readonly accuracy: Accuracy
  readonly domains?: readonly Domain[]
  readonly gradient?: boolean
}

const spec = (family: Family, i: number, dtype: DType, shape: Shape, specials = false): InputSpec => ({
  dtype,
  shape,
  specials,
  ...(isFloat(dtype) ? family.domains?.[Math.min(i, family.domains.length - 1)] : {}),
})

/** Operands read through views that a backend may fuse: transposed, broadcast, strided, reversed. */
const VIEWS: readonly { label: string; shape: Shape; view: (x: Value) => Value }[] = [
  { label: 'transposed', shape: [9, 5], view: (x) => op('transpose', [x], { permutation: [1, 0] }) },
  { label: 'row', shape: [9], view: (x) => op('broadcast_in_dim', [x], { shape: [5, 9], dims: [1] }) },
  { label: 'column', shape: [5, 1], view: (x) => op('broadcast_in_dim', [x], { shape: [5, 9], dims: [0, 1] }) },
  {
    label: 'strided',
    shape: [6, 19],
    view: (x) => op('slice', [x], { start: [1, 0], limit: [6, 18], strides: [1, 2] }),
  },
  { label: 'reversed', shape: [5, 9], view: (x) => op('reverse', [x], { dimensions: [1] }) },
]

function* family(f: Family): Drafts {
  const places = Array.from({ length: f.arity }, (_, i) => i)
  const draft = (
    label: string,
    dtype: DType,
    inputs: readonly InputSpec[],
    build: Draft['build'],
    gradient = false,
  ): Draft => ({
    label: `${dtype}/${label}`,
    inputs,
    build,
    accuracy: f.accuracy,
    gradient: gradient && f.gradient !== false && dtype === 'f32',
  })
  for (const dtype of f.dtypes) {
    for (const shape of SHAPES) {
      yield draft(
        shapeLabel(shape),
        dtype,
        places.map((i) => spec(f, i, dtype, shape)),
        (p) => [f.emit(...p)],
        true,
      )
    }
    yield draft(
      'specials',
      dtype,
      places.map((i) => spec(f, i, dtype, [211], true)),
      (p) => [f.emit(...p)],
    )
    for (const { label, shape, view } of VIEWS) {
      const inputs = places.map((i) => spec(f, i, dtype, i === 0 ? shape : [5, 9]))
      yield draft(label, dtype, inputs, ([first, ...rest]) => [f.emit(view(first), ...rest)], true)
    }
  }
}

const simple =
  (name: OpName): Emit =>
  (...inputs) =>
    op(name as 'add', inputs, {})

const NUMBERS = [...FLOATS, ...INTEGERS]
const BITS: readonly DType[] = [...INTEGERS, 'bool']
const EXACT = 'exact'

const unary = (
  name: OpName,
  accuracy: Accuracy,
  dtypes: readonly DType[],
  low = -3,
  high = 3,
  gradient = true,
): Drafts => family({ arity: 1, emit: simple(name), dtypes, accuracy, domains: [{ low, high }], gradient })

const binary = (name: OpName, accuracy: Accuracy, dtypes: readonly DType[], ...domains: Domain[]): Drafts =>
  family({
    arity: 2,
    emit: simple(name),
    dtypes,
    accuracy,
    domains: domains.length > 0 ? domains : [{ low: -3, high: 3 }],
  })

function* compares(): Drafts {
  for (const direction of ['EQ', 'NE', 'LT', 'LE', 'GT', 'GE'] as CompareDirection[]) {
    const emit: Emit = (a, b) => op('compare', [a, b], { direction })
    for (const draft of family({ arity: 2, emit, dtypes: ALL, accuracy: EXACT, gradient: false }))
      yield { ...draft, label: `${direction}/${draft.label}` }
  }
}

function* selects(): Drafts {
  for (const dtype of ALL) {
    for (const shape of SHAPES) {
      const inputs: InputSpec[] = [
        { dtype: 'bool', shape },
        { dtype, shape },
        { dtype, shape, specials: true },
      ]
      yield { label: `${dtype}/${shapeLabel(shape)}`, inputs, build: (p) => [op('select', p, {})], accuracy: EXACT }
    }
  }
}

function* converts(): Drafts {
  for (const from of ALL) {
    for (const to of ALL) {
      if (from === to) continue
      const emit: Emit = (x) => op('convert', [x], { dtype: to })
      for (const draft of family({
        arity: 1,
        emit,
        dtypes: [from],
        accuracy: EXACT,
        domains: [{ low: -300, high: 300 }],
      })) {
        if (!draft.label.includes('x') || draft.label.endsWith('[4x129]'))
          yield { ...draft, label: `to ${to} from ${draft.label}` }
      }
    }
  }
}

function* bitcasts(): Drafts {
  for (const from of ALL) {
    for (const to of ALL) {
      if (from === to || dtypeBytes(from) !== dtypeBytes(to)) continue
      // Bits of random integers may be NaNs, whose payload is nobody's business; positive ones below the exponent are plain numbers.
      yield {
        label: `${from} to ${to}`,
        inputs: [{ dtype: from, shape: [3, 37], low: 0, high: 100 }],
        build: (p) => [op('bitcast_convert', p, { dtype: to })],
        accuracy: EXACT,
      }
    }
  }
}

const POSITIVE = { low: 0.05, high: 4 }

/** Drafts of the ops that work element by element. */
export const elementwiseDrafts = {
  negate: () => unary('negate', EXACT, NUMBERS),
  abs: () => unary('abs', EXACT, NUMBERS),
  sign: () => unary('sign', EXACT, NUMBERS),
  floor: () => unary('floor', EXACT, FLOATS),
  ceil: () => unary('ceil', EXACT, FLOATS),
  round_nearest_even: () => unary('round_nearest_even', EXACT, FLOATS),
  exponential: () => unary('exponential', within(8), FLOATS),
  exponential_minus_one: () => unary('exponential_minus_one', within(8), FLOATS),
  log: () => unary('log', within(8, 0.1), FLOATS, 0.01, 9),
  log_plus_one: () => unary('log_plus_one', within(8), FLOATS, -0.9, 9),
  sqrt: () => unary('sqrt', within(1), FLOATS, 0.01, 9),
  rsqrt: () => unary('rsqrt', within(4), FLOATS, 0.01, 9),
  sine: () => unary('sine', within(8, 1), FLOATS, -9, 9),
  cosine: () => unary('cosine', within(8, 1), FLOATS, -9, 9),
  tangent: () => unary('tangent', within(16, 1), FLOATS, -1.4, 1.4),
  tanh: () => unary('tanh', within(8), FLOATS),
  erf: () => unary('erf', within(8), FLOATS),
  erfc: () => unary('erfc', within(16), FLOATS),
  erf_inv: () => unary('erf_inv', within(32), FLOATS, -0.99, 0.99),
  lgamma: () => unary('lgamma', within(32, 1), FLOATS, 0.1, 9),
  digamma: () => unary('digamma', within(32, 1), FLOATS, 0.1, 9),
  not: () => unary('not', EXACT, BITS),

  convert: converts,
  bitcast_convert: bitcasts,

  add: () => binary('add', EXACT, NUMBERS),
  subtract: () => binary('subtract', EXACT, NUMBERS),
  multiply: () => binary('multiply', EXACT, NUMBERS),
  divide: () => binary('divide', within(1), NUMBERS, { low: -3, high: 3 }, POSITIVE),
  remainder: () => binary('remainder', within(4, 4), NUMBERS, { low: -3, high: 3 }, POSITIVE),
  power: () => binary('power', within(32), NUMBERS, POSITIVE, { low: -2, high: 2 }),
  maximum: () => binary('maximum', EXACT, ALL),
  minimum: () => binary('minimum', EXACT, ALL),
  atan2: () => binary('atan2', within(8), FLOATS, POSITIVE, { low: -3, high: 3 }),
  and: () => binary('and', EXACT, BITS),
  or: () => binary('or', EXACT, BITS),
  xor: () => binary('xor', EXACT, BITS),
  shift_left: () => binary('shift_left', EXACT, INTEGERS),
  shift_right_logical: () => binary('shift_right_logical', EXACT, INTEGERS),
  shift_right_arithmetic: () => binary('shift_right_arithmetic', EXACT, INTEGERS),

  compare: compares,
  select: selects,
}
