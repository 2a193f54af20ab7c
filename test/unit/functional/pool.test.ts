import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as F from '../../../src/tensor/functional/index.js'
import { permute } from '../../../src/tensor/ops/index.js'
import type { Tensor } from '../../../src/tensor/tensor.js'
import { assertClose, checkGrad, numbers, of, range, run } from './helpers.js'

const line = of([1, 1, 6], [3, 1, 4, 1, 5, 9])

test('max pooling: literal values of stride, padding, dilation and ceilMode', () => {
  const pool = (kernel: number, options: F.MaxPoolOptions = {}) =>
    run((x) => F.maxPool1d(x, kernel, options), line)[0].values
  assert.deepEqual(pool(2), [3, 4, 9])
  assert.deepEqual(pool(3, { stride: 1 }), [4, 4, 5, 9])
  assert.deepEqual(pool(3, { padding: 1 }), [3, 5])
  assert.deepEqual(pool(3, { stride: 2, ceilMode: true }), [4, 5, 9])
  assert.deepEqual(pool(2, { dilation: 3, stride: 1 }), [3, 5, 9])
  assert.deepEqual(pool(4, { padding: 'same' }), [4, 9])
})

test('average pooling: what the divisor counts', () => {
  const pool = (options: F.AvgPoolOptions) =>
    run((x) => F.avgPool1d(x, 3, options), of([1, 1, 4], [3, 6, 9, 12]))[0].values
  assert.deepEqual(pool({ stride: 2, padding: 1 }), [3, 9])
  assert.deepEqual(pool({ stride: 2, padding: 1, countIncludePad: false }), [4.5, 9])
  // The last window leaves the padded input by one: neither counts what is beyond.
  assert.deepEqual(pool({ stride: 2, padding: 1, ceilMode: true }), [3, 9, 6])
  assert.deepEqual(pool({ stride: 2, padding: 1, ceilMode: true, countIncludePad: false }), [4.5, 9, 12])
  assert.deepEqual(pool({ divisorOverride: 2 }), [9])
})

test('indices of maxima: first of equals, positions of the plane', () => {
  const x = of([1, 1, 3, 4], [1, 5, 5, 0, 2, 5, 7, 7, 0, 0, 7, 8])
  const pooled = run((a) => {
    const { values, indices } = F.maxPool2dWithIndices(a, 2, { stride: 1 })
    return [values, indices]
  }, x)
  assert.deepEqual(pooled[0].values, [5, 7, 7, 5, 7, 8])
  assert.deepEqual(pooled[1].values, [1, 6, 6, 5, 6, 11])
  const padded = run((a) => F.maxPool2dWithIndices(a, 3, { padding: 1, stride: 2, dilation: 1 }).indices, x)
  assert.deepEqual(padded[0].values, [1, 6, 5, 11])
})

test('the gradient of a maximum goes to the first of equals', () => {
  const [grad] = run((x) => F.maxPool1dWithIndices(x, 3, { stride: 1 }).indices, of([1, 1, 4], [2, 2, 2, 1]))
  assert.deepEqual(grad.values, [0, 1])
  checkGrad(
    (x) => F.maxPool2d(x, [2, 3], { stride: [2, 1], padding: [1, 1], ceilMode: true }),
    [{ shape: [2, 2, 5, 6] }],
  )
})

test('NaN wins a maximum, padding never does', () => {
  assert.deepEqual(run((x) => F.maxPool1d(x, 2), of([1, 1, 4], [Number.NaN, 1, 2, 3]))[0].values, [Number.NaN, 3])
  assert.deepEqual(run((x) => F.maxPool1d(x, 2, { padding: 1 }), of([1, 1, 2], [-5, -7]))[0].values, [-5, -7])
  assert.deepEqual(run((x) => F.maxPool1d(x, 2), of([1, 1, 4], [-4, -3, -2, -1], 'i32'))[0].values, [-3, -1])
})

