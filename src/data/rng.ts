/**
 * Seeded randomness for data order and augmentation, on the host. Not the tensors' generator: it must be cheap one number
 * at a time and independent of any backend.
 */

/** The finalizer of MurmurHash3: spreads a 32-bit word over all its bits. */
function mix(word: number): number {
  let h = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** A stream of uniform 32-bit unsigned integers: Chris Doty-Humphrey's sfc32, keyed by any number of integers. */
export function randomWords(...keys: readonly number[]): () => number {
  let [a, b, c, counter] = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 1]
  for (const key of keys) {
    if (!Number.isSafeInteger(key)) throw new TypeError(`a seed should be an integer, got ${key}`)
    a = mix(a ^ key) // the bitwise operators take the low 32 bits
    b = mix(b ^ Math.floor(key / 2 ** 32) ^ a)
    c = mix(c + b)
  }
  const next = () => {
    const sum = (a + b + counter++) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return sum >>> 0
  }
  for (let i = 0; i < 12; i++) next()
  return next
}

/** A uniform integer of [0, limit), without modulo bias. `limit` is at most 2^32. */
export function randomBelow(next: () => number, limit: number): number {
  const unbiased = 2 ** 32 - (2 ** 32 % limit)
  let word = next()
  while (word >= unbiased) word = next()
  return word % limit
}

/** A uniform number of [0, 1) with 53 random bits. */
export const randomUnit = (next: () => number): number => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53

/** A permutation of 0..n-1 that depends on seed and epoch alone (Fisher-Yates over a splitmix32 stream). */
export function permutation(n: number, seed: number, epoch = 0): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i)
  let state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(epoch + 1, 0xc2b2ae35)) >>> 0
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return ((z ^ (z >>> 15)) >>> 0) / 4294967296
  }
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1))
    const held = order[i]
    order[i] = order[j]
    order[j] = held
  }
  return order
}
