import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as F from '../../../src/tensor/functional/index.js'
import { linear, softmax, table } from '../../../src/tensor/ops/index.js'
import type { Tensor } from '../../../src/tensor/tensor.js'
import { assertClose, checkGrad, of, run } from './helpers.js'

const pair = [{ shape: [3, 4] }, { shape: [3, 4] }]
const labels = (values: number[], shape = [values.length]): Tensor => table(values, shape, 'i64')

test('gradients of losses between tensors of one shape, for input and target', () => {
  const losses: [string, (x: Tensor, t: Tensor) => Tensor][] = [
    ['mse', (x, t) => F.mseLoss(x, t, { reduction: 'none' })],
    ['l1', (x, t) => F.l1Loss(x, t, { reduction: 'sum' })],
    ['smoothL1', (x, t) => F.smoothL1Loss(x, t, { beta: 0.3 })],
    ['huber', (x, t) => F.huberLoss(x, t, { delta: 0.3 })],
    ['klDiv', (x, t) => F.klDiv(x, softmax(t), { reduction: 'batchmean' })],
    ['klDiv, logarithmic', (x, t) => F.klDiv(x, t, { logTarget: true })],
    ['poisson', (x, t) => F.poissonNllLoss(x, t, { full: false })],
    ['softMargin', (x, t) => F.softMarginLoss(x, t)],
    ['multilabelSoftMargin', (x, t) => F.multilabelSoftMarginLoss(x, t)],
    ['focal', (x, t) => F.sigmoidFocalLoss(x, t, { gamma: 2 })],
    ['bceWithLogits', (x, t) => F.binaryCrossEntropyWithLogits(x, t, { reduction: 'none' })],
    ['crossEntropy of probabilities', (x, t) => F.crossEntropy(x, softmax(t), { labelSmoothing: 0.1 })],
  ]
  for (const [name, f] of losses) {
    try {
      checkGrad(f, pair)
    } catch (error) {
      assert.fail(`${name}: ${(error as Error).message}`)
    }
  }
})

test('gradients of losses that need positive operands', () => {
  const inside = { shape: [3, 4], low: 0.1, high: 0.9 }
  checkGrad((x, t) => F.binaryCrossEntropy(x, t, { reduction: 'none' }), [inside, inside], 2)
  checkGrad((x, t, v) => F.gaussianNllLoss(x, t, v, { full: true }), [...pair, inside], 2)
  checkGrad((x, t) => F.poissonNllLoss(x, t, { logInput: false }), [inside, inside])
  checkGrad(
    (x, p) => F.binaryCrossEntropyWithLogits(x, table([0, 1, 0.5, 1], [4], 'f64'), { posWeight: p }),
    [{ shape: [3, 4] }, { shape: [4] }],
    2,
  )
})

test('cross entropy of indices: gradients with weights, smoothing and ignored labels, twice', () => {
  const t = labels([1, 0, 2, -100, 1, 2], [2, 3])
  const weight = table([0.5, 2, 1.5], [3], 'f64')
  const x = [{ shape: [2, 3, 3] }]
  checkGrad((a) => F.crossEntropy(a, t), x, 2)
  checkGrad((a) => F.crossEntropy(a, t, { reduction: 'none', labelSmoothing: 0.2 }), x, 2)
  checkGrad((a) => F.crossEntropy(a, t, { weight, labelSmoothing: 0.2 }), x, 2)
  checkGrad((a) => F.nllLoss(a, t, { weight }), x, 2)
  checkGrad((a) => F.multiMarginLoss(a, labels([1, 0]), { p: 2, weight }), [{ shape: [2, 3] }])
})

test('cross entropy: literal values, all labels ignored, one example, huge scores', () => {
  const loss = (scores: number[], shape: number[], target: Tensor, options: F.CrossEntropyOptions = {}) =>
    run((x) => F.crossEntropy(x, target, options), of(shape, scores))[0].values
  assertClose(loss([0, 0, Math.log(2), 0], [2, 2], labels([0, 0])), [(Math.log(2) + Math.log(1.5)) / 2])
  assert.deepEqual(loss([0, 0], [1, 2], labels([-100])), [Number.NaN])
  assert.deepEqual(loss([0, 0], [1, 2], labels([-100]), { reduction: 'sum' }), [0])
  assertClose(loss([1e4, 0, -1e4], [3], table([1], [], 'i32')), [1e4])
  assertClose(loss([0, 0], [1, 2], labels([1]), { weight: table([1, 3], [2], 'f64'), reduction: 'sum' }), [
    3 * Math.log(2),
  ])
})

