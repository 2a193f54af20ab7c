import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as nn from '../../../src/nn/index.js'
import { random, type Tensor, tensor } from '../../../src/tensor/index.js'
import { checkGradient, nested, numbers, run } from './helpers.js'

const dtype = 'f64' as const
const GRADIENTS: readonly (readonly [name: string, layer: () => nn.Layer, shape: readonly number[]])[] = [
  ['dense', () => nn.dense(3, { activation: 'tanh', dtype }), [4, 5]],
  ['conv1D causal', () => nn.conv1D(3, 2, { padding: 'causal', dilationRate: 2, dtype }), [2, 6, 2]],
  ['conv2D same, stride 2', () => nn.conv2D(4, 3, { padding: 'same', strides: 2, groups: 2, dtype }), [2, 5, 6, 2]],
  ['conv3D', () => nn.conv3D(2, 2, { dtype }), [1, 3, 4, 3, 2]],
  ['conv2DTranspose', () => nn.conv2DTranspose(2, 3, { strides: 2, padding: 'same', dtype }), [1, 3, 4, 2]],
  ['separableConv2D', () => nn.separableConv2D(3, 3, { depthMultiplier: 2, dtype }), [1, 5, 5, 2]],
  ['batchNormalization', () => nn.batchNormalization({ dtype }), [6, 3]],
  ['layerNormalization', () => nn.layerNormalization({ axis: [1, 2], dtype }), [3, 2, 4]],
  ['groupNormalization', () => nn.groupNormalization({ groups: 2, dtype }), [2, 3, 4]],
  ['lstm', () => nn.lstm(3, { dtype }), [2, 4, 2]],
  ['gru', () => nn.gru(3, { returnSequences: true, goBackwards: true, dtype }), [2, 4, 2]],
  ['gru, reset before', () => nn.gru(3, { resetAfter: false, dtype }), [2, 4, 2]],
  ['simpleRnn', () => nn.simpleRnn(3, { dtype }), [2, 4, 2]],
  ['bidirectional', () => nn.bidirectional(nn.lstm(2, { returnSequences: true, dtype })), [2, 4, 3]],
  ['multiHeadAttention', () => nn.multiHeadAttention(2, 3, { useCausalMask: true, dtype }), [2, 4, 5]],
  ['einsumDense', () => nn.einsumDense('abc,cde->abde', [null, 2, 3], { biasAxes: 'de', dtype }), [2, 3, 4]],
  ['prelu', () => nn.prelu({ sharedAxes: [1], dtype }), [2, 3, 4]],
]

for (const [name, layer, shape] of GRADIENTS) {
  test(`${name}: gradient against finite differences`, async () => {
    random.seed(7)
    const x = random.normal(shape, { dtype })
    const { got, want } = await checkGradient(layer(), x, name === 'batchNormalization')
    assert.ok(Math.abs(got - want) <= 1e-6 * Math.max(1, Math.abs(want)), `${got} against ${want}`)
  })
}

test('a recurrent layer skips masked steps, forwards and backwards', async () => {
  random.seed(3)
  const short = random.normal([2, 3, 2])
  const padded = short.pad([0, 0, 0, 2])
  const mask = tensor([
    [true, true, true, false, false],
    [true, true, true, false, false],
  ])
  for (const make of [() => nn.lstm(3), () => nn.gru(3), () => nn.simpleRnn(3)]) {
    const layer = make()
    layer.ensureBuilt([2, null, 2])
    const context = nn.callContext(false)
    context.masks.set(padded, mask)
    assert.deepEqual(await numbers(layer.run(padded, context) as Tensor), await numbers(run(layer, short)))
  }
})

test('embedding with maskZero makes a mask that dense layers pass on and flatten drops', () => {
  const ids = tensor([[1, 2, 0]], { dtype: 'i32' })
  const context = nn.callContext(false)
  const vectors = nn.embedding(4, 2, { maskZero: true }).run(ids, context) as Tensor
  const after = nn.dense(2).run(vectors, context) as Tensor
  assert.deepEqual(context.masks.get(after)?.shape, [1, 3])
  const flat = nn.flatten().run(after, context) as Tensor
  assert.equal(context.masks.has(flat), false)
})

test('goBackwards gives outputs in the order of reading', async () => {
  const layer = nn.simpleRnn(2, { returnSequences: true, goBackwards: true })
  const x = random.normal([1, 4, 3])
  const backwards = run(layer, x)
  const mirror = nn.simpleRnn(2, { returnSequences: true })
  mirror.ensureBuilt(x.shape)
  mirror.weights.forEach((weight, i) => {
    weight.value = layer.weights[i].value
  })
  assert.deepEqual(await numbers(backwards), await numbers(run(mirror, x.flip(1))))
})

