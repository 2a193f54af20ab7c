import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { AutoModelForMaskedLM, AutoTokenizer, jit, seed, type Tensor, tensor } from '../../../src/node.js'
import { maskRow } from '../../../src/recipes/pretraining/masking.js'
import { Role, rowsOf, type TokenRow } from '../../../src/recipes/pretraining/rows.js'
import { trainTokenizer } from '../../../src/recipes/pretraining/tokenizer.js'
import { streamOf } from '../../../src/recipes/random-stream.js'
import { evaluateModel, parseRecipe, type Recipe, type TrainOptions, trainRecipe } from '../../../src/recipes.node.js'
import { pipeline } from '../../../src/tasks.node.js'
import { Folders } from '../../support/tiny-models.js'

const folders = new Folders()
after(() => folders.remove())

const texts = Array.from(
  { length: 40 },
  (_, i) => `the ${['cat', 'dog'][i % 2]} sat on ${['the mat', 'a fox'][i % 2]} .`,
)
const SPEC = {
  type: 'wordpiece',
  vocabSize: 60,
  lowercase: true,
  minCount: 1,
  splitChinese: true,
  maxPieceLength: 4,
} as const
const tokenizer = trainTokenizer(SPEC, texts, 32)

describe('rows of tokens', () => {
  test('packed rows are full, hold the documents in order, and end as a text does', () => {
    const rows = rowsOf(texts, tokenizer, { length: 16, packing: true })
    const [cls, sep] = [tokenizer.clsTokenId, tokenizer.sepTokenId]
    for (const { ids } of rows) {
      assert.equal(ids.length, 16)
      assert.equal(ids[0], cls)
      assert.equal(ids[15], sep)
    }
    const special = new Set(tokenizer.specialTokens.values())
    const flat = rows.flatMap(({ ids }) => Array.from(ids)).filter((id) => !special.has(id))
    const wanted = [...texts, ...texts].flatMap(
      (text) => tokenizer.backend.encode(text, null, { addSpecialTokens: false }).ids,
    )
    assert.deepEqual(flat, wanted.slice(0, flat.length))
  })

  test('rows of one document each are no longer than asked for', () => {
    const long = texts.slice(0, 4).join(' ')
    const rows = rowsOf([long, 'the cat'], tokenizer, { length: 16, packing: false })
    const most = Math.max(...rows.map(({ ids }) => ids.length))
    assert.equal(most, 16)
    assert.equal(tokenizer.decode(rows.at(-1)?.ids ?? [], { skipSpecialTokens: true }), 'the cat')
    assert.throws(() => rowsOf(texts, tokenizer, { length: 2, packing: true }), /leaves no room/)
  })
})

describe('masking', () => {
  const vocabulary = { maskId: 4, ids: Array.from({ length: 500 }, (_, i) => i + 5) }
  const row: TokenRow = {
    ids: Int32Array.from({ length: 102 }, (_, i) => 1000 + i),
    roles: Uint8Array.from({ length: 102 }, (_, i) =>
      i === 0 || i === 101 ? Role.special : i % 2 === 1 ? Role.startsWord : Role.continuesWord,
    ),
  }
  const spec = { fraction: 0.15, maskToken: 0.8, randomToken: 0.1, unit: 'token', meanSpan: 3 } as const

  test('hides 15 %, of these 80 % as the mask token, 10 % as another; never special tokens', () => {
    const seen = { mask: 0, random: 0, kept: 0 }
    const places = new Set<number>()
    for (let i = 0; i < 2000; i++) {
      const { ids, positions, labels } = maskRow(row, spec, vocabulary, streamOf(1, i, 0))
      assert.equal(positions.length, 15)
      for (const [j, at] of positions.entries()) {
        assert.equal(labels[j], row.ids[at])
        seen[ids[at] === 4 ? 'mask' : ids[at] === row.ids[at] ? 'kept' : 'random']++
        places.add(at)
      }
      assert.equal(ids.filter((id, at) => id !== row.ids[at] && !positions.includes(at)).length, 0)
    }
    const all = 2000 * 15
    assert.ok(Math.abs(seen.mask / all - 0.8) < 0.01 && Math.abs(seen.random / all - 0.1) < 0.01)
    assert.equal(places.size, 100)
    assert.ok(!places.has(0) && !places.has(101))
  })

  test('draws anew each epoch, by the seed alone', () => {
    const drawn = (epoch: number) => maskRow(row, spec, vocabulary, streamOf(7, 3, epoch)).positions
    assert.deepEqual(drawn(0), drawn(0))
    assert.notDeepEqual(drawn(0), drawn(1))
  })

  test('hides whole words, and runs of words', () => {
    for (const unit of ['word', 'span'] as const) {
      const { positions } = maskRow(row, { ...spec, unit }, vocabulary, streamOf(2, 0, 0))
      const hidden = new Set(positions)
      for (const at of positions) assert.ok(hidden.has(at % 2 === 1 ? at + 1 : at - 1), `${unit}: half of a word`)
      assert.ok(positions.length >= 13 && positions.length <= 15)
    }
  })
})