test('a label outside the classes is an error that names it', () => {
  assert.throws(() => run((x) => F.crossEntropy(x, labels([0, 5])), of([2, 3])), /5/)
  assert.throws(() => run((x) => F.nllLoss(x, labels([-1, 0])), of([2, 3])), /-1/)
  assert.throws(() => run((x) => F.crossEntropy(x, labels([0])), of([2, 3])), /class indices must have shape \[2\]/)
})

test('linear cross entropy equals the loss of its scores, value and gradients; wrong operands are named', () => {
  const target = labels([2, -100, 0, 1, 3, 3], [2, 3])
  const operands = [of([2, 3, 5]), of([4, 5]), of([4])]
  for (const reduction of ['mean', 'none', 'sum'] as const) {
    const chunked = (x: Tensor, w: Tensor, bias: Tensor): Tensor =>
      F.linearCrossEntropy(x, w, target, { bias, reduction })
    const whole = (x: Tensor, w: Tensor, bias: Tensor): Tensor =>
      F.crossEntropy(linear(x, w, bias).reshape([6, 4]), target.reshape([6]), { reduction })
    assertClose(run(chunked, ...operands)[0].values, run(whole, ...operands)[0].values)
    checkGrad(chunked, [{ shape: [2, 3, 5] }, { shape: [4, 5] }, { shape: [4] }], 2)
  }
  checkGrad((x, w) => F.linearCrossEntropy(x, w, target), [{ shape: [2, 3, 5] }, { shape: [4, 5] }])
  assert.throws(() => run((x, w) => F.linearCrossEntropy(x, w, labels([1])), of([2, 5]), of([4, 5])), /expected hidden/)
  assert.throws(
    () => run((x, w) => F.linearCrossEntropy(x, w, labels([1, 1])), of([2, 4]), of([4, 5])),
    /expected hidden/,
  )
})

test('binary cross entropy of exactly 0 and 1 stays finite, as in torch', () => {
  const [y] = run(
    (x, t) => F.binaryCrossEntropy(x, t, { reduction: 'none' }),
    of([4], [0, 1, 0, 1]),
    of([4], [0, 1, 1, 0]),
  )
  assertClose(y.values, [0, 0, 100, 100])
  const [z] = run(
    (x, t) => F.binaryCrossEntropyWithLogits(x, t, { reduction: 'none' }),
    of([3], [800, -800, 0]),
    of([3], [0, 1, 1]),
  )
  assertClose(z.values, [800, 800, Math.log(2)])
})

test('embedding and ranking losses: literal values and gradients', () => {
  const signs = table([1, -1, -1], [3], 'f64')
  const [hinge] = run((x) => F.hingeEmbeddingLoss(x, signs, { reduction: 'none' }), of([3], [0.5, 0.4, 2]))
  assertClose(hinge.values, [0.5, 0.6, 0])
  const [ranking] = run(
    (x, y) => F.marginRankingLoss(x, y, signs, { margin: 0.1, reduction: 'none' }),
    of([3], [1, 2, 1]),
    of([3], [0, 1, 3]),
  )
  assertClose(ranking.values, [0, 1.1, 0])
  checkGrad((x, y) => F.cosineEmbeddingLoss(x, y, signs, { margin: -0.9 }), pair, 2)
  for (const p of [1, 2, 3])
    checkGrad(
      (a, b, c) => F.tripletMarginLoss(a, b, c, { margin: 3, p, swap: p === 2, reduction: 'none' }),
      [...pair, { shape: [3, 4] }],
    )
})

test('an unknown reduction is refused', () => {
  assert.throws(
    () => run((x, t) => F.mseLoss(x, t, { reduction: 'median' as 'mean' }), of([2]), of([2])),
    /mseLoss: reduction must be/,
  )
})
