import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as F from '../../../src/tensor/functional/index.js'
import { permute } from '../../../src/tensor/ops/index.js'
import { assertClose, checkGrad, of, run } from './helpers.js'

const resize = (values: number[], options: F.InterpolateOptions): number[] =>
  run((x) => F.interpolate(x, options), of([1, 1, values.length], values))[0].values

test('one dimension: literal values of every mode', () => {
  assert.deepEqual(resize([1, 2], { size: 4 }), [1, 1, 2, 2])
  assert.deepEqual(resize([1, 2, 3], { size: 2 }), [1, 2])
  assert.deepEqual(resize([1, 2, 3], { size: 2, mode: 'nearest-exact' }), [1, 3])
  assertClose(resize([0, 4], { size: 4, mode: 'linear' }), [0, 1, 3, 4])
  assertClose(resize([0, 3], { size: 4, mode: 'linear', alignCorners: true }), [0, 1, 2, 3])
  assertClose(resize([1, 3, 5, 7], { scaleFactor: 0.5, mode: 'area' }), [2, 6])
  assertClose(resize([0, 1, 2, 3, 4, 5], { size: 2, mode: 'linear', antialias: true }), [1.25, 3.75], 0.05)
  // Keys' kernel with a = -0.75 at distances 1.25, 0.75 and 0.25.
  assertClose(
    resize([0, 0, 1, 0, 0], { size: 10, mode: 'cubic' }).slice(2, 8),
    [-0.10546875, 0.26171875, 0.87890625, 0.87890625, 0.26171875, -0.10546875],
  )
})

test('a given factor sets the step, the ratio of the extents only when asked for', () => {
  const x = [0, 1, 2, 3, 4]
  assert.equal(resize(x, { scaleFactor: 1.5, mode: 'linear' }).length, 7)
  assertClose(resize(x, { scaleFactor: 1.5, mode: 'linear' }).slice(1, 3), [0.5, 7 / 6])
  assertClose(resize(x, { scaleFactor: 1.5, mode: 'linear', recomputeScaleFactor: true }).slice(1, 3), [
    (1.5 * 5) / 7 - 0.5,
    (2.5 * 5) / 7 - 0.5,
  ])
})

test('channels last agrees with channels first; integers are copied by nearest', () => {
  const x = of([1, 2, 3, 4])
  const options = { size: [5, 2], mode: 'bicubic', antialias: true } as const
  const first = run((a) => permute(F.interpolate(a, options), 0, 2, 3, 1), x)[0]
  const last = run((a) => F.interpolate(permute(a, 0, 2, 3, 1), { ...options, layout: 'channelsLast' }), x)[0]
  assertClose(last.values, first.values)
  const whole = run((a) => F.interpolate(a, { scaleFactor: 2 }), of([1, 1, 2], [3, 5], 'u8'))[0]
  assert.deepEqual([whole.dtype, whole.values], ['u8', [3, 3, 5, 5]])
})

test('gradients of resampling', () => {
  const x = [{ shape: [1, 2, 3, 4] }]
  for (const mode of ['nearest', 'bilinear', 'bicubic', 'area'] as const)
    checkGrad((a) => F.interpolate(a, { size: [5, 3], mode }), x)
  checkGrad((a) => F.interpolate(a, { size: [2, 6], mode: 'bicubic', antialias: true }), x, 2)
  const grid = { shape: [1, 2, 3, 2], low: -1.4, high: 1.4 }
  for (const mode of ['bilinear', 'bicubic'] as const) {
    for (const paddingMode of ['zeros', 'border', 'reflection'] as const)
      checkGrad((a, g) => F.gridSample(a, g, { mode, paddingMode }), [...x, grid], 1, 1e-5)
  }
  checkGrad(
    (a, t) => F.gridSample(a, F.affineGrid(t, [1, 2, 2, 3, 2])),
    [{ shape: [1, 1, 2, 3, 4] }, { shape: [1, 3, 4], low: -0.5, high: 0.5 }],
    1,
    1e-5,
  )
})

test('the identity grid gives the image back', () => {
  const identity = of([1, 2, 3], [1, 0, 0, 0, 1, 0])
  const x = of([1, 2, 3, 4])
  for (const alignCorners of [false, true]) {
    const [y] = run(
      (a, t) => F.gridSample(a, F.affineGrid(t, [1, 2, 3, 4], { alignCorners }), { alignCorners }),
      x,
      identity,
    )
    assertClose(y.values, x.values)
  }
})

test('wrong operands are named', () => {
  assert.throws(() => resize([1, 2], {}), /interpolate: give either size or scaleFactor/)
  assert.throws(() => resize([1, 2], { size: 0 }), /extents must be positive integers/)
  assert.throws(() => run((x, g) => F.gridSample(x, g), of([1, 1, 2, 2]), of([1, 2, 2, 3])), /gridSample: expected/)
})
