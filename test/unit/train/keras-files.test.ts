import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { FormatError, Hdf5Builder, parseSafetensors, readHdf5, serializeHdf5 } from '../../../src/formats/index.node.js'
import { nn } from '../../../src/index.js'
import '../../../src/node.js'
import type { Model } from '../../../src/nn/index.js'
import { Tensor, tensor } from '../../../src/tensor/index.js'
import { loadKerasModel, loadKerasWeights, loadModel, saveKerasModel } from '../../../src/train/index.node.js'

const folder = fileURLToPath(new URL('fixtures/keras', import.meta.url))
const fixture = (name: string): string => join(folder, name)
const MODELS = ['recurrent', 'attention', 'nested', 'images', 'normalized', 'cells', 'adapted']

const expected = parseSafetensors(await readFile(fixture('expected.safetensors')))
const reference = (key: string): Tensor => {
  const { data, dtype, shape } = expected.get(key)
  return tensor(data, { dtype, shape })
}

/** Largest difference of what a model predicts from what Keras predicted. */
async function difference(model: Model, name: string): Promise<number> {
  const predicted = await model.predict(reference(`${name}/x`))
  assert.ok(predicted instanceof Tensor)
  return Number(
    await predicted
      .sub(reference(`${name}/pred`))
      .abs()
      .max()
      .item(),
  )
}