test('channels last agrees with channels first', () => {
  const toLast = (x: Tensor) => permute(x, 0, 2, 3, 1)
  const x = of([2, 3, 5, 6])
  const layout = 'channelsLast'
  const pairs: [(a: Tensor) => Tensor, (a: Tensor) => Tensor][] = [
    [(a) => F.maxPool2d(a, 2, { padding: 'same' }), (a) => F.maxPool2d(a, 2, { padding: 'same', layout })],
    [(a) => F.avgPool2d(a, 3, { padding: 1 }), (a) => F.avgPool2d(a, 3, { padding: 1, layout })],
    [(a) => F.adaptiveAvgPool2d(a, [2, 4]), (a) => F.adaptiveAvgPool2d(a, [2, 4], { layout })],
    [(a) => F.adaptiveMaxPool2d(a, [2, 4]), (a) => F.adaptiveMaxPool2d(a, [2, 4], { layout })],
    [(a) => F.globalAvgPool(a, { keepDims: true }), (a) => F.globalAvgPool(a, { keepDims: true, layout })],
    [(a) => F.globalMaxPool(a, { keepDims: true }), (a) => F.globalMaxPool(a, { keepDims: true, layout })],
  ]
  for (const [first, last] of pairs)
    assertClose(run((a) => last(toLast(a)), x)[0].values, run((a) => toLast(first(a)), x)[0].values)
})

/** Windows from floor(i * in / out) up to ceil((i + 1) * in / out), by hand. */
function adaptiveByHand(x: readonly number[], count: number, reduce: (window: number[]) => number): number[] {
  return range(count).map((i) =>
    reduce(x.slice(Math.floor((i * x.length) / count), Math.ceil(((i + 1) * x.length) / count))),
  )
}

test('adaptive pooling of odd extents', () => {
  const x = Array.from(numbers(7))
  for (const count of [1, 2, 3, 5, 7, 11]) {
    const average = run((a) => F.adaptiveAvgPool1d(a, count), of([1, 1, 7], x))[0].values
    assertClose(
      average,
      adaptiveByHand(x, count, (w) => w.reduce((a, b) => a + b) / w.length),
    )
    const largest = run((a) => F.adaptiveMaxPool1d(a, count), of([1, 1, 7], x))[0].values
    assertClose(
      largest,
      adaptiveByHand(x, count, (w) => Math.max(...w)),
    )
  }
  const infinite = run((a) => F.adaptiveAvgPool1d(a, 2), of([1, 1, 3], [Infinity, 1, 2]))[0].values
  assert.deepEqual(infinite, [Infinity, 1.5])
})

test('gradients of pooling', () => {
  const x = [{ shape: [2, 2, 5, 4] }]
  checkGrad((a) => F.avgPool2d(a, 3, { stride: 2, padding: 1, countIncludePad: false, ceilMode: true }), x, 2)
  checkGrad((a) => F.adaptiveAvgPool2d(a, [3, 3]), x, 2)
  checkGrad((a) => F.adaptiveMaxPool2d(a, [3, null]), x)
  checkGrad((a) => F.lpPool2d(a, 3, 2), [{ shape: [1, 2, 4, 4], low: 0.5, high: 1 }], 2)
  checkGrad((a) => F.avgPool3d(a, 2, { padding: 1 }), [{ shape: [1, 1, 3, 2, 3] }])
})

test('unpooling puts the maxima back in place', () => {
  const [y] = run((x) => {
    const { values, indices } = F.maxPool1dWithIndices(x, 2)
    return F.maxUnpool1d(values, indices, 2)
  }, line)
  assert.deepEqual(y.values, [3, 0, 4, 0, 0, 9])
  checkGrad(
    (x) => {
      const { values, indices } = F.maxPool2dWithIndices(x, 2)
      return F.maxUnpool2d(values, indices, 2, { outputSize: [5, 5] })
    },
    [{ shape: [1, 2, 5, 4] }],
  )
})

test('wrong operands are named', () => {
  assert.throws(() => run((x) => F.maxPool2d(x, 7), of([1, 1, 3, 3])), /maxPool2d: a window of \[7, 7\] does not fit/)
  assert.throws(() => run((x) => F.avgPool2d(x, 2), of([3, 3])), /avgPool2d: the input must have 4 dimensions/)
  assert.throws(() => run((x) => F.maxPool2d(x, [1, 2, 3]), of([1, 1, 3, 3])), /kernelSize needs one number or 2/)
})
