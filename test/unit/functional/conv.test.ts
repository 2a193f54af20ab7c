import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as F from '../../../src/tensor/functional/index.js'
import { permute } from '../../../src/tensor/ops/index.js'
import type { Tensor } from '../../../src/tensor/tensor.js'
import { assertClose, checkGrad, dot, of, range, run } from './helpers.js'

test('conv1d: literal values of padding by number, pairs and name', () => {
  const x = of([1, 1, 5], [1, 2, 3, 4, 5])
  const w = of([1, 1, 3], [1, 10, 100])
  const conv = (options: F.ConvOptions) => run((a, b) => F.conv1d(a, b, options), x, w)[0].values
  assert.deepEqual(conv({}), [321, 432, 543])
  assert.deepEqual(conv({ padding: 1 }), [210, 321, 432, 543, 54])
  assert.deepEqual(conv({ padding: [[2, 0]] }), [100, 210, 321, 432, 543])
  assert.deepEqual(conv({ padding: 'causal' }), [100, 210, 321, 432, 543])
  assert.deepEqual(conv({ padding: 'same' }), [210, 321, 432, 543, 54])
  // Three positions of stride 2 need no padding at the end alone: one in front, one behind.
  assert.deepEqual(conv({ padding: 'same', stride: 2 }), [210, 432, 54])
  assert.deepEqual(conv({ padding: 'same', stride: 3 }), [321, 54])
  assert.deepEqual(conv({ dilation: 2, padding: 'causal' }), [100, 200, 310, 420, 531])
})

test("'same' puts the odd pixel at the end", () => {
  const [y] = run((a, b) => F.conv1d(a, b, { padding: 'same' }), of([1, 1, 3], [1, 2, 3]), of([1, 1, 2], [1, 10]))
  assert.deepEqual(y.values, [21, 32, 3])
})

test('channels last agrees with channels first', () => {
  const toFirst = (x: Tensor) => permute(x, 0, 3, 1, 2)
  const first = run(
    (x, w, b) => F.conv2d(toFirst(x), permute(w, 3, 2, 0, 1), { bias: b, stride: [2, 1], padding: 'same', groups: 2 }),
    of([2, 5, 6, 4]),
    of([3, 2, 2, 6]),
    of([6]),
  )
  const last = run(
    (x, w, b) =>
      toFirst(F.conv2d(x, w, { bias: b, stride: [2, 1], padding: 'same', groups: 2, layout: 'channelsLast' })),
    of([2, 5, 6, 4]),
    of([3, 2, 2, 6]),
    of([6]),
  )
  assert.deepEqual(last[0].shape, [2, 6, 3, 6])
  assertClose(last[0].values, first[0].values)
})

test('depthwise convolution: output channel c * multiplier + m, in both layouts', () => {
  const x = of([1, 2, 2], [1, 2, 10, 20])
  const first = run((a, w) => F.depthwiseConv1d(a, w), x, of([4, 1, 1], [1, 2, 3, 4]))[0]
  assert.deepEqual(first.values, [1, 2, 2, 4, 30, 60, 40, 80])
  const keras = run(
    (a, w) => F.depthwiseConv1d(a, w, { layout: 'channelsLast' }),
    of([1, 2, 2], [1, 10, 2, 20]),
    of([1, 2, 2], [1, 2, 3, 4]),
  )[0]
  assert.deepEqual(keras.values, [1, 2, 30, 40, 2, 4, 60, 80])
})

test('a separable convolution is a depthwise one followed by a pointwise one', () => {
  const inputs = [of([1, 4, 5, 3]), of([2, 3, 3, 2]), of([1, 1, 6, 4]), of([4])]
  const options = { stride: 2, padding: 'same', layout: 'channelsLast' } as const
  const whole = run((x, d, p, b) => F.separableConv2d(x, d, p, { ...options, bias: b }), ...inputs)
  const parts = run(
    (x, d, p, b) => F.conv2d(F.depthwiseConv2d(x, d, options), p, { bias: b, layout: 'channelsLast' }),
    ...inputs,
  )
  assertClose(whole[0].values, parts[0].values)
})

const GEOMETRIES = [
  { stride: 1, padding: 0, dilation: 1, groups: 1 },
  { stride: 2, padding: 1, dilation: 1, groups: 1 },
  { stride: [2, 3], padding: [1, 0], dilation: [1, 2], groups: 2 },
  { stride: 3, padding: 2, dilation: 1, groups: 1 },
] as const

test('a transposed convolution is the adjoint of the convolution', () => {
  for (const geometry of GEOMETRIES) {
    const [x, w] = [of([2, 4, 9, 8]), of([6, 4 / geometry.groups, 3, 2])]
    const [y] = run((a, b) => F.conv2d(a, b, geometry), x, w)
    const ct = of(y.shape)
    // Positions that no window of the convolution reaches come back as output padding.
    const natural = run((a, b) => F.convTranspose2d(a, b, geometry), ct, w)[0].shape
    const outputPadding = [9 - natural[2], 8 - natural[3]]
    const [back] = run((a, b) => F.convTranspose2d(a, b, { ...geometry, outputPadding }), ct, w)
    assert.deepEqual(back.shape, x.shape)
    assert.ok(Math.abs(dot(back.values, x.values) - dot(ct.values, y.values)) < 1e-9)
  }
})