test('recurrent dropout changes training alone, and no dropout at all equals the plain layer', async () => {
  const x = random.normal([2, 5, 3])
  for (const make of [nn.lstm, nn.gru, nn.simpleRnn]) {
    const layer = make(4, { recurrentDropout: 0.5 })
    const plain = await numbers(run(layer, x))
    assert.deepEqual(await numbers(run(layer, x)), plain)
    assert.notDeepEqual(await numbers(run(layer, x, true)), plain)
  }
})

test('states given to a layer continue a sequence', async () => {
  const layer = nn.lstm(3, { returnState: true })
  const x = random.normal([2, 6, 2])
  const [whole] = layer.run(x, nn.callContext(false)) as Tensor[]
  const [, h, c] = layer.run(x.narrow(1, 0, 2), nn.callContext(false)) as Tensor[]
  const [rest] = layer.run([x.narrow(1, 2, 4), h, c], nn.callContext(false)) as Tensor[]
  const [a, b] = [await numbers(whole), await numbers(rest)]
  for (const [i, value] of a.entries()) assert.ok(Math.abs(value - b[i]) < 1e-6)
})

test('batch normalization uses moving statistics when frozen, and leaves them alone', async () => {
  const layer = nn.batchNormalization({ momentum: 0.5 })
  const x = random.normal([8, 2], { mean: 3 })
  run(layer, x, true)
  const moved = await numbers(layer.movingMean)
  assert.ok(moved[0] > 1, `${moved}`)
  layer.freeze()
  assert.deepEqual(await numbers(run(layer, x, true)), await numbers(run(layer, x)))
  assert.deepEqual(await numbers(layer.movingMean), moved)
  layer.unfreeze()
  run(layer, x, true)
  assert.notDeepEqual(await numbers(layer.movingMean), moved)
})

test('dropout kinds change nothing outside of training', async () => {
  const x = random.normal([2, 4, 3])
  const kinds = [
    nn.dropout(0.5),
    nn.spatialDropout1D(0.5),
    nn.gaussianDropout(0.5),
    nn.gaussianNoise(1),
    nn.alphaDropout(0.5),
  ]
  for (const layer of kinds) {
    assert.deepEqual(await numbers(run(layer, x)), await numbers(x), layer.className)
    assert.notDeepEqual(await numbers(run(layer, x, true)), await numbers(x), layer.className)
  }
  const dropped = (await nested(run(nn.spatialDropout1D(0.5), x.mul(0).add(1), true))) as number[][][]
  for (const example of dropped) for (const step of example) assert.deepEqual(step, example[0])
})

test('augmentations keep images as they are outside of training, and their shape within', async () => {
  random.seed(5)
  const images = random.uniform([2, 6, 5, 3])
  const layers = [
    nn.randomFlip(),
    nn.randomTranslation(0.3, 0.3),
    nn.randomZoom([-0.3, 0.3]),
    nn.randomRotation(0.2, { fillMode: 'constant' }),
    nn.randomContrast(0.5),
    nn.randomBrightness(0.2, { valueRange: [0, 1] }),
  ]
  for (const layer of layers) {
    assert.deepEqual(await numbers(run(layer, images)), await numbers(images), layer.className)
    assert.deepEqual(run(layer, images, true).shape, images.shape, layer.className)
  }
  assert.deepEqual(run(nn.randomCrop(4, 3), images, true).shape, [2, 4, 3, 3])
})

test('a translation by whole pixels moves the image', async () => {
  const image = tensor([1, 2, 3, 4], { shape: [1, 2, 2, 1] })
  const down = nn.randomTranslation([0.5, 0.5], [0, 0], { fillMode: 'constant', fillValue: 9 })
  assert.deepEqual(await numbers(run(down, image, true)), [9, 9, 1, 2])
  const left = nn.randomTranslation([0, 0], [-0.5, -0.5], { fillMode: 'nearest' })
  assert.deepEqual(await numbers(run(left, image, true)), [2, 2, 4, 4])
  const turn = nn.randomRotation([0.25, 0.25], { fillMode: 'constant' })
  const turned = await numbers(run(turn, image, true))
  assert.deepEqual(turned.map(Math.round), [2, 4, 1, 3])
})

test('normalization takes its statistics from data', async () => {
  const layer = nn.normalization()
  const x = tensor([
    [1, 10],
    [3, 30],
  ])
  layer.adapt(x)
  assert.deepEqual(await numbers(run(layer, x)), [-1, -1, 1, 1])
  const back = nn.normalization({ mean: [2, 20], variance: [1, 100], invert: true })
  assert.deepEqual(await numbers(run(back, tensor([[-1, -1]]))), [1, 10])
})

