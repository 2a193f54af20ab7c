import {
  apply,
  type DType,
  dtypeKind,
  fromBf16,
  fromF16,
  isFloat,
  isOp,
  type OpName,
  type Shape,
  scalarData,
  type TypedArray,
  type Value,
} from '../../ir/index.js'

/** The one element of a constant that repeats it, as a number (bigint for i64); null for anything else. */
export function splatOf(value: Value): number | bigint | null {
  const { node } = value
  if (!isOp(node, 'constant') || node.attrs.data.length !== 1) return null
  return elementOf(node.attrs.data, value.dtype)
}

function elementOf(data: TypedArray, dtype: DType): number | bigint {
  const element = data[0]
  if (dtype === 'f16') return fromF16(Number(element))
  if (dtype === 'bf16') return fromBf16(Number(element))
  return element
}

/** Whether `value` is a constant of this element everywhere; tells -0 from +0. */
export function isSplat(value: Value, element: number): boolean {
  const own = splatOf(value)
  return typeof own === 'bigint'
    ? own === BigInt(element) && !Object.is(element, -0)
    : own !== null && Object.is(own, element)
}

/** A constant with the element of `source`, bit for bit, in another shape. */
export function respread(source: Value, shape: Shape): Value | null {
  const { node } = source
  if (!isOp(node, 'constant') || node.attrs.data.length !== 1) return null
  return apply('constant', [], { shape, dtype: source.dtype, data: node.attrs.data })
}

type Fold = (a: number, b: number) => number
type BigFold = (a: bigint, b: bigint) => bigint

interface Folds {
  readonly float?: Fold
  readonly int?: Fold
  readonly big?: BigFold
}

/** Ops whose result IEEE 754 or modular arithmetic fixes, so that folding gives what every backend would compute. */
const FOLDS: { readonly [K in OpName]?: Folds } = {
  negate: { float: (a) => -a, int: (a) => -a, big: (a) => -a },
  sqrt: { float: (a) => Math.sqrt(a) },
  add: { float: (a, b) => a + b, int: (a, b) => a + b, big: (a, b) => a + b },
  subtract: { float: (a, b) => a - b, int: (a, b) => a - b, big: (a, b) => a - b },
  multiply: { float: (a, b) => a * b, int: Math.imul, big: (a, b) => a * b },
  divide: { float: (a, b) => a / b },
  maximum: { float: Math.max, int: Math.max },
  minimum: { float: Math.min, int: Math.min },
}

/** Folds an op on splat constants into a splat constant; null where it does not apply. */
export function foldSplats(op: OpName, inputs: readonly Value[], shape: Shape, dtype: DType): Value | null {
  const folds = FOLDS[op]
  if (!folds || inputs.length === 0) return null
  const elements = inputs.map(splatOf)
  if (elements.some((element) => element === null)) return null
  const [a, b] = elements
  const kind = dtypeKind(dtype)
  if (dtype === 'i64')
    return folds.big ? constant(BigInt.asIntN(64, folds.big(a as bigint, b as bigint)), shape, dtype) : null
  const fold = kind === 'float' ? folds.float : kind === 'int' ? folds.int : undefined
  return fold ? constant(fold(a as number, b as number), shape, dtype) : null
}

/** f32 arithmetic on f32 operands done in f64 and rounded once is exact for + - * / and sqrt, so `scalarData` finishes the job. */
const constant = (element: number | bigint, shape: Shape, dtype: DType): Value =>
  apply('constant', [], { shape, dtype, data: scalarData(element, dtype) })

/** Folds the conversion of a splat between floats, or from an integer or bool that the float holds exactly. */
export function foldConvert(input: Value, dtype: DType): Value | null {
  const element = splatOf(input)
  if (element === null || !isFloat(dtype) || typeof element === 'bigint') return null
  return constant(element, input.shape, dtype)
}
