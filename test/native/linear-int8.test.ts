import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { createInterpreterBackend } from '../../src/backends/interpreter/index.js'
import { finish, Graph, parameter } from '../../src/ir/index.js'
import { random, seed, setBackend, tensor, valueAndGrad } from '../../src/node.js'
import { wrapArray } from '../../src/runtime/buffer.js'
import { Trace, withTrace } from '../../src/runtime/index.js'
import { wrap } from '../../src/tensor/core.js'
import { linear, linearInt8, quantizeRows } from '../../src/tensor/functional/index.js'
import { checkOn, cpuBackend, native, randomStream } from './agree.js'

before(() => setBackend('cpu'))

test('native linear_int8 equals its body bit for bit, whatever the shape', native, () => {
  const shapes = [
    [1, 1, 1],
    [3, 5, 1],
    [7, 33, 65],
    [6, 2, 16],
    [13, 31, 127],
    [64, 34, 300],
    [5, 3, 1537],
    [2, 37, 3100],
    [1030, 3, 20],
    [0, 3, 4],
    [3, 0, 4],
  ]
  for (const [rows, outputs, inputs] of shapes)
    for (const bias of [true, false]) {
      const params = [
        parameter([rows, inputs], 'f32'),
        parameter([outputs, inputs], 'i8'),
        parameter([outputs], 'f32'),
        ...(bias ? [parameter([outputs], 'f32')] : []),
      ]
      const results = withTrace(new Trace('body', 'test', params), () => {
        const [x, weight, scale, b] = params.map(wrap)
        return [linearInt8(x, weight, scale, b).value]
      })
      const what = `${rows}x${inputs} by ${outputs}${bias ? ' + bias' : ''}`
      // Bit for bit: no tolerance.
      checkOn(params, results, { what, scale: 0, edges: false, low: -100, high: 100 })
      checkOn(params, results, { what: `${what}, special values`, scale: 0, edges: true })
    }
})

test('sums are exact for the largest weights, packed on the way or kept packed', native, () => {
  const random = randomStream(5)
  const pick = (values: readonly number[]): number => values[Math.floor(random() * values.length)]
  // From those that may add up in 16 bits to those that overflow them in every group, and mixtures within one column.
  const weights: Readonly<Record<string, (i: number) => number>> = {
    small: () => Math.floor(random() * 61) - 30,
    'on the edge': (i) => pick(i % 2 ? [64, -64, 63] : [64, -63, -64]),
    lowest: () => -128,
    largest: () => 127,
    mixed: (i) => (Math.floor(i / 48) % 2 ? pick([127, -128]) : Math.floor(random() * 41) - 20),
  }
  for (const [what, weight] of Object.entries(weights))
    for (const [rows, outputs, inputs] of [
      [50, 67, 95],
      [5, 64, 64],
      [67, 17, 330],
    ]) {
      const params = [
        parameter([rows, inputs], 'f32'),
        parameter([outputs, inputs], 'i8'),
        parameter([outputs], 'f32'),
        parameter([outputs], 'f32'),
      ]
      const results = withTrace(new Trace('body', 'test', params), () => {
        const [x, w, scale, b] = params.map(wrap)
        return [linearInt8(x, w, scale, b).value]
      })
      // Rows at both ends of their range, where sums are largest.
      const x = Float32Array.from({ length: rows * inputs }, (_, i) => (i % 3 ? pick([0, 127, 126]) : random() * 127))
      const arrays = [
        x,
        Int8Array.from({ length: outputs * inputs }, (_, i) => weight(i)),
        new Float32Array(outputs).fill(1),
        Float32Array.from({ length: outputs }, (_, i) => i),
      ]
      const graph = new Graph(params, results)
      const inputsOf = arrays.map((array, i) => wrapArray(array, params[i].dtype, params[i].shape))
      const want = finish(createInterpreterBackend().compile(graph)).runSync(inputsOf)[0].array
      const executable = finish(cpuBackend().compile(graph))
      // Weights that stay the same are packed once, after two runs.
      for (let run = 0; run < 4; run++)
        assert.deepEqual(
          executable.runSync(inputsOf)[0].array,
          want,
          `${what}, ${rows}x${inputs} by ${outputs}, run ${run}`,
        )
    }
})

test(
  'rows are quantised by their largest magnitude, ties to even; zeros, NaN and infinities included',
  native,
  async () => {
    const x = tensor([
      [127, -127, 63.5, 0.5, 1.5, -2.5],
      [0, 0, 0, 0, 0, 0],
      [1, Number.NaN, 1, 1, 1, 1],
      [1, -Number.POSITIVE_INFINITY, 1, 1, 1, 1],
      [-2, 1, 0, 2, -1, 0.5],
    ])
    for (const backend of ['cpu', 'interpreter']) {
      setBackend(backend)
      const { values, scales } = quantizeRows(x)
      assert.deepEqual(Array.from(await values.data(), Number), [
        ...[127, -127, 64, 0, 2, -2],
        ...[0, 0, 0, 0, 0, 0],
        ...[0, 0, 0, 0, 0, 0],
        ...[0, 0, 0, 0, 0, 0],
        ...[-127, 64, 0, 127, -64, 32],
      ])
      assert.deepEqual(Array.from(await scales.data(), Number), [
        1,
        0,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        Math.fround(2 / 127),
      ])
      const y = await linearInt8(x, tensor([[1, 1, 1, 1, 1, 1]], { dtype: 'i8' }), [1], [0.5]).data()
      assert.deepEqual(
        Array.from(y, Number).map((value) => Number.isNaN(value)),
        [false, false, true, true, false],
      )
      assert.equal(y[1], 0.5)
    }
    setBackend('cpu')
  },
)

test('close to the product in f32, and the gradient is that of the dequantised product', native, async () => {
  seed(1)
  const x = random.normal([4, 9, 96])
  const weight = random.normal([40, 96])
  const bias = random.normal([40])
  const { values, scales } = quantizeRows(weight)
  const want = await linear(x, weight, bias).data()
  const got = await linearInt8(x, values, scales, bias).data()
  let error = 0
  for (let i = 0; i < want.length; i++) error = Math.max(error, Math.abs(Number(got[i]) - Number(want[i])))
  assert.ok(error > 0 && error < 0.5, `largest difference ${error} of sums of 96 products`)
  const [dx] = valueAndGrad(([t]: (typeof x)[]) => linearInt8(t, values, scales, bias).square().sum())([x]).grads
  const [ref] = valueAndGrad(([t]: (typeof x)[]) => linear(t, values.to('f32').mul(scales), bias).square().sum())([
    x,
  ]).grads
  const [a, b] = [await dx.data(), await ref.data()]
  for (let i = 0; i < a.length; i++)
    assert.ok(Math.abs(Number(a[i]) - Number(b[i])) < 12, `gradient ${i}: ${a[i]}, ${b[i]}`)
})

test('errors name what does not fit', () => {
  const weight = tensor([[1, 2, 3]], { dtype: 'i8' })
  assert.throws(() => linearInt8(tensor([[1, 2]]), weight, [1]), /x \[1, 2\] must end in the inputs of weight \[1, 3\]/)
  assert.throws(() => linearInt8(tensor([[1, 2, 3]]), tensor([[1, 2, 3]]), [1]), /the weight must be i8, got f32/)
})
