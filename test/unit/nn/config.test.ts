import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import * as nn from '../../../src/nn/index.js'
import { random, type Tensor, tensor } from '../../../src/tensor/index.js'
import { loadModel, saveModel } from '../../../src/train/index.node.js'
import { numbers } from './helpers.js'

const folder = await mkdtemp(join(tmpdir(), 'kaimo-nn-'))
after(() => rm(folder, { recursive: true, force: true }))

const everything = (): nn.Model =>
  nn.sequential([
    nn.input([8, 8, 2]),
    nn.randomFlip('horizontal'),
    nn.conv2D(4, [3, 2], { padding: 'same', activation: 'leaky_relu', kernelInitializer: nn.heNormal() }),
    nn.batchNormalization({ momentum: 0.9, gammaRegularizer: nn.l2(0.1) }),
    nn.depthwiseConv2D(3, { depthMultiplier: 2, depthwiseConstraint: nn.maxNorm({ maxValue: 3, axis: [0, 1] }) }),
    nn.prelu({ sharedAxes: [1, 2] }),
    nn.zeroPadding2D([
      [1, 0],
      [0, 2],
    ]),
    nn.averagePooling2D(2, { padding: 'same' }),
    nn.reshape([4, -1]),
    nn.bidirectional(nn.lstm(3, { returnSequences: true, unitForgetBias: false }), { mergeMode: 'sum' }),
    nn.gru(4, { returnSequences: true, resetAfter: false, recurrentInitializer: 'glorot_normal' }),
    nn.timeDistributed(
      nn.dense(3, { kernelInitializer: nn.varianceScaling({ scale: 2, mode: 'fanOut', distribution: 'uniform' }) }),
    ),
    nn.multiHeadAttention(2, 3, { useCausalMask: true, valueDim: 2 }),
    nn.layerNormalization({ axis: [1, 2] }),
    nn.activityRegularization({ l1: 0.1 }),
    nn.softmax({ axis: 1 }),
    nn.flatten(),
    nn.gaussianNoise(0.1),
    nn.dense(2, { kernelRegularizer: { class_name: 'L1L2', config: { l1: 0.1, l2: 0.2 } } }),
  ])

async function sameOutputs(a: nn.Model, b: nn.Model, x: Tensor): Promise<void> {
  a.weights.forEach((weight, i) => {
    b.weights[i].value = weight.value
  })
  assert.deepEqual(await numbers(b.forward(x)), await numbers(a.forward(x)))
}

test('a config makes an equal model, and an equal config', async () => {
  const model = everything().eval()
  const config = model.toConfig()
  const again = nn.modelFromConfig(JSON.stringify(config)).eval()
  assert.deepEqual(again.toConfig(), JSON.parse(JSON.stringify(config)))
  await sameOutputs(model, again, random.normal([2, 8, 8, 2]))
})

test('every layer that has a factory goes through its config', () => {
  const layers: nn.Layer[] = [
    nn.elu({ alpha: 0.5 }),
    nn.relu({ maxValue: 6, negativeSlope: 0.1 }),
    nn.activation('gelu'),
    nn.embedding(5, 2, { maskZero: true }),
    nn.masking({ maskValue: 1 }),
    nn.dot([1, 2], { normalize: true }),
    nn.concatenate({ axis: 1 }),
    nn.rescaling(0.5, { offset: 1 }),
    nn.normalization({ mean: [1, 2], variance: [1, 1] }),
    nn.resizing(4, 5, { interpolation: 'nearest' }),
    nn.einsumDense('abc,cd->abd', [null, 4], { biasAxes: 'd' }),
    nn.cropping2D([
      [1, 0],
      [0, 1],
    ]),
    nn.cropping1D([1, 2]),
    nn.zeroPadding1D(2),
    nn.upSampling2D([1, 2], { interpolation: 'bilinear' }),
    nn.separableConv1D(3, 2),
    nn.conv3DTranspose(2, 2, { outputPadding: 1, strides: 2 }),
    nn.randomZoom(0.1, { widthFactor: [0, 0.2] }),
    nn.randomCrop(3, 3),
    nn.spatialDropout2D(0.1, { dataFormat: 'channels_first' }),
    nn.groupNormalization({ groups: -1 }),
    nn.unitNormalization({ axis: [1, 2] }),
    nn.permute([2, 1]),
    nn.repeatVector(3),
    nn.simpleRnn(2, { recurrentDropout: 0.1, activation: 'relu' }),
    nn.dropout(0.5, { noiseShape: [null, 1, null] }),
    nn.globalMaxPooling3D({ keepdims: true }),
  ]
  for (const layer of layers) {
    const written = JSON.parse(
      JSON.stringify({ class_name: layer.className, config: layer.config() }),
    ) as nn.KerasObject
    assert.deepEqual(nn.layerFromConfig(written).config(), written.config, layer.className)
  }
})

