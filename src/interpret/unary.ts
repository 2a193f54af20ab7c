import type { DType, OpName } from '../ir/index.js'
import { allocateHost, type HostArray, type NumberArray, roundToStorage } from './array.js'
import { roundNearestEven } from './semantics.js'
import { digamma, erf, erfc, erfInv, lgamma } from './special.js'

/** Fills `o` from `x`, element by element. Each op has its own loop so that the engine compiles each to machine code. */
type NumberLoop = (o: NumberArray, x: NumberArray) => void
type BigLoop = (o: BigInt64Array, x: BigInt64Array) => void

interface UnaryLoops {
  readonly number: NumberLoop
  /** i64, where the op takes integers. */
  readonly big?: BigLoop
  /** bool, where it differs from the integers. */
  readonly bool?: NumberLoop
}

const each =
  (f: (x: number) => number): NumberLoop =>
  (o, x) => {
    for (let i = 0; i < o.length; i++) o[i] = f(x[i])
  }

const eachBig =
  (f: (x: bigint) => bigint): BigLoop =>
  (o, x) => {
    for (let i = 0; i < o.length; i++) o[i] = f(x[i])
  }

export type UnaryName = Extract<
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
  | 'not'
>

const UNARY: { readonly [K in UnaryName]: UnaryLoops } = {
  negate: {
    number: (o, x) => {
      for (let i = 0; i < o.length; i++) o[i] = -x[i]
    },
    big: eachBig((x) => -x),
  },
  abs: {
    number: (o, x) => {
      for (let i = 0; i < o.length; i++) o[i] = Math.abs(x[i])
    },
    big: eachBig((x) => (x < 0n ? -x : x)),
  },
  sign: { number: each(Math.sign), big: eachBig((x) => (x > 0n ? 1n : x < 0n ? -1n : 0n)) },
  floor: { number: each(Math.floor) },
  ceil: { number: each(Math.ceil) },
  round_nearest_even: { number: each(roundNearestEven) },
  exponential: {
    number: (o, x) => {
      for (let i = 0; i < o.length; i++) o[i] = Math.exp(x[i])
    },
  },
  exponential_minus_one: { number: each(Math.expm1) },
  log: {
    number: (o, x) => {
      for (let i = 0; i < o.length; i++) o[i] = Math.log(x[i])
    },
  },
  log_plus_one: { number: each(Math.log1p) },
  sqrt: {
    number: (o, x) => {
      for (let i = 0; i < o.length; i++) o[i] = Math.sqrt(x[i])
    },
  },
  rsqrt: {
    number: (o, x) => {
      for (let i = 0; i < o.length; i++) o[i] = 1 / Math.sqrt(x[i])
    },
  },
  sine: { number: each(Math.sin) },
  cosine: { number: each(Math.cos) },
  tangent: { number: each(Math.tan) },
  tanh: {
    number: (o, x) => {
      for (let i = 0; i < o.length; i++) o[i] = Math.tanh(x[i])
    },
  },
  erf: { number: each(erf) },
  erfc: { number: each(erfc) },
  erf_inv: { number: each(erfInv) },
  lgamma: { number: each(lgamma) },
  digamma: { number: each(digamma) },
  not: { number: each((x) => ~x), big: eachBig((x) => ~x), bool: each((x) => (x === 0 ? 1 : 0)) },
}

export function evaluateUnary(op: UnaryName, x: HostArray, dtype: DType): HostArray {
  const out = allocateHost(dtype, x.length)
  const loops = UNARY[op]
  if (out instanceof BigInt64Array) loops.big?.(out, x as BigInt64Array)
  else (dtype === 'bool' && loops.bool ? loops.bool : loops.number)(out, x as NumberArray)
  return roundToStorage(out, dtype)
}
