import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  arange,
  at,
  embedding,
  embeddingBag,
  gather,
  grad,
  indexAdd,
  indexPut,
  jit,
  maskedScatter,
  maskedSelect,
  nonzero,
  nonzeroUpTo,
  oneHot,
  repeatInterleave,
  scatter,
  scatterAdd,
  scatterReduce,
  setAt,
  slice,
  square,
  sum,
  take,
  takeAlongDim,
  tensor,
  unique,
} from '../../../src/tensor/index.js'
import { assertValues } from './helpers.js'

const grid = () => arange(12).reshape(3, 4)
const ints = (values: readonly (number | readonly number[])[]) => tensor(values as number[], { dtype: 'i32' })

const part = fc.option(fc.integer({ min: -7, max: 7 }))
const step = fc.option(fc.integer({ min: -3, max: 3 }).filter((n) => n !== 0))

/** Python's range of start:end:step over `extent`, by its definition in the language reference. */
function pythonSlice(extent: number, start: number | null, end: number | null, by: number | null): number[] {
  const stride = by ?? 1
  const bound = (value: number | null, fallback: number): number => {
    if (value === null) return fallback
    const moved = value < 0 ? value + extent : value
    return stride > 0 ? Math.min(Math.max(moved, 0), extent) : Math.min(Math.max(moved, -1), extent - 1)
  }
  const [from, to] = stride > 0 ? [bound(start, 0), bound(end, extent)] : [bound(start, extent - 1), bound(end, -1)]
  const places: number[] = []
  for (let i = from; stride > 0 ? i < to : i > to; i += stride) places.push(i)
  return places
}

test('ranges read what Python slices read', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 6 }), part, part, step, async (extent, start, end, by) => {
      const x = arange(extent)
      const expected = pythonSlice(extent, start, end, by)
      assert.deepEqual([...(await at(x, [start, end, by]).data())], expected)
      const text = `${start ?? ''}:${end ?? ''}:${by ?? ''}`
      assert.deepEqual([...(await at(x, text).data())], expected)
    }),
    { numRuns: 80 },
  )
})

test('numbers, ranges, text, new dimensions and ellipses', async () => {
  const x = grid()
  await assertValues(x.at(-1), [8, 9, 10, 11])
  await assertValues(x.at(1, 2), 6)
  await assertValues(x.at('1:, ::2'), [
    [4, 6],
    [8, 10],
  ])
  await assertValues(x.at('...', 0), [0, 4, 8])
  assert.deepEqual(x.at(null, '...', null).shape, [1, 3, 4, 1])
  await assertValues(x.at('::-1', [0, 2]), [
    [8, 9],
    [4, 5],
    [0, 1],
  ])
  await assertValues(slice(x, [2], [null, null, 3]), [[8, 11]])
  assert.deepEqual(x.at([2, 2]).shape, [0, 4])
})

test('index tensors broadcast, count from the end, and stay in place unless a range parts them', async () => {
  const x = arange(24).reshape(2, 3, 4)
  await assertValues(grid().at(ints([0, -1])), [
    [0, 1, 2, 3],
    [8, 9, 10, 11],
  ])
  await assertValues(grid().at(ints([[0], [2]]), ints([1, 3])), [
    [1, 3],
    [9, 11],
  ])
  assert.deepEqual(x.at(':', ints([0, 2]), ints([1, 1])).shape, [2, 2])
  assert.deepEqual(x.at(ints([0, 1, 1]), ':', ints([1, 1, 0])).shape, [3, 3])
  await assertValues(x.at(ints([0, 1]), '1:2', ints([3, 0])), [[7], [16]])
  await assertValues(x.at(1, '...', ints([0, 3])), [
    [12, 15],
    [16, 19],
    [20, 23],
  ])
})

test('bool masks whose contents are known pick elements; others name the alternative', async () => {
  const x = grid()
  await assertValues(x.at(tensor([true, false, true])), [
    [0, 1, 2, 3],
    [8, 9, 10, 11],
  ])
  const mask = x.gt(9)
  assert.throws(() => x.at(mask), /maskedSelect/)
  await mask.data()
  await assertValues(x.at(mask), [10, 11])
  assert.throws(() => jit((y: typeof x) => y.at(y.gt(1)))(x), /not known yet/)
})

test('bad indices are refused with the tensor and what was asked', () => {
  assert.throws(() => grid().at(3), /index 3 leaves dimension 0 of i32\[3, 4\]/)
  assert.throws(() => grid().at(0, 0, 0), /3 indices for i32\[3, 4\]/)
  assert.throws(() => grid().at('1:x'), /'x' in the index '1:x'/)
  assert.throws(() => grid().at('...', '...'), /only one/)
  assert.throws(() => grid().at(tensor([0.5])), /integer or bool/)
  assert.throws(() => grid().at([0, 2, 0]), /step/)
})

