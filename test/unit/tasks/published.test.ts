import assert from 'node:assert/strict'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import {
  AutoModel,
  AutoModelForMaskedLM,
  AutoModelForQuestionAnswering,
  AutoModelForSequenceClassification,
} from '../../../src/node.js'
import { findSource, pipeline, taskOfModel } from '../../../src/tasks.node.js'
import { Folders } from '../../support/tiny-models.js'

const folders = new Folders()
after(() => folders.remove())

const near = (got: number, want: number): void => assert.ok(Math.abs(got - want) < 1e-6, `${got} is not ${want}`)
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
const LONG = 'the cat sat on the mat . '.repeat(6)

describe('text-classification by a published checkpoint', async () => {
  const labels = { id2label: { 0: 'bad', 1: 'good', 2: 'so-so' } }
  const folder = await folders.bert(AutoModelForSequenceClassification, labels)
  const classify = await pipeline('sentiment-analysis', folder)

  test('lists classes best first, with probabilities', async () => {
    const found = await classify('the cat sat')
    assert.deepEqual(found.labels.map(({ label }) => label).sort(), ['bad', 'good', 'so-so'])
    near(sum(found.labels.map(({ score }) => score)), 1)
    assert.equal(found.label, found.labels[0].label)
    assert.ok(found.labels[0].score >= found.labels[1].score)
    assert.equal((await classify('the cat sat', { topK: 2 })).labels.length, 2)
  })

  test('sigmoid and none are other views of the same logits', async () => {
    const [raw, sigmoid] = await Promise.all(
      (['none', 'sigmoid'] as const).map((functionToApply) => classify('a dog', { functionToApply })),
    )
    near(sigmoid.score, 1 / (1 + Math.exp(-raw.score)))
    await assert.rejects(
      classify('a dog', { functionToApply: 'tanh' as 'none' }),
      /functionToApply must be softmax, sigmoid, none/,
    )
  })

  test('a text has one result, whatever it is classified with', async () => {
    const texts = ['a', 'the cat sat on the mat .', 'the dogs lived in paris', 'who ?']
    const together = await classify(texts, { batchSize: 3 })
    for (const [i, text] of texts.entries()) assert.deepEqual(together[i], await classify(text))
  })

  test('pairs are read together', async () => {
    const [pair, swapped] = await classify([
      { text: 'the cat sat', textPair: 'a dog' },
      { text: 'a dog', textPair: 'the cat sat' },
    ])
    assert.notEqual(pair.score, swapped.score)
  })

  test('longer texts than the model reads are an error, unless they are to be cut', async () => {
    await assert.rejects(classify(['a', LONG]), /input 2 has 44 tokens, .* reads 24: shorten it, or ask for truncation/)
    const cut = await classify(LONG, { truncation: true })
    assert.deepEqual(cut, await classify(LONG.split(' ').slice(0, 22).join(' ')))
    await assert.rejects(classify('a', { maxLength: 25 }), /maxLength 25 is more than the 24 tokens/)
  })

  test('decoders that know no padding read each text as it is', async () => {
    const decoder = await pipeline('text-classification', await folders.gpt2(AutoModelForSequenceClassification))
    const texts = ['the cat sat', 'a dog .', 'who']
    const together = await decoder(texts)
    for (const [i, text] of texts.entries()) assert.deepEqual(together[i], await decoder(text))
    assert.notEqual(together[0].score, together[2].score)
  })

  test('an abort ends it', async () => {
    await assert.rejects(classify('a', { signal: AbortSignal.abort() }), { name: 'AbortError' })
  })

  test('a checkpoint without the head is refused, and a model says what it is for', async () => {
    await assert.rejects(pipeline('fill-mask', folder), /was not trained for fill-mask: it lacks cls\.predictions/)
    await assert.rejects(
      pipeline('zero-shot-classification', folder),
      /none of its classes \(bad, good, so-so\) is 'entailment'/,
    )
    assert.equal(taskOfModel(await findSource(folder)), 'text-classification')
    assert.equal(taskOfModel(await findSource(await folders.bert(AutoModelForQuestionAnswering))), 'question-answering')
    await assert.rejects(
      pipeline('nothing' as 'fill-mask', folder),
      /unknown task 'nothing'; tasks: text-classification/,
    )
  })
})

describe('fill-mask', async () => {
  const fill = await pipeline('fill-mask', await folders.bert(AutoModelForMaskedLM))

  test('fills each mask of a text and leaves the others', async () => {
    const masks = await fill('the [MASK] sat on the [MASK] .', { topK: 3 })
    assert.deepEqual(
      masks.map((list) => list.length),
      [3, 3],
    )
    assert.match(masks[1][0].sequence, /^\[CLS\] the \[MASK\] sat on the/)
    const [[best]] = await fill('the [MASK] sat')
    assert.doesNotMatch(best.sequence, /MASK|CLS/)
  })

  test('targets choose among tokens', async () => {
    const [list] = await fill('the [MASK] sat', { targets: ['cat', 'dog', 'mats'], topK: 9 })
    assert.deepEqual(list.map(({ token_str }) => token_str).sort(), ['cat', 'dog', 'mat'])
    const [all] = await fill('the [MASK] sat', { topK: 30 })
    for (const { token, score } of list) assert.equal(all.find((one) => one.token === token)?.score, score)
  })

  test('a text without mask is an error', async () => {
    await assert.rejects(fill(['the [MASK]', 'the cat']), /input 2 holds no mask: write \[MASK\]/)
  })
})

