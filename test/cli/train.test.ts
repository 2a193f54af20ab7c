import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { kaimo, scratch, sentences, textRecipe, writeRecipe, writeSentences } from './helpers.js'

const folder = scratch()
writeSentences(join(folder, 'texts.csv'))
const run = (args: readonly string[], more: object = {}) => kaimo(args, { cwd: folder, ...more })
const json = (path: string): Record<string, never> => JSON.parse(readFileSync(join(folder, path), 'utf8'))

/** Long enough to be interrupted on any machine; every step of it is a checkpoint. */
const LONG = { epochs: 12, checkpointEveryBatches: 1 }
const checkpointReached = (output: string, number: number): boolean =>
  existsSync(join(folder, output, 'checkpoints', `checkpoint-${number}`))

describe('kaimo train, on texts', () => {
  it('writes a model folder that other processes use', async () => {
    const trained = await run(['train', writeRecipe(folder, 'plain', textRecipe('plain'))])
    assert.equal(trained.code, 0, trained.stderr)
    assert.match(trained.stderr, /epoch 6\/6 - .*val_accuracy/)
    assert.match(trained.stdout, /test: loss [\d.]+, accuracy [\d.]+ % \(\d+ texts\)/)
    assert.match(trained.stdout, /loss: .* over 6 epochs/)
    for (const name of ['config.json', 'model.safetensors', 'vocab.json', 'README.md', 'curve.svg', 'recipe.json'])
      assert.ok(existsSync(join(folder, 'plain', name)), name)
    const results = json('plain/results.json') as unknown as {
      results: { test: { accuracy: number; examples: number } }
    }
    assert.ok(results.results.test.accuracy > 0.8, `accuracy ${results.results.test.accuracy}`)
    assert.match(readFileSync(join(folder, 'plain', 'README.md'), 'utf8'), /modulo 5: 0 = test, 1 = validation/)

    const evaluated = await run(['eval', 'plain', '--json'])
    assert.equal(evaluated.code, 0, evaluated.stderr)
    assert.deepEqual(JSON.parse(evaluated.stdout).results, results.results.test)
  })

  it('is used by run and predict, from arguments, a file and standard input', async () => {
    const texts = sentences(3).map(({ text }) => text)
    const all = await run(['run', 'text-classification', '--model', 'plain', '--json', ...texts])
    assert.equal(all.code, 0, all.stderr)
    const { model, results } = JSON.parse(all.stdout)
    assert.equal(model, 'plain')
    assert.deepEqual(
      results.map(({ input }: { input: string }) => input),
      texts,
    )
    for (const { labels } of results)
      assert.ok(Math.abs(labels.reduce((sum: number, { score }: { score: number }) => sum + score, 0) - 1) < 1e-9)

    const single = await run(['predict', 'plain', '--json'], { stdin: `${texts[3]}\n` })
    assert.equal(single.code, 0, single.stderr)
    assert.deepEqual(JSON.parse(single.stdout).results, [results[3]], 'alone a text gets what it gets in a batch')

    const table = await run(['predict', 'plain', texts[0], '--top-k', '2'])
    assert.match(table.stdout, /good/)
    assert.match(table.stdout, /bad/)
    assert.match(table.stdout, /model: plain/)
  })

  it('goes on from a trained model', async () => {
    const {
      tokenizer: _,
      model: __,
      ...rest
    } = textRecipe('tuned', { initialModel: 'plain', epochs: 2 }) as Record<string, unknown>
    const tuned = await run(['train', writeRecipe(folder, 'tuned', rest), '--json', '--quiet'])
    assert.equal(tuned.code, 0, tuned.stderr)
    assert.equal(tuned.stderr, '')
    const { history, results } = JSON.parse(tuned.stdout)
    assert.equal(history.loss.length, 2)
    assert.ok(results.test.accuracy > 0.8)
    assert.ok(history.loss[0] < 0.4, `starts where the first model ended: ${history.loss[0]}`)
  })
})

describe('kaimo train --resume', () => {
  it('after SIGKILL gives what an uninterrupted run gives, bit for bit', async () => {
    const whole = await run(['train', writeRecipe(folder, 'whole', textRecipe('whole', LONG)), '--quiet'])
    assert.equal(whole.code, 0, whole.stderr)

    const recipe = writeRecipe(folder, 'killed', textRecipe('killed', LONG))
    const killed = await run(['train', recipe], {
      signalWhen: () => (checkpointReached('killed', 5) ? 'SIGKILL' : null),
    })
    assert.equal(killed.signal, 'SIGKILL')
    assert.ok(!existsSync(join(folder, 'killed', 'results.json')))

    const refused = await run(['train', recipe])
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /killed holds an unfinished run: go on with --resume, or start over with --overwrite/)

    const resumed = await run(['train', recipe, '--resume'])
    assert.equal(resumed.code, 0, resumed.stderr)
    assert.deepEqual(json('killed/history.json'), json('whole/history.json'))
    for (const name of ['model.safetensors', 'vocab.json', 'config.json'])
      assert.deepEqual(readFileSync(join(folder, 'killed', name)), readFileSync(join(folder, 'whole', name)), name)
  })

  it('after Ctrl-C, which ends with a checkpoint, gives the same', async () => {
    const recipe = writeRecipe(folder, 'stopped', textRecipe('stopped', { ...LONG, checkpointEveryBatches: 3 }))
    const stopped = await run(['train', recipe], {
      signalWhen: () => (checkpointReached('stopped', 2) ? 'SIGINT' : null),
    })
    assert.equal(stopped.code, 130, stopped.stderr)
    assert.match(stopped.stderr, /interrupted; the run is saved in .*checkpoint-\d+: --resume goes on from there/)
    assert.ok(!existsSync(join(folder, 'stopped', 'results.json')))

    const other = writeRecipe(folder, 'other', textRecipe('stopped', { ...LONG, batchSize: 4 }))
    const refused = await run(['train', other, '--resume'])
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /--resume: the recipe differs .* in batchSize/)

    const resumed = await run(['train', recipe, '--resume', '--quiet'])
    assert.equal(resumed.code, 0, resumed.stderr)
    assert.deepEqual(json('stopped/history.json'), json('whole/history.json'))
  })
})
