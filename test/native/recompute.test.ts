import assert from 'node:assert/strict'
import { test } from 'node:test'
import { vjp } from '../../src/autodiff/index.js'
import '../../src/node.js'
import { finish, Graph, parameter, type Shape, type Value } from '../../src/ir/index.js'
import { Trace, withTrace } from '../../src/runtime/index.js'
import { wrap } from '../../src/tensor/core.js'
import { add, gelu, matmul, mul, sigmoid, type Tensor, tanh } from '../../src/tensor/index.js'
import { checkOn, cpuBackend, native } from './agree.js'

// Results of elementwise work that lie unread across the peak of memory are calculated again behind it (src/passes/recompute.ts).

const ROWS = 1024
const WIDTH = 264
const LAYERS = 6
const ACTIVATION_BYTES = ROWS * WIDTH * 4

/** A chain of layers, and the gradients by all of their weights. */
function gradients(shapes: readonly Shape[], build: (...inputs: Tensor[]) => Tensor): Graph {
  const params = shapes.map((shape) => parameter(shape, 'f32'))
  const { value } = withTrace(new Trace('body', 'test', params), () => build(...params.map(wrap)))
  const seed = parameter(value.shape, 'f32')
  const grads = vjp([value], [seed], params.slice(1)).filter((grad): grad is Value => grad !== null)
  return new Graph([...params, seed], grads)
}

const weights: Shape[] = Array.from({ length: LAYERS }, () => [WIDTH, WIDTH])
const LOOSE = { edges: false, scale: 2000, floor: 8, low: -0.1, high: 0.1 } as const

test('activations are calculated again from products that are kept', native, () => {
  const graph = gradients([[ROWS, WIDTH], ...weights], (x, ...layers) => layers.reduce((y, w) => gelu(matmul(y, w)), x))
  const { arenaBytes } = finish(cpuBackend().compile(graph)).report
  // The products, and a few values on the way; kept activations would be as many again.
  assert.ok(arenaBytes < (LAYERS + 4) * ACTIVATION_BYTES, `arena of ${arenaBytes / ACTIVATION_BYTES} activations`)
  checkOn(graph.params, graph.results, LOOSE)
})

test('what is calculated again is read through views and by several readers', native, () => {
  const graph = gradients([[ROWS, WIDTH], ...weights.slice(0, 4)], (x, ...layers) =>
    layers.reduce((y, w) => {
      const product = matmul(y, w)
      return add(mul(sigmoid(product), tanh(product)), mul(product, product))
    }, x),
  )
  checkOn(graph.params, graph.results, LOOSE)
})

test('small programs keep what they have', native, () => {
  const build = (x: Tensor, ...layers: Tensor[]): Tensor => layers.reduce((y, w) => gelu(matmul(y, w)), x)
  const { report } = finish(
    cpuBackend().compile(
      gradients(
        [
          [8, 16],
          [16, 16],
          [16, 16],
        ],
        build,
      ),
    ),
  )
  // The gradients of both activations, and no activation of its own.
  assert.equal(report.kernels.elementwise, 2)
})
