import assert from 'node:assert/strict'
import { test } from 'node:test'
import { vjp } from '../../src/autodiff/index.js'
import '../../src/node.js'
import { finish, Graph, parameter, type Shape, type Value } from '../../src/ir/index.js'
import { Trace, withTrace } from '../../src/runtime/index.js'
import { wrap } from '../../src/tensor/core.js'
import {
  batchNorm,
  batchNormTrain,
  type ConvOptions,
  conv2d,
  convTranspose2d,
} from '../../src/tensor/functional/index.js'
import { abs, relu, type Tensor } from '../../src/tensor/index.js'
import { assertAgrees, checkOn, cpuBackend, native, sample } from './agree.js'

// Batch norm by given statistics runs in the convolution before it (src/passes/epilogue.ts).

interface Case {
  readonly x: Shape
  readonly w: Shape
  readonly options?: ConvOptions
}

const last = 'channelsLast'
// Padded and plain Winograd, direct kernels by rows and columns, 1x1, groups, depthwise, strides, in both layouts; features beside a tile.
const CASES: readonly Case[] = [
  { x: [1, 32, 13, 11], w: [32, 32, 3, 3], options: { padding: 1 } },
  { x: [2, 9, 17, 32], w: [3, 3, 32, 32], options: { layout: last } },
  { x: [2, 3, 9, 7], w: [5, 3, 3, 3], options: { stride: 2 } },
  { x: [2, 9, 7, 3], w: [3, 3, 3, 21], options: { stride: 2, layout: last } },
  { x: [3, 19, 4, 5], w: [17, 19, 1, 1] },
  { x: [3, 4, 5, 19], w: [1, 1, 19, 17], options: { layout: last } },
  { x: [1, 40, 9, 9], w: [24, 40, 3, 3], options: { stride: 2, padding: 1 } },
  { x: [2, 8, 5, 5], w: [12, 4, 2, 2], options: { groups: 2 } },
  { x: [2, 5, 5, 8], w: [2, 2, 4, 12], options: { groups: 2, layout: last } },
  { x: [2, 20, 6, 9], w: [20, 1, 3, 3], options: { groups: 20, padding: 1 } },
  { x: [2, 6, 9, 20], w: [3, 3, 1, 20], options: { groups: 20, padding: 1, layout: last } },
  { x: [0, 3, 4, 4], w: [16, 3, 3, 3] },
  { x: [1, 1, 1, 1], w: [1, 1, 1, 1] },
]

const LOOSE = { edges: false, scale: 400, floor: 4 } as const

/** Runs `build` on convolution, mean, variance, weight and bias with and without gradients. */
function check({ x, w, options }: Case, end: (y: Tensor) => Tensor, own = false): void {
  const features = options?.layout === last ? w[3] : w[0]
  const params = [x, w, [features], [features], [features], [features], [features]].map((shape) =>
    parameter(shape, 'f32'),
  )
  const results = withTrace(new Trace('body', 'test', params), () => {
    const [image, kernel, mean, variance, weight, bias, shift] = params.map(wrap)
    const y = conv2d(image, kernel, { ...options, bias: own ? shift : null })
    return [end(batchNorm(y, mean, abs(variance), { weight, bias, eps: 0.5, layout: options?.layout }))]
  }).map(({ value }) => value)
  checkOn(params, results, { ...LOOSE, low: -1, high: 1 })
  const seed = parameter(results[0].shape, 'f32')
  const grads = vjp(results, [seed], params).filter((grad): grad is Value => grad !== null)
  checkOn([...params, seed], [...results, ...grads], { ...LOOSE, low: -1, high: 1 })
}

test('convolution, batch norm of evaluation and ReLU agree with the interpreter, gradients included', native, () => {
  for (const each of CASES) {
    check(each, relu)
    check(each, (y) => y, true)
  }
})

