import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { kaimoHere, scratch, textRecipe, writeImages, writeRecipe, writeSentences } from './helpers.js'

const folder = scratch()
writeSentences(join(folder, 'texts.csv'), 10)
writeImages(folder, 'train', 12)
const run = (args: readonly string[]) => kaimoHere(args, folder)

/** A run that must fail with one line on standard error and nothing on standard output. */
async function fails(args: readonly string[], message: RegExp, code = 1): Promise<void> {
  const finished = await run(args)
  assert.equal(finished.code, code, finished.stderr)
  assert.equal(finished.stdout, '')
  const said = finished.stderr
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('kaimo: '))
  assert.equal(said.length, 1, finished.stderr)
  assert.match(said[0], message)
}

const recipeWith = (name: string, changes: object): string =>
  writeRecipe(folder, name, textRecipe(`${name}-out`, changes))

describe('kaimo train says what is wrong', () => {
  it('with a recipe: every fault, with its place', async () => {
    const recipe = recipeWith('faults', {
      epochs: 0,
      batchsize: 8,
      model: { architecture: 'text-cnn', filters: -1 },
      callbacks: [{ type: 'earlyStoping' }],
    })
    const finished = await run(['train', recipe])
    assert.equal(finished.code, 1)
    for (const fault of [
      /epochs: /,
      /"batchsize"/,
      /model\.filters: /,
      /callbacks\.0\.type: expected .*"earlyStoping"/,
    ])
      assert.match(finished.stderr, fault)
  })

  it('with layers: their place in the list', async () => {
    const layers = [
      { type: 'Embedding', outputDim: 4 },
      { type: 'Dens', units: 2 },
      { type: 'Dropout', rate: 3 },
    ]
    await fails(
      ['train', recipeWith('layers', { model: { layers } })],
      /model\.layers\.1: unknown layer class 'Dens'.*model\.layers\.2: Dropout: rate must/,
    )
    const wide = [{ type: 'Embedding', outputDim: 4 }, { type: 'GlobalAveragePooling1D' }, { type: 'Dense', units: 3 }]
    await fails(
      ['train', recipeWith('wide', { model: { layers: wide } })],
      /model\.layers: the last layer must give 2 numbers \(one a class\), it gives \[any, 3\]/,
    )
  })

  it('with a file that is missing, not JSON or of another kind', async () => {
    await fails(['train', 'nowhere.json'], /cannot read nowhere\.json: no such file/)
    writeFileSync(join(folder, 'broken.json'), '{"task": ')
    await fails(['train', 'broken.json'], /broken\.json/)
    const data = { train: { path: 'absent.csv' }, name: 'The reviews', origin: 'https://example.org/reviews' }
    await fails(
      ['train', recipeWith('absent', { data })],
      /data\.train\.path: there is no file .*absent\.csv\. Get The reviews from https:\/\/example\.org\/reviews; .*--data-dir DIR/,
    )
    await fails(['train', recipeWith('kind', { data: { train: { path: 'train-images.idx' } } })], /train-images\.idx/)
    await fails(
      ['train', recipeWith('column', { data: { train: { path: 'texts.csv', text: 'review' } } })],
      /texts\.csv: expected a column "review", the file has "label", "text"/,
    )
  })

  it('with data that is empty, or a label that is unknown, naming the row', async () => {
    writeFileSync(join(folder, 'empty.csv'), 'label,text\n')
    await fails(
      ['train', recipeWith('empty', { data: { train: { path: 'empty.csv' } } })],
      /empty\.csv: there are no texts to train on/,
    )
    writeFileSync(join(folder, 'labels.csv'), 'label,text\n0,a\n1,b\n7,c\n')
    await fails(
      ['train', recipeWith('labels', { data: { train: { path: 'labels.csv' }, labels: ['no', 'yes'] } })],
      /labels\.csv line 4: .*expected a label of "no", "yes", got "7"/,
    )
    const images = {
      task: 'image-classification',
      data: { train: { images: 'train-images.idx', labels: 'train-images.idx' } },
      model: { layers: [{ type: 'Flatten' }, { type: 'Dense', units: 2 }] },
      tokenizer: undefined,
      characterDropout: undefined,
    }
    await fails(['train', recipeWith('images', images)], /train-images\.idx: expected one whole number an image/)
  })

  it('with a loss that is not a number', async () => {
    const optimizer = { name: 'sgd', learningRate: 1e30 }
    await fails(
      ['train', recipeWith('nan', { optimizer, epochs: 20 })],
      /the loss became (NaN|Infinity) in epoch \d+, batch \d+/,
    )
  })

  it('with an output folder that cannot be made', async () => {
    writeFileSync(join(folder, 'a-file'), '')
    await fails(
      ['train', recipeWith('place', {}), '--output', join('a-file', 'run')],
      /cannot make the output folder a-file.run: a part of the path is not a directory/,
    )
  })

  it('with a callback that watches what is not logged', async () => {
    const callbacks = [{ type: 'earlyStopping', monitor: 'val_lss' }]
    await fails(
      ['train', recipeWith('monitor', { callbacks })],
      /callbacks\.0\.monitor: this run logs loss, accuracy, val_loss/,
    )
  })
})

describe('kaimo run, predict and eval say what is wrong', () => {
  it('with a model that is not there, damaged or for another task', async () => {
    await fails(['run', 'text-classification', '--model', 'nowhere', 'x'], /there is no model folder nowhere/)
    await fails(['predict', '.', 'x'], /\. is not a model folder: it has no config\.json/)
    await fails(['run', 'clairvoyance', 'x'], /unknown task 'clairvoyance'; tasks: .*text-classification/, 2)
    await fails(['run', 'image-classification', 'x.pgm'], /image-classification has no model of its own/)

    const trained = await run(['train', recipeWith('small', { epochs: 1 }), '--quiet'])
    assert.equal(trained.code, 0, trained.stderr)
    await fails(['run', 'text-generation', '--model', 'small-out', 'x'], /small-out is a model for text-classification/)
    writeFileSync(join(folder, 'nothing.txt'), '\n')
    await fails(['predict', 'small-out', '--file', 'nothing.txt'], /there is no input/, 2)
    await fails(['eval', 'small-out', '--split', 'exam'], /--split must be train, validation, test, got 'exam'/, 2)
    await fails(['eval', 'small-out', '--data', 'absent.csv'], /cannot read absent\.csv: no such file/)
    writeFileSync(join(folder, 'small-out', 'model.safetensors'), new Uint8Array(20))
    await fails(['predict', 'small-out', 'x'], /model\.safetensors/)
    writeFileSync(join(folder, 'small-out', 'config.json'), '{"task":"text-classification"}')
    await fails(['predict', 'small-out', 'x'], /small-out.config\.json is not the config of a model: .*vocab_size/)
  })
})
