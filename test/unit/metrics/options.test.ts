import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import * as audio from '../../../src/audio/metrics/index.js'
import * as text from '../../../src/text/metrics/index.js'
import * as train from '../../../src/train/metrics/evaluation/index.js'
import * as vision from '../../../src/vision/metrics/index.js'

// What scikit-learn 1.9.1, SciPy 1.18, sacrebleu 2.6.0, seqeval 1.2.2, jiwer 4.0.0 and pycocotools 2.0.11 give for random data, over their options.

interface Case {
  readonly fn: string
  readonly args: readonly unknown[]
  readonly opts: Readonly<Record<string, unknown>>
  readonly want: unknown
}

type Score = (...args: readonly unknown[]) => unknown

const scores = { ...audio, ...text, ...train, ...vision } as unknown as Record<string, Score>
const TEXT: Record<string, number> = { NaN: Number.NaN, Infinity: Number.POSITIVE_INFINITY }
const number = (value: unknown): unknown => (typeof value === 'string' && value in TEXT ? TEXT[value] : value)

function assertClose(got: unknown, wanted: unknown, where: string): void {
  const want = number(wanted)
  if (typeof want === 'number') {
    const same = Object.is(got, want) || Math.abs(Number(got) - want) <= 1e-9 * Math.max(1, Math.abs(want))
    assert.ok(same || got === want, `${where}: ${String(got)}, expected ${want}`)
  } else if (want === null || typeof want === 'string') assert.equal(got ?? null, want, where)
  else {
    const [ours, theirs] = [got as Record<string, unknown>, want as Record<string, unknown>]
    for (const key of Object.keys(theirs)) assertClose(ours[key], theirs[key], `${where}.${key}`)
    if (Array.isArray(want)) assert.equal((got as unknown[]).length, want.length, where)
  }
}

describe('scores and their options', () => {
  const cases: Case[] = JSON.parse(readFileSync(new URL('options.json', import.meta.url), 'utf8'))
  for (const name of new Set(cases.map(({ fn }) => fn)))
    test(name, () => {
      for (const { args, opts, want } of cases.filter(({ fn }) => fn === name)) {
        const options = Object.fromEntries(Object.entries(opts).map(([key, value]) => [key, number(value)]))
        assertClose(scores[name](...args, options), want, JSON.stringify(opts))
      }
    })
})

describe('bad input of scores', () => {
  test('lengths that differ are named', () => {
    assert.throws(() => train.accuracyScore([1, 2], [1]), /accuracyScore: .*2 and 1/)
    assert.throws(() => text.corpusBleu(['a', 'b'], [['a']]), /expected 2 references in stream 0, got 1/)
    assert.throws(() => audio.wordErrorRate(['a'], ['a', 'b']), /a hypothesis for each of 1 references, got 2/)
    assert.throws(() => text.entityReport([['O']], [['O', 'O']]), /sequence 0: expected as many tags/)
  })

  test('classes that one number cannot be made of are refused', () => {
    assert.throws(() => train.f1Score([0, 1, 2], [0, 1, 2]), /'binary' needs two classes, got 3/)
    assert.throws(() => train.rocAucScore([0, 1, 2], [0.1, 0.2, 0.3]), /3 classes need a row of scores/)
    assert.throws(() => train.precisionScore(['a', 'b'], ['a', 'b']), /give posLabel/)
    assert.equal(train.precisionScore(['a', 'b', 'a'], ['a', 'a', 'b'], { posLabel: 'a' }), 0.5)
  })

  test('run lengths that do not fit their size are refused, and strings round trip', () => {
    const counts = [3, 200, 70_000, 1, 5, 0, 9]
    assert.deepEqual(vision.decodeCounts(vision.encodeCounts(counts)), counts)
    assert.throws(() => vision.maskOf({ size: [2, 2], counts: [1, 2] }), /cover 3 pixels, expected 2 x 2/)
    assert.throws(() => vision.maskOf({ size: [2, 2], counts: 'ÿ' }), /unexpected character/)
    assert.throws(() => vision.maskOf([[0, 0, 1, 1, 2, 2]]), /need the height and width/)
  })

  test('detections in unknown images are refused', () => {
    const dataset = { images: [{ id: 1 }], categories: [{ id: 1 }], annotations: [] }
    const detection = { image_id: 2, category_id: 1, bbox: [0, 0, 1, 1], score: 1 }
    assert.throws(() => vision.cocoEvaluate(dataset, [detection]), /image 2 is not in the ground truth/)
  })

  test('tags outside a scheme are refused', () => {
    assert.throws(() => text.strictEntities(['X-PER'], 'IOB2'), /'X-PER' does not belong to IOB2/)
    assert.equal(text.detectScheme([['B-A', 'I-A', 'O']]), 'IOB2')
  })
})

test('rouge of a known pair', () => {
  const target = 'The quick brown fox jumps over the lazy dog'
  const prediction = 'The quick brown dog jumps on the log.'
  assertClose(text.rougeScore(target, prediction, 'rouge1').fmeasure, 12 / 17, 'rouge1')
  assertClose(text.rougeScore(target, prediction, 'rouge2').precision, 2 / 7, 'rouge2')
  assertClose(text.rougeScore(target, prediction, 'rougeL').recall, 5 / 9, 'rougeL')
  assertClose(text.rougeScore('a b\nc d', 'a c\nd b', 'rougeLsum').recall, 1, 'rougeLsum')
})
