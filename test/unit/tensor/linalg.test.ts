import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as k from '../../../src/tensor/index.js'
import { assertValues, checkGradient, f64 } from './helpers.js'

const square = () => f64([2, 4, 4], -1, 1, 11)
const positive = (x: k.Tensor): k.Tensor => x.matmul(x.transpose()).add(k.eye(4, 4, { dtype: 'f64' }))

test('solutions, inverses and determinants', async () => {
  const a = k.tensor(
    [
      [0, 2],
      [3, 4],
    ],
    { dtype: 'f64' },
  )
  await assertValues(k.solve(a, [4, 11]), [1, 2])
  await assertValues(k.inv(a), [
    [-2 / 3, 1 / 3],
    [0.5, 0],
  ])
  await assertValues(k.det(a), -6)
  await assertValues(
    k.det(
      k.tensor([
        [1, 2],
        [2, 4],
      ]),
    ),
    0,
  )
  await assertValues(k.matrixPower(a, 3), [
    [24, 44],
    [66, 112],
  ])
  const x = square()
  await assertValues(k.inv(x).matmul(x).sub(k.eye(4)).abs().amax(), 0, 1e-12)
  assert.throws(() => k.inv(k.zeros([2, 3])), /square matrices.*f32\[2, 3\]/)
  assert.throws(() => k.solve(k.eye(3), k.zeros([2, 1])), /3 rows/)
})

test('factorisations give back the matrix', async () => {
  const p = positive(square())
  const l = k.cholesky(p)
  await assertValues(l.matmul(l.transpose()).sub(p).abs().amax(), 0, 1e-12)
  await assertValues(k.triu(l, 1).abs().amax(), 0)
  await assertValues(
    k
      .cholesky(
        k.tensor([
          [1, 2],
          [2, 1],
        ]),
      )
      .at(1, 1),
    Number.NaN,
  )
  for (const shape of [
    [5, 3],
    [3, 5],
    [3, 3],
  ]) {
    const x = f64(shape, -1, 1, 3)
    const { q, r } = k.qr(x)
    await assertValues(q.matmul(r).sub(x).abs().amax(), 0, 1e-12)
    await assertValues(q.transpose().matmul(q).sub(k.eye(3)).abs().amax(), 0, 1e-12)
    await assertValues(k.tril(r, -1).abs().amax(), 0)
  }
})

test('gradients in closed form, and their gradients', async () => {
  const b = f64([2, 4, 2], -1, 1, 5)
  await checkGradient((x, y) => k.solve(x, y), [square(), b], 1e-5)
  await checkGradient((x) => k.det(x), [square()])
  await checkGradient((x) => k.cholesky(positive(x)), [square()])
  await checkGradient(
    (x) => {
      const { q, r } = k.qr(x)
      return k.cat([q, r], -2)
    },
    [f64([5, 3], -1, 1, 3)],
    1e-5,
  )
  await checkGradient((x) => k.grad(k.sum(k.square(k.det(x))), [x])[0], [square()], 1e-5)
})

test('singular values and vectors', async () => {
  await assertValues(
    k.svdvals(
      k.tensor([
        [3, 0],
        [0, -4],
      ]),
    ),
    [4, 3],
  )
  await assertValues(
    k
      .svdvals(
        k.tensor([
          [1, 2],
          [2, 4],
          [0, 0],
        ]),
      )
      .at(1),
    0,
  )
  const x = f64([2, 3, 5], -1, 1, 9)
  const { u, s, vt } = k.svd(x)
  await assertValues(u.mul(s.unsqueeze(-2)).matmul(vt).sub(x).abs().amax(), 0, 1e-12)
  await assertValues(vt.matmul(vt.transpose()).sub(k.eye(3)).abs().amax(), 0, 1e-12)
  await checkGradient((y) => k.svdvals(y), [x])
  await checkGradient(
    (y) => {
      const factors = k.svd(y)
      return k.square(k.cat([factors.u, factors.vt.transpose()], -2))
    },
    [x],
    1e-5,
  )
})
