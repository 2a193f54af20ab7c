import { type DType, isFloat, type Shape, sizeOf } from '../ir/index.js'
import { bufferOf, currentTrace, type Trace, traceOfCells } from '../runtime/index.js'
import { asTensor, constant, type TensorLike, tensor } from './core.js'
import { fail, resolveDim } from './dims.js'
import { iota } from './ops/creation.js'
import { add, erfinv, fmod, like, log, lt, maximum, minimum, mul, neg, rightShift, sub, to } from './ops/elementwise.js'
import { takeAlongRows } from './ops/gather.js'
import { cat } from './ops/join.js'
import { argmax } from './ops/reduce.js'
import { narrow, reshape } from './ops/shape.js'
import { sortWith } from './ops/sort.js'
import { Parameter } from './parameter.js'
import { cast } from './promote.js'
import type { Tensor } from './tensor.js'
import { randomBits, threefryBlock, wordPair } from './threefry.js'

/**
 * Seeded randomness without hidden order: every draw has a key of its own, made from the seed, a run number and the number of the draw
 * within the run. A compiled program counts its runs in a cell; draws outside of one count on the host. So a seed repeats everything
 * bit for bit, on every backend and whatever is fused, and a saved state continues the stream.
 */

/** Run number of draws outside of compiled programs; no program gets that far. */
const HOST_RUN = 0xffffffff

let hostDraws = 0
let seedWords: [number, number] = [0, 0]

/** u32[3]: the two words of the seed, and the number of runs of compiled programs so far. */
const cell = new Parameter(tensor([0, 0, 0], { dtype: 'u32' }), { trainable: false, name: 'random' })

function place(words: [number, number], runs: number, draws: number): void {
  if (currentTrace())
    throw new Error('the random state cannot be set inside a compiled function; set it before the call')
  const old = bufferOf(cell.cell.outer)
  seedWords = words
  hostDraws = draws
  cell.value = tensor([...words, runs], { dtype: 'u32' })
  old?.release()
}

/** Starts the stream of random numbers anew. `value`: an integer from 0 to 2^53 - 1. */
export function seed(value: number): void {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`a seed is an integer from 0 to 2^53 - 1, got ${value}`)
  place([value >>> 0, Math.floor(value / 2 ** 32)], 0, 0)
}

seed(Math.floor(Math.random() * 2 ** 32))

/** Where the stream of random numbers stands: plain data. */
export interface RandomState {
  readonly seed: readonly [number, number]
  /** Runs of compiled programs that drew numbers. */
  readonly runs: number
  /** Draws outside of compiled programs. */
  readonly draws: number
}

/** The state, to be saved with a checkpoint. */
async function getState(): Promise<RandomState> {
  const draws = hostDraws
  const [low, high, runs] = (await cell.value.data()) as Uint32Array
  return { seed: [low, high], runs, draws }
}

/** Continues from a saved state. */
function setState(state: RandomState): void {
  const words = [...state.seed, state.runs, state.draws]
  if (words.length !== 4 || words.some((word) => !Number.isInteger(word) || word < 0 || word > 0xffffffff))
    throw new TypeError(
      `a random state holds 32-bit words { seed: [low, high], runs, draws }, got ${JSON.stringify(state)}`,
    )
  place([state.seed[0], state.seed[1]], state.runs, state.draws)
}

const drawsOf = new WeakMap<Trace, number>()
const LOOPS: readonly string[] = ['scan', 'whileLoop']

/** Key of the next draw, u32[2]. */
function nextKey(): Tensor {
  const inner = currentTrace()
  if (inner?.kind === 'body' && LOOPS.includes(inner.name))
    throw new Error(
      `random numbers inside the body of ${inner.name} would repeat in every step: draw them before the loop and pass them in as xs`,
    )
  const trace = traceOfCells()
  if (!trace) return tensor(threefryBlock(seedWords, [HOST_RUN, hostDraws++]), { dtype: 'u32' })
  const draw = drawsOf.get(trace) ?? 0
  drawsOf.set(trace, draw + 1)
  if (draw === 0) {
    const first = cell.value
    runBase.set(trace, first)
    // Written on the trace itself, since a checkpointed body may be the first to draw.
    trace.writeCell(cell.cell, add(first, constantTriple()).value)
  }
  const state = runBase.get(trace) as Tensor
  const counter = cat([constant(draw, 'u32', [1]), narrow(state, 0, 2, 1)])
  return randomBits(narrow(state, 0, 0, 2), counter, [2])
}

