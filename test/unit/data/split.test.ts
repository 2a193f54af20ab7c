import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fnv1a32, fromGenerator, fromItems, split, splitByHash } from '../../../src/data/index.js'

const rows = fromItems(Array.from({ length: 100 }, (_, i) => i))

test('FNV-1a-32 of known texts', () => {
  // From the test vectors in the FNV draft's appendix.
  assert.equal(fnv1a32(''), 0x811c9dc5)
  assert.equal(fnv1a32('a'), 0xe40c292c)
  assert.equal(fnv1a32('foobar'), 0xbf9cf968)
})

test('split divides in order, or at random by a seed', async () => {
  const { train, validation } = split(rows, { train: 0.9, validation: 0.1 })
  assert.deepEqual([train.length, validation.length], [90, 10])
  assert.equal(await validation.first(), 90)
  const random = split(rows, { a: 0.5, b: 0.5 }, { seed: 4 })
  const a = await random.a.toArray()
  assert.deepEqual(await random.a.toArray({ epoch: 3 }), a)
  assert.deepEqual(
    [...a, ...(await random.b.toArray())].sort((x, y) => x - y),
    await rows.toArray(),
  )
  assert.notDeepEqual(
    a,
    Array.from({ length: 50 }, (_, i) => i),
  )
  assert.throws(() => split(rows, { a: 0.9, b: 0.2 }), /sum up to at most 1/)
  assert.throws(() => split(fromItems([1]), { a: 0.9, b: 0.1 }), /part "b" \(0.1\) of 1 rows would be empty/)
})

test('parts of shuffled data keep their rows in every epoch', async () => {
  const { train, test: held } = split(rows.shuffle({ seed: 1 }), { train: 0.8, test: 0.2 })
  const seen = new Set([...(await train.toArray({ epoch: 0 })), ...(await train.toArray({ epoch: 5 }))])
  for (const row of await held.toArray({ epoch: 9 })) assert.ok(!seen.has(row))
})

test('a hash decides the part by the key alone', async () => {
  const texts = fromItems(Array.from({ length: 1000 }, (_, i) => ({ text: `行${i % 500}` })))
  const parts = await splitByHash(texts, ({ text }) => text, {
    buckets: 10,
    parts: { test: 0, validation: [1], train: 'rest' },
  })
  assert.equal(parts.test.length! + parts.validation.length! + parts.train.length!, 1000)
  for (const { text } of await parts.test.toArray()) assert.equal(fnv1a32(text) % 10, 0)
  for (const { text } of await parts.validation.toArray()) assert.equal(fnv1a32(text) % 10, 1)
  const bad = { buckets: 10, parts: { a: 10 } }
  await assert.rejects(
    splitByHash(texts, ({ text }) => text, bad),
    /expected buckets of 0 to 9, got 10/,
  )
  const twice = { buckets: 10, parts: { a: 1, b: [1] } }
  await assert.rejects(
    splitByHash(texts, ({ text }) => text, twice),
    /bucket 1 is in "a" and "b"/,
  )
})

test('streams must be loaded before they are split', async () => {
  const stream = fromGenerator(() => [1, 2, 3, 4])
  assert.throws(() => split(stream, { a: 0.5 }), /split needs rows reachable by index: .* load\(\)/)
  assert.deepEqual(await split(await stream.load(), { a: 0.5 }).a.toArray(), [1, 2])
})
