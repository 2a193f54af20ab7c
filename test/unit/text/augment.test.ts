import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import '../../../src/node.js'
import { randomUnit, randomWords } from '../../../src/data/rng.js'
import { setBackend } from '../../../src/runtime/index.js'
import { grad, sum, tensor } from '../../../src/tensor/index.js'
import * as A from '../../../src/text/augment/index.js'

before(() => {
  setBackend('interpreter')
})

const seeded = (seed: number): A.Random => {
  const words = randomWords(seed)
  return () => randomUnit(words)
}
const sorted = (text: string): string[] => text.split(' ').sort()
const TEXT = 'the room was very clean and the staff was kind'
const synonyms = A.parseSynonyms('# groups\nclean tidy spotless\nkind, friendly\n房间 客房\n')

describe('edits of words', () => {
  test('are the same for the same seed', () => {
    const augment = A.eda({ synonyms })
    assert.equal(augment(TEXT, seeded(3)), augment(TEXT, seeded(3)))
    const made = new Set(Array.from({ length: 20 }, (_, seed) => augment(TEXT, seeded(seed))))
    assert.ok(made.size > 10)
  })

  test('replacement changes known words only, to words of their group', () => {
    const out = A.synonymReplacement(TEXT, synonyms, 1, seeded(1)).split(' ')
    assert.match(out[4], /^(tidy|spotless)$/)
    assert.equal(out[9], 'friendly')
    assert.deepEqual(
      [...out.slice(0, 4), ...out.slice(5, 9)],
      [...TEXT.split(' ').slice(0, 4), ...TEXT.split(' ').slice(5, 9)],
    )
  })

  test('insertion adds synonyms, and only those', () => {
    const added = A.synonymInsertion(TEXT, synonyms, 0.3, seeded(2)).split(' ')
    assert.equal(added.length, 13)
    for (const word of TEXT.split(' ')) added.splice(added.indexOf(word), 1)
    for (const word of added) assert.match(word, /^(tidy|spotless|friendly)$/)
    assert.equal(A.synonymInsertion('a b c', synonyms, 1, seeded(1)), 'a b c')
  })

  test('swaps keep the words, deletions keep their order and one word', () => {
    const swapped = A.randomSwap(TEXT, 0.1, seeded(4))
    assert.notEqual(swapped, TEXT)
    assert.deepEqual(sorted(swapped), sorted(TEXT))
    const rest = A.randomDeletion(TEXT, 0.5, seeded(5)).split(' ')
    const left = TEXT.split(' ')
    for (const word of rest) {
      const at = left.indexOf(word)
      assert.ok(at >= 0, `${word} is out of order`)
      left.splice(0, at + 1)
    }
    assert.ok(rest.length < 10)
    assert.equal(A.randomDeletion('a b c', 1, seeded(1)).length, 1)
  })

  test('Chinese is cut into characters, or into words where asked for', () => {
    assert.deepEqual([...A.randomSwap('房间很干净', 0.2, seeded(1))].sort(), [...'房间很干净'].sort())
    const cut: A.Cut = (text) => ({ units: text.split('|'), joint: '|' })
    assert.equal(A.synonymReplacement('房间|很好', synonyms, 1, seeded(1), { cut }), '客房|很好')
    assert.equal(A.segmentWords('en')('a b').units.join(''), 'a b')
  })

  test('shares are checked', () => {
    assert.throws(() => A.eda({ swap: 2 }), /swap must lie in \[0, 1\], got 2/)
    assert.throws(() => A.eda({ swap: 0, delete: 0 }), /every kind of edit is left out/)
    assert.equal(A.randomSwap('', 0.5, seeded(1)), '')
  })
})

test('synonyms from vectors are the nearest by cosine', () => {
  const vectors = new Map([
    ['good', [1, 0.1]],
    ['great', [2, 0]],
    ['bad', [-1, 0]],
    ['nil', [0, 0]],
  ])
  const near = A.synonymsFromVectors(vectors)
  assert.deepEqual(near('good'), ['great'])
  assert.deepEqual(near('nil'), [])
})