const LAYERS = { hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32 }
const SIZES = { ...LAYERS, vocab_size: 40 }
const CONFIGS = ['bert', 'roberta', 'xlm-roberta', 'electra', 'albert', 'mpnet', 'esm', 'modernbert', 'deberta-v2'].map(
  (model_type) => ({ model_type, ...SIZES, max_position_embeddings: 24, embedding_size: 16, pad_token_id: 0 }),
)
const DISTILBERT = { model_type: 'distilbert', dim: 16, n_layers: 1, n_heads: 2, hidden_dim: 32, vocab_size: 40 }

for (const config of [...CONFIGS, DISTILBERT])
  test(`${config.model_type} scores the tokens asked for as it does all`, async () => {
    seed(5)
    const model = await AutoModelForMaskedLM.fromConfig(config)
    model.eval()
    const ids = tensor(
      Int32Array.from({ length: 12 }, (_, i) => 6 + ((i * 7) % 30)),
      { shape: [2, 6] },
    )
    const positions = tensor(Int32Array.from([7, 0, 7]))
    const run = jit((input_ids: Tensor, score_positions: Tensor) => ({
      all: model.forward({ input_ids }).logits as Tensor,
      some: model.forward({ input_ids, score_positions }).logits as Tensor,
    }))
    const { all, some } = run(ids, positions)
    assert.deepEqual(some.shape, [3, 40])
    const [whole, part] = [await all.data(), await some.data()]
    for (const [i, at] of [7, 0, 7].entries())
      for (let v = 0; v < 40; v++) assert.ok(Math.abs(Number(part[i * 40 + v]) - Number(whole[at * 40 + v])) < 1e-5)
  })

const data = await folders.make()
const corpus = join(data, 'corpus.txt')
await writeFile(corpus, `${texts.join('\n')}\n`)

let runs = 0
const recipeOf = (more: object): Recipe =>
  parseRecipe(
    {
      task: 'masked-lm',
      name: 'tiny',
      config: { model_type: 'bert', ...LAYERS, max_position_embeddings: 32 },
      tokenizer: { type: 'wordpiece', vocabSize: 60 },
      data: { files: [{ path: corpus }] },
      maxLength: 16,
      optimizer: { learningRate: 0.01 },
      epochs: 8,
      batchSize: 4,
      output: join(data, `run-${runs++}`),
      ...more,
    },
    'recipe',
  )
const train = (recipe: Recipe, options: TrainOptions = {}) => trainRecipe(recipe, { quiet: true, ...options })

describe('pre-training from a config', () => {
  test('learns to guess, and writes a checkpoint that fill-mask reads', async () => {
    const { folder, results, history } = await train(recipeOf({ storage: 'f16' }))
    const { loss } = history.history
    assert.ok(loss[7] < 0.7 * loss[0], `loss ${loss[0]} to ${loss[7]}`)
    const own = results.results.train
    assert.ok(own && Math.abs(own.perplexity - Math.exp(own.loss)) < 1e-9)
    assert.equal((await AutoTokenizer.fromPretrained(folder)).maskToken, '[MASK]')
    const [[best]] = await (await pipeline('fill-mask', folder))('the cat [MASK] on the mat .')
    assert.equal(typeof best.score, 'number')
    const evaluation = await evaluateModel(folder, { data: { path: corpus } })
    assert.ok(Math.abs(evaluation.results.loss - own.loss) < 0.05)
  })

  test('a run that is resumed ends as one that was not interrupted', async () => {
    const more = { epochs: 2, packing: false, masking: { unit: 'word' }, checkpointEveryBatches: 2 }
    const whole = await train(recipeOf(more))
    const recipe = recipeOf(more)
    const stop = new AbortController()
    const log = (): void => stop.abort()
    await assert.rejects(train(recipe, { signal: stop.signal, quiet: false, log }), { name: 'InterruptedError' })
    const again = await train(recipe, { resume: true })
    assert.deepEqual(again.history.history.loss, whole.history.history.loss)
    assert.deepEqual(again.results.results, whole.results.results)
  })

  test('goes on from a checkpoint with its tokenizer, with pieces of text without spaces', async () => {
    const chinese = join(data, 'chinese.jsonl')
    const lines = Array.from({ length: 30 }, (_, i) =>
      JSON.stringify({ text: `酒店很${'好差大小'[i % 4]}，第${i}次来。` }),
    )
    await writeFile(chinese, lines.join('\n'))
    const split = { by: 'fnv1a', buckets: 4, test: [], validation: [0] }
    const files = { files: [{ path: chinese, repeat: 2 }], split }
    const first = await train(recipeOf({ data: files, tokenizer: { type: 'bpe', vocabSize: 40 }, epochs: 1 }))
    assert.ok(first.results.results.validation)
    const { config: _, tokenizer: __, ...rest } = recipeOf({}) as Record<string, unknown> & { config?: unknown }
    const next = parseRecipe({ ...rest, initialModel: first.folder, data: files, epochs: 1 }, 'recipe')
    const second = await train(next)
    assert.ok(Number.isFinite(second.results.results.validation?.loss))
  })

  test('says what does not go together', () => {
    assert.throws(() => recipeOf({ tokenizer: undefined }), /tokenizer: a fresh model needs one/)
    assert.throws(() => recipeOf({ initialModel: 'x' }), /config: expected either config or initialModel/)
    assert.throws(() => recipeOf({ masking: { maskToken: 0.95 } }), /together at most 1/)
  })
})
