/** Numbers in [0, 1) that depend on (seed, example, epoch) alone, so that a resumed run repeats them (splitmix32). */
export function streamOf(seed: number, index: number, epoch: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b) ^ Math.imul(epoch + 1, 0xc2b2ae35)
  return () => {
    state = (state + 0x9e3779b9) | 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return ((z ^ (z >>> 15)) >>> 0) / 4294967296
  }
}
