import { type Shape, sizeOf } from '../ir/index.js'
import { composite } from './control.js'
import { asTensor, constant, record } from './core.js'
import { iota } from './ops/creation.js'
import { add, bitwiseOr, bitwiseXor, leftShift, lt, rightShift, to } from './ops/elementwise.js'
import { stack } from './ops/join.js'
import { expand, narrow, reshape } from './ops/shape.js'
import type { Tensor } from './tensor.js'

/** Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011). */

const ROTATIONS: readonly (readonly number[])[] = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
]
const PARITY = 0x1bd11bda
const GROUPS = 5

/** Words of 32 bits, as numbers on the host or as u32 tensors. */
interface Words<T> {
  add(a: T, b: T): T
  addNumber(a: T, b: number): T
  xor(a: T, b: T): T
  xorNumber(a: T, b: number): T
  rotate(a: T, by: number): T
}

const hostWords: Words<number> = {
  add: (a, b) => (a + b) >>> 0,
  addNumber: (a, b) => (a + b) >>> 0,
  xor: (a, b) => (a ^ b) >>> 0,
  xorNumber: (a, b) => (a ^ b) >>> 0,
  rotate: (a, by) => ((a << by) | (a >>> (32 - by))) >>> 0,
}

const u32 = (value: number): Tensor => constant(value, 'u32')

const tensorWords: Words<Tensor> = {
  add,
  addNumber: (a, b) => add(a, u32(b)),
  xor: bitwiseXor,
  xorNumber: (a, b) => bitwiseXor(a, u32(b)),
  rotate: (a, by) => bitwiseOr(leftShift(a, u32(by)), rightShift(a, u32(32 - by))),
}

function threefry<T>(w: Words<T>, key: readonly [T, T], counter: readonly [T, T]): [T, T] {
  const keys = [key[0], key[1], w.xorNumber(w.xor(key[0], key[1]), PARITY)]
  let x0 = w.add(counter[0], keys[0])
  let x1 = w.add(counter[1], keys[1])
  for (let group = 0; group < GROUPS; group++) {
    for (const rotation of ROTATIONS[group % 2]) {
      x0 = w.add(x0, x1)
      x1 = w.xor(w.rotate(x1, rotation), x0)
    }
    x0 = w.add(x0, keys[(group + 1) % 3])
    x1 = w.addNumber(w.add(x1, keys[(group + 2) % 3]), group + 1)
  }
  return [x0, x1]
}

/** One block on the host: words of `counter` (high, low) under `key`. */
export const threefryBlock = (key: readonly [number, number], counter: readonly [number, number]): [number, number] =>
  threefry(hostWords, key, counter)

/** Blocks counter, counter + 1, ...: element i is word i % 2 of block number i >> 1. */
function bitsBody(key: Tensor, counter: Tensor, shape: Shape): Tensor {
  const size = sizeOf(shape)
  const blocks = Math.ceil(size / 2)
  const word = (pair: Tensor, i: number): Tensor => expand(narrow(pair, 0, i, 1), [blocks])
  const first = word(counter, 0)
  const low = add(iota([blocks], 0, 'u32'), first)
  const high = add(word(counter, 1), to(lt(low, first), 'u32'))
  const words = threefry(tensorWords, [word(key, 0), word(key, 1)], [high, low])
  return reshape(narrow(reshape(stack(words, 1), [2 * blocks]), 0, 0, size), shape)
}

/**
 * Random u32 of `shape`, identical on every backend: composite `random_bits`.
 * @param key u32[2]
 * @param counter u32[2], the low and the high word of the first block's 64-bit number
 */
export function randomBits(key: Tensor, counter: Tensor, shape: Shape): Tensor {
  return composite('random_bits', { shape }, [asTensor(key), asTensor(counter)], ([k, c]) => [bitsBody(k, c, shape)])[0]
}

/** A constant pair of words. */
export const wordPair = (low: number, high: number): Tensor =>
  record('constant', [], { shape: [2], dtype: 'u32', data: Uint32Array.of(low, high) })
