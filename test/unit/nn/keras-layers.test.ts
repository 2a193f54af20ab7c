import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { createInterpreterBackend } from '../../../src/backends/interpreter/index.js'
import * as nn from '../../../src/nn/index.js'
import { currentBackend, setBackend } from '../../../src/runtime/index.js'
import '../../../src/node.js'
import { grad, type Tensor, tensor } from '../../../src/tensor/index.js'
import { makeMetric } from '../../../src/train/index.js'
import { numbers } from './helpers.js'

/** Layers against Keras: `data/keras_layers.py` made the numbers. */

interface Case {
  readonly name: string
  readonly layer: { readonly class_name: string; readonly config: Record<string, unknown> }
  readonly shapes: readonly (readonly number[])[]
  readonly masks: readonly (boolean[][] | null)[] | null
  readonly training: boolean
  readonly inputs: readonly (number[][] | number[][][][])[] | null
  readonly outputs: readonly (readonly number[][])[]
  readonly weights: readonly number[][] | null
}

interface Bins {
  readonly numBins: number
  readonly epsilon: number
  readonly sizes: readonly number[]
  readonly boundaries: readonly number[]
}

const { cases, ctc, bins, auc } = JSON.parse(
  readFileSync(new URL('data/keras_layers.json', import.meta.url), 'utf8'),
) as {
  cases: readonly Case[]
  ctc: readonly number[]
  bins: readonly Bins[]
  auc: readonly { readonly config: Record<string, unknown>; readonly value: number }[]
}

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)
const wave = (shape: readonly number[], offset: number): Tensor =>
  tensor(
    Float32Array.from({ length: size(shape) }, (_, i) => 0.6 * Math.sin(0.7 * i + offset)),
    { shape },
  )

function close(got: readonly number[], want: readonly number[], what: string): void {
  assert.equal(got.length, want.length, what)
  got.forEach((value, i) => {
    assert.ok(Math.abs(value - want[i]) <= 2e-6 * Math.max(1, Math.abs(want[i])), `${what}[${i}]: ${value}, ${want[i]}`)
  })
}

for (const { name, layer: object, shapes, masks, training, inputs: given, outputs, weights } of cases) {
  test(`${name} as in Keras`, async () => {
    const layer = nn.layerFromConfig(object)
    layer.ensureBuilt(shapes.length > 1 ? shapes : shapes[0])
    for (const [i, weight] of layer.weights.entries()) weight.value = wave(weight.shape, i + 1)
    for (const [call, want] of outputs.entries()) {
      const inputs = given?.map((x) => tensor(x)) ?? shapes.map((shape, i) => wave(shape, 10 + i + 5 * call))
      const context = nn.callContext(training)
      masks?.forEach((mask, i) => {
        if (mask) context.masks.set(inputs[i], tensor(mask))
      })
      const result = layer.run(inputs.length > 1 ? inputs : inputs[0], context)
      const list = Array.isArray(result) ? result : [result]
      assert.equal(list.length, want.length)
      for (const [i, output] of list.entries())
        close(await numbers(output), want[i], `${name}, call ${call}, output ${i}`)
    }
    for (const [i, want] of (weights ?? []).entries())
      close(await numbers(layer.weights[i]), want, `${name}, weight ${i}`)
    const again = nn.layerFromConfig({ class_name: object.class_name, config: layer.config() })
    assert.deepEqual(again.config(), layer.config())
  })
}

test('Discretization finds boundaries as in Keras', async () => {
  for (const { numBins, epsilon, sizes, boundaries } of bins) {
    const layer = nn.discretization({ numBins, epsilon })
    assert.throws(() => layer.forward(wave([2], 0)), /call adapt/)
    for (const [i, n] of sizes.entries()) await layer.adapt(wave([n], i + 1))
    close(layer.config().bin_boundaries as number[], boundaries, `${numBins} bins`)
    const again = nn.layerFromConfig({ class_name: 'Discretization', config: layer.config() })
    assert.deepEqual(await numbers(again.forward(wave([9], 3))), await numbers(layer.forward(wave([9], 3))))
  }
})

