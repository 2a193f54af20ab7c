import {
  apply,
  type DType,
  dtypeKind,
  isFloat,
  isOp,
  isSigned,
  type OpName,
  splat,
  type Value,
} from '../../ir/index.js'
import { foldConvert, isSplat, splatOf } from './splat.js'

/** A rewrite of one node on inputs that are simplified already: the value that replaces it, or null. */
export type Rule = (inputs: readonly Value[]) => Value | null

const operandOf = (op: OpName, value: Value): Value | null => (value.node.op === op ? value.node.inputs[0] : null)

/** x + (-0) = x for every x, but (-0) + (+0) = +0: only a negative zero may go. Integers have one zero. */
const isAddZero = (value: Value): boolean => isSplat(value, isFloat(value.dtype) ? -0 : 0)

const add: Rule = ([a, b]) => {
  if (isAddZero(b)) return a
  if (isAddZero(a)) return b
  const negatedB = operandOf('negate', b)
  if (negatedB) return apply('subtract', [a, negatedB], {})
  const negatedA = operandOf('negate', a)
  return negatedA ? apply('subtract', [b, negatedA], {}) : null
}

const subtract: Rule = ([a, b]) => {
  if (isSplat(b, 0)) return a
  const negated = operandOf('negate', b)
  return negated ? apply('add', [a, negated], {}) : null
}

const multiply: Rule = ([a, b]) => {
  for (const [x, factor] of [
    [a, b],
    [b, a],
  ]) {
    if (isSplat(factor, 1)) return x
    if (isSplat(factor, -1)) return apply('negate', [x], {})
    if (!isFloat(x.dtype) && isSplat(factor, 0)) return factor
  }
  return null
}

/** A power of two whose reciprocal is a normal number of the dtype: multiplying by it is dividing, bit for bit. */
function exactReciprocal(divisor: Value): number | null {
  const value = splatOf(divisor)
  if (typeof value !== 'number' || !isFloat(divisor.dtype)) return null
  const exponent = Math.log2(Math.abs(value))
  const limit = divisor.dtype === 'f16' ? 14 : 126
  return Number.isInteger(exponent) && Math.abs(exponent) <= limit && 2 ** exponent === Math.abs(value)
    ? 1 / value
    : null
}

const divide: Rule = ([a, b]) => {
  if (isSplat(b, 1)) return a
  const reciprocal = exactReciprocal(b)
  return reciprocal === null ? null : apply('multiply', [a, splat(reciprocal, b.shape, b.dtype)], {})
}

const power: Rule = ([base, exponent]) => {
  if (isSplat(exponent, 1)) return base
  if (isSplat(exponent, 2)) return apply('multiply', [base, base], {})
  return null
}

const keepEqual: Rule = ([a, b]) => (a === b ? a : null)

const undo =
  (op: OpName): Rule =>
  ([x]) =>
    operandOf(op, x)

const abs: Rule = ([x]) => {
  if (x.node.op === 'abs') return x
  const negated = operandOf('negate', x)
  return negated ? apply('abs', [negated], {}) : null
}

const select: Rule = ([predicate, a, b]) => {
  if (a === b || isSplat(predicate, 1)) return a
  return isSplat(predicate, 0) ? b : null
}

/** Bits of integer that a dtype holds exactly, without the sign. */
const EXACT_BITS: { readonly [D in DType]: number } = {
  f32: 24,
  f64: 53,
  f16: 11,
  bf16: 8,
  i8: 7,
  i16: 15,
  u8: 8,
  i32: 31,
  u32: 32,
  i64: 63,
  bool: 1,
}

const FLOAT_INSIDE: Partial<Record<DType, readonly DType[]>> = {
  f16: ['f32', 'f64'],
  bf16: ['f32', 'f64'],
  f32: ['f64'],
}

/** Whether every element of `from` is one of `to`. */
function embeds(from: DType, to: DType): boolean {
  if (from === to) return true
  if (isFloat(from)) return FLOAT_INSIDE[from]?.includes(to) ?? false
  if (to === 'bool' || (isSigned(from) && !isSigned(to))) return false
  // The least value of a signed type is a power of two, which floats of as many bits hold, too.
  return EXACT_BITS[from] <= EXACT_BITS[to]
}

/** Drops a conversion to a wider type on the way to another, where going straight gives the same. */
export function convert(x: Value, dtype: DType): Value | null {
  if (x.dtype === dtype) return x
  const { node } = x
  if (isOp(node, 'convert')) {
    const [source] = node.inputs
    if (embeds(source.dtype, x.dtype)) {
      if (source.dtype === dtype) return source
      // Integers wrap but floats saturate: a detour through a float may not be cut short on the way to another integer.
      const saturates = dtypeKind(source.dtype) !== 'float' && isFloat(x.dtype) && dtypeKind(dtype) === 'int'
      if (!saturates) return apply('convert', [source], { dtype })
    }
  }
  return foldConvert(x, dtype)
}

/** Rules of ops without attributes. Each keeps NaN, infinities and signed zeros. */
export const arithmeticRules: { readonly [K in OpName]?: Rule } = {
  add,
  subtract,
  multiply,
  divide,
  power,
  negate: undo('negate'),
  not: undo('not'),
  abs,
  select,
  maximum: keepEqual,
  minimum: keepEqual,
  and: keepEqual,
  or: keepEqual,
}
