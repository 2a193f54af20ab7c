import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import * as k from '../../../src/tensor/index.js'
import { assertValues, checkGradient, f64, spread } from './helpers.js'

test('matmul of every pair of ranks has the shape of torch and numpy', () => {
  const shape = (a: readonly number[], b: readonly number[]) => k.matmul(k.zeros(a), k.zeros(b)).shape
  assert.deepEqual(shape([3], [3]), [])
  assert.deepEqual(shape([3], [3, 4]), [4])
  assert.deepEqual(shape([2, 3], [3]), [2])
  assert.deepEqual(shape([5, 2, 3], [3, 4]), [5, 2, 4])
  assert.deepEqual(shape([5, 1, 2, 3], [6, 3, 4]), [5, 6, 2, 4])
  assert.deepEqual(shape([5, 2, 3], [3]), [5, 2])
  assert.deepEqual(shape([3], [5, 3, 4]), [5, 4])
  assert.deepEqual(shape([0, 3], [3, 0]), [0, 0])
})

test('products with literal values', async () => {
  const a = k.tensor([
    [1, 2],
    [3, 4],
  ])
  await assertValues(k.matmul(a, k.tensor([1, 1])), [3, 7])
  await assertValues(k.outer([1, 2], [3, 4]), [
    [3, 4],
    [6, 8],
  ])
  await assertValues(k.dot([1, 2], [3, 4]), 11)
  await assertValues(k.addmm([1, 1], a, a, { beta: 2, alpha: 0.5 }), [
    [5.5, 7],
    [9.5, 13],
  ])
  await assertValues(
    k.linear(
      [[1, 1]],
      k.tensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
      [1, 0, 0],
    ),
    [[4, 7, 11]],
  )
  await assertValues(k.kron(k.tensor([1, 2]), k.tensor([1, 10])), [1, 10, 2, 20])
  await assertValues(k.tensordot(a, a, [[0], [1]]), [
    [7, 15],
    [10, 22],
  ])
  await assertValues(k.cross([1, 0, 0], [0, 1, 0]), [0, 0, 1])
  await assertValues(k.bilinear([[1, 2]], [[3, 4]], k.ones([1, 2, 2])), [[21]])
  assert.equal(k.matmul(k.ones([1, 2], { dtype: 'i32' }), k.ones([2, 1])).dtype, 'f32')
})

const LABELS = ['a', 'b', 'c', 'd']
const EXTENTS: Readonly<Record<string, number>> = { a: 2, b: 3, c: 1, d: 2 }
const term = fc.array(fc.constantFrom(...LABELS), { maxLength: 3 })

/** Einsum by its definition: a loop over all labels. */
function naive(terms: readonly string[][], output: readonly string[], data: readonly (readonly number[])[]): number[] {
  const used = [...new Set([...output, ...terms.flat()])]
  const size = (labels: readonly string[]): number => labels.reduce((n, label) => n * EXTENTS[label], 1)
  const result = new Array<number>(size(output)).fill(0)
  for (let flat = 0; flat < size(used); flat++) {
    const place: Record<string, number> = {}
    let rest = flat
    for (const label of [...used].reverse()) {
      place[label] = rest % EXTENTS[label]
      rest = Math.floor(rest / EXTENTS[label])
    }
    const offset = (labels: readonly string[]): number =>
      labels.reduce((at, label) => at * EXTENTS[label] + place[label], 0)
    result[offset(output)] += terms.reduce((product, labels, i) => product * data[i][offset(labels)], 1)
  }
  return result
}

test('einsum equals its definition for random equations, repeated labels included', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(term, { minLength: 1, maxLength: 3 }),
      fc.array(fc.nat(), { minLength: 4, maxLength: 4 }),
      async (terms, order) => {
        const available = [...new Set(terms.flat())]
        const output = available
          .filter((_, i) => order[i] % 2 === 0)
          .sort((p, q) => order[available.indexOf(p)] - order[available.indexOf(q)])
        const shapes = terms.map((labels) => labels.map((label) => EXTENTS[label]))
        const data = shapes.map((shape, i) =>
          spread(
            shape.reduce((n, e) => n * e, 1),
            -1,
            1,
            i + 1,
          ),
        )
        const operands = shapes.map((shape, i) => k.tensor(data[i], { shape, dtype: 'f64' }))
        const equation = `${terms.map((labels) => labels.join('')).join(',')}->${output.join('')}`
        const got = (await k.einsum(equation, ...operands).data()) as Float64Array
        naive(terms, output, data).forEach((want, i) => {
          assert.ok(Math.abs(got[i] - want) < 1e-12, `${equation}: ${got[i]} instead of ${want}`)
        })
      },
    ),
    { numRuns: 80 },
  )
})

test('einsum with ellipses and implicit outputs', async () => {
  const x = k.arange(6).reshape(2, 3)
  await assertValues(k.einsum('ba', x), [
    [0, 3],
    [1, 4],
    [2, 5],
  ])
  await assertValues(k.einsum('...j->...', x), [3, 12])
  await assertValues(k.einsum('ii', k.eye(4)), 4)
  assert.deepEqual(k.einsum('...ij,...jk->...ik', k.zeros([5, 1, 2, 3]), k.zeros([4, 3, 2])).shape, [5, 4, 2, 2])
  assert.throws(() => k.einsum('ij,jk->iz', x, x.t()), /label 'z' of the output does not occur/)
  assert.throws(() => k.einsum('ijk', x), /names 3 dimensions, i32\[2, 3\] has 2/)
  assert.throws(() => k.einsum('ij,kj->ik', x, x.t()), /label 'j' has extents 3 and 2/)
})

test('gradients of products', async () => {
  await checkGradient((a, b) => k.matmul(a, b), [f64([2, 1, 3, 4]), f64([5, 4, 2], -1, 1, 2)])
  await checkGradient((a, b) => k.einsum('iij,jk->ik', a, b), [f64([3, 3, 2]), f64([2, 4], -1, 1, 2)])
  await checkGradient((a, b, c) => k.bilinear(a, b, c), [f64([4, 2]), f64([4, 3]), f64([2, 2, 3])])
  await checkGradient((a, b, c) => k.multiDot([a, b, c]), [f64([2, 3]), f64([3, 4]), f64([4, 1])])
})
