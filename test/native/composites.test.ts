import { test } from 'node:test'
import { vjp } from '../../src/autodiff/index.js'
import { type DType, parameter, type Shape, type Value } from '../../src/ir/index.js'
import { Trace, withTrace } from '../../src/runtime/index.js'
import { wrap } from '../../src/tensor/core.js'
import {
  batchNormTrain,
  crossEntropy,
  groupNorm,
  layerNormAxes,
  logSoftmax,
  rmsNormAxes,
  softmax,
} from '../../src/tensor/functional/index.js'
import { cummax, cumprod, cumsum, type Tensor, topK } from '../../src/tensor/index.js'
import { type AgreeOptions, checkOn, native } from './agree.js'

/** Composites with a kernel, forward and backward, against their bodies in the interpreter. */
function checkComposite(
  params: readonly Value[],
  build: (...inputs: Tensor[]) => readonly Tensor[],
  options: AgreeOptions & { low?: number; high?: number; gradient?: boolean } = {},
): void {
  const results = withTrace(new Trace('body', 'test', params), () => build(...params.map(wrap))).map(
    ({ value }) => value,
  )
  const seeds = results.map(({ shape, dtype }) => parameter(shape, dtype))
  const grads = options.gradient === false ? [] : vjp(results, seeds, params)
  const wanted = grads.filter((grad): grad is Value => grad !== null)
  const all = options.gradient === false ? params : [...params, ...seeds]
  checkOn(all, [...results, ...wanted], { edges: false, ...options })
}

const FLOATS: DType[] = ['f32', 'f64', 'f16', 'bf16']
const values = (shapes: readonly Shape[], dtype: DType): Value[] => shapes.map((shape) => parameter(shape, dtype))

test('native softmax and log_softmax along every dimension', native, () => {
  for (const dtype of FLOATS)
    for (const shape of [[7], [3, 5], [2, 33, 4], [4, 257]])
      for (let dim = 0; dim < shape.length; dim++) {
        checkComposite(values([shape], dtype), (x) => [softmax(x, dim)], { scale: 20, floor: 0.1 })
        checkComposite(values([shape], dtype), (x) => [logSoftmax(x, dim)], { scale: 20, floor: 1 })
      }
})

test('native layer, RMS and group norm', native, () => {
  for (const dtype of FLOATS) {
    const options = { scale: 40, floor: 4 }
    checkComposite(
      values([[5, 33], [33], [33]], dtype),
      (x, weight, bias) => [layerNormAxes(x, 1, { weight, bias })],
      options,
    )
    checkComposite(
      values(
        [
          [3, 4, 6],
          [3, 6],
        ],
        dtype,
      ),
      (x, weight) => [layerNormAxes(x, [0, 2], { weight })],
      options,
    )
    checkComposite(values([[70, 17], [17]], dtype), (x, weight) => [rmsNormAxes(x, 1, { weight })], options)
    checkComposite(
      values([[2, 6, 5], [6], [6]], dtype),
      (x, weight, bias) => [groupNorm(x, 3, { weight, bias })],
      options,
    )
  }
})

test('native batch norm in both layouts', native, () => {
  for (const dtype of FLOATS)
    for (const layout of ['channelsFirst', 'channelsLast'] as const) {
      const shape = layout === 'channelsFirst' ? [4, 3, 5, 7] : [4, 5, 7, 3]
      checkComposite(
        values([shape, [3], [3]], dtype),
        (x, weight, bias) => {
          const { output, mean, variance } = batchNormTrain(x, { weight, bias, layout })
          return [output, mean, variance]
        },
        { scale: 60, floor: 8 },
      )
      checkComposite(values([shape], dtype), (x) => [batchNormTrain(x, { layout }).output], { scale: 60, floor: 8 })
    }
})

test('native cross entropy: weights, smoothing, ignored labels', native, () => {
  for (const dtype of FLOATS)
    for (const labelSmoothing of [0, 0.1]) {
      const params = [...values([[9, 3], [3]], dtype), parameter([9], 'i32')]
      const options = { scale: 40, floor: 4, low: 0, high: 2.9 }
      checkComposite(
        params,
        (x, weight, labels) => [crossEntropy(x, labels, { weight, labelSmoothing, ignoreIndex: 1, reduction: 'none' })],
        options,
      )
    }
})

test('native cumulative functions and top-k', native, () => {
  for (const dtype of [...FLOATS, 'i32', 'i64'] as DType[])
    for (const shape of [[9], [3, 70], [4, 5, 6]])
      for (let dim = 0; dim < shape.length; dim++) {
        const options = { scale: 60, floor: 8, gradient: false }
        checkComposite(values([shape], dtype), (x) => [cumsum(x, dim), cumprod(x, dim)], {
          ...options,
          low: -1.5,
          high: 1.5,
        })
        checkComposite(
          values([shape], dtype),
          (x) => {
            const largest = topK(x, 3, dim)
            const smallest = topK(x, 2, dim, { largest: false })
            const running = cummax(x, dim)
            return [largest.values, largest.indices, smallest.values, smallest.indices, running.values, running.indices]
          },
          { ...options, scale: 0 },
        )
      }
})
