import { type CompareDirection, type DType, dtypeKind, isFloat, type OpName } from '../../ir/index.js'
import { broadcastShapes, broadcastTo } from '../broadcast.js'
import { asTensor, constant, record, type TensorLike } from '../core.js'
import { align, cast, floatType, promote, resultType, toFloat, type Unary } from '../promote.js'
import type { Tensor } from '../tensor.js'

/** Building blocks: one function for each elementwise primitive, with promotion and broadcasting. */

type Plain = Extract<
  OpName,
  | 'negate'
  | 'abs'
  | 'sign'
  | 'floor'
  | 'ceil'
  | 'round_nearest_even'
  | 'exponential'
  | 'exponential_minus_one'
  | 'log'
  | 'log_plus_one'
  | 'sqrt'
  | 'rsqrt'
  | 'sine'
  | 'cosine'
  | 'tangent'
  | 'tanh'
  | 'erf'
  | 'erfc'
  | 'erf_inv'
  | 'lgamma'
  | 'digamma'
  | 'stop_gradient'
>

type Pair = Extract<
  OpName,
  | 'add'
  | 'subtract'
  | 'multiply'
  | 'divide'
  | 'remainder'
  | 'power'
  | 'maximum'
  | 'minimum'
  | 'atan2'
  | 'and'
  | 'or'
  | 'xor'
  | 'shift_left'
  | 'shift_right_logical'
  | 'shift_right_arithmetic'
>

type Binary = (x: TensorLike, y: TensorLike) => Tensor

const float =
  (op: Plain): Unary =>
  (x) =>
    record(op, [toFloat(x)], {})

/** Keeps the dtype; for integers and bool the op changes nothing when `identity`. */
const kept =
  (op: Plain, identity = false): Unary =>
  (like) => {
    const x = asTensor(like)
    return identity && !isFloat(x.dtype) ? x : record(op, [x], {})
  }

/** `op` on operands of one dtype and shape; for bool `onBool`, where there is a meaning. */
const binary =
  (op: Pair, onBool: Pair = op): Binary =>
  (x, y) => {
    const [a, b] = align(op, [x, y])
    return record(a.dtype === 'bool' ? onBool : op, [a, b], {})
  }

/** -x. */
export const neg = kept('negate')
/** |x|. The gradient at 0 is 0. */
export const abs: Unary = (x) => {
  const tensor = asTensor(x)
  return tensor.dtype === 'bool' ? tensor : record('abs', [tensor], {})
}
/** -1, 0 or 1 by sign; NaN gives 0, as in torch. */
export const sign: Unary = (x) => {
  const tensor = asTensor(x)
  if (tensor.dtype === 'bool') return tensor
  const value = record('sign', [tensor], {})
  return isFloat(tensor.dtype) ? where(ne(tensor, tensor), constant(0, tensor.dtype), value) : value
}
export const floor = kept('floor', true)
export const ceil = kept('ceil', true)
/** e^x. */
export const exp = float('exponential')
/** e^x - 1, accurate near 0. */
export const expm1 = float('exponential_minus_one')
/** Natural logarithm. */
export const log = float('log')
/** log(1 + x), accurate near 0. */
export const log1p = float('log_plus_one')
export const sqrt = float('sqrt')
/** 1 / sqrt(x). */
export const rsqrt = float('rsqrt')
export const sin = float('sine')
export const cos = float('cosine')
export const tan = float('tangent')
export const tanh = float('tanh')
/** Error function. */
export const erf = float('erf')
/** 1 - erf(x), accurate where erf is near 1. */
export const erfc = float('erfc')
/** Inverse of erf on (-1, 1). */
export const erfinv = float('erf_inv')
/** log |gamma(x)|. */
export const lgamma = float('lgamma')
/** Derivative of lgamma. */
export const digamma = float('digamma')
/** `x`, through which no gradient flows. */
export const stopGradient = kept('stop_gradient')
/** {@link stopGradient} under torch's name. */
export const detach = stopGradient

/** x + y; bool operands give their "or". */
export const add = binary('add', 'or')
/** x - y. */
export const sub = binary('subtract')
/** x * y; bool operands give their "and". */
export const mul = binary('multiply', 'and')
/** Larger of the two; NaN if either is. Ties share the gradient. */
export const maximum = binary('maximum')
/** Smaller of the two; NaN if either is. Ties share the gradient. */
export const minimum = binary('minimum')
/** Remainder with the sign of x (C's fmod). */
export const fmod = binary('remainder')

/** Angle of the point (y, x), in (-pi, pi]. */
export const atan2: Binary = (y, x) => record('atan2', align('atan2', [y, x], floatType(resultType(y, x))), {})

/** x / y in floating point; integers and bool give f32. */
export const trueDivide: Binary = (x, y) => record('divide', align('div', [x, y], floatType(resultType(x, y))), {})

/** Bits of integers, or truth of bool. */
export const bitwiseAnd = binary('and')
export const bitwiseOr = binary('or')
export const bitwiseXor = binary('xor')
export const bitwiseNot: Unary = (x) => record('not', [asTensor(x)], {})
export const leftShift = binary('shift_left')
/** Keeps the sign of signed integers. */
export const rightShift: Binary = (x, y) => {
  const [a, b] = align('rightShift', [x, y])
  return record(a.dtype === 'u8' || a.dtype === 'u32' ? 'shift_right_logical' : 'shift_right_arithmetic', [a, b], {})
}

const compare =
  (direction: CompareDirection, name: string): Binary =>
  (x, y) =>
    record('compare', align(name, [x, y]), { direction })

/** x == y, elementwise. */
export const eq = compare('EQ', 'eq')
/** x != y, elementwise. */
export const ne = compare('NE', 'ne')
export const lt = compare('LT', 'lt')
export const le = compare('LE', 'le')
export const gt = compare('GT', 'gt')
export const ge = compare('GE', 'ge')

/** `x` as truth: nonzero (NaN too) is true. */
export const toBool = (x: TensorLike): Tensor => cast(x, 'bool')

const logical =
  (op: Pair, name: string): Binary =>
  (x, y) =>
    record(op, align(name, [toBool(x), toBool(y)]), {})

export const logicalAnd = logical('and', 'logicalAnd')
export const logicalOr = logical('or', 'logicalOr')
export const logicalXor = logical('xor', 'logicalXor')
export const logicalNot: Unary = (x) => record('not', [toBool(x)], {})

/**
 * `x` where `condition` holds, else `y`; the three broadcast.
 * No gradient flows to what was not chosen, but a NaN made while computing it can still reach its operands.
 */
export function where(condition: TensorLike, x: TensorLike, y: TensorLike): Tensor {
  const predicate = toBool(condition)
  const [a, b] = promote([x, y])
  const shape = broadcastShapes('where', predicate.shape, a.shape, b.shape)
  return record('select', [broadcastTo(predicate, shape), broadcastTo(a, shape), broadcastTo(b, shape)], {})
}

/** A constant of the program with the dtype of `x`. */
export const like = (value: number, x: Tensor): Tensor => constant(value, x.dtype)

/** Converts to another dtype. Floats to integers truncate and saturate; NaN gives 0. */
export const to = (x: TensorLike, dtype: DType): Tensor => cast(asTensor(x), dtype)

/** Reads the bits as another dtype of the same size. */
export const bitcast = (x: TensorLike, dtype: DType): Tensor => record('bitcast_convert', [asTensor(x)], { dtype })

/** True for floats. */
export const isFloatingPoint = (x: TensorLike): boolean => dtypeKind(asTensor(x).dtype) === 'float'
