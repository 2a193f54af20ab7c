import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { AutoModel } from '../../../src/node.js'
import { evaluateModel, parseRecipe, type Recipe, trainRecipe } from '../../../src/recipes.node.js'
import { pipeline } from '../../../src/tasks.node.js'
import { Folders } from '../../support/tiny-models.js'

const folders = new Folders()
after(() => folders.remove())
const base = await folders.bert(AutoModel)
const data = await folders.make()
const write = (name: string, text: string): Promise<string> => folders.write(data, name, text)

/** Cities are places; `foxes` and `dogs` have several tokens. */
const sentences = [
  'the cat sat in paris',
  'a dogs lived in london .',
  'who lived in paris',
  'foxes sat in london where',
]
const tagOf = (word: string): string => (/paris|london/.test(word) ? 'B-LOC' : 'O')
const conll = sentences
  .map(
    (sentence) =>
      `${sentence
        .split(' ')
        .map((word) => `${word}\t${tagOf(word)}`)
        .join('\n')}\n`,
  )
  .join('\n')
const path = await write('places.conll', `-DOCSTART-\tO\n\n${conll}`)

let runs = 0
const recipeOf = (more: object = {}, file: object = { path }): Recipe =>
  parseRecipe(
    {
      task: 'token-classification',
      name: 'places',
      initialModel: base,
      data: { train: file, validation: file },
      optimizer: { learningRate: 0.01, schedule: { type: 'constant' } },
      epochs: 24,
      batchSize: 2,
      output: join(data, `run-${runs++}`),
      ...more,
    },
    'recipe',
  )
const train = (recipe: Recipe, more: object = {}) => trainRecipe(recipe, { quiet: true, ...more })

describe('fine-tuning for tokens', () => {
  test('learns names from CoNLL files; the best epoch is kept by its F1', async () => {
    const { folder, results, history } = await train(recipeOf({ keepBest: 'val_f1' }))
    assert.equal(results.results.validation?.f1, 1)
    assert.equal(results.results.validation?.examples, 4)
    assert.equal(history.history.val_f1.length, 24)
    const found = await (await pipeline('token-classification', folder))(sentences[0], {
      aggregationStrategy: 'first',
    })
    assert.deepEqual(
      found.map((entity) => ('entity_group' in entity ? [entity.entity_group, entity.word] : [])),
      [['LOC', 'paris']],
    )
    const evaluation = await evaluateModel(folder, { data: { path } })
    assert.equal(evaluation.results.f1, 1)
  })

  test('a run that is resumed ends as one that was not interrupted', async () => {
    const whole = await train(recipeOf({ epochs: 2, keepBest: 'val_f1' }))
    const recipe = recipeOf({ epochs: 2, keepBest: 'val_f1', checkpointEveryBatches: 1 })
    const stop = new AbortController()
    const log = (): void => stop.abort()
    await assert.rejects(train(recipe, { signal: stop.signal, quiet: false, log }), { name: 'InterruptedError' })
    const again = await train(recipe, { resume: true })
    assert.deepEqual(again.history.history, whole.history.history)
    assert.deepEqual(again.results.results, whole.results.results)
  })

  test('reads JSON lines, and splits a file by the hash of its sentences', async () => {
    const lines = sentences.map((text) => ({ words: text.split(' '), tags: text.split(' ').map(tagOf) }))
    const file = {
      path: await write('places.jsonl', lines.map((line) => JSON.stringify(line)).join('\n')),
      tokens: 'words',
    }
    const split = { by: 'fnv1a', buckets: 2, test: [], validation: [0] }
    const { results } = await train(recipeOf({ epochs: 1, data: { train: file, split } }))
    assert.equal(results.examples.train + results.examples.validation, 4)
    assert.ok(results.examples.validation > 0)
  })

  test('says where plain texts are cut otherwise than words', async () => {
    // Without spaces between them, words go on as pieces.
    const glued = await train(recipeOf({ epochs: 1, data: { train: { path }, delimiter: '' } }))
    assert.match(glued.job.remarks.join(), /4 of 4 sentences are cut otherwise as plain texts: give the pipeline lists/)
    const plain = await train(recipeOf({ epochs: 1 }))
    assert.doesNotMatch(plain.job.remarks.join(), /cut otherwise/)
  })

  test('cut words count as outside of entities', async () => {
    const long = `${'cat O\n'.repeat(30)}paris B-LOC\n\nparis B-LOC\n`
    const file = { path: await write('long.txt', long) }
    await assert.rejects(train(recipeOf({}, file)), /sentence 1 of the train part \(.*long\.txt line 1\) has 33 tokens/)
    const { results } = await train(recipeOf({ truncation: true, epochs: 8 }, file))
    assert.equal(results.results.validation?.recall, 0.5)
  })

  test('says what is wrong with the data', async () => {
    const bad = await write('bad.conll', 'the O\ncat\n')
    await assert.rejects(
      train(recipeOf({}, { path: bad })),
      /bad\.conll line 2: expected a word in column 0 .* got "cat"/,
    )
    await assert.rejects(
      train(recipeOf({ data: { train: { path }, labels: ['O', 'B-PER'] } })),
      /places\.conll line \d+: expected a tag of "O", "B-PER", got "B-LOC"/,
    )
    const lists = await write('lists.jsonl', '{"tokens":["a"],"tags":[]}')
    await assert.rejects(train(recipeOf({}, { path: lists })), /lists\.jsonl line 1: .*lists of texts of one length/s)
    const one = await write('one.conll', 'a O\n')
    await assert.rejects(train(recipeOf({}, { path: one })), /expected at least 2 tags, the data has 1/)
  })
})
