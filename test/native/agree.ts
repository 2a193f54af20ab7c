import assert from 'node:assert/strict'
import { createCpuBackend, NativeUnavailableError } from '../../src/backends/cpu/index.js'
import { createInterpreterBackend } from '../../src/backends/interpreter/index.js'
import {
  allocateArray,
  type DType,
  finish,
  fromBf16,
  fromF16,
  Graph,
  isFloat,
  sizeOf,
  type TypedArray,
  toBf16,
  toF16,
  type Value,
} from '../../src/ir/index.js'
import type { Backend } from '../../src/runtime/backend.js'
import { wrapArray } from '../../src/runtime/buffer.js'

function open(): { cpu: Backend | null; why: string } {
  try {
    return { cpu: createCpuBackend(), why: '' }
  } catch (error) {
    if (error instanceof NativeUnavailableError) return { cpu: null, why: error.message }
    throw error
  }
}

const opened = open()
const interpreter = createInterpreterBackend()

/** Options for a test that needs the addon: skipped, with the reason, where it cannot load. */
export const native = { skip: opened.cpu ? false : opened.why }

export function cpuBackend(): Backend {
  if (!opened.cpu) throw new Error(opened.why)
  return opened.cpu
}

/** Deterministic numbers in [0, 1). */
export function randomStream(seed: number): () => number {
  let state = seed >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

const FLOAT_EDGES = [0, -0, 1, -1, 0.5, -0.5, 2, Infinity, -Infinity, NaN, 1e-20, 3e4, -3e4, 1.5, 2.5, -2.5, 100, -100]
const INT_EDGES = [0, 1, -1, 2, 3, 7, 127, -128, 31, 32, 5]

/** Values of a dtype: edge cases first, then random ones in [low, high]. */
export function sample(dtype: DType, count: number, seed: number, low = -4, high = 4, edges = true): TypedArray {
  const random = randomStream(seed * 7919 + 17)
  const data = allocateArray(dtype, count)
  for (let i = 0; i < count; i++) {
    const at = (i * 5 + seed) % 31
    const edge = isFloat(dtype) ? FLOAT_EDGES[at] : INT_EDGES[at]
    const value = edges && edge !== undefined && i % 2 === 0 ? edge : low + random() * (high - low)
    store(data, i, value, dtype)
  }
  return data
}

export function store(data: TypedArray, i: number, value: number, dtype: DType): void {
  if (data instanceof BigInt64Array) data[i] = BigInt(Math.trunc(value))
  else if (dtype === 'f16') data[i] = toF16(value)
  else if (dtype === 'bf16') data[i] = toBf16(value)
  else if (dtype === 'bool') data[i] = Math.trunc(Math.abs(value)) % 2
  else if (isFloat(dtype)) data[i] = value
  else data[i] = Math.trunc(value)
}

export function numbers(data: TypedArray, dtype: DType): (number | bigint)[] {
  const list = Array.from(data as ArrayLike<number | bigint>)
  if (dtype === 'f16') return list.map((bits) => fromF16(Number(bits)))
  if (dtype === 'bf16') return list.map((bits) => fromBf16(Number(bits)))
  return list
}

/** Relative error allowed, by dtype: a few units in the last place. */
const TOLERANCE: { readonly [D in DType]?: number } = { f32: 5e-7, f64: 1e-13, f16: 2e-3, bf16: 1.6e-2 }

function assertClose(
  got: TypedArray,
  want: TypedArray,
  dtype: DType,
  scale: number,
  floor: number,
  what: string,
): void {
  const a = numbers(got, dtype)
  const b = numbers(want, dtype)
  assert.equal(a.length, b.length, what)
  const tolerance = TOLERANCE[dtype]
  for (let i = 0; i < a.length; i++) {
    if (Object.is(a[i], b[i]) || a[i] === b[i]) continue
    const x = Number(a[i])
    const y = Number(b[i])
    // Native code flushes denormals to zero.
    const close = tolerance !== undefined && Math.abs(x - y) <= scale * tolerance * Math.max(Math.abs(y), floor)
    if (!close) assert.fail(`${what}: element ${i} is ${x}, the interpreter has ${y}`)
  }
}

export interface AgreeOptions {
  /** Multiplies the tolerance, for sums of many terms. */
  readonly scale?: number
  /** Values below this are compared as if they were this large, for sums that cancel. */
  readonly floor?: number
  readonly what?: string
  readonly donated?: readonly number[]
}

/** Runs a graph natively and in the interpreter and compares every result. */
export function assertAgrees(graph: Graph, inputs: readonly TypedArray[], options: AgreeOptions = {}): void {
  const {
    scale = 1,
    floor = 1e-37,
    what = graph.results.map((result) => `${result.node.op} ${result.dtype}`).join(', '),
  } = options
  const wrap = () => graph.params.map(({ dtype, shape }, i) => wrapArray(inputs[i].slice() as TypedArray, dtype, shape))
  const want = finish(interpreter.compile(graph)).runSync(wrap())
  const executable = finish(cpuBackend().compile(graph, { name: 'test', donated: options.donated }))
  // Twice: nothing may be left over from one run to the next.
  for (const round of ['first', 'second']) {
    const got = executable.runSync(wrap())
    graph.results.forEach((result, i) => {
      assertClose(got[i].array, want[i].array, result.dtype, scale, floor, `${what}, result ${i} of ${round} run`)
    })
  }
}

/** A graph of `build` over parameters, compared on sampled inputs. */
export function checkOn(
  params: readonly Value[],
  results: readonly Value[],
  options: AgreeOptions & { seed?: number; low?: number; high?: number; edges?: boolean } = {},
): void {
  const { seed = 1, low, high, edges } = options
  const inputs = params.map(({ dtype, shape }, i) => sample(dtype, sizeOf(shape), seed + i, low, high, edges))
  assertAgrees(new Graph(params, results), inputs, options)
}
