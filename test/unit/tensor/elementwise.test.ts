import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as k from '../../../src/tensor/index.js'
import { assertValues } from './helpers.js'

const { Infinity: INF, NaN: NAN } = globalThis
const doubles = (values: readonly number[]) => k.tensor(values, { dtype: 'f64' })

test('functions composed of primitives agree with JavaScript over their domain', async () => {
  const wide = [-50, -3, -1, -0.5, -1e-9, 0, 1e-9, 0.3, 1, 4, 30]
  const unit = [-1, -0.999999, -0.5, -1e-12, 0, 0.25, 0.999999, 1]
  const cases: readonly (readonly [string, (x: k.Tensor) => k.Tensor, (x: number) => number, readonly number[]])[] = [
    ['sinh', k.sinh, Math.sinh, wide],
    ['cosh', k.cosh, Math.cosh, wide],
    ['asinh', k.asinh, Math.asinh, [...wide, 1e300, -1e200]],
    ['acosh', k.acosh, Math.acosh, [1, 1 + 1e-9, 2, 100, 1e200, 0.5, -3, -1e200]],
    ['atanh', k.atanh, Math.atanh, [...unit, 2]],
    ['asin', k.asin, Math.asin, [...unit, 1.5]],
    ['acos', k.acos, Math.acos, [...unit, -2]],
    ['atan', k.atan, Math.atan, [...wide, INF, -INF]],
    ['exp2', k.exp2, (x) => 2 ** x, wide],
    ['log2', k.log2, Math.log2, [0, 1, 8, 1e-300, -1]],
    ['log10', k.log10, Math.log10, [0, 1, 1000, INF]],
    ['trunc', k.trunc, Math.trunc, [-1.5, -0.5, 0.5, 2.5, INF, NAN]],
    ['sigmoid', k.sigmoid, (x) => 1 / (1 + Math.exp(-x)), [...wide, 800, -800]],
  ]
  for (const [name, f, reference, points] of cases) {
    const got = (await f(doubles(points)).data()) as Float64Array
    points.forEach((x, i) => {
      const want = reference(x)
      const close = Object.is(got[i], want) || got[i] === want || Math.abs(got[i] - want) <= 4e-15 * Math.abs(want)
      assert.ok(close, `${name}(${x}) = ${got[i]}, expected ${want}`)
    })
  }
})

test('gradients at kinks and ends are those of torch', async () => {
  const at = async (f: (x: k.Tensor) => k.Tensor, points: readonly number[], expected: readonly number[]) => {
    const x = doubles(points)
    await assertValues(k.grad(k.sum(f(x)), [x])[0], expected, 1e-12)
  }
  await at(k.relu, [-1, 0, 2], [0, 0, 1])
  await at(k.abs, [-2, 0, 3], [-1, 0, 1])
  await at((x) => k.clamp(x, -1, 1), [-2, -1, 0, 1, 2], [0, 0, 1, 0, 0])
  await at((x) => k.hardtanh(x), [-1, 0, 1], [0, 1, 0])
  await at(k.hardswish, [-4, -3, 0, 3, 4], [0, 0, 0.5, 1, 1])
  await at((x) => k.leakyRelu(x, 0.1), [-1, 0, 1], [0.1, 0.1, 1])
  await at(k.sigmoid, [0, 1000, -1000], [0.25, 0, 0])
  await at((x) => k.pow(x, 0), [0, 2], [0, 0])
  await at((x) => k.std(x), [2, 2, 2], [0, 0, 0])
  await at((x) => k.vectorNorm(x), [0, 0], [0, 0])
  await at((x) => k.elu(x), [1000, -1000], [1, 0])
  await at((x) => k.softplus(x), [0, 25], [0.5, 1])
  await at(k.sinc, [0], [0])
})

test('division, remainders and powers as in Python', async () => {
  const x = doubles([7, -7, 7, -7, 1])
  const y = doubles([3, 3, -3, -3, 0.1])
  await assertValues(k.floorDivide(x, y), [2, -3, -3, 2, 9])
  await assertValues(k.remainder(x, y), [1, 2, -2, -1, 0.09999999999999995], 1e-12)
  await assertValues(k.fmod(x, y), [1, -1, 1, -1, 0.09999999999999995], 1e-12)
  const i = k.tensor([7, -7, -6], { dtype: 'i32' })
  await assertValues(k.floorDivide(i, 3), [2, -3, -2])
  await assertValues(k.div(i, 3, { roundingMode: 'trunc' }), [2, -2, -2])
  await assertValues(k.pow(i, 2), [49, 49, 36])
  await assertValues(k.pow(2, doubles([-1, 0.5])), [0.5, Math.SQRT2])
})

test('sign bits, infinities and NaN', async () => {
  const x = doubles([1, -0, NAN, INF, -INF])
  await assertValues(k.signbit(x), [false, true, false, false, true])
  await assertValues(k.copysign(3, x).at([0, 2]), [3, -3])
  await assertValues(k.nanToNum(x, { nan: 5, posinf: 6, neginf: -6 }), [1, -0, 5, 6, -6])
  await assertValues(k.isfinite(x), [true, true, false, false, false])
  await assertValues(k.hypot(doubles([3e200, INF, 0]), doubles([4e200, NAN, 0])).at([0, 1]), [5e200])
  await assertValues(k.logaddexp(doubles([1000, -INF, INF]), doubles([1000, -INF, 0])), [1000 + Math.LN2, -INF, INF])
  await assertValues(k.xlogy(doubles([0, 0, 2]), doubles([0, NAN, 1])), [0, NAN, 0])
  await assertValues(k.maximum(doubles([1, NAN]), doubles([NAN, 0])), [NAN, NAN])
})

test('low precision rounds once', async () => {
  const x = k.tensor([0.1, -1.7, 3.3], { dtype: 'bf16' })
  const inside = await k.cast(k.gelu(k.cast(x, 'f32')), 'bf16').data()
  assert.deepEqual(await k.gelu(x).data(), inside)
  assert.equal(k.softmax(x).dtype, 'bf16')
})

test('integers and bool where floats are meant give f32; bit operations keep their dtype', async () => {
  const i = k.tensor([1, 4], { dtype: 'i32' })
  assert.equal(k.sqrt(i).dtype, 'f32')
  assert.equal(k.mean(i).dtype, 'f32')
  await assertValues(k.bitwiseNot(i), [-2, -5])
  await assertValues(k.rightShift(k.tensor([-8], { dtype: 'i32' }), 1), [-4])
  await assertValues(k.where(i.gt(2), i, 0), [0, 4])
  await assertValues(k.maskedFill(i, [true, false], 9), [9, 4])
})

test('where keeps gradients of what was not chosen out', async () => {
  const x = doubles([0, 4])
  const safe = k.where(x.gt(0), k.sqrt(k.where(x.gt(0), x, 1)), 0)
  await assertValues(k.grad(k.sum(safe), [x])[0], [0, 0.25])
})
