import assert from 'node:assert/strict'
import { test } from 'node:test'
import { vjp } from '../../src/autodiff/index.js'
import '../../src/node.js'
import { finish, Graph, parameter, type Shape, type Value } from '../../src/ir/index.js'
import { Trace, withTrace } from '../../src/runtime/index.js'
import { wrap } from '../../src/tensor/core.js'
import { avgPool2d, batchNormTrain, conv1d, conv2d, conv3d, maxPool2d } from '../../src/tensor/functional/index.js'
import { add, cat, mean, pad, relu, reshape, type Tensor, tanh } from '../../src/tensor/index.js'
import { assertAgrees, checkOn, cpuBackend, native, sample } from './agree.js'

// Convolutions whose result others read hold it with features innermost, whatever the order of its dims (src/backends/cpu/layout.ts).

const values = (...shapes: readonly Shape[]): Value[] => shapes.map((shape) => parameter(shape, 'f32'))

/** Values and, with respect to every parameter, gradients of their weighted sum. */
function withGradients(
  params: readonly Value[],
  build: (...inputs: Tensor[]) => readonly Tensor[],
): { params: Value[]; results: Value[] } {
  const results = withTrace(new Trace('body', 'test', params), () => build(...params.map(wrap))).map(
    ({ value }) => value,
  )
  const seeds = results.map(({ shape, dtype }) => parameter(shape, dtype))
  const grads = vjp(results, seeds, params).filter((grad): grad is Value => grad !== null)
  return { params: [...params, ...seeds], results: [...results, ...grads] }
}

const LOOSE = { edges: false, scale: 200, floor: 4, low: -1, high: 1 } as const

function check(params: readonly Value[], build: (...inputs: Tensor[]) => readonly Tensor[]): void {
  const graph = withGradients(params, build)
  checkOn(graph.params, graph.results, LOOSE)
}

/** Convolution, batch norm, ReLU, a shortcut, pooling, and what needs the plain order at the end. */
const block = (x: Tensor, first: Tensor, second: Tensor, scale: Tensor, shift: Tensor): readonly Tensor[] => {
  const norm = (y: Tensor): Tensor => batchNormTrain(y, { weight: scale, bias: shift }).output
  const stem = relu(norm(conv2d(x, first, { padding: 1 })))
  const pooled = maxPool2d(stem, 3, { stride: 2, padding: 1 })
  const y = relu(add(norm(conv2d(pooled, second, { padding: 1 })), pooled))
  return [mean(y, [2, 3]), reshape(y, [y.shape[0], -1])]
}

test('a residual block agrees with the interpreter, gradients included', native, () => {
  for (const [batch, size, features] of [
    [2, 9, 16],
    [1, 7, 19],
    [3, 2, 32],
  ])
    check(
      values([batch, 3, size, size], [features, 3, 3, 3], [features, features, 3, 3], [features], [features]),
      block,
    )
})

test('operands in the plain order join: concatenation, padding, average pooling, grouped convolution', native, () => {
  check(
    values([2, 16, 6, 5], [24, 16, 3, 3], [40, 1, 3, 3], [17, 40, 1, 1], [2, 16, 6, 5]),
    (x, first, depthwise, last, other) => {
      const wide = cat([conv2d(x, first, { padding: 1 }), tanh(other)], 1)
      const deep = conv2d(pad(wide, [1, 1, 1, 1]), depthwise, { groups: 40 })
      return [conv2d(avgPool2d(relu(deep), 2), last)]
    },
  )
})

test('a value that is a result as well keeps the order of its dims', native, () => {
  check(values([2, 8, 5, 5], [16, 8, 3, 3], [16, 16, 1, 1]), (x, first, second) => {
    const middle = conv2d(x, first)
    return [middle, conv2d(relu(middle), second)]
  })
})

test('one dimension, three dimensions, and empty batches', native, () => {
  check(values([2, 5, 11], [16, 5, 3], [16, 16, 2]), (x, first, second) => [conv1d(relu(conv1d(x, first)), second)])
  check(values([2, 3, 4, 5, 3], [16, 3, 2, 2, 2], [16, 16, 1, 1, 1]), (x, first, second) => [
    conv3d(relu(conv3d(x, first)), second),
  ])
  check(values([0, 4, 5, 5], [16, 4, 3, 3], [16, 16, 1, 1]), (x, first, second) => [
    conv2d(relu(conv2d(x, first)), second),
  ])
})

test('NaN and infinities stay where they belong', native, () => {
  const [x, first, second] = values([2, 16, 6, 6], [32, 16, 3, 3], [16, 32, 1, 1])
  const [result] = withTrace(new Trace('body', 'test', [x, first, second]), () => [
    maxPool2d(conv2d(relu(conv2d(wrap(x), wrap(first), { padding: 1 })), wrap(second)), 2),
  ]).map(({ value }) => value)
  const image = sample('f32', 2 * 16 * 36, 3, -1, 1, false)
  image[40] = Number.NaN
  image[900] = Number.POSITIVE_INFINITY
  const weights = [sample('f32', 32 * 16 * 9, 5, -1, 1, false), sample('f32', 16 * 32, 7, 0.1, 1, false)]
  assertAgrees(new Graph([x, first, second], [result]), [image, ...weights], { scale: 200, floor: 4 })
})

test('a chain in the plain order needs no transposing copy', native, () => {
  const { params, results } = withGradients(
    values([2, 3, 8, 8], [16, 3, 3, 3], [16, 16, 3, 3], [16], [16]),
    (...inputs) => [mean(block(inputs[0], inputs[1], inputs[2], inputs[3], inputs[4])[0])],
  )
  const { kernels } = finish(cpuBackend().compile(new Graph(params, results), { name: 'test' })).report
  assert.equal(kernels.copy, undefined)
})
