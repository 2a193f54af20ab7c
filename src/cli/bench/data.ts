import { type DType, type Shape, sizeOf } from '../../ir/index.js'
import { type Tensor, tensor } from '../../tensor/index.js'

const TABLE_SIZE = 1 << 20

/** 32-bit integers from a fixed seed (xorshift, Marsaglia 2003): every run times the same numbers. */
export function randomSource(seed: number): () => number {
  let state = (seed * 0x9e3779b1) | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

let table: Float32Array | null = null

/** Standard normal numbers (Box and Muller 1958). */
function normalTable(): Float32Array {
  if (table) return table
  const next = randomSource(1)
  const uniform = (): number => (next() + 1) / 2 ** 32
  table = new Float32Array(TABLE_SIZE)
  for (let i = 0; i < TABLE_SIZE; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(uniform()))
    const angle = 2 * Math.PI * uniform()
    table[i] = radius * Math.cos(angle)
    table[i + 1] = radius * Math.sin(angle)
  }
  return table
}

/** `size` numbers that look normal. Pieces of one table, so that 16 million of them take milliseconds. */
export function normals(size: number, seed: number): Float32Array {
  const source = normalTable()
  const next = randomSource(seed + 2)
  const data = new Float32Array(size)
  for (let at = 0; at < size; ) {
    const start = next() % TABLE_SIZE
    const length = Math.min(size - at, TABLE_SIZE - start, 1 << 16)
    data.set(source.subarray(start, start + length), at)
    at += length
  }
  return data
}

/** A realised normal tensor. */
export const randn = (shape: Shape, seed: number, scale = 1): Tensor => {
  const data = normals(sizeOf(shape), seed)
  if (scale !== 1) for (let i = 0; i < data.length; i++) data[i] *= scale
  return tensor(data, { shape })
}

/** A realised normal tensor of another float type. */
export const randnOf = (shape: Shape, dtype: DType, seed: number): Tensor =>
  tensor(normals(sizeOf(shape), seed), { shape, dtype })

/** Class labels in [0, classes). */
export function labels(count: number, classes: number, seed: number): Tensor {
  const next = randomSource(seed)
  return tensor(
    Int32Array.from({ length: count }, () => next() % classes),
    { shape: [count] },
  )
}