function kernelsOf(params: readonly Value[], build: (...inputs: Tensor[]) => Tensor): Readonly<Record<string, number>> {
  const { value } = withTrace(new Trace('body', 'test', params), () => build(...params.map(wrap)))
  return finish(cpuBackend().compile(new Graph(params, [value]))).report.kernels
}

const parameters = (...shapes: Shape[]): Value[] => shapes.map((shape) => parameter(shape, 'f32'))

test('they are one pass over the result', native, () => {
  const params = parameters([2, 3, 8, 8], [16, 3, 3, 3], [16], [16], [16], [16])
  const norm = (y: Tensor, [mean, variance, weight, bias]: Tensor[]): Tensor =>
    batchNorm(y, mean, variance, { weight, bias })
  // What is left are vectors of features.
  assert.deepEqual(
    kernelsOf(params, (x, w, ...rest) => relu(norm(conv2d(x, w), rest))),
    { convolution: 1, elementwise: 1 },
  )
})

test('a convolution that something else reads as well keeps its own result', native, () => {
  const params = parameters([2, 3, 8, 8], [16, 3, 3, 3], [16], [16])
  const { value } = withTrace(new Trace('body', 'test', params), () => {
    const [x, w, mean, variance] = params.map(wrap)
    const y = conv2d(x, w)
    return batchNorm(y, mean, abs(variance), { eps: 0.5 }).add(y)
  })
  checkOn(params, [value], { ...LOOSE, low: -1, high: 1 })
})

test('in training, a shortcut and ReLU are applied in the pass that normalises', native, () => {
  for (const dtype of ['f32', 'f64', 'bf16'] as const)
    for (const layout of ['channelsFirst', last] as const) {
      const shape = layout === last ? [3, 5, 4, 18] : [3, 18, 5, 4]
      const params = [shape, [18], [18], shape].map((each) => parameter(each, dtype))
      const results = withTrace(new Trace('body', 'test', params), () => {
        const [x, weight, bias, shortcut] = params.map(wrap)
        const { output, mean, variance } = batchNormTrain(x, { weight, bias, layout })
        return [relu(output.add(shortcut)), mean, variance]
      }).map(({ value }) => value)
      const { kernels } = finish(cpuBackend().compile(new Graph(params, results))).report
      // Two clusters: a factor for each feature, and the pass over the whole.
      if (dtype === 'f32') assert.deepEqual(kernels, { batch_norm_statistics: 1, elementwise: 2 })
      const seeds = results.map((result) => parameter(result.shape, result.dtype))
      const grads = vjp(results, seeds, params).filter((grad): grad is Value => grad !== null)
      checkOn([...params, ...seeds], [...results, ...grads], { ...LOOSE, scale: 60, floor: 8 })
    }
})

test('transposed convolutions, too', native, () => {
  const params = parameters([2, 5, 4, 3], [5, 18, 3, 3], [18], [18])
  const { value } = withTrace(new Trace('body', 'test', params), () => {
    const [x, w, mean, variance] = params.map(wrap)
    return relu(batchNorm(convTranspose2d(x, w, { stride: 2 }), mean, abs(variance), { eps: 0.5 }))
  })
  checkOn(params, [value], { ...LOOSE, low: -1, high: 1 })
})

test('NaN and infinities of image and weights stay where they belong', native, () => {
  const params = parameters([1, 32, 14, 14], [32, 32, 3, 3], [32], [32])
  const { value } = withTrace(new Trace('body', 'test', params), () => {
    const [x, w, mean, variance] = params.map(wrap)
    return relu(batchNorm(conv2d(x, w), mean, variance))
  })
  for (const at of [0, 1]) {
    const inputs = params.map(({ shape }, i) =>
      sample(
        'f32',
        shape.reduce((a, b) => a * b, 1),
        i + 2,
        0.1,
        1,
        false,
      ),
    )
    inputs[at][100] = Number.NaN
    inputs[at][700] = Number.NEGATIVE_INFINITY
    assertAgrees(new Graph(params, [value]), inputs, { scale: 400, floor: 64 })
  }
})