describe('zero-shot-classification', async () => {
  const labels = { id2label: { 0: 'contradiction', 1: 'neutral', 2: 'ENTAILMENT' } }
  const classify = await pipeline(
    'zero-shot-classification',
    await folders.bert(AutoModelForSequenceClassification, labels),
  )

  test('scores of one label sum to 1; several are judged alone', async () => {
    const one = await classify('the dog', { candidateLabels: 'animal, city' })
    near(sum(one.scores), 1)
    assert.ok(one.scores[0] >= one.scores[1])
    const several = await classify('the dog', { candidateLabels: ['animal', 'city'], multiLabel: true })
    const alone = await classify('the dog', { candidateLabels: ['animal'] })
    near(several.scores[several.labels.indexOf('animal')], alone.scores[0])
  })

  test('the template must have a place for the label', async () => {
    const other = await classify('the dog', { candidateLabels: ['animal', 'city'], hypothesisTemplate: 'a {} sat' })
    assert.notDeepEqual(other.scores, (await classify('the dog', { candidateLabels: ['animal', 'city'] })).scores)
    await assert.rejects(
      classify('a', { candidateLabels: ['b'], hypothesisTemplate: 'none' }),
      /has no \{\} for the label/,
    )
    await assert.rejects(classify('a', { candidateLabels: ' , ' }), /names no class/)
  })
})

describe('feature-extraction and sentence-similarity', async () => {
  const folder = await folders.bert(AutoModel)
  const extract = await pipeline('feature-extraction', folder)

  test('vectors of tokens, and of texts', async () => {
    const tokens = await extract('the cat')
    assert.deepEqual(tokens.shape, [4, 16])
    const mean = await extract('the cat', { pooling: 'mean' })
    assert.deepEqual(mean.shape, [16])
    near(mean.data[5], sum([0, 1, 2, 3].map((token) => tokens.data[token * 16 + 5])) / 4)
    const first = await extract('the cat', { pooling: 'cls', normalize: true })
    near(Math.hypot(...first.data), 1)
    const highest = await extract('the cat', { pooling: 'max' })
    assert.equal(highest.data[0], Math.max(...[0, 1, 2, 3].map((token) => tokens.data[token * 16])))
  })

  test('similarity is the cosine of the vectors, pooled as the folder says', async () => {
    const compare = await pipeline('embeddings', folder)
    const [same, other] = await compare('the cat sat', ['the cat sat', 'who ?'])
    near(same.score, 1)
    assert.ok(other.score < 1)
    await mkdir(join(folder, '1_Pooling'))
    await writeFile(
      join(folder, '1_Pooling/config.json'),
      '{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}',
    )
    const [vector] = await (await pipeline('sentence-similarity', folder)).embed(['the cat'])
    assert.deepEqual(vector, (await extract('the cat', { pooling: 'cls', normalize: true })).data)
  })
})

describe('semantic-search and reranking', async () => {
  const texts = ['the cat sat on the mat', 'who lived in paris ?', 'a quick brown fox']

  test('the nearest text comes first, and vectors are kept in a folder', async () => {
    const search = await pipeline('semantic-search', await folders.bert(AutoModel))
    const folder = join(await folders.make(), 'index')
    const index = await search.index(texts, { folder })
    const [first, second] = await search('who lived in paris ?', index, { topK: 2 })
    assert.deepEqual([first.text, first.index], [texts[1], 1])
    near(first.score, 1)
    assert.ok(second.score < first.score)
    const kept = await search.index(texts, { folder })
    assert.deepEqual(kept.vectors, index.vectors)
    const modified = (await stat(join(folder, 'index.json'))).mtimeMs
    await search.index(texts, { folder })
    assert.equal((await stat(join(folder, 'index.json'))).mtimeMs, modified)
    const more = await search.index([...texts, 'the dogs'], { folder })
    assert.equal(more.vectors.length, 4 * more.width)
    await assert.rejects(search.index([]), /no texts to search in/)
  })

  test('documents are ordered by the score that the model gives them with the query', async () => {
    const folder = await folders.bert(AutoModelForSequenceClassification, { id2label: { 0: 'relevance' } })
    const rank = await pipeline('reranking', folder)
    const classify = await pipeline('text-classification', folder)
    const ranked = await rank('where ?', texts)
    assert.deepEqual(ranked.map(({ index }) => index).sort(), [0, 1, 2])
    assert.ok(ranked[0].score >= ranked[1].score && ranked[1].score >= ranked[2].score)
    for (const { document, score } of ranked)
      near((await classify({ text: 'where ?', textPair: document })).score, score)
    assert.equal((await rank('where ?', texts, { topK: 1 })).length, 1)
  })
})
