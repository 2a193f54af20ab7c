import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { AutoModelForQuestionAnswering, AutoTokenizer } from '../../../src/node.js'
import { aggregate, type TokenScores } from '../../../src/tasks/entities.js'
import { questionAnswerer } from '../../../src/tasks/question-answering.js'
import { type Reader, type RowArray, TextModel } from '../../../src/tasks/text-model.js'
import { Folders } from '../../support/tiny-models.js'

const folders = new Folders()
after(() => folders.remove())

const folder = await folders.bert(AutoModelForQuestionAnswering)
const model = await AutoModelForQuestionAnswering.fromPretrained(folder)
const tokenizer = await AutoTokenizer.fromPretrained(folder)

/** A model that likes given tokens as starts and ends. */
class Scripted extends TextModel {
  /** Rows that were read. */
  rows = 0

  constructor(private readonly likes: Readonly<Record<string, readonly [start: number, end: number]>>) {
    super('scripted', model, tokenizer)
  }

  override reader<K extends string>(): Reader<K> {
    return async (rows) => {
      this.rows += rows.length
      const column = (tokens: readonly string[], which: 0 | 1): RowArray => ({
        shape: [tokens.length],
        data: Float32Array.from(tokens, (token) => this.likes[token]?.[which] ?? 0),
      })
      return rows.map(
        ({ tokens }) => ({ starts: column(tokens, 0), ends: column(tokens, 1) }) as unknown as Record<K, RowArray>,
      )
    }
  }
}

describe('question-answering', () => {
  const question = 'where ?'
  const context = 'the foxes sat. the dog lived in london .'

  test('finds the span and widens it to words', async () => {
    const answer = questionAnswerer(new Scripted({ fox: [9, 0], '##es': [0, 9] }))
    const [found] = await answer({ question, context })
    assert.deepEqual([found.answer, found.start, found.end], ['foxes', 4, 9])
    assert.ok(found.score > 0.9)
    const part = questionAnswerer(new Scripted({ '##es': [9, 9] }))
    assert.equal((await part({ question, context }))[0].answer, 'foxes')
    assert.equal((await part({ question, context }, { alignToWords: false }))[0].answer, 'es')
  })

  test('an end before the start is no answer, nor a longer one than allowed', async () => {
    const answer = questionAnswerer(new Scripted({ london: [9, 0], fox: [0, 9], sat: [0, 8] }))
    const [found] = await answer({ question, context })
    assert.ok(found.start >= context.indexOf('london') || found.end <= context.indexOf('london'))
    const far = questionAnswerer(new Scripted({ fox: [9, 0], london: [0, 9] }))
    assert.match((await far({ question, context }))[0].answer, /^foxes.*london$/)
    assert.doesNotMatch((await far({ question, context }, { maxAnswerLength: 3 }))[0].answer, /^foxes.*london$/)
  })

  test('long contexts are read in windows that overlap, each answer once', async () => {
    const long = `${'the cat sat on the mat . '.repeat(5)}who lived in paris ? ${'a brown dog . '.repeat(5)}`
    const scripted = new Scripted({ paris: [9, 9] })
    const found = await questionAnswerer(scripted)({ question, context: long }, { topK: 3 })
    assert.ok(scripted.rows > 3)
    assert.equal(found[0].answer, 'paris')
    assert.equal(long.slice(found[0].start, found[0].end), 'paris')
    assert.equal(found.filter(({ answer }) => answer === 'paris').length, 1)
    assert.equal(found.length, 3)
  })

  test('the text may not say', async () => {
    const silent = questionAnswerer(new Scripted({ '[CLS]': [9, 9], london: [2, 2] }))
    const [none] = await silent({ question, context }, { handleImpossibleAnswer: true })
    assert.deepEqual([none.answer, none.start, none.end], ['', 0, 0])
    assert.ok(none.score > 0.9)
    assert.equal((await silent({ question, context }))[0].answer, 'london')
  })

  test('a question that fills the window is an error', async () => {
    const answer = questionAnswerer(new Scripted({}))
    await assert.rejects(
      answer({ question: 'who ? '.repeat(12), context }),
      /the question has 26 tokens, a window has 24/,
    )
    await assert.rejects(answer({ question, context: ' ' }), /the context is empty/)
  })
})

describe('entities', () => {
  const labels = ['O', 'B-LOC', 'I-LOC', 'I-PER']
  const join = (tokens: readonly string[]): string => tokens.join(' ').replaceAll(' ##', '')
  let at = 0
  const token = (word: string, scores: readonly number[], isSubword = false): TokenScores => {
    const start = at
    at += word.length
    return { word, scores, start, end: at, index: start, isSubword }
  }
  const tokens = [
    token('new', [0.1, 0.7, 0.1, 0.1]),
    token('york', [0.1, 0.1, 0.6, 0.2]),
    token('##er', [0, 0, 0.1, 0.9], true),
    token('paris', [0.2, 0.5, 0.2, 0.1]),
  ]
  const grouped = (strategy: 'simple' | 'first' | 'average' | 'max') =>
    aggregate(tokens, strategy, labels, join).map((entity) => [
      'entity_group' in entity ? entity.entity_group : '',
      entity.word,
      Number(entity.score.toFixed(4)),
    ])

  test('none keeps tokens, simple joins neighbours of a class', () => {
    assert.deepEqual(
      aggregate(tokens, 'none', labels, join).map((entity) => 'entity' in entity && entity.entity),
      ['B-LOC', 'I-LOC', 'I-PER', 'B-LOC'],
    )
    assert.deepEqual(grouped('simple'), [
      ['LOC', 'new york', 0.65],
      ['PER', '##er', 0.9],
      ['LOC', 'paris', 0.5],
    ])
  })

  test('words have one class: of the first token, the mean, or the surest', () => {
    assert.deepEqual(grouped('first'), [
      ['LOC', 'new yorker', 0.65],
      ['LOC', 'paris', 0.5],
    ])
    assert.deepEqual(grouped('average'), [
      ['LOC', 'new', 0.7],
      ['PER', 'yorker', 0.55],
      ['LOC', 'paris', 0.5],
    ])
    assert.deepEqual(grouped('max'), [
      ['LOC', 'new', 0.7],
      ['PER', 'yorker', 0.9],
      ['LOC', 'paris', 0.5],
    ])
  })
})
