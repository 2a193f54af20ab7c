import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import {
  AutoModel,
  AutoModelForMaskedLM,
  AutoModelForQuestionAnswering,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
} from '../../src/node.js'
import { Folders } from '../support/tiny-models.js'
import { kaimoHere, scratch } from './helpers.js'

const folder = scratch()
const folders = new Folders()
after(() => folders.remove())
const run = (args: readonly string[]) => kaimoHere(args, folder)

async function json(args: readonly string[]) {
  const { code, stdout, stderr } = await run([...args, '--json'])
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as { task: string; model: string; results: Record<string, unknown>[] }
}

const labels = { id2label: { 0: 'entailment', 1: 'neutral', 2: 'contradiction' } }
const classifier = await folders.bert(AutoModelForSequenceClassification, labels)

describe('kaimo run with published checkpoints', () => {
  it('classifies arguments and lines of a file, alone and in pairs', async () => {
    writeFileSync(join(folder, 'texts.txt'), 'the cat sat\n\na dog\n')
    const { task, results } = await json([
      'run',
      'sentiment-analysis',
      '--model',
      classifier,
      'who',
      '--file',
      'texts.txt',
    ])
    assert.equal(task, 'text-classification')
    assert.deepEqual(
      results.map(({ input }) => input),
      ['who', 'the cat sat', 'a dog'],
    )
    const pairs = await json(['run', 'text-classification', '--model', classifier, 'who', '--pair', 'a dog'])
    assert.notEqual(pairs.results[0].score, results[0].score)
    const table = await run(['run', 'text-classification', '--model', classifier, 'who', '--top-k', '2'])
    assert.match(table.stdout, /input +│ label +│ score/)
    assert.match(table.stdout, /model: /)
  })

  it('knows what a folder is for', async () => {
    const { task, results } = await json([
      'predict',
      await folders.bert(AutoModelForMaskedLM),
      'the [MASK]',
      '--top-k',
      '2',
    ])
    assert.equal(task, 'fill-mask')
    assert.equal((results[0].masks as unknown[][])[0].length, 2)
  })

  it('finds entities, answers, classes and similar sentences', async () => {
    const entities = { id2label: { 0: 'B-PER', 1: 'B-LOC' } }
    const ner = await json([
      'run',
      'ner',
      '--model',
      await folders.bert(AutoModelForTokenClassification, entities),
      'in paris',
    ])
    assert.ok((ner.results[0].entities as unknown[]).length > 0)
    const answerer = await folders.bert(AutoModelForQuestionAnswering)
    const asked = ['run', 'question-answering', '--model', answerer, 'the dog lived in london']
    const answers = await json([...asked, '--question', 'where ?'])
    assert.match(String((answers.results[0].answers as { answer: string }[])[0].answer), /\w/)
    const zero = ['run', 'zero-shot-classification', '--model', classifier, 'a dog']
    assert.equal((await json([...zero, '--labels', 'animal, city'])).results[0].labels?.constructor, Array)
    const similar = ['run', 'embeddings', '--model', await folders.bert(AutoModel), 'a dog', 'a cat']
    const { results } = await json([...similar, '--source', 'a cat'])
    assert.equal(results[0].input, 'a cat')

    for (const [args, option] of [
      [asked, '--question'],
      [zero, '--labels'],
      [similar, '--source'],
    ] as const) {
      const { code, stderr } = await run(args)
      assert.equal(code, 2, stderr)
      assert.match(stderr, new RegExp(option))
    }
  })

  it('searches a file by meaning, and keeps the vectors', async () => {
    writeFileSync(join(folder, 'corpus.txt'), 'the cat sat\nwho lived in paris ?\na fox\n')
    const model = await folders.bert(AutoModel)
    const args = ['run', 'semantic-search', '--model', model, '--corpus', 'corpus.txt', '--index', 'kept', 'a fox']
    const { results } = await json([...args, '--top-k', '1'])
    assert.equal((results[0].results as { text: string }[])[0].text, 'a fox')
    assert.ok(existsSync(join(folder, 'kept', 'vectors.safetensors')))
    const ranked = await json(['run', 'reranking', '--model', classifier, '--source', 'who', 'a cat', 'a fox'])
    assert.equal(ranked.results.length, 2)
  })

  it('refuses what it cannot do, in one line', async () => {
    const unknown = await run(['run', 'dance', 'x'])
    assert.match(unknown.stderr, /unknown task 'dance'; tasks: text-classification, .*sentiment-analysis/)
    const other = await run(['run', 'fill-mask', '--model', classifier, 'the [MASK]'])
    assert.match(other.stderr, /was not trained for fill-mask/)
    const long = await run(['run', 'text-classification', '--model', classifier, 'cat '.repeat(40)])
    assert.equal(long.code, 1)
    assert.match(long.stderr, /the input has 42 tokens, .* reads 24/)
    const cut = await run(['run', 'text-classification', '--model', classifier, 'cat '.repeat(40), '--truncation'])
    assert.equal(cut.code, 0, cut.stderr)
    const missing = await run(['run', 'text-classification', '--model', 'no-such-model', '--offline', 'x'])
    assert.match(
      missing.stderr,
      /there is no model folder no-such-model and no embedded model .* as a hub id: .*not in the cache/,
    )
  })
})
