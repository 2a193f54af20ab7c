import { type DType, isFloat, type OpAttrs, type ReduceKind, type ShapeDType, sizeOf } from '../ir/index.js'
import { allocateHost, type HostArray, type NumberArray, roundToStorage } from './array.js'
import { evaluateTranspose } from './movement.js'
import { GREATEST_I64, LEAST_I64, maximumBig, minimumBig, rangeOf } from './semantics.js'

type FoldKind = Exclude<ReduceKind, 'argmax' | 'argmin'>

/** Folds line `i` of `x`, its elements from `start` to `end`. */
type NumberFold = (x: NumberArray, start: number, end: number, dtype: DType) => number
type BigFold = (x: BigInt64Array, start: number, end: number) => bigint

/** The greatest or least value of a dtype: what max and min of nothing give. */
export function extremeOf(dtype: DType, which: 'least' | 'greatest'): number {
  if (isFloat(dtype)) return which === 'least' ? -Infinity : Infinity
  if (dtype === 'bool') return which === 'least' ? 0 : 1
  return rangeOf(dtype)[which]
}

const sumFloat: NumberFold = (x, start, end) => {
  let sum = 0
  for (let i = start; i < end; i++) sum += x[i]
  return sum
}
const sumInt: NumberFold = (x, start, end) => {
  let sum = 0
  for (let i = start; i < end; i++) sum = (sum + x[i]) | 0
  return sum
}
const prodFloat: NumberFold = (x, start, end) => {
  let product = 1
  for (let i = start; i < end; i++) product *= x[i]
  return product
}
const prodInt: NumberFold = (x, start, end) => {
  let product = 1
  for (let i = start; i < end; i++) product = Math.imul(product, x[i])
  return product
}
const max: NumberFold = (x, start, end, dtype) => {
  let best = extremeOf(dtype, 'least')
  for (let i = start; i < end; i++) if (x[i] > best || Number.isNaN(x[i])) best = x[i]
  return best
}
const min: NumberFold = (x, start, end, dtype) => {
  let best = extremeOf(dtype, 'greatest')
  for (let i = start; i < end; i++) if (x[i] < best || Number.isNaN(x[i])) best = x[i]
  return best
}
const and: NumberFold = (x, start, end) => {
  let bits = -1
  for (let i = start; i < end; i++) bits &= x[i]
  return bits
}
const or: NumberFold = (x, start, end) => {
  let bits = 0
  for (let i = start; i < end; i++) bits |= x[i]
  return bits
}

const foldBig =
  (init: bigint, f: (a: bigint, b: bigint) => bigint): BigFold =>
  (x, start, end) => {
    let acc = init
    for (let i = start; i < end; i++) acc = BigInt.asIntN(64, f(acc, x[i]))
    return acc
  }

const FOLDS: { readonly [K in FoldKind]: { float: NumberFold; int: NumberFold; bool: NumberFold; big: BigFold } } = {
  sum: { float: sumFloat, int: sumInt, bool: or, big: foldBig(0n, (a, b) => a + b) },
  prod: { float: prodFloat, int: prodInt, bool: and, big: foldBig(1n, (a, b) => a * b) },
  max: { float: max, int: max, bool: or, big: foldBig(LEAST_I64, maximumBig) },
  min: { float: min, int: min, bool: and, big: foldBig(GREATEST_I64, minimumBig) },
  and: { float: and, int: and, bool: and, big: foldBig(-1n, (a, b) => a & b) },
  or: { float: or, int: or, bool: or, big: foldBig(0n, (a, b) => a | b) },
}

/** Index within the line of the first greatest (least) element; the first NaN wins. */
function argBest(x: HostArray, start: number, end: number, greatest: boolean): number {
  let best = start
  for (let i = start; i < end; i++) {
    if (Number.isNaN(x[i])) return i - start
    if (greatest ? x[i] > x[best] : x[i] < x[best]) best = i
  }
  return best - start
}

export function evaluateReduce(
  x: HostArray,
  input: ShapeDType,
  output: ShapeDType,
  { kind, dimensions }: OpAttrs['reduce'],
): HostArray {
  const { shape, dtype } = input
  const kept = shape.map((_, dim) => dim).filter((dim) => !dimensions.includes(dim))
  // Reduced dimensions go last, in ascending order, so that each result folds one contiguous line.
  const order = [...kept, ...[...dimensions].sort((a, b) => a - b)]
  const lines = order.every((dim, i) => dim === i) ? x : evaluateTranspose(x, input, order)
  const length = sizeOf(dimensions.map((dim) => shape[dim]))
  const out = allocateHost(output.dtype, sizeOf(output.shape))
  if (kind === 'argmax' || kind === 'argmin') {
    for (let i = 0; i < out.length; i++) out[i] = argBest(lines, i * length, (i + 1) * length, kind === 'argmax')
    return out
  }
  const folds = FOLDS[kind]
  if (out instanceof BigInt64Array) {
    for (let i = 0; i < out.length; i++) out[i] = folds.big(lines as BigInt64Array, i * length, (i + 1) * length)
    return out
  }
  const fold = isFloat(dtype) ? folds.float : dtype === 'bool' ? folds.bool : folds.int
  for (let i = 0; i < out.length; i++) out[i] = fold(lines as NumberArray, i * length, (i + 1) * length, dtype)
  return dtype === 'bool' ? (out as Uint8Array).map((v) => v & 1) : roundToStorage(out, dtype)
}
