import { type CompareDirection, type DType, isFloat, type OpName } from '../ir/index.js'
import { allocateHost, asMovable, type HostArray, type NumberArray, roundToStorage } from './array.js'
import {
  divideBig,
  divideInt,
  maximumBig,
  minimumBig,
  powerBig,
  powerFloat,
  powerInt,
  rangeOf,
  remainderBig,
  remainderInt,
} from './semantics.js'

/** Fills `o` from `a` and `b`, element by element; `dtype` is that of all three. */
type NumberLoop = (o: NumberArray, a: NumberArray, b: NumberArray, dtype: DType) => void
type BigLoop = (o: BigInt64Array, a: BigInt64Array, b: BigInt64Array) => void

interface BinaryLoops {
  readonly float?: NumberLoop
  /** Integers of at most 32 bits, and bool. */
  readonly int?: NumberLoop
  readonly big?: BigLoop
}

const each =
  (f: (a: number, b: number) => number): NumberLoop =>
  (o, a, b) => {
    for (let i = 0; i < o.length; i++) o[i] = f(a[i], b[i])
  }

const eachBig =
  (f: (a: bigint, b: bigint) => bigint): BigLoop =>
  (o, a, b) => {
    for (let i = 0; i < o.length; i++) o[i] = f(a[i], b[i])
  }

type ShiftKind = 'left' | 'logical' | 'arithmetic'

/** Integers of at most 32 bits: the amount is read as unsigned. */
const shift =
  (kind: ShiftKind): NumberLoop =>
  (o, a, b, dtype) => {
    const { bits } = rangeOf(dtype)
    const mask = bits === 32 ? 0xffffffff : (1 << bits) - 1
    const top = 32 - bits
    for (let i = 0; i < o.length; i++) {
      const wide = b[i] < 0 || b[i] >= bits
      if (kind === 'left') o[i] = wide ? 0 : a[i] << b[i]
      else if (kind === 'logical') o[i] = wide ? 0 : (a[i] & mask) >>> b[i]
      else o[i] = ((a[i] << top) >> top) >> (wide ? bits - 1 : b[i])
    }
  }

const shiftBig = (kind: ShiftKind): BigLoop =>
  eachBig((a, b) => {
    const wide = b < 0n || b >= 64n
    if (kind === 'left') return wide ? 0n : a << b
    if (kind === 'logical') return wide ? 0n : BigInt.asUintN(64, a) >> b
    return a >> (wide ? 63n : b)
  })

export type BinaryName = Extract<
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

const addLoop: NumberLoop = (o, a, b) => {
  for (let i = 0; i < o.length; i++) o[i] = a[i] + b[i]
}
const subtractLoop: NumberLoop = (o, a, b) => {
  for (let i = 0; i < o.length; i++) o[i] = a[i] - b[i]
}
const maximumLoop: NumberLoop = (o, a, b) => {
  for (let i = 0; i < o.length; i++) o[i] = Math.max(a[i], b[i])
}
const minimumLoop: NumberLoop = (o, a, b) => {
  for (let i = 0; i < o.length; i++) o[i] = Math.min(a[i], b[i])
}

const BINARY: { readonly [K in BinaryName]: BinaryLoops } = {
  add: { float: addLoop, int: addLoop, big: eachBig((a, b) => a + b) },
  subtract: { float: subtractLoop, int: subtractLoop, big: eachBig((a, b) => a - b) },
  multiply: {
    float: (o, a, b) => {
      for (let i = 0; i < o.length; i++) o[i] = a[i] * b[i]
    },
    int: each(Math.imul),
    big: eachBig((a, b) => a * b),
  },
  divide: {
    float: (o, a, b) => {
      for (let i = 0; i < o.length; i++) o[i] = a[i] / b[i]
    },
    int: each(divideInt),
    big: eachBig(divideBig),
  },
  remainder: { float: each((a, b) => a % b), int: each(remainderInt), big: eachBig(remainderBig) },
  power: { float: each(powerFloat), int: each(powerInt), big: eachBig(powerBig) },
  maximum: { float: maximumLoop, int: maximumLoop, big: eachBig(maximumBig) },
  minimum: { float: minimumLoop, int: minimumLoop, big: eachBig(minimumBig) },
  atan2: { float: each(Math.atan2) },
  and: { int: each((a, b) => a & b), big: eachBig((a, b) => a & b) },
  or: { int: each((a, b) => a | b), big: eachBig((a, b) => a | b) },
  xor: { int: each((a, b) => a ^ b), big: eachBig((a, b) => a ^ b) },
  shift_left: { int: shift('left'), big: shiftBig('left') },
  shift_right_logical: { int: shift('logical'), big: shiftBig('logical') },
  shift_right_arithmetic: { int: shift('arithmetic'), big: shiftBig('arithmetic') },
}

export function evaluateBinary(op: BinaryName, a: HostArray, b: HostArray, dtype: DType): HostArray {
  const out = allocateHost(dtype, a.length)
  const loops = BINARY[op]
  if (out instanceof BigInt64Array) loops.big?.(out, a as BigInt64Array, b as BigInt64Array)
  else (isFloat(dtype) ? loops.float : loops.int)?.(out, a as NumberArray, b as NumberArray, dtype)
  return roundToStorage(out, dtype)
}

type Elements = ArrayLike<number | bigint>

const COMPARE: { readonly [K in CompareDirection]: (o: Uint8Array, a: Elements, b: Elements) => void } = {
  EQ: (o, a, b) => {
    for (let i = 0; i < o.length; i++) o[i] = a[i] === b[i] ? 1 : 0
  },
  NE: (o, a, b) => {
    for (let i = 0; i < o.length; i++) o[i] = a[i] !== b[i] ? 1 : 0
  },
  LT: (o, a, b) => {
    for (let i = 0; i < o.length; i++) o[i] = a[i] < b[i] ? 1 : 0
  },
  LE: (o, a, b) => {
    for (let i = 0; i < o.length; i++) o[i] = a[i] <= b[i] ? 1 : 0
  },
  GT: (o, a, b) => {
    for (let i = 0; i < o.length; i++) o[i] = a[i] > b[i] ? 1 : 0
  },
  GE: (o, a, b) => {
    for (let i = 0; i < o.length; i++) o[i] = a[i] >= b[i] ? 1 : 0
  },
}

export function evaluateCompare(direction: CompareDirection, a: HostArray, b: HostArray): HostArray {
  const out = new Uint8Array(a.length)
  COMPARE[direction](out, a, b)
  return out
}

export function evaluateSelect(predicate: HostArray, onTrue: HostArray, onFalse: HostArray, dtype: DType): HostArray {
  const out = allocateHost(dtype, onTrue.length)
  const o = asMovable(out)
  const a = asMovable(onTrue)
  const b = asMovable(onFalse)
  for (let i = 0; i < o.length; i++) o[i] = predicate[i] ? a[i] : b[i]
  return out
}
