import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as F from '../../../src/tensor/functional/index.js'
import { add, mul, permute } from '../../../src/tensor/ops/index.js'
import type { Tensor } from '../../../src/tensor/tensor.js'
import { assertClose, checkGrad, of, range, run } from './helpers.js'

test('layer normalisation: literal values, scale and shift', () => {
  const [y] = run(
    (x, w, b) => F.layerNorm(x, 4, { weight: w, bias: b, eps: 0 }),
    of([1, 4], [1, 3, 5, 7]),
    of([4], [1, 1, 2, 1]),
    of([4], [0, 0, 0, 10]),
  )
  const s = Math.sqrt(5)
  assertClose(y.values, [-3 / s, -1 / s, 2 / s, 10 + 3 / s])
})

test('root mean square normalisation; the default epsilon is that of the dtype', () => {
  const [y] = run((x) => F.rmsNorm(x, 2), of([1, 2], [3, 4]))
  assertClose(y.values, [3 / Math.sqrt(12.5), 4 / Math.sqrt(12.5)])
  const [tiny] = run((x) => F.rmsNorm(x, 1), of([1], [0], 'f32'))
  assert.deepEqual(tiny.values, [0])
  const [half] = run((x) => F.rmsNorm(x, 1), of([1], [2 ** -12], 'f32'))
  assertClose(half.values, [2 ** -12 / Math.sqrt(2 ** -24 + 2 ** -23)], 1e-6)
})

test('gradients of the norms, twice', () => {
  const x = { shape: [3, 2, 4] }
  const affine = [x, { shape: [2, 4] }, { shape: [2, 4] }]
  checkGrad((a, w, b) => F.layerNorm(a, [2, 4], { weight: w, bias: b }), affine, 2)
  checkGrad((a, w) => F.layerNormAxes(a, [0, 2], { weight: w }), [x, { shape: [3, 4] }], 2)
  checkGrad((a) => F.layerNorm(a, 4), [x], 2)
  checkGrad((a, w) => F.rmsNorm(a, [4], { weight: w, eps: 1e-3 }), [x, { shape: [4] }], 2)
  checkGrad((a) => F.rmsNormAxes(a, 1), [x], 2)
  checkGrad(
    (a, w, b) => F.groupNorm(a, 2, { weight: w, bias: b }),
    [{ shape: [2, 4, 3] }, { shape: [4] }, { shape: [4] }],
    2,
  )
  checkGrad((a, w) => F.instanceNorm(a, { weight: w }), [{ shape: [2, 2, 4] }, { shape: [2] }])
  checkGrad((a) => F.localResponseNorm(a, 3, { alpha: 0.5 }), [{ shape: [2, 5, 2] }], 2)
  checkGrad((v, g) => F.weightNorm(v, g, 1), [{ shape: [3, 2] }, { shape: [1, 2] }], 2)
})

test('gradients of batch normalisation reach x through output and statistics', () => {
  const args = [{ shape: [4, 3, 2] }, { shape: [3] }, { shape: [3] }]
  checkGrad((x, w, b) => F.batchNormTrain(x, { weight: w, bias: b }).output, args, 2)
  checkGrad((x) => F.batchNormTrain(x).variance, [args[0]], 2)
  checkGrad(
    (x, w) => {
      const { output, mean, variance } = F.batchNormTrain(x, { weight: w })
      return add(mul(output, F.batchNorm(x, mean, variance)), 1)
    },
    args.slice(0, 2),
    2,
  )
  checkGrad((x, w, b) => F.batchNorm(x, w, mul(b, b), { weight: w, bias: b }), args, 2)
})

test('running statistics: torch keeps the unbiased variance, Keras the biased one', () => {
  const x = of([4, 1], [1, 2, 3, 6])
  const running = (convention: 'torch' | 'keras', momentum: number) =>
    run(
      (a, m, v) => {
        const batch = F.batchNormTrain(a)
        const next = F.runningStatistics({ mean: m, variance: v }, batch, { convention, momentum, count: 4 })
        return [next.mean, next.variance]
      },
      x,
      of([1], [10]),
      of([1], [20]),
    ).map(({ values }) => values[0])
  assertClose(running('torch', 0.1), [0.9 * 10 + 0.1 * 3, 0.9 * 20 + 0.1 * (14 / 3)])
  assertClose(running('keras', 0.9), [0.9 * 10 + 0.1 * 3, 0.9 * 20 + 0.1 * 3.5])
})

test('channels last agrees with channels first', () => {
  const x = of([2, 4, 3, 2])
  const affine = [of([4]), of([4])]
  const toLast = (a: Tensor) => permute(a, 0, 2, 3, 1)
  const layout = 'channelsLast'
  const cases: [(a: Tensor, o: F.GroupNormOptions) => Tensor][] = [
    [(a, o) => F.groupNorm(a, 2, o)],
    [(a, o) => F.instanceNorm(a, o)],
    [(a, o) => F.batchNormTrain(a, o).output],
    [(a, o) => F.localResponseNorm(a, 3, { layout: o.layout })],
  ]
  for (const [f] of cases) {
    const last = run((a, weight, bias) => f(toLast(a), { weight, bias, layout }), x, ...affine)[0]
    const first = run((a, weight, bias) => toLast(f(a, { weight, bias })), x, ...affine)[0]
    assertClose(last.values, first.values)
  }
})

test('halves compute in f32 and keep their dtype', () => {
  for (const dtype of ['f16', 'bf16'] as const) {
    const values = range(64).map((i) => 1000 + (i % 8))
    const [y] = run((x) => F.layerNorm(x, 64), of([1, 64], values, dtype))
    assert.equal(y.dtype, dtype)
    if (dtype === 'f16')
      assertClose(
        y.values,
        values.map((v) => (v - 1003.5) / Math.sqrt(5.25 + 1e-5)),
        2e-3,
      )
  }
})

test('wrong operands are named', () => {
  assert.throws(
    () => run((x) => F.layerNorm(x, [3]), of([2, 4])),
    /layerNorm: expected an input whose last dimensions are \[3\]/,
  )
  assert.throws(
    () => run((x, w) => F.layerNorm(x, [4], { weight: w }), of([2, 4]), of([3])),
    /the weight must have shape \[4\]/,
  )
  assert.throws(() => run((x) => F.groupNorm(x, 3), of([2, 4])), /do not divide into 3 groups/)
  assert.throws(() => run((x, m) => F.batchNorm(x, m, m), of([2, 4]), of([3])), /running mean must have shape \[4\]/)
})
