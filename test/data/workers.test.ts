import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromArrays, fromItems } from '../../src/data/index.js'

const module = new URL('./fixtures/worker-map.mjs', import.meta.url)
const numbers = (count: number) => fromItems(Array.from({ length: count }, (_, i) => i))

test('items are mapped in order, and rows of arrays travel without the rest of the array', async () => {
  const data = fromArrays({ v: { dtype: 'u8', shape: [50, 4], data: Uint8Array.from({ length: 200 }, (_, i) => i) } })
    .map(({ v }, { index }) => ({ x: index, data: v.data as Uint8Array }))
    .mapInWorkers<{ x: number; sum: number; bytes: number }>(module, { workers: 2 })
  const items = await data.toArray()
  assert.equal(data.length, 50)
  assert.deepEqual(
    items.map(({ x }) => x),
    Array.from({ length: 50 }, (_, i) => 2 * i),
  )
  assert.equal(items[3].sum, 12 + 13 + 14 + 15)
  assert.equal(items[3].bytes, 4)
})

test('results keep their order whatever each takes', async () => {
  const waits = [40, 1, 20, 1, 1]
  const data = fromItems(waits).mapInWorkers<number>(module, { workers: 2, exportName: 'wait' })
  assert.deepEqual(await data.toArray(), waits)
})

test('a pass through workers continues where it stopped', async () => {
  const build = () =>
    numbers(20).shuffle({ seed: 2 }).mapInWorkers<string>(module, { workers: 2, exportName: 'seeds', seed: 9 })
  const whole = await build().toArray({ epoch: 1 })
  assert.equal(new Set(whole).size, 20)
  const iterator = build().iterate({ epoch: 1 })
  const head = [(await iterator.next()).value, (await iterator.next()).value, (await iterator.next()).value]
  const state = iterator.state()
  await iterator.return()
  assert.deepEqual([...head, ...(await build().toArray({ state }))], whole)
})

test('errors name the item and the function', async () => {
  const failing = numbers(9).mapInWorkers<number>(module, { workers: 2, exportName: 'fail' })
  await assert.rejects(failing.toArray(), /item 3: function "fail" of file:.*worker-map\.mjs: three is too many/)
  const missing = numbers(2).mapInWorkers(module, { workers: 1, exportName: 'nothing' })
  await assert.rejects(missing.toArray(), /item 0: .*expected it to export a function "nothing", got undefined/)
  await assert.rejects(numbers(1).mapInWorkers('./no-such-module.mjs').toArray(), /item 0: .*no-such-module\.mjs/)
  await assert.rejects(numbers(1).mapInWorkers(module, { exportName: 'closure' }).toArray(), /could not be cloned/)
  await assert.rejects(
    numbers(5).mapInWorkers(module, { workers: 2, exportName: 'die' }).toArray(),
    /the worker ended \(exit code 7\)/,
  )
  await assert.rejects(
    numbers(1).mapInWorkers(module, { workers: 0 }).toArray(),
    /workers should be a positive integer, got 0/,
  )
})

// The test would not end if a worker were left running: its timers would keep the process alive.
test('an abort ends hanging workers', async () => {
  const stop = new AbortController()
  const iterator = numbers(5).mapInWorkers(module, { workers: 2, exportName: 'hang' }).iterate({ signal: stop.signal })
  setTimeout(() => stop.abort(new Error('enough')), 50)
  await assert.rejects(iterator.next(), /enough/)
})