test('AUC of labels apart and of weighted labels as in Keras', async () => {
  for (const { config, value } of auc) {
    const metric = makeMetric({ class_name: 'AUC', config }, { yTrue: [5, 3], yPred: [5, 3] })
    for (const k of [0, 1]) {
      const shift = config.from_logits ? 0 : 0.5
      metric.update(
        wave([5, 3], 8 + k)
          .gt(0)
          .to('f32'),
        wave([5, 3], 3 + k)
          .mul(0.8)
          .add(shift),
        tensor([1, 2, 1, 0.5, 1]),
      )
    }
    close(await numbers(metric.result()), [value], JSON.stringify(config))
  }
})

test('an adapted layer trains its product alone', () => {
  const layer = nn.dense(3, { loraRank: 2 })
  layer.ensureBuilt([null, 4])
  assert.deepEqual(
    layer.trainableParameters().map(({ name }) => name.split('/')[1]),
    ['bias', 'lora_kernel_a', 'lora_kernel_b'],
  )
  assert.throws(() => nn.dense(3, { loraRank: 2, kernelConstraint: 'non_neg' }).ensureBuilt([null, 4]), /exclude/)
})

test('color augmentations draw within their factors and leave images alone out of training', async () => {
  const images = wave([2, 4, 4, 3], 1).add(0.6).mul(200)
  const valueRange = [0, 255] as const
  const layers = [
    nn.randomHue(0.3, { valueRange }),
    nn.randomSaturation([0.3, 0.5]),
    nn.randomColorDegeneration([0.2, 0.9]),
    nn.randomInvert({ factor: 0.5 }),
    nn.randomPosterization([2, 5]),
    nn.randomGrayscale({ factor: 0.5 }),
    nn.solarization({ additionFactor: 0.3, thresholdFactor: 0.9 }),
    nn.randomSharpness([0.1, 0.9]),
  ]
  for (const layer of layers) {
    const run = (training: boolean): Tensor => layer.run(images, nn.callContext(training)) as Tensor
    assert.deepEqual(await numbers(run(false)), await numbers(images), layer.className)
    const values = await numbers(run(true))
    assert.ok(
      values.every((value) => value >= -1e-3 && value <= 255.001),
      layer.className,
    )
  }
  assert.throws(() => nn.randomHue(1.5), /must be a number in \[0, 1\]/)
})

test('attention with hidden rows is the same on the interpreter, with its gradients', async () => {
  const own = currentBackend()
  const results: number[][] = []
  for (const backend of [own, createInterpreterBackend()]) {
    setBackend(backend)
    const layer = nn.multiHeadAttention(2, 3)
    const [x, value] = [wave([2, 3, 4], 1), wave([2, 3, 4], 2)]
    layer.ensureBuilt([x.shape, value.shape])
    for (const [i, weight] of layer.weights.entries()) weight.value = wave(weight.shape, i)
    const context = nn.callContext(false)
    context.masks.set(
      value,
      tensor([
        [false, false, false],
        [true, false, true],
      ]),
    )
    const gradients = grad((layer.run([x, value], context) as Tensor).square().sum(), layer.weights)
    results.push((await Promise.all(gradients.map(numbers))).flat())
  }
  setBackend(own)
  results[1].forEach((value, i) => {
    assert.ok(Math.abs(value - results[0][i]) < 1e-5, `${i}: ${value}, ${results[0][i]}`)
  })
})

test('RandomErasing covers its share of each image', async () => {
  const images = wave([3, 8, 12, 2], 1).add(2)
  const erased = async (options: nn.RandomErasingOptions): Promise<number[]> =>
    numbers(nn.randomErasing(options).run(images, nn.callContext(true)) as Tensor)
  const quarter = await erased({ factor: [1, 1], scale: [0.25, 0.25], fillValue: 0 })
  for (const i of [0, 1, 2]) {
    const zeros = quarter.slice(i * 192, i * 192 + 192).filter((value) => value === 0)
    assert.equal(zeros.length, 4 * 6 * 2)
  }
  const colored = await erased({ factor: [1, 1], scale: [1, 1], fillValue: [7, 300] })
  assert.deepEqual([...new Set(colored)], [7, 255])
  assert.deepEqual(await erased({ factor: [0, 0] }), await numbers(images))
  assert.ok(new Set(await erased({ factor: [1, 1], scale: [1, 1] })).size > 100)
})