test('an index tensor out of range is an error when it runs', async () => {
  await assert.rejects(
    grid()
      .at(ints([3]))
      .data(),
    /gather/,
  )
})

test('setAt and indexPut write without changing the operand', async () => {
  const x = grid()
  await assertValues(setAt(x, ['1:', 0], -1), [
    [0, 1, 2, 3],
    [-1, 5, 6, 7],
    [-1, 9, 10, 11],
  ])
  await assertValues(setAt(x, [ints([0, 0]), ints([1, 1])], [10, 20], 'add').at(0), [0, 31, 2, 3])
  await assertValues(indexPut(x, [ints([2, 0]), ints([0, 0])], [7, 8]).at(':', 0), [8, 4, 7])
  await assertValues(x.at(0), [0, 1, 2, 3])
})

test('assigning to x[i] names the functional update', () => {
  const x = grid() as unknown as Record<number, number>
  assert.throws(() => {
    x[1] = 5
  }, /setAt\(\[1\], v\)/)
  assert.throws(() => x[0], /x\.at\(0\)/)
})

test('gather, scatter and their kin', async () => {
  const x = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ])
  const i = ints([
    [2, 0],
    [1, 1],
  ])
  await assertValues(gather(x, 1, i), [
    [3, 1],
    [5, 5],
  ])
  await assertValues(takeAlongDim(x, ints([[-1], [0]]), 1), [[3], [4]])
  await assertValues(take(x, ints([[2, 0]]), 1), [[[3, 1]], [[6, 4]]])
  await assertValues(scatter(x, 1, i, 9), [
    [9, 2, 9],
    [4, 9, 6],
  ])
  await assertValues(
    scatterAdd(
      x,
      1,
      i,
      tensor([
        [10, 20],
        [30, 40],
      ]),
    ),
    [
      [21, 2, 13],
      [4, 75, 6],
    ],
  )
  await assertValues(
    scatterReduce(
      x,
      1,
      i,
      tensor([
        [10, 20],
        [30, 40],
      ]),
      'mean',
      { includeSelf: false },
    ),
    [
      [20, 2, 10],
      [4, 35, 6],
    ],
  )
  await assertValues(
    scatterReduce(
      x,
      1,
      i,
      tensor([
        [10, 0],
        [3, 4],
      ]),
      'amax',
    ),
    [
      [1, 2, 10],
      [4, 5, 6],
    ],
  )
  await assertValues(
    indexAdd(
      x,
      1,
      [0, 0],
      tensor([
        [1, 2],
        [3, 4],
      ]),
    ),
    [
      [4, 2, 3],
      [11, 5, 6],
    ],
  )
  await assertValues(
    maskedScatter(
      x,
      tensor([
        [true, false, true],
        [false, true, false],
      ]),
      [7, 8, 9],
    ),
    [
      [7, 2, 8],
      [4, 9, 6],
    ],
  )
  assert.throws(() => gather(x, 1, ints([1])), /needs the rank of f32\[2, 3\]/)
  assert.throws(() => gather(x, 1, tensor([[0.5]])), /indices must be integers.*to\('i32'\)/)
})

test('lookups and one-hot vectors', async () => {
  const table = tensor([
    [1, 1],
    [2, 2],
    [3, 3],
  ])
  await assertValues(embedding([[0, 2]], table), [
    [
      [1, 1],
      [3, 3],
    ],
  ])
  const [g] = grad(sum(square(embedding([0, 0, 1], table, { paddingIdx: 1 }))), [table])
  await assertValues(g, [
    [4, 4],
    [0, 0],
    [0, 0],
  ])
  await assertValues(embeddingBag([0, 2, 2], table, { offsets: [0, 1, 1], mode: 'sum' }), [
    [1, 1],
    [0, 0],
    [6, 6],
  ])
  await assertValues(oneHot([2, 0], 3), [
    [0, 0, 1],
    [1, 0, 0],
  ])
  await assertValues(repeatInterleave(tensor([5, 6]), [2, 1], 0), [5, 5, 6])
})

test('results whose shape depends on the data', async () => {
  const x = tensor([
    [0, 3],
    [Number.NaN, 0],
  ])
  await assertValues(await nonzero(x), [
    [0, 1],
    [1, 0],
  ])
  const y = tensor([1, 2, 3, 4])
  const selected = await maskedSelect(y, y.gt(2))
  await assertValues(grad(sum(square(selected)), [y])[0], [0, 0, 6, 8])
  const { values, inverse, counts } = await unique(tensor([3n, -1n, 3n]))
  await assertValues(values, [-1, 3])
  await assertValues(inverse, [1, 0, 1])
  await assertValues(counts, [1, 2])
  const { indices, count } = jit((z: typeof x) => nonzeroUpTo(z, 3))(
    tensor([
      [1, 0],
      [1, 1],
    ]),
  )
  await assertValues(indices, [
    [0, 0],
    [1, 0],
    [1, 1],
  ])
  await assertValues(count, 3)
})
