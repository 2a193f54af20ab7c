import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromItems, hostArray } from '../../../src/data/index.js'

test('scalars, arrays, strings, objects and tuples are collated by kind', async () => {
  const rows = fromItems([
    {
      n: 1,
      flag: true,
      big: 5n,
      text: 'a',
      vector: [1, 2],
      typed: Int16Array.of(7),
      pair: [hostArray([9]), 'p'] as const,
      words: ['x'],
    },
    {
      n: 2,
      flag: false,
      big: 6n,
      text: 'b',
      vector: [3, 4],
      typed: Int16Array.of(8),
      pair: [hostArray([10]), 'q'] as const,
      words: ['y', 'z'],
    },
  ])
  const batch = await rows.batch(2).first()
  assert.deepEqual(batch as unknown, {
    n: { dtype: 'f32', shape: [2], data: Float32Array.of(1, 2) },
    flag: { dtype: 'bool', shape: [2], data: Uint8Array.of(1, 0) },
    big: { dtype: 'i64', shape: [2], data: BigInt64Array.of(5n, 6n) },
    text: ['a', 'b'],
    vector: { dtype: 'f32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
    typed: { dtype: 'i16', shape: [2, 1], data: Int16Array.of(7, 8) },
    pair: [{ dtype: 'f32', shape: [2, 1], data: Float32Array.of(9, 10) }, ['p', 'q']],
    words: [['x'], ['y', 'z']],
  })
})

test('dtypes can be named, and nothing is rounded silently', async () => {
  const rows = fromItems([{ label: 3, x: 0.5 }])
  const batch = await rows.batch(1, { dtypes: { label: 'i64', x: 'f16' } }).first()
  assert.deepEqual(batch.label.data, BigInt64Array.of(3n))
  assert.deepEqual(batch.x.data, Uint16Array.of(0x3800))
  await assert.rejects(
    rows.batch(1, { dtypes: { x: 'i32' } }).first(),
    /item 0: field "x": i32 holds integers, got 0\.5/,
  )
  await assert.rejects(fromItems([300]).batch(1, { dtypes: 'u8' }).first(), /item 0: u8 holds 0 to 255, got 300/)
})

test('rows that do not fit together are named', async () => {
  const faults: [readonly unknown[], RegExp][] = [
    [[[1, 2], [3]], /item 1: has shape \[1\], the batch's first row has \[2\] \(paddedBatch\(\)/],
    [[{ a: 1 }, { b: 1 }], /item 1: expected the fields a, got b/],
    [[{ a: 1 }, { a: null }], /item 1: field "a": expected numbers, got null/],
    [[{ a: undefined }], /item 0: field "a": cannot make a batch of undefined/],
    [['a', 3], /item 1: expected a string, got 3/],
    [[new Date(0)], /cannot make a batch of Date/],
    [[[[1, 2], [3]]], /item 0: not rectangular: expected 2 entries along axis 1, got 1/],
    [[[1, true]], /item 0: expected a number at every place, got true/],
    [[Int8Array.of(1), Float32Array.of(1)], /item 1: is f32, the batch's first row is i8/],
  ]
  for (const [rows, message] of faults) await assert.rejects(fromItems(rows).batch(2).first(), message)
})

test('padded batches fill up the first axis', async () => {
  const rows = fromItems([
    { ids: [1, 2, 3], y: 1 },
    { ids: [4], y: 0 },
    { ids: [], y: 0 },
  ])
  const batch = await rows.paddedBatch(2, { padValues: { ids: -1 } }).first()
  assert.deepEqual(batch.ids, { dtype: 'f32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, -1, -1) })
  assert.deepEqual(batch.y.shape, [2])
  const rounded = await rows.paddedBatch(3, { multipleOf: 4, dtypes: { ids: 'i32' } }).first()
  assert.deepEqual(rounded.ids, {
    dtype: 'i32',
    shape: [3, 4],
    data: Int32Array.of(1, 2, 3, 0, 4, 0, 0, 0, 0, 0, 0, 0),
  })
  const fixed = await rows.paddedBatch(3, { padTo: { ids: 5 } }).first()
  assert.deepEqual(fixed.ids.shape, [3, 5])
  await assert.rejects(rows.paddedBatch(3, { padTo: 2 }).first(), /item 0: field "ids": is 3 long, padTo is 2/)
})

test('matrices are padded along their first axis only', async () => {
  const rows = fromItems([
    [[1, 2]],
    [
      [3, 4],
      [5, 6],
    ],
  ])
  assert.deepEqual((await rows.paddedBatch(2).first()).data, Float32Array.of(1, 2, 0, 0, 3, 4, 5, 6))
  await assert.rejects(
    fromItems([[[1, 2]], [[1]]])
      .paddedBatch(2)
      .first(),
    /only the first axis may differ/,
  )
})

test('buckets hold rows of similar length and lose none', async () => {
  const lengths = [1, 5, 2, 6, 3, 5, 1, 8, 2]
  const rows = fromItems(lengths.map((length, id) => ({ id, ids: Array.from({ length }, () => id) })))
  const batches = await rows
    .bucketByLength([2, 5, 8], [2, 2, 1], ({ ids }) => ids.length, { padToBoundary: ['ids'] })
    .toArray()
  assert.deepEqual(
    batches.map(({ ids }) => ids.shape),
    [
      [2, 2],
      [1, 8],
      [2, 5],
      [1, 8],
      [2, 2],
      [1, 5],
    ],
  )
  assert.deepEqual(batches.flatMap(({ id }) => Array.from(id.data, Number)).sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8])
  const full = rows.bucketByLength([2, 5, 8], 2, ({ ids }) => ids.length, { dropLast: true })
  assert.ok((await full.toArray()).every(({ id }) => id.shape[0] === 2))
  await assert.rejects(
    rows.bucketByLength([2, 5], 2, ({ ids }) => ids.length).toArray(),
    /item 3: is 6 long, the last boundary is 5/,
  )
  assert.throws(() => rows.bucketByLength([5, 2], 2, () => 1), /ascending positive integers, got \[5,2\]/)
})

test('sizes are checked where the stage is made', () => {
  assert.throws(() => fromItems([1]).batch(0), /batch size should be a positive integer, got 0/)
  assert.throws(() => fromItems([1]).take(-1), /take takes a count of items, got -1/)
  assert.throws(() => fromItems([1]).shuffle({ seed: 0.5 }), /a seed should be an integer, got 0\.5/)
  assert.throws(() => fromItems([1]).prefetch(0), /prefetch takes a positive count/)
})