/** State at the start of the run that is being traced. */
const runBase = new WeakMap<Trace, Tensor>()

const constantTriple = (): Tensor => cat([wordPair(0, 0), constant(1, 'u32', [1])])

/** Random u32 of `shape`, all 32 bits of each. */
const bits = (shape: Shape): Tensor => randomBits(nextKey(), wordPair(0, 0), shape)

/** Significant bits of a uniform number: as many as the dtype holds below 1. */
const PRECISION: { readonly [D in DType]?: number } = { f32: 24, f16: 11, bf16: 8 }

/** Numbers k + offset with k of `precision` random bits, scaled to the unit interval. */
function unit(shape: Shape, dtype: DType, offset: number): Tensor {
  if (dtype === 'f64') {
    const pair = bits([2, ...shape])
    const word = (i: number, shift: number): Tensor =>
      to(reshape(rightShift(narrow(pair, 0, i, 1), constant(shift, 'u32')), shape), 'f64')
    // 26 + 26 bits, so that adding one half stays exact.
    const k = add(mul(word(0, 6), constant(2 ** 26, 'f64')), word(1, 6))
    return mul(add(k, constant(offset, 'f64')), constant(2 ** -52, 'f64'))
  }
  const precision = (PRECISION[dtype] ?? 24) - (offset === 0 ? 0 : 1)
  const k = to(rightShift(bits(shape), constant(32 - precision, 'u32')), 'f32')
  return mul(add(k, constant(offset, 'f32')), constant(2 ** -precision, 'f32'))
}

function floatDType(op: string, dtype: DType): DType {
  if (!isFloat(dtype)) throw fail(`random.${op}`, `gives floats, not ${dtype}; use randint or .to('${dtype}')`)
  return dtype
}

const wide = (dtype: DType): DType => (dtype === 'f64' ? 'f64' : 'f32')

export interface UniformOptions {
  readonly low?: TensorLike
  readonly high?: TensorLike
  readonly dtype?: DType
}

let blank = false

/**
 * Calls `build` with uniform and normal draws that count as ever but give zeros: for a model whose weights are read from a file next, and
 * which would record a thousand operations for nothing.
 */
function withoutNumbers<T>(build: () => T): T {
  const before = blank
  blank = true
  try {
    return build()
  } finally {
    blank = before
  }
}

/** The zeros of {@link withoutNumbers}; null where numbers are wanted. */
function blankDraw(shape: Shape, dtype: DType): Tensor | null {
  if (!blank || traceOfCells()) return null
  hostDraws++
  return constant(0, dtype, shape)
}

/** Uniform numbers in [low, high), default [0, 1). */
function uniform(shape: Shape = [], { low = 0, high = 1, dtype = 'f32' }: UniformOptions = {}): Tensor {
  const nothing = blankDraw(shape, dtype)
  if (nothing) return nothing
  const u = unit(shape, floatDType('uniform', dtype), 0)
  if (low === 0 && high === 1) return cast(u, dtype)
  return cast(add(mul(u, sub(cast(high, u.dtype), cast(low, u.dtype))), cast(low, u.dtype)), dtype)
}

export interface NormalOptions {
  readonly mean?: TensorLike
  readonly std?: TensorLike
  readonly dtype?: DType
}

/** Uniform in (-limit, limit), symmetric about 0. */
function symmetric(shape: Shape, dtype: DType, limit: number): Tensor {
  const u = unit(shape, wide(dtype), 0.5)
  return mul(sub(mul(u, like(2, u)), like(1, u)), like(limit, u))
}

function scaled(z: Tensor, { mean = 0, std = 1, dtype = 'f32' }: NormalOptions): Tensor {
  const spread = std === 1 ? z : mul(z, cast(std, z.dtype))
  return cast(mean === 0 ? spread : add(spread, cast(mean, z.dtype)), dtype)
}