test('transposed convolution in channels last agrees with channels first', () => {
  for (const groups of [1, 2]) {
    const inputs = [of([1, 4, 3, 2]), of([4, 3, 2, 3])]
    const first = run((x, w) => F.convTranspose2d(x, w, { stride: 2, padding: 1, groups }), ...inputs)[0]
    const last = run(
      (x, w) => {
        const y = F.convTranspose2d(permute(x, 0, 2, 3, 1), permute(w, 2, 3, 1, 0), {
          stride: 2,
          padding: 1,
          groups,
          layout: 'channelsLast',
        })
        return permute(y, 0, 3, 1, 2)
      },
      ...inputs,
    )[0]
    assert.deepEqual(last.shape, first.shape)
    assertClose(last.values, first.values)
  }
})

test("Keras' transposed padding: input * stride positions, or (input - 1) * stride + max(kernel, stride)", () => {
  const lengths = (padding: 'same' | 'valid', kernel: number, stride: number) =>
    run(
      (x, w) => F.convTranspose1d(x, w, { padding, stride, layout: 'channelsLast' }),
      of([1, 5, 1]),
      of([kernel, 1, 1]),
    )[0].shape[1]
  assert.equal(lengths('same', 3, 2), 10)
  assert.equal(lengths('same', 2, 3), 15)
  assert.equal(lengths('valid', 3, 2), 11)
  assert.equal(lengths('valid', 2, 3), 15)
})

test('gradients of convolutions, twice', () => {
  const options = {
    stride: [2, 1],
    padding: [
      [1, 0],
      [0, 2],
    ],
    dilation: [1, 2],
    groups: 2,
  } as const
  checkGrad(
    (x, w, b) => F.conv2d(x, w, { ...options, bias: b }),
    [{ shape: [2, 4, 5, 4] }, { shape: [2, 2, 2, 2] }, { shape: [2] }],
    2,
  )
  const transposed = { stride: 2, padding: 1, outputPadding: 1, groups: 2 }
  checkGrad((x, w) => F.convTranspose2d(x, w, transposed), [{ shape: [1, 2, 3, 2] }, { shape: [2, 1, 3, 2] }], 2)
  checkGrad((x, w) => F.conv3d(x, w, { padding: 1 }), [{ shape: [1, 1, 2, 3, 2] }, { shape: [2, 1, 2, 2, 2] }])
})

test('single examples, empty batches', () => {
  assert.deepEqual(run((x, w) => F.conv2d(x, w), of([3, 5, 5]), of([2, 3, 3, 3]))[0].shape, [2, 3, 3])
  assert.deepEqual(
    run((x, w) => F.conv2d(x, w, { padding: 1 }), of([0, 3, 5, 5]), of([2, 3, 3, 3]))[0].shape,
    [0, 2, 5, 5],
  )
})

test('fold is the adjoint of unfold', () => {
  const options = { dilation: [1, 2], padding: [1, 0], stride: [2, 1] }
  const x = of([2, 3, 5, 6])
  const [columns] = run((a) => F.unfold(a, [2, 3], options), x)
  assert.deepEqual(columns.shape, [2, 18, 6])
  const ct = of(columns.shape)
  const [back] = run((a) => F.fold(a, [5, 6], [2, 3], options), ct)
  assert.ok(Math.abs(dot(back.values, x.values) - dot(ct.values, columns.values)) < 1e-9)
  checkGrad((a) => F.unfold(a, 2), [{ shape: [1, 2, 3, 3] }])
})

test('unfold: values in order of channel, row and column of the kernel', () => {
  const [y] = run((x) => F.unfold(x, 2), of([1, 1, 2, 3], range(6)))
  assert.deepEqual(y.values, [0, 1, 1, 2, 3, 4, 4, 5])
})

test('wrong operands are named', () => {
  const bad = (f: () => unknown, pattern: RegExp) => assert.throws(f, pattern)
  const x = of([1, 3, 5, 5])
  bad(() => run((a, w) => F.conv2d(a, w), x, of([2, 4, 3, 3])), /convolution.*4 x 1 group/s)
  bad(() => run((a, w) => F.conv2d(a, w), x, of([2, 3, 3])), /conv2d: the kernel must have 4 dimensions/)
  bad(
    () => run((a, w) => F.conv2d(a, w, { stride: 0 }), x, of([2, 3, 3, 3])),
    /conv2d: stride must be integers of at least 1/,
  )
  bad(() => run((a, w) => F.conv2d(a, w, { padding: [1, 2, 3] }), x, of([2, 3, 3, 3])), /padding needs one number or 2/)
  bad(() => run((a, w, b) => F.conv2d(a, w, { bias: b }), x, of([2, 3, 3, 3]), of([3])), /bias must have shape \[2\]/)
  bad(() => run((a, w) => F.convTranspose2d(a, w), x, of([4, 3, 3, 3])), /convTranspose2d: the kernel takes 4 channels/)
  bad(() => run((a) => F.fold(a, 4, 2), of([1, 8, 7])), /fold: expected \[batch\?, channels \* 4, 9\]/)
})
