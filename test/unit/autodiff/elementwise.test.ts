import assert from 'node:assert/strict'
import { test } from 'node:test'
import { vjp } from '../../../src/autodiff/index.js'
import { evaluateGraph } from '../../../src/interpret/index.js'
import type { OpName, Value } from '../../../src/ir/index.js'
import { Graph, parameter } from '../../../src/ir/index.js'
import { checkGradient, gradientsAt, op } from './check.js'

const unaries: [OpName, number, number][] = [
  ['negate', -1, 1],
  ['abs', 0.1, 1],
  ['exponential', -1, 1],
  ['exponential_minus_one', -1, 1],
  ['log', 0.2, 2],
  ['log_plus_one', -0.5, 1],
  ['sqrt', 0.2, 2],
  ['rsqrt', 0.2, 2],
  ['sine', -2, 2],
  ['cosine', -2, 2],
  ['tangent', -1, 1],
  ['tanh', -2, 2],
  ['erf', -2, 2],
  ['erfc', -2, 2],
  ['erf_inv', -0.9, 0.9],
  ['lgamma', 0.3, 4],
  ['digamma', 0.3, 4],
]

const apply1 = (name: OpName) => (x: Value) => op(name as 'negate', [x], {})
const apply2 = (name: OpName) => (a: Value, b: Value) => op(name as 'add', [a, b], {})

for (const [name, low, high] of unaries) {
  test(`gradient of ${name}, first and second order`, () => {
    checkGradient(apply1(name), [{ shape: [3, 5], low, high }], 2)
  })
}

test('gradient of lgamma and digamma left of zero', () => {
  checkGradient(apply1('lgamma'), [{ shape: [3], values: [-0.4, -1.3, -2.6] }], 2)
})

for (const name of [
  'add',
  'subtract',
  'multiply',
  'divide',
  'remainder',
  'power',
  'maximum',
  'minimum',
  'atan2',
] as const) {
  test(`gradient of ${name}, first and second order`, () => {
    const shape = [4, 3]
    checkGradient(
      apply2(name),
      [
        { shape, low: 0.3, high: 2 },
        { shape, low: 0.4, high: 1.5 },
      ],
      2,
    )
  })
}

test('gradient of select reaches the chosen operand', () => {
  const f = (a: Value, b: Value) =>
    op('select', [op('compare', [a, b], { direction: 'LT' }), op('multiply', [a, b], {}), b], {})
  checkGradient(f, [{ shape: [7] }, { shape: [7] }], 2)
})

test('maximum and minimum halve the gradient at ties', () => {
  const args = [
    { shape: [3], values: [1, 2, 3] },
    { shape: [3], values: [2, 2, 2] },
  ]
  assert.deepEqual(gradientsAt(apply2('maximum'), args), [
    [0, 0.5, 1],
    [1, 0.5, 0],
  ])
  assert.deepEqual(gradientsAt(apply2('minimum'), args), [
    [1, 0.5, 0],
    [0, 0.5, 1],
  ])
})

test('edges as in torch: abs and sqrt at 0, power at 0', () => {
  assert.deepEqual(gradientsAt(apply1('abs'), [{ shape: [3], values: [-2, 0, 3] }]), [[-1, 0, 1]])
  assert.deepEqual(gradientsAt(apply1('sqrt'), [{ shape: [1], values: [0] }]), [[Infinity]])
  const [base, exponent] = gradientsAt(apply2('power'), [
    { shape: [4], values: [0, 0, 0, 2] },
    { shape: [4], values: [0, 2, 1, 3] },
  ])
  assert.deepEqual(base, [0, 0, 1, 12])
  assert.deepEqual(exponent.slice(0, 3), [0, 0, 0])
  assert.ok(Math.abs(exponent[3] - 8 * Math.log(2)) < 1e-12)
})

test('steps, integers and stop_gradient carry no gradient', () => {
  const x = parameter([2], 'f64')
  const ct = parameter([2], 'f64')
  for (const name of ['sign', 'floor', 'ceil', 'round_nearest_even', 'stop_gradient'] as const) {
    assert.deepEqual(vjp([op(name, [x], {})], [ct], [x]), [null])
  }
  const throughInt = op('convert', [op('convert', [x], { dtype: 'i32' })], { dtype: 'f64' })
  assert.deepEqual(vjp([throughInt], [ct], [x]), [null])
})

test('convert returns the gradient in the dtype of its operand', () => {
  const x = parameter([2], 'f16')
  const ct = parameter([2], 'f32')
  const [grad] = vjp([op('convert', [x], { dtype: 'f32' })], [ct], [x])
  assert.equal(grad?.dtype, 'f16')
})

test('a value used twice gets both shares; an intermediate and its ancestor both get total derivatives', () => {
  const x = parameter([], 'f64')
  const square = op('multiply', [x, x], {})
  const cube = op('multiply', [square, x], {})
  const ct = op('constant', [], { shape: [], dtype: 'f64', data: new Float64Array([1]) })
  const grads = vjp([cube], [ct], [x, square]) as Value[]
  const [dx, dSquare] = evaluateGraph(new Graph([x], grads), [new Float64Array([3])])
  assert.equal(dx[0], 27)
  assert.equal(dSquare[0], 3)
})

test('third derivative of x^4', () => {
  const x = parameter([], 'f64')
  const one = op('constant', [], { shape: [], dtype: 'f64', data: new Float64Array([1]) })
  let y: Value = op('multiply', [op('multiply', [x, x], {}), op('multiply', [x, x], {})], {})
  for (let i = 0; i < 3; i++) y = vjp([y], [one], [x])[0] as Value
  assert.equal(evaluateGraph(new Graph([x], [y]), [new Float64Array([2])])[0][0], 48)
})

test('depth: a chain of 20,000 nodes', () => {
  const x = parameter([], 'f64')
  let y = x
  for (let i = 0; i < 20000; i++) y = op('negate', [y], {})
  const ct = parameter([], 'f64')
  const [grad] = vjp([y], [ct], [x]) as Value[]
  assert.equal(evaluateGraph(new Graph([ct], [grad]), [new Float64Array([5])])[0][0], 5)
})

test('errors: a cotangent of another shape', () => {
  const x = parameter([2], 'f64')
  assert.throws(() => vjp([x], [parameter([3], 'f64')], [x]), /cotangent 0 must be f64\[2\], got f64\[3\]/)
})
