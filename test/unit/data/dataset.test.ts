import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  concat,
  DataError,
  type Dataset,
  fromArrays,
  fromGenerator,
  fromItems,
  fromWindows,
} from '../../../src/data/index.js'
import type { HostArray } from '../../../src/formats/host-array.js'

const numbers = (count: number) => fromItems(Array.from({ length: count }, (_, i) => i))
/** The same items without access by index. */
const stream = (count: number) =>
  fromGenerator(
    function* () {
      for (let i = 0; i < count; i++) yield i
    },
    { length: count },
  )
/** The same items, each after a wait. */
const slow = (count: number) =>
  fromGenerator(async function* () {
    for (let i = 0; i < count; i++) {
      await new Promise((done) => setImmediate(done))
      yield i
    }
  })

const sorted = (items: readonly number[]) => [...items].sort((a, b) => a - b)
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

test('stages give the same items with and without access by index', async () => {
  for (const make of [numbers, stream, slow]) {
    assert.deepEqual(
      await make(5)
        .map((x) => x * 2)
        .toArray(),
      [0, 2, 4, 6, 8],
    )
    assert.deepEqual(
      await make(9)
        .filter((x) => x % 3 === 0)
        .toArray(),
      [0, 3, 6],
    )
    assert.deepEqual(
      await make(9)
        .filter(async (x) => x > 6)
        .toArray(),
      [7, 8],
    )
    assert.deepEqual(await make(9).skip(2).take(3).toArray(), [2, 3, 4])
    assert.deepEqual(await make(2).skip(5).toArray(), [])
    assert.deepEqual(await make(3).repeat(2).toArray(), [0, 1, 2, 0, 1, 2])
    assert.deepEqual(await make(3).repeat().take(7).toArray(), [0, 1, 2, 0, 1, 2, 0])
    assert.deepEqual(await concat(make(2), make(0), make(3)).toArray(), [0, 1, 0, 1, 2])
    assert.deepEqual(await make(7).prefetch(3).toArray(), range(0, 7))
    assert.deepEqual(await make(4).cache().toArray(), range(0, 4))
  }
})

test('lengths are known where they can be', () => {
  assert.equal(numbers(7).batch(3).length, 3)
  assert.equal(numbers(7).batch(3, { dropLast: true }).length, 2)
  assert.equal(numbers(7).skip(2).take(9).length, 5)
  assert.equal(numbers(7).repeat(3).length, 21)
  assert.equal(numbers(7).repeat().length, Number.POSITIVE_INFINITY)
  assert.equal(concat(numbers(2), stream(3)).length, 5)
  assert.equal(numbers(7).filter(() => true).length, undefined)
  assert.equal(slow(3).length, undefined)
})

test('a shuffle is a permutation, fixed by seed and epoch', async () => {
  const data = numbers(100).shuffle({ seed: 7 })
  const first = await data.toArray({ epoch: 0 })
  assert.deepEqual(sorted(first), range(0, 100))
  assert.notDeepEqual(first, range(0, 100))
  assert.deepEqual(await data.toArray({ epoch: 0 }), first)
  assert.notDeepEqual(await data.toArray({ epoch: 1 }), first)
  assert.notDeepEqual(await numbers(100).shuffle({ seed: 8 }).toArray(), first)
})

test('streams are shuffled through a buffer or whole', async () => {
  for (const bufferSize of [1, 10, undefined]) {
    const data = slow(50).shuffle({ seed: 3, bufferSize })
    const items = await data.toArray({ epoch: 2 })
    assert.deepEqual(sorted(items), range(0, 50))
    assert.deepEqual(await data.toArray({ epoch: 2 }), items)
    if (bufferSize === 1) assert.deepEqual(items, range(0, 50))
    else assert.notDeepEqual(items, range(0, 50))
  }
})

test('permutations are uniform', async () => {
  const counts = new Map<string, number>()
  for (let epoch = 0; epoch < 6000; epoch++) {
    const key = (await numbers(3).shuffle().toArray({ epoch })).join('')
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  assert.equal(counts.size, 6)
  const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)
  assert.ok(chiSquare < 25, `chi-square ${chiSquare} with 5 degrees of freedom`)
})

type Stage = (data: Dataset<number>) => Dataset<number>
const stages: Record<string, Stage> = {
  map: (data) => data.map((x, { random }) => x + Math.floor(random() * 1000) * 1000),
  filter: (data) => data.filter((x) => x % 3 !== 1),
  skip: (data) => data.skip(2),
  take: (data) => data.take(17),
  shuffle: (data) => data.shuffle({ seed: 5 }),
  buffer: (data) => data.shuffle({ seed: 6, bufferSize: 4 }),
  repeat: (data) => data.repeat(2),
  concat: (data) => concat(data, numbers(3)),
  prefetch: (data) => data.prefetch(3),
  cache: (data) => data.cache(),
  batch: (data) => data.batch(3).map(({ data }) => Number(data[0]) + 10 * data.length),
  bucket: (data) =>
    data
      .map((x) => ({ a: Array.from({ length: (x % 4) + 1 }, () => x) }))
      .bucketByLength([2, 4], 2, ({ a }) => a.length)
      .map(({ a }) => Number(a.data[0])),
}