async function temporary(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'kaimo-keras-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

for (const name of MODELS) {
  test(`Keras' files of the model '${name}' predict as Keras did, also when written again`, async (t) => {
    const out = await temporary(t)
    for (const ending of ['keras', 'h5']) {
      const model = await loadKerasModel(fixture(`${name}.${ending}`))
      assert.ok((await difference(model, name)) < 1e-5, ending)
      const path = join(out, `${name}.${ending}`)
      await model.save(path)
      assert.ok((await difference((await loadModel(path)).model, name)) < 1e-5, `${ending} again`)
      const weights = join(out, `${name}.weights.h5`)
      await model.save(weights)
      model.setWeights(model.weights.map((weight) => weight.value.mul(0)))
      await model.loadWeights(weights)
      assert.ok((await difference(model, name)) < 1e-5, 'weights again')
    }
  })
}

test('Keras reads what is written here', async (t) => {
  const python = process.env.KAIMO_PYTHON ?? 'python3'
  const env = { ...process.env, KERAS_BACKEND: 'torch' }
  if (spawnSync(python, ['-c', 'import keras, torch, safetensors'], { env }).status !== 0) {
    return t.skip(`${python} has no keras with torch; KAIMO_PYTHON names another`)
  }
  const out = await temporary(t)
  for (const name of MODELS) {
    const model = await loadKerasModel(fixture(`${name}.keras`))
    for (const ending of ['keras', 'h5', 'weights.h5']) await saveKerasModel(model, join(out, `${name}.${ending}`))
  }
  const check = spawnSync(python, ['make.py', 'check', out], { cwd: folder, encoding: 'utf8', env })
  assert.equal(check.status, 0, check.stdout + check.stderr)
  assert.equal(check.stdout.match(/\.(keras|h5) \d/g)?.length, 3 * MODELS.length)
})

test('weights are loaded into a model that fits, and refused by name otherwise', async () => {
  const layers = () => [nn.normalization(), nn.dense(4), nn.rmsNormalization(), nn.leakyRelu({ negativeSlope: 0.1 })]
  const model = nn.sequential([nn.input([5]), ...layers()])
  for (const file of ['normalized.weights.h5', 'normalized.keras', 'normalized.h5']) {
    model.setWeights(model.weights.map((weight) => weight.value.mul(0)))
    await loadKerasWeights(model, fixture(file))
    assert.ok((await difference(model, 'normalized')) < 1e-5)
  }
  const wider = nn.sequential([nn.input([5]), nn.normalization(), nn.dense(3), nn.rmsNormalization()])
  await assert.rejects(
    loadKerasWeights(wider, fixture('normalized.weights.h5')),
    /layers\/dense\/vars\/0 \(dense_\d+\/kernel\) has shape \[5, 4\], the model expects \[5, 3\]/,
  )
  const fewer = nn.sequential([nn.input([5]), nn.dense(4), nn.dense(2)])
  await assert.rejects(
    loadKerasWeights(fewer, fixture('normalized.weights.h5')),
    /missing: layers\/dense_1\/vars\/0 .*; unexpected: layers\/normalization\/vars\/0/,
  )
  await assert.rejects(
    loadKerasWeights(fewer, fixture('normalized.h5')),
    /has weights of 3 layers, .* has 2 with weights/,
  )
  await assert.rejects(loadKerasModel(fixture('normalized.weights.h5')), /holds weights alone: use loadKerasWeights/)
  await assert.rejects(
    saveKerasModel(fewer, 'model.txt'),
    /expected a name that ends in \.keras, \.weights\.h5 or \.h5/,
  )
})

test("Keras 2's form of functional models is understood", async (t) => {
  const path = join(await temporary(t), 'old.h5')
  const layer = (class_name: string, config: object, ...inbound: unknown[]) => ({
    class_name,
    config,
    name: (config as { name: string }).name,
    inbound_nodes: inbound,
  })
  const config = {
    class_name: 'Model',
    config: {
      name: 'model',
      layers: [
        layer('InputLayer', { name: 'x', batch_input_shape: [null, 2], dtype: 'float32' }),
        layer('Dense', { name: 'a', units: 2, activation: 'linear', use_bias: false }, [['x', 0, 0, {}]]),
        layer('Add', { name: 'sum' }, [
          ['a', 0, 0, {}],
          ['x', 0, 0, {}],
        ]),
      ],
      input_layers: [['x', 0, 0]],
      output_layers: [['sum', 0, 0]],
    },
  }
  const root = new Hdf5Builder()
  root.attributes.set('model_config', JSON.stringify(config))
  const weights = root.at('model_weights')
  weights.attributes.set('layer_names', ['x', 'a', 'sum'])
  weights.at('a').attributes.set('weight_names', ['a/kernel:0'])
  weights.at('a/a').arrays.set('kernel:0', { dtype: 'f32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) })
  await writeFile(path, await serializeHdf5(root))
  const model = await loadKerasModel(path)
  const y = (await model.predict(tensor([[1, 10]]))) as Tensor
  assert.deepEqual([...(await y.data())], [32, 52])
})

test('HDF5 trees are read and written; files that lie or are broken are refused', async () => {
  const root = new Hdf5Builder()
  root.attributes.set('text', 'naïve 文').set('count', 3).set('names', ['a', 'bcd']).set('none', [])
  root.at('a/b').arrays.set('f', { dtype: 'f32', shape: [2, 1], data: Float32Array.of(1, -2) })
  root.at('a').arrays.set('i', { dtype: 'i64', shape: [], data: BigInt64Array.of(-5n) })
  root.at('a').arrays.set('e', { dtype: 'i32', shape: [0, 3], data: new Int32Array(0) })
  const bytes = await serializeHdf5(root)
  const back = readHdf5(bytes)
  assert.deepEqual(back.attributes, root.attributes)
  assert.deepEqual(back.groups.get('a')?.arrays, new Map([...(root.groups.get('a')?.arrays ?? [])].sort()))
  assert.deepEqual(back.groups.get('a')?.groups.get('b')?.arrays.get('f')?.data, Float32Array.of(1, -2))
  for (const [broken, message] of [
    [Buffer.from('no such thing'), /not an HDF5 file: its signature is missing/],
    [bytes.slice(0, bytes.length / 2), /x\.h5: /],
    [new Uint8Array(0), /not an HDF5 file/],
  ] as const) {
    assert.throws(
      () => readHdf5(broken, 'x.h5'),
      (error: Error) => error instanceof FormatError && message.test(error.message),
    )
  }
})
