import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { AutoModel } from '../../../src/node.js'
import { embeddingLoss } from '../../../src/recipes/fine-tuning/sentence-embedding/loss.js'
import type { EmbeddingLoss } from '../../../src/recipes/fine-tuning/sentence-embedding/schema.js'
import { evaluateModel, parseRecipe, type Recipe, trainRecipe } from '../../../src/recipes.node.js'
import { pipeline } from '../../../src/tasks.node.js'
import { tensor } from '../../../src/tensor/index.js'
import { Folders } from '../../support/tiny-models.js'

const folders = new Folders()
after(() => folders.remove())
const base = await folders.bert(AutoModel)
const data = await folders.make()
const write = (name: string, text: string): Promise<string> => folders.write(data, name, text)

/** Texts on cats are near, texts on a cat and a dog are not. */
const [cats, dogs] = [
  ['the cat sat', 'a cat in paris', 'who is a cat'],
  ['the dog sat', 'a dog in paris', 'who is a dog'],
]
const pairs = cats.flatMap((cat, i) => [
  [cat, cats[(i + 1) % 3], 5],
  [dogs[i], dogs[(i + 1) % 3], 4],
  [cat, dogs[i], 1],
  [dogs[(i + 1) % 3], cat, 0],
])
const scored = await write('pairs.csv', pairs.map((row) => row.join(',')).join('\n'))
const scoredFile = { path: scored, header: ['a', 'b', 'near'], text: 'a', textPair: 'b', score: 'near' }
const triplets = await write(
  'triplets.jsonl',
  cats
    .flatMap((cat, i) => [
      { text: cat, textPair: cats[(i + 1) % 3], negative: dogs[i] },
      { text: dogs[i], textPair: dogs[(i + 1) % 3], negative: cat },
    ])
    .map((row) => JSON.stringify(row))
    .join('\n'),
)

let runs = 0
const recipeOf = (more: object = {}): Recipe =>
  parseRecipe(
    {
      task: 'sentence-embedding',
      name: 'animals',
      initialModel: base,
      data: { train: scoredFile, validation: scoredFile, scoreRange: [0, 5] },
      optimizer: { learningRate: 0.01, schedule: { type: 'constant' } },
      epochs: 20,
      batchSize: 4,
      output: join(data, `run-${runs++}`),
      ...more,
    },
    'recipe',
  )
