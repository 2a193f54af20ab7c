import assert from 'node:assert/strict'
import { test } from 'node:test'
import { vjp } from '../../src/autodiff/index.js'
import '../../src/node.js'
import { type DType, parameter, type Shape, type Value } from '../../src/ir/index.js'
import { currentBackend, setBackend, Trace, withTrace } from '../../src/runtime/index.js'
import { wrap } from '../../src/tensor/core.js'
import {
  batchNormTrain,
  crossEntropy,
  groupNorm,
  layerNormAxes,
  linearCrossEntropy,
  logSoftmax,
  rmsNormAxes,
  scaledDotProductAttention,
  softmax,
} from '../../src/tensor/functional/index.js'
import {
  cummax,
  cumprod,
  cumsum,
  gelu,
  jit,
  permute,
  random,
  relu,
  remainder,
  sigmoid,
  silu,
  stopGradient,
  type Tensor,
  tensor,
  topK,
  valueAndGrad,
} from '../../src/tensor/index.js'
import { type AgreeOptions, checkOn, native } from './agree.js'

/** Composites with a kernel, forward and backward, against their bodies in the interpreter. */
function checkComposite(
  params: readonly Value[],
  build: (...inputs: Tensor[]) => readonly Tensor[],
  options: AgreeOptions & { low?: number; high?: number; edges?: boolean; gradient?: boolean } = {},
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
    for (const shape of [[7], [3, 5], [2, 33, 4], [4, 257], [2, 1100]])
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
    // Sums of one lane, of all lanes and a rest, of several blocks.
    for (const n of [1, 31, 32, 77, 1024, 2100])
      checkComposite(values([[3, n], [n], [n]], dtype), (x, weight, bias) => [layerNormAxes(x, 1, { weight, bias })], {
        ...options,
        scale: 400,
      })
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

test('native attention: blocks and their edges, grouped heads, masks, causality, lengths', native, () => {
  const check = (
    [batch, heads, keyHeads, queries, keys, d, e]: readonly number[],
    extra: readonly Value[],
    attend: (q: Tensor, k: Tensor, v: Tensor, ...rest: Tensor[]) => Tensor,
    low = -1,
    high = 1,
  ): void => {
    const shapes = [
      [batch, heads, queries, d],
      [batch, keyHeads, keys, d],
      [batch, keyHeads, keys, e],
    ]
    const params = [...values(shapes, 'f32'), ...extra]
    checkComposite(params, (q, k, v, ...rest) => [attend(q, k, v, ...rest)], { scale: 60, floor: 4, low, high })
  }
  for (const shape of [
    [1, 1, 1, 1, 1, 1, 1],
    [2, 4, 2, 5, 7, 8, 3],
    [1, 3, 1, 70, 131, 20, 33],
    [1, 2, 2, 129, 17, 64, 16],
    [3, 3, 3, 2, 260, 5, 40],
    [1, 2, 1, 3, 0, 4, 4],
    [2, 2, 2, 0, 3, 4, 4],
  ]) {
    const [batch, heads, , queries, keys] = shape
    check(shape, [], (q, k, v) => scaledDotProductAttention(q, k, v))
    check(shape, [], (q, k, v) => scaledDotProductAttention(q, k, v, { causal: true, scale: 0.3 }))
    for (const spread of [
      [batch, 1, 1, keys],
      [1, heads, queries, keys],
      [batch, 1, queries, 1],
    ]) {
      const bool = parameter(spread, 'bool')
      check(shape, [bool], (q, k, v, mask) => scaledDotProductAttention(q, k, v, { mask }))
      const added = parameter(spread, 'f32')
      check(shape, [added], (q, k, v, mask) => scaledDotProductAttention(q, k, v, { mask: stopGradient(mask) }))
    }
    const perBatch = [parameter([batch], 'i32'), parameter([batch], 'i32')]
    check(
      shape,
      perBatch,
      (q, k, v, keyLengths, queryStarts) =>
        scaledDotProductAttention(q, k, v, { causal: true, keyLengths, queryStarts }),
      -1.5,
      2.9,
    )
  }
})

test('native attention of transposed operands, with NaN and infinities', native, () => {
  const shape = [2, 9, 3, 5]
  for (const edges of [false, true])
    checkComposite(
      values([shape, shape, shape], 'f32'),
      (...parts) => {
        const [q, k, v] = parts.map((x) => permute(x, [0, 2, 1, 3]))
        return [permute(scaledDotProductAttention(q, k, v), [0, 2, 1, 3])]
      },
      { scale: 60, floor: 1, edges, gradient: !edges },
    )
})

test('native attention drops the weights that the interpreter drops', native, async () => {
  const draw = (shape: Shape): Tensor => random.normal(shape)
  const attend = async (backend: string): Promise<number[][]> => {
    const before = currentBackend()
    setBackend(backend)
    random.seed(3)
    const [q, k, v, weight] = [draw([2, 4, 37, 8]), draw([2, 2, 140, 8]), draw([2, 2, 140, 20]), draw([2, 4, 37, 20])]
    const loss = (...[a, b, c]: Tensor[]): Tensor =>
      scaledDotProductAttention(a, b, c, { dropout: 0.3 }).mul(weight).sum()
    const { value, grads } = valueAndGrad((list: Tensor[]) => loss(...list))([q, k, v])
    const data = await Promise.all([value, ...grads].map(async (x) => Array.from((await x.data()) as Float32Array)))
    setBackend(before)
    return data
  }
  const [got, want] = [await attend('cpu'), await attend('interpreter')]
  got.forEach((list, i) => {
    list.forEach((x, j) => {
      assert.ok(
        Math.abs(x - want[i][j]) <= 2e-5 * (1 + Math.abs(want[i][j])),
        `result ${i}, element ${j}: ${x} and ${want[i][j]}`,
      )
    })
  })
  assert.ok(Math.abs(want[0][0]) > 1e-3)
})

test('native linear cross entropy: biases, ignored labels; its losses come with its gradient', native, () => {
  for (const [rows, classes, d] of [
    [1, 1, 1],
    [0, 3, 4],
    [5, 33, 7],
    [140, 70, 20],
  ])
    for (const biased of [false, true]) {
      const params = [...values([[rows, d], [classes, d], [classes]], 'f32'), parameter([rows], 'i32')]
      checkComposite(
        params,
        (x, weight, bias, labels) => [
          linearCrossEntropy(x, weight, remainder(labels, classes), {
            bias: biased ? bias : null,
            ignoreIndex: 1,
            reduction: 'none',
          }),
        ],
        { scale: 200, floor: 1, low: 0, high: 2.9 },
      )
    }
})

test('a step of linear cross entropy scores its rows once', native, async () => {
  setBackend('cpu')
  const step = jit((x: Tensor, w: Tensor, labels: Tensor) => {
    const { value, grads } = valueAndGrad(([a, b]: Tensor[]) => linearCrossEntropy(a, b, labels))([x, w])
    return [value, ...grads]
  })
  const operands = [
    random.normal([6, 5]),
    random.normal([7, 5]),
    tensor([0, 6, 3, -100, 1, 1], { dtype: 'i32' }),
  ] as const
  const { kernels } = step.report(...operands)
  assert.equal(kernels.linear_cross_entropy_grad, 1)
  assert.equal(kernels.linear_cross_entropy, undefined)
})

test('native activations as one instruction: edges, gradients, among other elementwise work', native, () => {
  const activations: [string, (x: Tensor) => Tensor][] = [
    ['relu', relu],
    ['sigmoid', sigmoid],
    ['silu', silu],
    ['gelu', (x) => gelu(x)],
    ['gelu by tanh', (x) => gelu(x, { approximate: 'tanh' })],
  ]
  for (const [what, activation] of activations)
    for (const dtype of FLOATS)
      for (const shape of [[0], [], [1], [33], [3, 5], [2, 600]]) {
        const options = { scale: 12, floor: 0.2, edges: dtype === 'f32', what: `${what} ${dtype}[${shape}]` }
        checkComposite(values([shape], dtype), (x) => [activation(x)], options)
        checkComposite(values([shape, shape], dtype), (x, y) => [activation(x.mul(y)).add(y), x.mul(y)], {
          ...options,
          edges: false,
          floor: 1,
        })
      }
})