test('functional configs: shared layers, nested models, several inputs and outputs', async () => {
  const [a, b] = [nn.input([3], { name: 'a' }), nn.input([3], { name: 'b' })]
  const shared = nn.dense(4, { name: 'shared' })
  const inner = nn.sequential([nn.input([4]), nn.dense(2)], { name: 'inner' })
  const sum = nn.add().apply([shared.apply(a), shared.apply(b)])
  const model = nn.model({ inputs: [a, b], outputs: [inner.apply(sum), nn.multiply().apply([sum, shared.apply(b)])] })
  const again = nn.modelFromConfig(JSON.parse(JSON.stringify(model.toConfig())) as nn.KerasObject)
  assert.deepEqual(Object.keys(again.stateDict()), Object.keys(model.stateDict()))
  again.weights.forEach((weight, i) => {
    weight.value = model.weights[i].value
  })
  const x = [random.normal([2, 3]), random.normal([2, 3])]
  const [one, two] = [model, again].map((m) => m.run(x, nn.callContext(false)) as Tensor[])
  for (const i of [0, 1]) assert.deepEqual(await numbers(two[i]), await numbers(one[i]))
})

test('unknown classes are named with the known ones; registered ones load', () => {
  const config = { class_name: 'Sequential', config: { layers: [{ class_name: 'Dens', config: { units: 1 } }] } }
  assert.throws(() => nn.modelFromConfig(config), /unknown layer class 'Dens'; known: Activation, .*Dense/)
  assert.throws(() => nn.modelFromConfig({ class_name: 'Tree', config: {} }), /unknown model class 'Tree'/)
  assert.throws(
    () => nn.layerFromConfig({ class_name: 'constructor', config: {} }),
    /unknown layer class 'constructor'/,
  )

  class Double extends nn.Layer {
    override readonly className = 'Double'
    constructor(
      readonly factor: number,
      options: nn.LayerOptions = {},
    ) {
      super(options, { factor })
    }
    override call(x: Tensor): Tensor {
      return x.mul(this.factor)
    }
  }
  nn.registerLayer('Double', (options) => new Double(options.factor as number, options))
  const model = nn.sequential([nn.input([2]), new Double(3)])
  const again = nn.modelFromConfig(model.toConfig())
  assert.equal((again.layers[0] as Double).factor, 3)
  assert.throws(() => nn.registerLayer('Double', () => new Double(1)), /known already/)
  assert.throws(() => nn.lambda((x) => x).config(), /cannot be saved/)
  assert.throws(
    () => nn.dense(1, { kernelInitializer: (shape) => random.normal(shape) }).config(),
    /initializer given as a function/,
  )
})

