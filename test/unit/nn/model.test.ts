import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as nn from '../../../src/nn/index.js'
import { adam } from '../../../src/optim/keras.js'
import { Parameter, random, type Tensor, tensor, zeros } from '../../../src/tensor/index.js'
import '../../../src/train/index.js'
import { numbers, run } from './helpers.js'

const small = () =>
  nn.sequential([
    nn.input([4], { name: 'x' }),
    nn.dense(3, { name: 'a', activation: 'relu' }),
    nn.dense(2, { name: 'b' }),
  ])

test('automatic names are those of Keras', () => {
  nn.resetNames()
  const names = [nn.dense(1), nn.dense(1), nn.conv2D(1, 1), nn.maxPooling2D(), nn.leakyRelu(), nn.gru(1), nn.relu()]
  const separable = nn.separableConv2D(1, 1)
  assert.deepEqual(
    [...names, separable].map(({ name }) => name),
    ['dense', 'dense_1', 'conv2d', 'max_pooling2d', 'leaky_re_lu', 'gru', 're_lu', 'separable_conv2d'],
  )
})

test('checkpoint keys are weight names under layer names', () => {
  const model = nn.sequential([
    nn.input([8, 8, 3]),
    nn.conv2D(4, 3, { name: 'conv' }),
    nn.batchNormalization({ name: 'norm' }),
    nn.reshape([6, 24]),
    nn.bidirectional(nn.gru(2, { name: 'rnn' }), { name: 'both' }),
    nn.dense(1, { name: 'head', useBias: false }),
  ])
  assert.deepEqual(Object.keys(model.stateDict()), [
    'conv.kernel',
    'conv.bias',
    'norm.gamma',
    'norm.beta',
    'norm.moving_mean',
    'norm.moving_variance',
    'both.forward_layer.kernel',
    'both.forward_layer.recurrent_kernel',
    'both.forward_layer.bias',
    'both.backward_layer.kernel',
    'both.backward_layer.recurrent_kernel',
    'both.backward_layer.bias',
    'head.kernel',
  ])
  assert.equal(model.weights.length, 13)
})

test('shapes of sequential models, with unknown extents', () => {
  const model = nn.sequential([
    nn.input([null, null, 3]),
    nn.conv2D(4, 3, { strides: 2, padding: 'same' }),
    nn.maxPooling2D(),
    nn.globalAveragePooling2D(),
    nn.dense(2),
  ])
  assert.deepEqual(
    model.summaryRows().map(({ shape }) => shape),
    [
      [null, null, null, 4],
      [null, null, null, 4],
      [null, 4],
      [null, 2],
    ],
  )
})

test('a model refuses inputs of other shapes', () => {
  assert.throws(() => small().forward(zeros([2, 5])), /input 0 must have shape \[any, 4\], got \[2, 5\]/)
  assert.throws(
    () => nn.sequential([nn.dense(1, { name: 'same' }), nn.dense(1, { name: 'same' })]),
    /two layers are named 'same'/,
  )
})

test('freezing takes weights out of training, and unfreezing leaves buffers alone', () => {
  const model = nn.sequential([nn.input([3]), nn.dense(2, { name: 'a' }), nn.batchNormalization({ name: 'b' })])
  assert.equal(model.countParams({ trainableOnly: true }), 12)
  model.getLayer('a').freeze()
  assert.equal(model.countParams({ trainableOnly: true }), 4)
  model.freeze()
  assert.equal(model.countParams({ trainableOnly: true }), 0)
  model.unfreeze()
  assert.equal(model.countParams({ trainableOnly: true }), 12)
  assert.equal(model.countParams(), 16)
})

test('a layer frozen before it is built creates frozen weights, in the order of Keras', () => {
  const layer = nn.batchNormalization({ trainable: false })
  layer.ensureBuilt([null, 2])
  assert.equal(
    layer.weights.some((weight) => weight.trainable),
    false,
  )
  assert.deepEqual(
    layer.weights.map(({ name }) => name.split('/')[1]),
    ['gamma', 'beta', 'moving_mean', 'moving_variance'],
  )
  layer.unfreeze()
  assert.deepEqual(
    layer.weights.map(({ trainable }) => trainable),
    [true, true, false, false],
  )
})

test('the summary shows layers, shapes and counts', () => {
  const text = nn
    .sequential([nn.input([784]), nn.dense(128, { name: 'hidden' }), nn.dropout(0.2, { name: 'drop' })], {
      name: 'mlp',
    })
    .summary()
  assert.match(text, /^Model: "mlp"\n┏━/)
  assert.match(text, /│ hidden \(Dense\) +│ \(None, 128\) +│ 100,480 │/)
  assert.match(text, /│ drop \(Dropout\) +│ \(None, 128\) +│ +0 │/)
  assert.match(
    text,
    / Total params: 100,480 \(392\.50 KB\)\n Trainable params: 100,480 \(392\.50 KB\)\n Non-trainable params: 0/,
  )
  const widths = new Set(
    text
      .split('\n')
      .slice(1, 8)
      .map((line) => line.length),
  )
  assert.equal(widths.size, 1)
})

