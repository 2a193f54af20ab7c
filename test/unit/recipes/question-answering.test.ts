import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { answerScores } from '../../../src/metrics.js'
import { AutoModel } from '../../../src/node.js'
import { evaluateModel, parseRecipe, type Recipe, trainRecipe } from '../../../src/recipes.node.js'
import { pipeline } from '../../../src/tasks.node.js'
import { Folders } from '../../support/tiny-models.js'

const folders = new Folders()
after(() => folders.remove())
const base = await folders.bert(AutoModel)
const data = await folders.make()

interface Asked {
  readonly context: string
  readonly answer: string | null
}

const squad = (questions: readonly Asked[], start?: number): object => ({
  version: '1.1',
  data: [
    {
      paragraphs: questions.map(({ context, answer }, i) => ({
        context,
        qas: [
          {
            id: `q${i}`,
            question: 'where ?',
            is_impossible: answer === null,
            // Places count code points: emoji are one.
            answers:
              answer === null
                ? []
                : [
                    {
                      text: answer,
                      answer_start: start ?? Array.from(context.slice(0, context.indexOf(answer))).length,
                    },
                  ],
          },
        ],
      })),
    },
  ],
})

const write = async (name: string, json: unknown): Promise<string> => {
  const path = join(data, name)
  await writeFile(path, JSON.stringify(json))
  return path
}

const near = ['the cat sat in paris', 'a dogs lived in london .', '😀 who lived in paris', 'foxes sat in london where']
const far = ['paris', 'london'].map((city) => `${'the cat sat on a mat '.repeat(3)}in ${city}`)
const asked = [...near, ...far].map((context) => ({ context, answer: context.includes('paris') ? 'paris' : 'london' }))
const path = await write('questions.json', squad(asked))

let runs = 0
const recipeOf = (more: object = {}, file: object = { path }): Recipe =>
  parseRecipe(
    {
      task: 'question-answering',
      name: 'where',
      initialModel: base,
      data: { train: file, validation: file },
      optimizer: { learningRate: 0.01, schedule: { type: 'constant' } },
      maxLength: 24,
      stride: 4,
      epochs: 40,
      batchSize: 4,
      output: join(data, `run-${runs++}`),
      ...more,
    },
    'recipe',
  )
const train = (recipe: Recipe, more: object = {}) => trainRecipe(recipe, { quiet: true, ...more })

describe('fine-tuning for answers', () => {
  test('learns where answers stand, in windows over long texts', async () => {
    const { folder, results, job } = await train(recipeOf({ keepBest: 'val_f1' }))
    // The two long texts are read in two windows each.
    assert.equal(job.train.examples, 8)
    assert.equal(results.examples.train, 6)
    const found = results.results.validation
    assert.ok(found && found.exactMatch >= 5 / 6 && found.f1 >= found.exactMatch, JSON.stringify(found))
    const [answer] = await (await pipeline('question-answering', folder))({ question: 'where ?', context: near[0] })
    assert.equal(answer.answer, 'paris')
    const again = await evaluateModel(folder, { data: { path } })
    assert.ok(Math.abs(again.results.f1 - found.f1) < 1e-6)
  })

  test('a run that is resumed ends as one that was not interrupted', async () => {
    const whole = await train(recipeOf({ epochs: 2 }))
    const recipe = recipeOf({ epochs: 2, checkpointEveryBatches: 1 })
    const stop = new AbortController()
    const log = (): void => stop.abort()
    await assert.rejects(train(recipe, { signal: stop.signal, quiet: false, log }), { name: 'InterruptedError' })
    const again = await train(recipe, { resume: true })
    assert.deepEqual(again.history.history, whole.history.history)
  })

  test('learns that a text does not say', async () => {
    const mixed = await write(
      'mixed.json',
      squad([...asked.slice(0, 4), { context: 'the cat is quick', answer: null }]),
    )
    await assert.rejects(
      train(recipeOf({}, { path: mixed })),
      /qas\.0 \(q4\): has no answer; set "impossibleAnswers": true/,
    )
    const { results } = await train(recipeOf({ impossibleAnswers: true }, { path: mixed }))
    assert.ok((results.results.validation?.exactMatch ?? 0) >= 0.8)
  })

  test('says what is wrong with the data', async () => {
    const moved = await write('moved.json', squad(asked, 2))
    await assert.rejects(
      train(recipeOf({}, { path: moved })),
      /moved\.json data\.0\.paragraphs\.0\.qas\.0 \(q0\): expected the answer "paris" at character 2 of its context, found "e cat"/,
    )
    const other = await write('other.json', { data: [{ paragraphs: [{ context: 3 }] }] })
    await assert.rejects(train(recipeOf({}, { path: other })), /not in SQuAD's format: data\.0\.paragraphs\.0\.context/)
    const nowhere = await write('nowhere.json', squad(asked, -1))
    await assert.rejects(train(recipeOf({}, { path: nowhere })), /no answer stands in its context/)
    assert.throws(() => recipeOf({ stride: 24 }), /stride: expected less than maxLength 24, got 24/)
  })
})

test('answers are scored as by the script of SQuAD', () => {
  assert.deepEqual(answerScores(['The Cat!'], [['a cat', 'dog']]), { exactMatch: 1, f1: 1 })
  assert.deepEqual(answerScores(['cat on mat'], [['cat mat']]), { exactMatch: 0, f1: 0.8 })
  assert.deepEqual(answerScores(['', 'x'], [[], []]), { exactMatch: 0.5, f1: 0.5 })
  assert.deepEqual(answerScores(['北京市。'], [['北京']]), { exactMatch: 0, f1: 0.8 })
  assert.throws(() => answerScores(['a'], []), RangeError)
})