test('a pass stopped anywhere continues with exactly the items that were left', async () => {
  const names = fc.array(fc.constantFrom(...Object.keys(stages)), { maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(
      names,
      fc.constantFrom(numbers, stream, slow),
      fc.nat(25),
      fc.nat(3),
      async (chosen, make, stop, epoch) => {
        const build = () => chosen.reduce((data, name) => stages[name](data), make(20) as Dataset<number>)
        const whole = await build().toArray({ epoch })
        const iterator = build().iterate({ epoch })
        const before: number[] = []
        while (before.length < stop) {
          const { done, value } = await iterator.next()
          if (done) break
          before.push(value)
        }
        const state = JSON.parse(JSON.stringify(iterator.state()))
        await iterator.return()
        if (state.epoch === epoch) assert.deepEqual([...before, ...(await build().toArray({ state }))], whole)
        else assert.deepEqual([before, state.position], [whole, null])
      },
    ),
    { numRuns: 300 },
  )
})

test('for await counts epochs; state and restore continue in a new process', async () => {
  const build = () => numbers(10).shuffle({ seed: 1 }).batch(3)
  const read = async (data: Dataset<HostArray>, limit = 99) => {
    const seen: number[] = []
    if (limit === 0) return seen
    for await (const batch of data) {
      seen.push(...Array.from(batch.data, Number))
      if (--limit === 0) break
    }
    return seen
  }
  const data = build()
  const epochs = [await read(data), await read(data)]
  assert.notDeepEqual(epochs[0], epochs[1])
  const stopped = build()
  await read(stopped)
  const head = await read(stopped, 2)
  const resumed = build()
  resumed.restore(JSON.parse(JSON.stringify(stopped.state())))
  assert.deepEqual(resumed.state(), stopped.state())
  assert.deepEqual([...head, ...(await read(resumed))], epochs[1])
  assert.deepEqual(
    await read(resumed),
    await build()
      .iterate({ epoch: 2 })
      .next()
      .then(() => read2(build(), 2)),
  )
  assert.deepEqual(resumed.state(), { version: 1, epoch: 3, position: null })
})

const read2 = async (data: Dataset<HostArray>, epoch: number) =>
  (await data.toArray({ epoch })).flatMap((batch) => Array.from(batch.data, Number))

test('a state of other data or another pipeline is refused', async () => {
  const iterator = numbers(10).iterate()
  await iterator.next()
  const state = iterator.state()
  await assert.rejects(async () => numbers(9).toArray({ state }), /taken at 1 of 10 items, this data has 9/)
  await assert.rejects(async () => stream(10).toArray({ state }), /expected one of stage "stream", got \{"op":"rows"/)
  const wrong = { version: 2, epoch: 0, position: null }
  assert.throws(() => numbers(1).restore(JSON.parse(JSON.stringify(wrong))), /expected \{version: 1, epoch, position\}/)
  const past = { version: 1, epoch: 0, position: { op: 'stream', index: 50 } } as const
  await assert.rejects(stream(10).toArray({ state: past }), /item 50 lies past the end, there are 10 items/)
})

test('errors name the item', async () => {
  const fail = (x: number) => {
    if (x === 3) throw new Error('boom')
    return x
  }
  for (const make of [numbers, stream, slow]) {
    await assert.rejects(make(5).map(fail).toArray(), /^DataError: item 3: map function: boom$/)
    await assert.rejects(
      make(5)
        .map(async (x) => fail(x))
        .prefetch(2)
        .toArray(),
      /item 3: map function: boom/,
    )
    await assert.rejects(
      make(5)
        .filter((x) => fail(x) > 0)
        .toArray(),
      /item 3: filter function: boom/,
    )
  }
  await assert.rejects(
    fromGenerator(() => {
      throw new Error('no file')
    }).toArray(),
    /no file/,
  )
  await assert.rejects(fromGenerator(() => [1, 2], { length: 3 }).toArray(), /should give 3 items, it gave 2/)
})

test('empty data', async () => {
  await assert.rejects(numbers(0).first('training'), /training needs at least one row, the data has none/)
  await assert.rejects(numbers(0).repeat().toArray(), /the data has no items/)
  assert.deepEqual(await numbers(0).shuffle().batch(3).toArray(), [])
  assert.equal(await slow(0).count(), 0)
})

test('an abort ends a pass at once, even while a source hangs', async () => {
  const stop = new AbortController()
  let ended = false
  const hanging = fromGenerator(async function* ({ signal }) {
    yield 1
    await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()))
    ended = true
  })
  const iterator = hanging.prefetch(2).iterate({ signal: stop.signal })
  assert.equal((await iterator.next()).value, 1)
  setImmediate(() => stop.abort(new Error('stopped by user')))
  await assert.rejects(iterator.next(), /stopped by user/)
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(ended)
  const aborted = AbortSignal.abort(new Error('before'))
  await assert.rejects(numbers(3).toArray({ signal: aborted }), /before/)
})

