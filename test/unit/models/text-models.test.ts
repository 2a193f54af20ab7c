import '../../../src/node.js'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  architecturesFor,
  buildModel,
  findArchitecture,
  layersModel,
  parseModelConfig,
} from '../../../src/models/index.js'
import { callContext, type Model } from '../../../src/nn/index.js'
import { seed, type Tensor, tensor } from '../../../src/tensor/index.js'

const SMALL: Readonly<Record<string, object>> = {
  'text-cnn': { embeddingDim: 6, filters: 5, kernelSizes: [1, 2, 4] },
  'text-gru': { embeddingDim: 6, units: 5 },
  'char-lstm': { embeddingDim: 6, units: 7, layers: 2 },
  'char-gpt': { contextLength: 16, dim: 8, heads: 2, layers: 2 },
}
const SIZES = { vocabSize: 20, numLabels: 3 }

function make(name: string): Model {
  seed(7)
  const architecture = findArchitecture(name)
  assert.ok(architecture)
  return architecture.build(architecture.options.parse(SMALL[name]), SIZES)
}

const forward = (model: Model, rows: readonly number[][], training = false): Tensor => {
  const ids = tensor(Int32Array.from(rows.flat()), { shape: [rows.length, rows[0].length] })
  return model.run(ids, callContext(training)) as Tensor
}

const values = async (x: Tensor): Promise<number[]> => Array.from((await x.data()) as Float32Array)

const padded = (ids: readonly number[], length: number): number[] => [...ids, ...new Array(length - ids.length).fill(0)]

describe('models of texts', () => {
  for (const name of architecturesFor('text-classification')) {
    it(`${name}: neither padding nor the rest of the batch changes a text's result`, async () => {
      const model = make(name)
      const texts = [[5], [4, 9, 3, 17], [2, 3, 4, 5, 6, 7, 8, 9], [19, 19]]
      const together = await values(
        forward(
          model,
          texts.map((ids) => padded(ids, 16)),
        ),
      )
      for (const [i, ids] of texts.entries()) {
        const same = await values(forward(model, [padded(ids, 16)]))
        assert.deepEqual(same, together.slice(3 * i, 3 * i + 3), 'alone, padded equally: bit for bit')
        const bare = await values(forward(model, [[...ids]]))
        for (const [k, value] of bare.entries())
          assert.ok(Math.abs(value - same[k]) < 1e-6, `without padding: ${value} and ${same[k]}`)
      }
      assert.notDeepEqual(together.slice(0, 3), together.slice(3, 6))
    })

    it(`${name}: a text without characters has a finite result`, async () => {
      for (const value of await values(forward(make(name), [padded([], 16)]))) assert.ok(Number.isFinite(value))
    })
  }
})

describe('models of characters', () => {
  for (const name of architecturesFor('language-modeling')) {
    it(`${name}: later characters do not change earlier predictions`, async () => {
      const model = make(name)
      const [first, second] = await Promise.all(
        [
          [3, 4, 5, 6, 7, 8],
          [3, 4, 5, 9, 2, 11],
        ].map((ids) => values(forward(model, [ids]))),
      )
      const known = 3 * SIZES.vocabSize
      assert.deepEqual(first.slice(0, known), second.slice(0, known))
      assert.notDeepEqual(first.slice(known), second.slice(known))
      assert.equal(first.length, 6 * SIZES.vocabSize)
    })
  }

  it('char-gpt refuses more steps than it has positions for', async () => {
    const model = make('char-gpt')
    assert.throws(() => forward(model, [padded([1], 17)]), /sees 16 steps \(contextLength\), got 17/)
    assert.equal((await values(forward(model, [padded([1], 16)]))).length, 16 * SIZES.vocabSize)
  })
})

describe('config.json', () => {
  const config = {
    model_type: 'text-cnn',
    task: 'text-classification',
    labels: ['a', 'b', 'c'],
    vocab_size: 20,
    tokenizer: { type: 'characters', max_length: 16, truncation: 'head' },
    embedding_dim: 6,
    filters: 5,
    kernel_sizes: [1, 2, 4],
    id2label: { 0: 'a' },
  }

  it('makes the model that it describes', async () => {
    const model = buildModel(parseModelConfig(config, 'config.json'), 'config.json')
    const shapes = (m: Model): string[] => Object.entries(m.stateDict()).map(([key, { shape }]) => `${key} [${shape}]`)
    const same = make('text-cnn')
    assert.deepEqual(shapes(model), shapes(same))
    for (const one of [model, same]) assert.equal((await values(forward(one, [[1, 2]]))).length, 3)
  })

  it('says what is wrong', () => {
    const build = (change: object): Model => buildModel(parseModelConfig({ ...config, ...change }, 'c.json'), 'c.json')
    assert.throws(
      () => build({ labels: ['a'], vocab_size: -1 }),
      /c\.json is not the config of a model: .*labels.*vocab_size/,
    )
    assert.throws(
      () => build({ model_type: 'bert' }),
      /c\.json: unknown model_type 'bert' for the task text-classification/,
    )
    assert.throws(() => build({ filters: 'many' }), /c\.json: filters: /)
    assert.throws(() => build({ filtres: 3 }), /c\.json: .*filtres/)
  })
})

describe('layers', () => {
  it('are numbered, named and checked', () => {
    const input = { shape: [4, 4, 1], dtype: 'f32', vocabSize: null } as const
    const specs = [
      { type: 'Conv2D', filters: 2, kernelSize: 3, activation: 'relu' },
      { type: 'Conv2D', filters: 3, kernelSize: 2, name: 'second' },
      { type: 'Flatten' },
      { type: 'Dense', units: 2 },
    ]
    const model = layersModel(specs, input)
    assert.deepEqual(
      Object.keys(model.stateDict()).filter((key) => key.endsWith('kernel')),
      ['conv2d.kernel', 'second.kernel', 'dense.kernel'],
    )
    assert.throws(
      () => layersModel([{ type: 'Dense', units: 2, unit: 3 }], input),
      /layers\.0: Dense has no option 'unit'/,
    )
  })
})