/** Normal numbers, by the inverse of the distribution function. */
function normal(shape: Shape = [], options: NormalOptions = {}): Tensor {
  const nothing = blankDraw(shape, options.dtype ?? 'f32')
  if (nothing) return nothing
  const v = symmetric(shape, floatDType('normal', options.dtype ?? 'f32'), 1)
  return scaled(mul(erfinv(v), like(Math.SQRT2, v)), options)
}

/** erf(2 / sqrt 2): the share of a normal distribution within two standard deviations. */
const WITHIN_TWO = 0.9544997361036416

/** Normal numbers cut at two standard deviations from the mean, as in Keras. */
function truncatedNormal(shape: Shape = [], options: NormalOptions = {}): Tensor {
  const v = symmetric(shape, floatDType('truncatedNormal', options.dtype ?? 'f32'), WITHIN_TWO)
  const z = mul(erfinv(v), like(Math.SQRT2, v))
  return scaled(minimum(maximum(z, like(-2, z)), like(2, z)), options)
}

export interface DTypeOptions {
  readonly dtype?: DType
}

/** True with probability `p` (a number, or a tensor that broadcasts to `shape`). */
function bernoulli(shape: Shape, p: TensorLike = 0.5, { dtype = 'bool' }: DTypeOptions = {}): Tensor {
  const u = unit(shape, 'f32', 0)
  return cast(lt(u, cast(p, 'f32')), dtype)
}

/** Integers in [low, high). */
function randint(shape: Shape, low: number, high: number, { dtype = 'i32' }: DTypeOptions = {}): Tensor {
  const span = high - low
  if (!Number.isInteger(low) || !Number.isInteger(high) || span < 1 || span > 2 ** 32)
    throw fail('random.randint', `low ${low} and high ${high} must be integers with low < high, at most 2^32 apart`)
  const word = bits(shape)
  const drawn = span === 2 ** 32 ? word : fmod(word, constant(span, 'u32'))
  // Through i64 where the sum may pass 2^31.
  const dtypeOfSum: DType = low < -(2 ** 31) || high > 2 ** 31 || span > 2 ** 31 ? 'i64' : 'i32'
  return cast(add(cast(drawn, dtypeOfSum), constant(low, dtypeOfSum)), dtype)
}

/** A random order of 0 ... n - 1 (i32), or of the slices of a tensor along dimension 0. */
function permutation(of: number | Tensor): Tensor {
  const n = typeof of === 'number' ? of : (of.shape[0] ?? 0)
  if (!Number.isInteger(n) || n < 0 || (typeof of !== 'number' && of.ndim === 0))
    throw fail('random.permutation', 'needs a count of 0 or more, or a tensor of rank 1 or more')
  const order = sortWith([bits([n]), iota([n], 0)], 0, false)[1]
  return typeof of === 'number' ? order : takeAlongRows(of, order)
}

/** Gumbel numbers: -log(-log(u)). */
function gumbel(shape: Shape = [], { dtype = 'f32' }: DTypeOptions = {}): Tensor {
  const u = unit(shape, wide(floatDType('gumbel', dtype)), 0.5)
  return cast(neg(log(neg(log(u)))), dtype)
}

/** Exponential numbers of mean 1. */
function exponential(shape: Shape = [], { dtype = 'f32' }: DTypeOptions = {}): Tensor {
  const u = unit(shape, wide(floatDType('exponential', dtype)), 0.5)
  return cast(neg(log(u)), dtype)
}

/** Indices (i32) drawn with probabilities softmax(logits) along `dim`. */
function categorical(logits: TensorLike, dim = -1): Tensor {
  const x = asTensor(logits)
  const at = resolveDim('random.categorical', dim, x.ndim, x)
  if (sizeOf(x.shape) === 0) throw fail('random.categorical', 'needs at least one class')
  return argmax(add(x, gumbel(x.shape, { dtype: isFloat(x.dtype) ? x.dtype : 'f32' })), at)
}

/** Random tensors, and the state they come from. */
export const random = {
  seed,
  getState,
  setState,
  bits,
  uniform,
  normal,
  truncatedNormal,
  bernoulli,
  randint,
  permutation,
  gumbel,
  exponential,
  categorical,
  withoutNumbers,
} as const