const train = (recipe: Recipe, more: object = {}) => trainRecipe(recipe, { quiet: true, ...more })
describe('fine-tuning of sentence encoders', () => {
  test('learns how near texts are, and writes the layout of sentence-transformers', async () => {
    const { folder, results } = await train(recipeOf({ keepBest: 'val_spearman', pooling: 'mean' }))
    const found = results.results.validation
    assert.ok(found && found.spearman > 0.8, JSON.stringify(found))
    const pooling = JSON.parse(await readFile(join(folder, '1_Pooling', 'config.json'), 'utf8'))
    assert.equal(pooling.pooling_mode_mean_tokens, true)
    assert.equal(pooling.word_embedding_dimension, 16)
    const modules = JSON.parse(await readFile(join(folder, 'modules.json'), 'utf8'))
    assert.deepEqual(
      modules.map(({ path }: { path: string }) => path),
      ['', '1_Pooling', '2_Normalize'],
    )
    const compare = await pipeline('sentence-similarity', folder)
    const [near, far] = await compare(cats[0], [cats[1], dogs[1]])
    assert.ok(near.score > far.score)
    const again = await evaluateModel(folder, { part: 'validation' })
    assert.ok(Math.abs(again.results.spearman - found.spearman) < 1e-6)
  })

  test('learns from triplets', async () => {
    const file = { path: triplets, negative: 'negative' }
    const loss = { type: 'triplet', distance: 'cosine', margin: 0.5 }
    const { results } = await train(recipeOf({ loss, data: { train: file, validation: file } }))
    assert.equal(results.results.validation?.accuracy, 1)
  })

  test('learns from pairs, each against all others of the batch', async () => {
    const near = [
      ['the cat', 'cat sat'],
      ['a dog', 'dogs'],
      ['in paris', 'paris .'],
      ['brown fox', 'foxes'],
      ['who is', 'who where'],
      ['london city', 'in london'],
    ]
    const path = await write('near.csv', `text,textPair\n${near.map((row) => row.join(',')).join('\n')}\n`)
    const more = { loss: { type: 'multiple-negatives-ranking' }, batchSize: 6, epochs: 30 }
    const { results } = await train(recipeOf({ ...more, data: { train: { path }, validation: { path } } }))
    assert.ok((results.results.validation?.accuracy ?? 0) > 0.8)
  })

  test('learns from pairs that are near or not', async () => {
    const rows = pairs.map(([a, b, near]) => `${a}\t${b}\t${Number(near) > 2 ? 1 : 0}`)
    const path = await write('binary.tsv', `text\ttextPair\tlabel\n${rows.join('\n')}\n`)
    const file = { path, score: 'label' }
    const { results } = await train(
      recipeOf({ loss: { type: 'contrastive' }, data: { train: file, validation: file } }),
    )
    assert.ok((results.results.validation?.spearman ?? 0) > 0.8)
  })

  test('a run that is resumed ends as one that was not interrupted', async () => {
    const more = { epochs: 2, keepBest: 'val_spearman', pooling: 'cls' }
    const whole = await train(recipeOf(more))
    const recipe = recipeOf({ ...more, checkpointEveryBatches: 1 })
    const stop = new AbortController()
    const log = (): void => stop.abort()
    await assert.rejects(train(recipe, { signal: stop.signal, quiet: false, log }), { name: 'InterruptedError' })
    const again = await train(recipe, { resume: true })
    assert.deepEqual(again.history.history, whole.history.history)
    assert.deepEqual(again.results.results, whole.results.results)
  })

  test('says what is wrong with recipe and data', async () => {
    assert.throws(() => recipeOf({ data: { train: { path: scored } } }), /train\.score: cosine-similarity needs/)
    assert.throws(
      () => recipeOf({ loss: { type: 'triplet' }, data: { train: { path: scored } } }),
      /train\.negative: triplet needs/,
    )
    const range = { train: scoredFile, scoreRange: [0, 4] }
    await assert.rejects(
      train(recipeOf({ data: range })),
      /pairs\.csv line 1: .*expected a score from 0 to 4.*got "5"/s,
    )
    const empty = await write('empty.csv', 'text,textPair,score\na, ,1\n')
    await assert.rejects(
      train(recipeOf({ data: { train: { path: empty, score: 'score' } } })),
      /empty\.csv line 2: .*the text "textPair" is empty/s,
    )
  })
})

test('losses of embeddings are those of sentence-transformers', async () => {
  // [B = 2, K = 3, H = 2], worked out by hand.
  const embeddings = tensor(Float32Array.from([1, 0, 0, 2, 3, 0, 0, 1, 0, 4, 1, 0]), { shape: [2, 3, 2] })
  const valuesOf = async (loss: EmbeddingLoss, scores: number[], places: number): Promise<number[]> => {
    const values = embeddingLoss(loss)(tensor(Float32Array.from(scores)), embeddings.narrow(1, 0, places))
    return Array.from((await values.data()) as Float32Array)
  }
  const close = (found: number[], wanted: number[]): void => {
    assert.equal(found.length, wanted.length)
    for (const [i, value] of found.entries())
      assert.ok(Math.abs(value - wanted[i]) < 1e-4, `${found} against ${wanted}`)
  }
  // Cosines of the first two texts: 0 and 1.
  close(await valuesOf({ type: 'cosine-similarity' }, [0.5, 0.5], 2), [0.25, 0.25])
  close(await valuesOf({ type: 'contrastive', margin: 0.5 }, [1, 0], 2), [0.5, 0.125])
  close(await valuesOf({ type: 'triplet', distance: 'cosine', margin: 0.25 }, [0, 0], 3), [1.25, 0])
  close(await valuesOf({ type: 'triplet', distance: 'euclidean', margin: 5 }, [0, 0], 3), [
    5 + Math.sqrt(5) - 2,
    5 + 3 - Math.SQRT2,
  ])
  // Cosines with the candidates: the second texts of both rows, then the third ones.
  const wanted = [
    [0, 0, 1, 1],
    [1, 1, 0, 0],
  ].map((row, i) => Math.log(row.reduce((sum, value) => sum + Math.exp(2 * value), 0)) - 2 * row[i])
  close(await valuesOf({ type: 'multiple-negatives-ranking', scale: 2 }, [0, 0], 3), wanted)
})