test('a functional model with shared layers, several inputs and outputs', async () => {
  const [a, b] = [nn.input([3], { name: 'a' }), nn.input([3], { name: 'b' })]
  const shared = nn.dense(2, { name: 'shared' })
  const [u, v] = [shared.apply(a), shared.apply(b)]
  const both = nn.model({ inputs: [a, b], outputs: [nn.add().apply([u, v]), nn.dense(1, { name: 'out' }).apply(v)] })
  assert.deepEqual(Object.keys(both.stateDict()), ['shared.kernel', 'shared.bias', 'out.kernel', 'out.bias'])
  const [x, y] = [random.normal([2, 3]), random.normal([2, 3])]
  const [sum] = both.run([x, y], nn.callContext(false)) as Tensor[]
  assert.deepEqual(await numbers(sum), await numbers(run(shared, x).add(run(shared, y))))
  assert.match(both.summary(), /shared \(Dense\) +│ \(None, 2\) +│ +8 │ a\[0\]\[0\], b\[0\]\[0\]/)
  assert.throws(
    () => nn.model({ inputs: a, outputs: nn.add().apply([u, v]) }),
    /depend on input 'b', which is not among the model's inputs/,
  )
})

test('layers of several outputs connect with applyAll', () => {
  const x = nn.input([5, 2])
  const [y, h, c] = nn.lstm(3, { returnSequences: true, returnState: true }).applyAll(x)
  assert.deepEqual(
    [y.shape, h.shape, c.shape],
    [
      [null, 5, 3],
      [null, 3],
      [null, 3],
    ],
  )
  assert.throws(() => nn.lstm(3, { returnState: true }).apply(x), /has 3 outputs; connect it with applyAll/)
})

test('constraints hold after every update', async () => {
  const model = nn.sequential([
    nn.input([3]),
    nn.dense(4, { kernelConstraint: nn.maxNorm({ maxValue: 0.5 }), biasConstraint: 'non_neg' }),
    nn.dense(1, { kernelConstraint: nn.unitNorm() }),
  ])
  model.compile({ optimizer: adam({ learningRate: 0.1 }), loss: 'mse' })
  await model.fit(random.normal([16, 3]), random.normal([16, 1]), { epochs: 3, batchSize: 8 })
  const [kernel, bias, unit] = model.weights
  for (const norm of await numbers(kernel.value.square().sum(0).sqrt())) assert.ok(norm <= 0.5 + 1e-6)
  for (const value of await numbers(bias)) assert.ok(value >= 0)
  assert.ok(Math.abs((await unit.value.square().sum().sqrt().item()) - 1) < 1e-5)
})

test('regularizers of kernels, biases and activities enter the loss', async () => {
  const model = nn.sequential([
    nn.input([1]),
    nn.dense(1, {
      kernelInitializer: nn.constantInitializer(2),
      biasInitializer: nn.constantInitializer(1),
      kernelRegularizer: nn.l2(0.1),
      biasRegularizer: nn.l1(0.01),
      activityRegularizer: nn.l1(1),
    }),
  ])
  model.compile({ loss: 'mse' })
  // mse (1 * 2 + 1 - 3)^2 = 0; 0.1 * 4 + 0.01 * 1 + |3|
  const { loss } = await model.evaluate([[1]], [[3]])
  assert.ok(Math.abs(loss - 3.41) < 1e-5, `${loss}`)
})

test('a weight of a custom layer, tied weights, and names used twice', () => {
  class Tied extends nn.Layer {
    override readonly className = 'Tied'
    table!: Parameter
    readonly extra = new Parameter(zeros([1]))
    override build(): void {
      this.table = this.addWeight('table', [2, 3], { initializer: 'ones' })
    }
    override call(x: Tensor): Tensor {
      return x.matmul(this.table.value).matmul(this.table.value.t())
    }
    twice(): void {
      this.addWeight('table', [1], { initializer: 'ones' })
    }
  }
  const layer = new Tied({ name: 'tied' })
  layer.ensureBuilt([1, 2])
  assert.deepEqual(Object.keys(layer.stateDict()), ['table', 'extra'])
  assert.throws(() => layer.twice(), /has a weight 'table' already/)

  class Two extends nn.Module {
    readonly first = new nn.torch.Linear(2, 2)
    readonly second = [this.first, new nn.torch.Linear(2, 2, { bias: false })]
  }
  assert.deepEqual(Object.keys(new Two().stateDict()), ['first.weight', 'first.bias', 'second.1.weight'])
})

test('targets without a last dimension of 1 match outputs with one, in losses and metrics', async () => {
  const model = nn.sequential([nn.input([1]), nn.dense(1, { kernelInitializer: 'ones' })])
  model.compile({ loss: 'mse', metrics: ['mae'] })
  const logs = await model.evaluate([[1], [2], [3]], tensor([1, 2, 5]))
  assert.deepEqual(
    [logs.loss, logs.mae].map((n) => Math.round(n * 1e5) / 1e5),
    [1.33333, 0.66667],
  )
})
