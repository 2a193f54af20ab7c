import assert from 'node:assert/strict'
import { test } from 'node:test'
import { vjp } from '../../src/autodiff/index.js'
import '../../src/node.js'
import { finish, Graph, parameter, type Shape, type Value } from '../../src/ir/index.js'
import { Trace, withTrace } from '../../src/runtime/index.js'
import { wrap } from '../../src/tensor/core.js'
import { conv2d } from '../../src/tensor/functional/index.js'
import { gelu, matmul, relu, sigmoid, silu, type Tensor, tanh, transpose } from '../../src/tensor/index.js'
import { type AgreeOptions, checkOn, cpuBackend, native } from './agree.js'

const ACTIVATIONS: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  relu,
  tanh,
  sigmoid,
  silu,
  gelu: (x) => gelu(x),
  'gelu by tanh': (x) => gelu(x, { approximate: 'tanh' }),
}

const values = (shapes: readonly Shape[]): Value[] => shapes.map((shape) => parameter(shape, 'f32'))

function traced(params: readonly Value[], build: (...inputs: Tensor[]) => Tensor): Value {
  return withTrace(new Trace('body', 'test', params), () => build(...params.map(wrap))).value
}

/** Forward alone, and forward with gradients, against the interpreter. */
function check(shapes: readonly Shape[], build: (...inputs: Tensor[]) => Tensor, options: AgreeOptions): void {
  const params = values(shapes)
  const result = traced(params, build)
  checkOn(params, [result], { ...options, low: -2, high: 2, edges: false })
  const seed = parameter(result.shape, 'f32')
  const grads = vjp([result], [seed], params).filter((grad): grad is Value => grad !== null)
  checkOn([...params, seed], [result, ...grads], { ...options, low: -2, high: 2, edges: false })
}

const instructions = (results: readonly Value[], params: readonly Value[]): Readonly<Record<string, number>> =>
  finish(cpuBackend().compile(new Graph(params, results))).report.kernels

test('a linear layer and its activation are one kernel, with a bias and without, at odd shapes', native, () => {
  // One row, one column, edges of tiles, several blocks of K, rows for both plans, batches, an empty sum.
  const shapes: [Shape, Shape][] = [
    [
      [1, 7],
      [7, 33],
    ],
    [
      [5, 3],
      [3, 1],
    ],
    [
      [7, 19],
      [19, 17],
    ],
    [
      [2, 3, 400],
      [400, 50],
    ],
    [
      [131, 40],
      [40, 35],
    ],
    [
      [4, 0],
      [0, 5],
    ],
    [
      [0, 4],
      [4, 5],
    ],
  ]
  for (const [name, activation] of Object.entries(ACTIVATIONS))
    for (const [x, w] of shapes) {
      const options = { scale: 400, floor: 1, what: `${name} [${x}] x [${w}]` }
      check([x, w], (a, b) => activation(matmul(a, b)), options)
      check([x, w, [w[1]]], (a, b, bias) => activation(matmul(a, b).add(bias)), options)
    }
  const params = values([[9, 20], [20, 30], [30]])
  const [x, w, bias] = params
  const result = traced(params, (a, b, c) => gelu(matmul(a, b).add(c)))
  assert.deepEqual(instructions([result], [x, w, bias]), { dot_general: 1 })
})

test('NaN and infinities pass through the epilogue as through the activation', native, () => {
  for (const [name, activation] of Object.entries(ACTIVATIONS))
    for (const rows of [1, 9]) {
      const params = values([
        [rows, 1],
        [1, 37],
      ])
      const result = traced(params, (x, w) => activation(matmul(x, w)))
      checkOn(params, [result], { scale: 40, floor: 0.2, what: name })
    }
})

test('what else reads the product gets it, before the activation and after', native, () => {
  const params = values([[6, 40], [40, 21], [21]])
  const product = traced(params, (x, w, bias) => matmul(x, w).add(bias))
  const result = traced([product], (y) => silu(y).mul(y))
  checkOn(params, [result, product], { scale: 40, floor: 1, edges: false })
  const both = traced([product], (y) => tanh(y).add(gelu(y)))
  checkOn(params, [both], { scale: 40, floor: 1, edges: false })
  const turned = traced([product], (y) => transpose(relu(y), 0, 1).add(transpose(y, 0, 1)))
  checkOn(params, [turned], { scale: 40, floor: 1, edges: false })
})

test('convolutions apply relu themselves', native, () => {
  for (const [x, w] of [
    [
      [2, 3, 9, 11],
      [5, 3, 3, 3],
    ],
    [
      [1, 32, 14, 14],
      [32, 32, 3, 3],
    ],
    [
      [2, 4, 5, 6],
      [7, 4, 1, 1],
    ],
  ] as [Shape, Shape][]) {
    const build = (a: Tensor, b: Tensor, bias: Tensor): Tensor => relu(conv2d(a, b, { bias, padding: 1 }))
    check([x, w, [w[0]]], build, { scale: 4000, floor: 1, what: `[${x}] x [${w}]` })
    const params = values([x, w, [w[0]]])
    assert.deepEqual(instructions([traced(params, build)], params), { convolution: 1 })
  }
})

test('a product adds what is added to it: residuals, sums of products, transposed and shared operands', native, () => {
  for (const [x, w] of [
    [
      [1, 7],
      [7, 33],
    ],
    [
      [5, 3],
      [3, 1],
    ],
    [
      [2, 3, 400],
      [400, 50],
    ],
    [
      [131, 40],
      [40, 35],
    ],
    [
      [4, 0],
      [0, 5],
    ],
  ] as [Shape, Shape][]) {
    const whole = [...x.slice(0, -1), w[1]]
    const options = { scale: 400, floor: 1, what: `[${x}] x [${w}]` }
    check([x, w, whole], (a, b, other) => other.add(matmul(a, b)), options)
    check([x, w, [w[1]], whole], (a, b, bias, other) => matmul(a, b).add(bias).add(other), options)
    check([x, w, w], (a, b, c) => matmul(a, b).add(matmul(a, c)), options)
  }
  const square = [
    [6, 6],
    [6, 6],
  ]
  check(square, (a, b) => matmul(a, b).add(transpose(a, 0, 1)), { scale: 40, floor: 1 })
  check(square, (a, b) => matmul(a, b).add(a).add(b), { scale: 40, floor: 1 })
  const params = values([[9, 20], [20, 30], [30], [9, 30]])
  const result = traced(params, (a, b, bias, other) => other.add(matmul(a, b).add(bias)))
  assert.deepEqual(instructions([result], params), { dot_general: 1 })
})