test('operations in Keras configs are read as layers, or refused by name', async () => {
  const node = (layer: string) => ({
    class_name: '__keras_tensor__',
    config: { shape: [null, 2], dtype: 'float32', keras_history: [layer, 0, 0] },
  })
  const withOperation = (class_name: string, args: unknown[], options: object = {}) => ({
    layers: [
      {
        class_name: 'InputLayer',
        name: 'x',
        config: { batch_shape: [null, 2], dtype: 'float32', name: 'x' },
        inbound_nodes: [],
      },
      {
        module: 'keras.src.ops.numpy',
        class_name,
        name: 'm',
        config: { name: 'm', ...options },
        inbound_nodes: [{ args, kwargs: {} }],
      },
    ],
    input_layers: [['x', 0, 0]],
    output_layers: [['m', 0, 0]],
  })
  const made = (...of: Parameters<typeof withOperation>) =>
    nn.modelFromConfig({ class_name: 'Functional', config: withOperation(...of) })
  const x = tensor([[1, -2]])
  const run = (...of: Parameters<typeof withOperation>) =>
    numbers(
      made(...of)
        .eval()
        .forward(x) as Tensor,
    )
  assert.deepEqual(await run('Multiply', [node('x'), 2]), [2, -4])
  assert.deepEqual(await run('Subtract', [1, node('x')]), [0, 3])
  assert.deepEqual(await run('Relu', [node('x')]), [1, 0])
  assert.throws(() => made('Power', [node('x'), 2]), /Keras operation 'Power' \(m\)/)
  assert.throws(() => made('Mean', [node('x')], { axis: 1 }), /Keras operation 'Mean' \(m\)/)
})

test('a saved model loads with equal outputs, metadata and files', async () => {
  const model = everything().eval()
  const path = join(folder, 'saved')
  const metadata = { labels: ['neg', 'pos'], vocabulary: 'vocab.txt' }
  await saveModel(model, path, { metadata, files: { 'vocab.txt': 'a\nb\n' } })
  assert.deepEqual((await readdir(path)).sort(), ['config.json', 'model.safetensors', 'vocab.txt'])
  const { model: again, config } = await loadModel(path)
  assert.deepEqual(config.labels, metadata.labels)
  const x = random.normal([2, 8, 8, 2])
  assert.deepEqual(await numbers(again.eval().forward(x)), await numbers(model.forward(x)))
  // Over an old folder.
  await saveModel(model, path, {})
  assert.equal((await loadModel(path)).config.labels, undefined)
  assert.equal(await readFile(join(path, 'vocab.txt'), 'utf8'), 'a\nb\n')
})

test('folders that do not fit are refused with what differs', async () => {
  const path = join(folder, 'other')
  const one = nn.sequential([nn.input([2]), nn.dense(3, { name: 'a' })])
  await saveModel(one, path)
  const config = JSON.parse(await readFile(join(path, 'config.json'), 'utf8')) as { model: nn.KerasObject }
  const rewrite = (model: nn.Model): Promise<void> =>
    writeFile(join(path, 'config.json'), JSON.stringify({ ...config, model: model.toConfig() }))
  await rewrite(nn.sequential([nn.input([2]), nn.dense(3, { name: 'b' })]))
  await assert.rejects(loadModel(path), /missing: b\.kernel, b\.bias; unexpected: a\.(bias|kernel)/)
  await rewrite(nn.sequential([nn.input([2]), nn.dense(4, { name: 'a' })]))
  await assert.rejects(loadModel(path), /a\.kernel has shape \[2, 3\], the model expects \[2, 4\]/)
  await writeFile(join(path, 'config.json'), '{"model_type": "bert"}')
  await assert.rejects(loadModel(path), /expected model_type 'kaimo-keras', got "bert"/)
  await writeFile(join(path, 'config.json'), '{"model_type": ')
  await assert.rejects(loadModel(path), /config\.json: not valid JSON/)
  await assert.rejects(loadModel(join(folder, 'nowhere')), /cannot read .*no such file/)
  await assert.rejects(saveModel(one, path, { files: { '../x': '' } }), /plain name/)
  await assert.rejects(saveModel(nn.sequential([nn.dense(1)]), path), /has no weights yet/)
  await assert.rejects(saveModel(one, path, { metadata: { model: 1 } }), /metadata may not hold model/)
})

test('a full disk leaves no new folder behind', async () => {
  const files = await import('node:fs/promises')
  const full = async (): Promise<never> => {
    throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
  }
  const path = join(folder, 'full')
  const model = nn.sequential([nn.input([2]), nn.dense(1)])
  const before = await readdir(folder)
  await assert.rejects(saveModel(model, path, { fileOps: { ...files, rename: full } }), /no space left on the disk/)
  assert.deepEqual(await readdir(folder), before)
})