describe('noise of characters', () => {
  test('slips are to neighbouring keys and keep the case', () => {
    const noise = A.characterNoise({ rate: 1, kinds: ['substitute'] })
    const out = noise('Ax 9!', seeded(1))
    assert.match(out, /^[QWSZ][zcsd] 9!$/)
  })

  test('each kind does what it says', () => {
    const made = (kind: A.NoiseKind, text: string): string =>
      A.characterNoise({ rate: 1, kinds: [kind] })(text, seeded(1))
    assert.equal(made('delete', 'a1b'), '1')
    assert.equal(made('repeat', 'ab'), 'aabb')
    assert.equal(made('swap', 'abc d'), 'bac d')
    assert.equal(A.characterNoise({ rate: 0 })(TEXT, seeded(1)), TEXT)
    assert.throws(() => A.characterNoise({ kinds: [] }), /kinds are some of/)
  })

  test('homophones', () => {
    const confusions = A.confusionsOf(['在再', '做作'])
    const noise = A.characterNoise({ rate: 1, kinds: ['substitute'], confusions })
    assert.equal(noise('再做', seeded(1)), '在作')
  })
})

describe('mixup', () => {
  test('mixes inputs and targets alike, and gradients flow to both examples', async () => {
    const plan: A.MixPlan = { partner: tensor(Int32Array.from([1, 0])), share: 0.75 }
    const x = tensor([1, 2, 3, 5], { shape: [2, 2] })
    assert.deepEqual(Array.from((await A.mix(x, plan).data()) as Float32Array), [1.5, 2.75, 2.5, 4.25])
    const [g] = grad(sum(A.mix(x, plan).narrow(0, 0, 1)), [x])
    assert.deepEqual(Array.from((await g.data()) as Float32Array), [0.75, 0.75, 0.25, 0.25])
    const loss = A.mixedLoss((t) => sum(t.to('f32')), tensor(Int32Array.from([2, 4])), plan)
    assert.equal(await loss.item(), 6)
    assert.throws(() => A.mix(tensor([1, 2, 3]), plan), /expected 2 examples/)
  })

  test('shares follow the beta distribution', () => {
    const random = seeded(7)
    for (const [a, b] of [
      [0.2, 0.2],
      [2, 5],
    ]) {
      const drawn = Array.from({ length: 20_000 }, () => A.beta(a, b, random))
      const mean = drawn.reduce((s, v) => s + v, 0) / drawn.length
      const spread = drawn.reduce((s, v) => s + (v - mean) ** 2, 0) / drawn.length
      assert.ok(Math.abs(mean - a / (a + b)) < 0.01, `mean ${mean}`)
      assert.ok(Math.abs(spread - (a * b) / ((a + b) ** 2 * (a + b + 1))) < 0.005, `variance ${spread}`)
    }
    for (let i = 0; i < 50; i++) assert.ok(A.mixPlan(4, 0.3, random).share >= 0.5)
    assert.throws(() => A.mixPlan(4, 0, random), /alpha must be positive/)
  })
})

test('rows are followed by their copies, which differ from them', async () => {
  const rows = [
    { text: TEXT, label: 1 },
    { text: 'ok', label: 0 },
  ]
  const augment = A.inSequence(
    A.sometimes(1, A.eda({ synonyms })),
    A.backTranslation(
      (text) => `<${text}>`,
      (text) => text.slice(1, -1),
    ),
  )
  const out = await A.expandRows(rows, 4, augment, seeded(1), {
    get: (row) => row.text,
    set: (row, text) => ({ ...row, text }),
  })
  assert.equal(out[0], rows[0])
  const copies = out.filter(({ label }) => label === 1)
  assert.ok(copies.length >= 4 && new Set(copies.map(({ text }) => text)).size === copies.length)
})