test('leaving a loop closes the source', async () => {
  let closed = 0
  const source = fromGenerator(function* () {
    try {
      yield 1
      yield 2
    } finally {
      closed++
    }
  })
  for await (const _ of source.map((x) => x).prefetch(1)) break
  assert.equal(closed, 1)
})

test('cache runs what comes before once', async () => {
  for (const make of [numbers, slow]) {
    let calls = 0
    const data = make(4)
      .map((x) => {
        calls++
        return x
      })
      .cache()
    await data.toArray()
    await data.toArray({ epoch: 1 })
    assert.equal(calls, 4)
    assert.equal(data.length, 4)
    assert.deepEqual(sorted(await data.shuffle().toArray()), range(0, 4))
  }
})

test('progress counts items', async () => {
  const seen: number[] = []
  await numbers(4)
    .batch(2)
    .toArray({ onProgress: ({ items, total }) => seen.push(items * 10 + (total ?? 0)) })
  assert.deepEqual(seen, [12, 22])
})

test('arrays give rows that share their memory, and batches that do not', async () => {
  const x: HostArray = { dtype: 'u8', shape: [3, 2], data: Uint8Array.of(1, 2, 3, 4, 5, 6) }
  const data = fromArrays({ x, y: [10, 20, 30] })
  const row = await data.skip(1).first()
  assert.deepEqual(row, {
    x: { dtype: 'u8', shape: [2], data: Uint8Array.of(3, 4) },
    y: { dtype: 'f32', shape: [], data: Float32Array.of(20) },
  })
  assert.equal(row.x.data.buffer, x.data.buffer)
  const batches = await data.batch(2).toArray()
  assert.deepEqual(batches[1], {
    x: { dtype: 'u8', shape: [1, 2], data: Uint8Array.of(5, 6) },
    y: { dtype: 'f32', shape: [1], data: Float32Array.of(30) },
  })
  assert.deepEqual(
    await data.shuffle({ seed: 2 }).batch(2).toArray(),
    await data
      .shuffle({ seed: 2 })
      .map((r) => r)
      .batch(2)
      .toArray(),
  )
  assert.throws(() => fromArrays({ x, y: [1, 2] }), /field "y" has 2 rows, field "x" has 3/)
  assert.throws(() => fromArrays({ x: 3 }), /field "x": expected an array whose first axis counts rows, got a scalar/)
  assert.throws(() => fromArrays({}), DataError)
})

test('windows of a sequence predict the next element', async () => {
  const data = fromWindows(Int32Array.of(0, 1, 2, 3, 4, 5, 6, 7), { length: 3 })
  const [batch, ...rest] = await data.batch(5).toArray()
  assert.equal(rest.length, 0)
  assert.deepEqual(batch.x, { dtype: 'i32', shape: [2, 3], data: Int32Array.of(0, 1, 2, 3, 4, 5) })
  assert.deepEqual(batch.y.data, Int32Array.of(1, 2, 3, 4, 5, 6))
  const dense = fromWindows(Int32Array.of(0, 1, 2, 3, 4), { length: 3, stride: 1 })
  const rows = await dense.toArray()
  assert.deepEqual(
    rows.map(({ x, y }) => [...x.data, ...y.data].join('')),
    ['012123', '123234'],
  )
  assert.throws(() => fromWindows(Int32Array.of(1, 2), { length: 2 }), /need 3 elements, the sequence has 2/)
})

test('prefetch reads ahead while the consumer is busy, and no further than it may', async () => {
  let read = 0
  const iterator = numbers(100)
    .map((x) => ++read + x * 0)
    .prefetch(3)
    .iterate()
  await iterator.next()
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(read, 4)
  await iterator.return()
})

test('a long loop over items at hand lets timers run', async () => {
  let ticks = 0
  const timer = setInterval(() => ticks++, 1)
  let items = 0
  await numbers(40_000)
    .map((x) => x)
    .filter(() => ++items > 0)
    .count()
  clearInterval(timer)
  assert.equal(items, 40_000)
  assert.ok(ticks > 0)
})

test('a state that lacks a part is refused', async () => {
  const state = { version: 1, epoch: 0, position: { op: 'filter', index: 3 } } as const
  await assert.rejects(
    async () =>
      numbers(9)
        .filter(() => true)
        .toArray({ state }),
    /stage "filter" lacks the position/,
  )
})