test('activity regularization adds its penalty, divided by the batch', async () => {
  const context = nn.callContext(true)
  nn.activityRegularization({ l1: 0.5 }).run(
    tensor([
      [1, -2],
      [3, 4],
    ]),
    context,
  )
  assert.equal(await context.losses[0].item(), 2.5)
})

test('orthogonal weights are orthogonal, wide and tall', async () => {
  for (const shape of [
    [6, 4],
    [3, 12],
    [5, 5],
  ]) {
    const w = nn.orthogonal({ gain: 2 })(shape, 'f64')
    const product = shape[0] > shape[1] ? w.t().matmul(w) : w.matmul(w.t())
    const size = Math.min(...shape)
    const values = await numbers(product)
    for (const [i, value] of values.entries())
      assert.ok(Math.abs(value - (i % (size + 1) === 0 ? 4 : 0)) < 1e-9, `${shape}: ${value} at ${i}`)
  }
})

test('merging layers and dot', async () => {
  const [a, b] = [tensor([[1, 5]]), tensor([[3, 2]])]
  assert.deepEqual(await numbers(run(nn.average(), [a, b])), [2, 3.5])
  assert.deepEqual(await numbers(run(nn.maximum(), [a, b])), [3, 5])
  assert.deepEqual(await numbers(run(nn.subtract(), [a, b])), [-2, 3])
  assert.deepEqual(await numbers(run(nn.concatenate(), [a, b])), [1, 5, 3, 2])
  assert.deepEqual(await numbers(run(nn.dot(1), [a, b])), [13])
})

test('bad options and shapes are refused with what was expected', () => {
  const cases: readonly (readonly [() => unknown, RegExp])[] = [
    [() => nn.dense(0), /Dense: units must be an integer of at least 1, got 0/],
    [() => nn.conv2D(4, [3, 3, 3]), /Conv2D: kernelSize needs one number or 2, got \[3,3,3\]/],
    [() => nn.conv2D(4, 3, { padding: 'causal' }), /padding must be one of 'valid', 'same', got 'causal'/],
    [() => nn.conv1D(5, 3, { groups: 2 }), /5 filters do not divide into 2 groups/],
    [() => nn.dropout(1.5), /rate must be a number in \[0, 1\], got 1.5/],
    [() => nn.dense(2, { activation: 'rulu' }), /unknown activation 'rulu'; known: linear, relu/],
    [() => run(nn.dense(2, { kernelInitializer: 'he' }), tensor([[1]])), /unknown initializer 'he'; known/],
    [() => run(nn.conv2D(2, 3), tensor([[1, 2]])), /expected an input of 4 dimensions, got \[1, 2\]/],
    [() => run(nn.conv1D(2, 3), tensor([[[1, 2]]])), /a window of \[3\] does not fit the input \[1, 1, 2\]/],
    [() => nn.bidirectional(nn.dense(2)), /must be an LSTM, GRU, SimpleRNN or RNN, got Dense/],
    [() => nn.permute([1, 3]), /dims must hold each of 1 to 2 once/],
    [() => run(nn.subtract(), [tensor([1])]), /expected two inputs, got 1/],
    [() => run(nn.cropping1D(2), tensor([[[1], [2], [3]]])), /leaves nothing/],
    [() => nn.multiHeadAttention(2, 3).ensureBuilt([[2, 3]]), /inputs must be \[batch, positions, features\]/],
  ]
  for (const [make, message] of cases) assert.throws(make, message)
})

test('torch modules have torch names and layouts', async () => {
  const net = new nn.torch.Sequential(new nn.torch.Linear(3, 4), (x) => x.relu(), new nn.torch.LayerNorm(4))
  assert.deepEqual(Object.keys(net.stateDict()), ['0.weight', '0.bias', '2.weight', '2.bias'])
  assert.deepEqual(net.stateDict()['0.weight'].shape, [4, 3])
  const norm = new nn.torch.BatchNorm(2)
  const x = random.normal([5, 2, 3], { mean: 4 })
  norm.forward(x)
  assert.equal(Number((await norm.num_batches_tracked.value.data())[0]), 1)
  const [mean] = await numbers(norm.running_mean)
  assert.ok(mean > 0.2 && mean < 0.6, `${mean}`)
  norm.eval()
  norm.forward(x)
  assert.equal((await numbers(norm.running_mean))[0], mean)
})