test('IntegerLookup: places, masks, unknown integers, inverses, and a vocabulary by frequency', async () => {
  const x = tensor([[12, 1138, 42, 0, 7]], { dtype: 'i32' })
  const run = async (options: nn.IntegerLookupOptions): Promise<number[]> =>
    numbers(nn.integerLookup({ vocabulary: [12, 36, 1138, 42], ...options }).forward(x))
  assert.deepEqual(await run({}), [1, 3, 4, 0, 0])
  assert.deepEqual(await run({ maskToken: 0 }), [2, 4, 5, 0, 1])
  assert.deepEqual(await run({ numOovIndices: 2, maskToken: 0 }), [3, 5, 6, 0, 2])
  assert.deepEqual(await run({ numOovIndices: 0 }), [0, 2, 3, -1, -1])
  assert.deepEqual(await run({ outputMode: 'count' }), [2, 1, 0, 1, 1])
  assert.deepEqual(await run({ outputMode: 'multi_hot', maxTokens: 6, padToMaxTokens: true }), [1, 1, 0, 1, 1, 0])
  const back = nn.integerLookup({ vocabulary: [-1, 12, 36], invert: true })
  assert.deepEqual(await numbers(back.forward(tensor([1, 2, 0, 9], { dtype: 'i32' }))), [12, 36, -1, -1])
  const layer = nn.integerLookup({ maxTokens: 3 })
  assert.throws(() => layer.forward(x), /call adapt/)
  await layer.adapt(tensor([5, 9, 5, 7, 9, 5, 8, 8], { dtype: 'i32' }))
  assert.deepEqual(layer.vocabulary, [-1, 5, 9])
  const again = nn.layerFromConfig({ class_name: 'IntegerLookup', config: layer.config() }) as nn.IntegerLookup
  assert.deepEqual(again.vocabulary, layer.vocabulary)
  assert.throws(() => nn.integerLookup({ vocabulary: [1, 1] }), /each once, got 1/)
})

class Leaky extends nn.RnnCell {
  override readonly className: string = 'Leaky'
  readonly stateSizes = [2]

  step(x: Tensor, [h]: readonly Tensor[]) {
    const next = h.mul(0.5).add(x)
    return { output: next, states: [next] }
  }
}

test('a cell of your own reads sequences: masked steps keep its state', async () => {
  const x = tensor([
    [
      [1, 2],
      [4, 4],
      [8, 0],
    ],
  ])
  const context = nn.callContext(false)
  context.masks.set(x, tensor([[true, false, true]]))
  const [output, state] = nn
    .rnn(new Leaky(), { returnSequences: true, returnState: true })
    .run(x, context) as unknown as Tensor[]
  assert.deepEqual(await numbers(output), [1, 2, 1, 2, 8.5, 1])
  assert.deepEqual(await numbers(state), [8.5, 1])
  assert.throws(() => nn.bidirectional(nn.rnn(new Leaky())), /define fresh\(\)/)
  assert.throws(() => nn.rnn(nn.dense(3) as unknown as nn.RnnCell), /expected cells .* got Dense/)
})

test('CTC as in Keras', async () => {
  const labels = tensor(
    [
      [1, 2, 0],
      [3, 3, 1],
    ],
    { dtype: 'i32' },
  )
  close(await numbers(nn.getLoss('ctc')(labels, wave([2, 6, 4], 3))), ctc, 'ctc')
})

test('a stateful layer begins anew after resetState, and wants batches of one size', async () => {
  const layer = nn.gru(3, { stateful: true })
  const x = wave([2, 3, 2], 1)
  const run = async (): Promise<number[]> => numbers(layer.run(x, nn.callContext(false)) as Tensor)
  const first = await run()
  assert.notDeepEqual(await run(), first)
  layer.resetState()
  assert.deepEqual(await run(), first)
  assert.throws(() => layer.run(wave([3, 3, 2], 1), nn.callContext(false)), /batches of one size/)
})
