import assert from 'node:assert/strict'
import { createInterpreterBackend } from '../../../src/backends/interpreter/index.js'
import { setBackend } from '../../../src/runtime/index.js'
import { grad, mul, sum, type Tensor, tensor } from '../../../src/tensor/index.js'

// The reference by default; KAIMO_BACKEND=cpu holds the native backend to the same tests.
if (process.env.KAIMO_BACKEND === 'cpu')
  setBackend((await import('../../../src/backends/cpu/index.js')).createCpuBackend())
else setBackend(createInterpreterBackend())

export type Numbers = number | boolean | readonly Numbers[]

/** Compares with literal values; floats within `tolerance` relative to the larger of 1 and the value. */
export async function assertValues(actual: Tensor, expected: Numbers, tolerance = 1e-6): Promise<void> {
  const got = await actual.toArray()
  compare(got, expected, tolerance, '')
}

function compare(got: unknown, want: Numbers, tolerance: number, path: string): void {
  if (Array.isArray(want)) {
    assert.ok(Array.isArray(got), `expected an array at ${path || 'the top'}, got ${String(got)}`)
    assert.equal(got.length, want.length, `length at ${path || 'the top'}`)
    for (const [i, item] of want.entries()) compare((got as unknown[])[i], item, tolerance, `${path}[${i}]`)
    return
  }
  if (typeof want === 'boolean') assert.equal(got, want, `value at ${path}`)
  else {
    const value = got as number
    const same =
      Object.is(value, want) ||
      value === want ||
      Math.abs(value - (want as number)) <= tolerance * Math.max(1, Math.abs(want as number))
    assert.ok(same, `expected ${String(want)} at ${path || 'the top'}, got ${value}`)
  }
}

/** Deterministic numbers in [low, high) for test data. */
export function spread(count: number, low = -1, high = 1, seed = 1): number[] {
  let state = (seed * 2654435761) >>> 0
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return low + ((high - low) * state) / 2 ** 32
  })
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

export const f64 = (shape: readonly number[], low = -1, high = 1, seed = 1): Tensor =>
  tensor(spread(sizeOf(shape), low, high, seed), { dtype: 'f64', shape })

/**
 * Holds the gradient of `f` at `inputs` (f64) to a central difference along a random direction.
 */
export async function checkGradient(
  f: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  tolerance = 1e-6,
): Promise<void> {
  const step = 1e-5
  const directions = inputs.map((x, i) => f64(x.shape, -1, 1, 100 + i))
  const probe = f(...inputs)
  const weights = f64(probe.shape, -1, 1, 7)
  const loss = (...xs: Tensor[]): Tensor => sum(mul(f(...xs), weights))
  const moved = (by: number): Tensor[] => inputs.map((x, i) => x.add(directions[i].mul(by)))
  const slope = (await loss(...moved(step)).item()) - (await loss(...moved(-step)).item())
  const gradients = grad(loss(...inputs), inputs) as Tensor[]
  const parts = await Promise.all(gradients.map((gradient, i) => sum(gradient.mul(directions[i])).item()))
  const predicted = parts.reduce((a, b) => a + b, 0)
  const measured = slope / (2 * step)
  const bound = tolerance * Math.max(1, Math.abs(measured), Math.abs(predicted))
  assert.ok(Math.abs(measured - predicted) <= bound, `gradient ${predicted}, central difference ${measured}`)
}
