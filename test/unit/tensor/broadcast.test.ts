import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { add, broadcastShapes, broadcastTo, grad, mul, sum, tensor } from '../../../src/tensor/index.js'
import { assertValues, spread } from './helpers.js'

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/** Element of `data` (row-major, `shape`) at `index` of a larger shape, by numpy's rule. */
function pick(data: readonly number[], shape: readonly number[], index: readonly number[]): number {
  let at = 0
  shape.forEach((extent, dim) => {
    const i = index[dim + index.length - shape.length]
    at = at * extent + (extent === 1 ? 0 : i)
  })
  return data[at]
}

function eachIndex(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (all, extent) => all.flatMap((index) => Array.from({ length: extent }, (_, i) => [...index, i])),
    [[]],
  )
}

const pairOfShapes = fc
  .array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 })
  .chain((shape) =>
    fc.tuple(
      fc.constant(shape),
      ...([0, 1] as const).map(() =>
        fc.tuple(fc.integer({ min: 0, max: shape.length }), fc.array(fc.boolean(), { minLength: 4, maxLength: 4 })),
      ),
    ),
  )
  .map(([shape, ...parts]) =>
    parts.map(([drop, ones]) => (shape as number[]).map((n, i) => (ones[i] ? 1 : n)).slice(drop)),
  )

test('binary operations broadcast as a naive loop does', async () => {
  await fc.assert(
    fc.asyncProperty(pairOfShapes, async ([a, b]) => {
      const shape = broadcastShapes('test', a, b)
      const [x, y] = [spread(sizeOf(a), -2, 2, 3), spread(sizeOf(b), -2, 2, 5)]
      const result = add(tensor(x, { shape: a, dtype: 'f64' }), tensor(y, { shape: b, dtype: 'f64' }))
      assert.deepEqual(result.shape, shape)
      const expected = eachIndex(shape).map((index) => pick(x, a, index) + pick(y, b, index))
      assert.deepEqual([...(await result.data())], sizeOf(shape) === 0 ? [] : expected)
    }),
    { numRuns: 60 },
  )
})

test('the gradient of a broadcast operand has its shape and sums over the copies', async () => {
  const x = tensor([[1], [2]])
  const y = tensor([10, 20, 30])
  const [gx, gy] = grad(sum(mul(x, y)), [x, y])
  await assertValues(gx, [[60], [60]])
  await assertValues(gy, [3, 3, 3])
})

test('shapes that do not broadcast are refused with both shapes and the way out', () => {
  assert.throws(
    () => add(tensor([[1, 2, 3]]), tensor([1, 2])),
    /add: shapes \[1, 3\] and \[2\].*extents 3 and 2.*unsqueeze/s,
  )
  assert.throws(() => broadcastTo(tensor([1, 2]), [2, 3]), /\[2\] does not broadcast to \[2, 3\]/)
})
