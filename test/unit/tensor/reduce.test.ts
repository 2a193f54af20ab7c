import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as k from '../../../src/tensor/index.js'
import { assertValues } from './helpers.js'

const NAN = Number.NaN
const x = () =>
  k.tensor([
    [1, 5, 3],
    [4, 2, 6],
  ])

test('reductions over all, some and kept dimensions', async () => {
  await assertValues(x().sum(), 21)
  await assertValues(x().sum(-1, { keepdim: true }), [[9], [12]])
  await assertValues(x().mean([0, 1]), 3.5)
  await assertValues(x().prod(0), [4, 10, 18])
  await assertValues(x().amax(1), [5, 6])
  await assertValues(x().argmin(1), [0, 1])
  await assertValues(x().argmax(), 5)
  assert.deepEqual(x().argmax(null, { keepdim: true }).shape, [1, 1])
  await assertValues(x().gt(4).any(0), [false, true, true])
  await assertValues(x().gt(0).all(), true)
  await assertValues(k.tensor([true, true, false]).sum(), 2)
  await assertValues(k.tensor([120, 120], { dtype: 'i8' }).sum(), 240)
  await assertValues(k.zeros([0]).sum(), 0)
  await assertValues(k.zeros([0]).mean(), NAN)
})

test('variance, standard deviation and norms', async () => {
  await assertValues(x().var(1), [4, 4])
  await assertValues(x().var(null, { correction: 0 }), 35 / 12)
  await assertValues(x().std(1, { keepdim: true }), [[2], [2]])
  await assertValues(k.variance(k.tensor([3])), NAN)
  const v = k.tensor([3, -4, 0])
  await assertValues(k.vectorNorm(v), 5)
  await assertValues(k.vectorNorm(v, 0), 2)
  await assertValues(k.vectorNorm(v, Number.POSITIVE_INFINITY), 4)
  await assertValues(k.vectorNorm(v, 3), 91 ** (1 / 3))
  await assertValues(k.matrixNorm(x(), 1), 9)
  await assertValues(k.matrixNorm(x(), Number.POSITIVE_INFINITY), 12)
  await assertValues(
    k.normalize(
      k.tensor([
        [3, 4],
        [0, 0],
      ]),
    ),
    [
      [0.6, 0.8],
      [0, 0],
    ],
  )
  await assertValues(
    k.cdist(
      k.tensor([[0, 0]]),
      k.tensor([
        [3, 4],
        [1, 0],
      ]),
    ),
    [[5, 1]],
  )
  await assertValues(k.cosineSimilarity(k.tensor([[1, 0]]), k.tensor([[1, 1]])), [Math.SQRT1_2])
})

test('order statistics, NaN included', async () => {
  const { values, indices } = x().maxAlong(1)
  await assertValues(values, [5, 6])
  await assertValues(indices, [1, 2])
  await assertValues(k.median(k.tensor([4, 1, 3, 2])).values, 2)
  await assertValues(
    k.median(
      k.tensor([
        [1, NAN],
        [2, 3],
      ]),
      1,
    ).values,
    [NAN, 2],
  )
  await assertValues(k.quantile(k.tensor([1, 2, 3, 4]), [0, 0.5, 1]), [1, 2.5, 4])
  await assertValues(k.quantile(x(), 0.5, 1, { keepdim: true, interpolation: 'lower' }), [[3], [4]])
  await assertValues(k.amax(k.tensor([1, NAN])), NAN)
  await assertValues(k.nansum(k.tensor([1, NAN])), 1)
  await assertValues(k.nanmean(k.tensor([1, NAN, 3])), 2)
})

test('logsumexp and the softmax family stay finite', async () => {
  await assertValues(k.logsumexp(k.tensor([1000, 1000])), 1000 + Math.LN2)
  await assertValues(
    k.logsumexp(k.tensor([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY])),
    Number.NEGATIVE_INFINITY,
  )
  await assertValues(k.softmax(k.tensor([1000, 1000, Number.NEGATIVE_INFINITY])), [0.5, 0.5, 0])
  await assertValues(k.logSoftmax(k.tensor([0, -1000])), [0, -1000])
  await assertValues(k.softmin(k.tensor([0, Math.LN2])), [2 / 3, 1 / 3])
})

test('cumulative functions', async () => {
  const y = k.tensor([2, 3, 1, 4, 0])
  await assertValues(k.cumsum(y, 0), [2, 5, 6, 10, 10])
  await assertValues(k.cumprod(y, 0), [2, 6, 6, 24, 0])
  const { values, indices } = k.cummax(k.tensor([2, 3, 3, NAN, 5]), 0)
  await assertValues(values, [2, 3, 3, NAN, NAN])
  await assertValues(indices, [0, 1, 2, 3, 3])
  await assertValues(k.logcumsumexp(k.tensor([0, 0, 0]), 0), [0, Math.LN2, Math.log(3)])
  await assertValues(k.grad(k.sum(k.mul(k.cumsum(y, 0), [1, 2, 3, 4, 5])), [y])[0], [15, 14, 12, 9, 5])
  await assertValues(k.grad(k.sum(k.cumprod(y, 0)), [y])[0], [1 + 3 + 3 + 12, 2 + 2 + 8, 6 + 24, 6, 24])
})

test('covariance and correlation', async () => {
  const z = k.tensor([
    [1, 2, 3],
    [6, 4, 2],
  ])
  await assertValues(k.cov(z), [
    [1, -2],
    [-2, 4],
  ])
  await assertValues(k.corrcoef(z), [
    [1, -1],
    [-1, 1],
  ])
})

test('sorting puts NaN last, keeps equals in order, and finds places', async () => {
  const y = k.tensor([3, NAN, 1, 3])
  const sorted = k.sort(y)
  await assertValues(sorted.values, [1, 3, 3, NAN])
  await assertValues(sorted.indices, [2, 0, 3, 1])
  await assertValues(k.topK(y, 2).indices, [1, 0])
  await assertValues(k.topK(y, 2, -1, { largest: false }).values, [1, 3])
  await assertValues(k.kthvalue(k.tensor([5, 1, 4]), 2).values, 4)
  const edges = k.tensor([1, 2, 2, 5])
  await assertValues(k.searchsorted(edges, [0, 2, 6]), [0, 1, 4])
  await assertValues(k.searchsorted(edges, [0, 2, 6], { right: true }), [0, 3, 4])
  await assertValues(k.histc(k.tensor([1, 2, 1, 9]), { bins: 4, min: 0, max: 3 }), [0, 2, 1, 0])
  await assertValues(await k.bincount(k.tensor([1, 1, 3], { dtype: 'i32' }), { minLength: 5 }), [0, 2, 0, 1, 0])
})

test('dimensions that do not exist are refused by name', () => {
  assert.throws(() => x().sum(2), /sum: dimension 2 does not exist in f32\[2, 3\]; use -2 to 1/)
  assert.throws(() => x().sum([0, 0]), /repeat/)
  assert.throws(() => k.amax(k.zeros([0])), /amax: f32\[0\] has no elements/)
  assert.throws(() => k.topK(x(), 4), /k must be 0 to 3/)
})
