import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { imagePixels, kaimoHere, scratch, textRecipe, writeImages, writeRecipe, writeSentences } from './helpers.js'

const folder = scratch()
const run = (args: readonly string[]) => kaimoHere(args, folder)

const pgm = (size: number, pixels: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(`P5\n# a picture\n${size} ${size}\n255\n`), pixels])

describe('images', () => {
  it('are trained on from IDX files and classified from PGM and IDX files', async () => {
    writeImages(folder, 'train', 48)
    writeImages(folder, 'test', 10)
    const recipe = writeRecipe(folder, 'images', {
      task: 'image-classification',
      name: 'tiny-images',
      data: {
        train: { images: 'train-images.idx', labels: 'train-labels.idx' },
        test: { images: 'test-images.idx', labels: 'test-labels.idx' },
        validationFraction: 0.25,
        labels: ['above', 'below'],
      },
      augment: { flip: true, shift: 1 },
      model: {
        layers: [
          { type: 'Conv2D', filters: 4, kernelSize: 3, padding: 'same' },
          { type: 'BatchNormalization', momentum: 0.5 },
          { type: 'ReLU' },
          { type: 'MaxPooling2D', poolSize: 2 },
          { type: 'Flatten' },
          { type: 'Dense', units: 2 },
        ],
      },
      optimizer: { learningRate: 0.02 },
      epochs: 5,
      batchSize: 12,
      output: 'images',
    })
    const trained = await run(['train', recipe, '--json', '--quiet'])
    assert.equal(trained.code, 0, trained.stderr)
    const { examples, results } = JSON.parse(trained.stdout)
    assert.deepEqual(examples, { train: 36, validation: 12, test: 10 })
    assert.equal(results.test.accuracy, 1)

    writeFileSync(join(folder, 'below.pgm'), pgm(8, imagePixels(1, 3)))
    const said = await run(['predict', 'images', 'below.pgm', 'test-images.idx', '--json'])
    assert.equal(said.code, 0, said.stderr)
    const rows: { input: string; label: string }[] = JSON.parse(said.stdout).results
    assert.equal(rows.length, 11)
    assert.deepEqual([rows[0].input, rows[0].label], ['below.pgm', 'below'])
    assert.deepEqual([rows[1].input, rows[1].label], ['test-images.idx[0]', 'above'])

    writeFileSync(join(folder, 'large.pgm'), pgm(9, new Uint8Array(81)))
    const wrong = await run(['predict', 'images', 'large.pgm'])
    assert.equal(wrong.code, 1)
    assert.match(wrong.stderr, /large\.pgm: the model takes images of 8 x 8 pixels, got shape \[9, 9\]/)
  })
})

describe('characters', () => {
  it('are learnt, evaluated and written', async () => {
    writeFileSync(join(folder, 'text.txt'), 'abcabcabcabd\n'.repeat(120))
    const recipe = writeRecipe(folder, 'characters', {
      task: 'language-modeling',
      name: 'tiny-characters',
      data: { path: 'text.txt' },
      sequenceLength: 26,
      model: { architecture: 'char-lstm', embeddingDim: 8, units: 24, dropout: 0 },
      optimizer: { learningRate: 0.02, maxGradNorm: 1 },
      epochs: 12,
      batchSize: 8,
      output: 'characters',
    })
    const trained = await run(['train', recipe, '--json', '--quiet'])
    assert.equal(trained.code, 0, trained.stderr)
    const { validation } = JSON.parse(trained.stdout).results
    assert.ok(validation.loss < 0.7, `loss ${validation.loss}, at first ${Math.log(7).toFixed(2)}`)
    assert.ok(Math.abs(validation.perplexity - Math.exp(validation.loss)) < 1e-9)
    assert.equal(validation.examples, 156)

    const evaluated = await run(['eval', 'characters', '--data', 'text.txt', '--json'])
    assert.equal(evaluated.code, 0, evaluated.stderr)
    assert.equal(JSON.parse(evaluated.stdout).results.examples, 13 * 120 - 1)

    const args = ['predict', 'characters', 'abc', '--max-length', '20', '--json']
    const greedy = await run([...args, '--temperature', '0'])
    assert.equal(greedy.code, 0, greedy.stderr)
    assert.match(JSON.parse(greedy.stdout).results[0].text, /^abcab/)
    const seeded = await run([...args, '--seed', '5'])
    const again = await run([...args, '--seed', '5'])
    assert.equal(seeded.stdout, again.stdout)
    const stopped = await run([...args, '--temperature', '0', '--stop', 'ca'])
    assert.deepEqual(JSON.parse(stopped.stdout).results, [{ text: 'ab', prompt: 'abc', finish: 'stop' }])
  })
})

describe('layers for texts', () => {
  it('take the size of the vocabulary from the data', async () => {
    writeSentences(join(folder, 'texts.csv'), 20)
    const layers = [
      { type: 'Embedding', outputDim: 6, maskZero: true },
      { type: 'Bidirectional', layer: { type: 'GRU', units: 5 } },
      { type: 'Dense', units: 2 },
    ]
    const trained = await run([
      'train',
      writeRecipe(folder, 'gru', textRecipe('gru', { model: { layers }, epochs: 2 })),
    ])
    assert.equal(trained.code, 0, trained.stderr)
    const said = await run(['predict', 'gru', '房间真好'])
    assert.equal(said.code, 0, said.stderr)
    assert.match(said.stdout, /good|bad/)
  })
})
