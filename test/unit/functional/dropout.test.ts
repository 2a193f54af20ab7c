import assert from 'node:assert/strict'
import { afterEach, before, test } from 'node:test'
import { createInterpreterBackend } from '../../../src/backends/interpreter/index.js'
import { liveBytes, setBackend } from '../../../src/runtime/index.js'
import * as F from '../../../src/tensor/functional/index.js'
import { ones, zeros } from '../../../src/tensor/ops/index.js'
import { seed } from '../../../src/tensor/random.js'
import type { Tensor } from '../../../src/tensor/tensor.js'

before(() => {
  setBackend(createInterpreterBackend())
})
// The keys of draws, 8 bytes each, wait for the garbage collector.
const held = liveBytes() + 1024
afterEach(() => assert.ok(liveBytes() <= held, 'tensors left behind'))

async function draw(f: () => Tensor): Promise<number[]> {
  seed(5)
  const y = f()
  const values = Array.from(await y.data(), Number)
  y.dispose()
  return values
}

const COUNT = 20_000
const mean = (values: number[]): number => values.reduce((a, b) => a + b) / values.length
const variance = (values: number[]): number => mean(values.map((v) => (v - mean(values)) ** 2))

test('dropout keeps the mean, drops the right share, and repeats after a seed', async () => {
  const once = await draw(() => F.dropout(ones([COUNT]), { p: 0.25 }))
  assert.deepEqual([...new Set(once)].sort(), [0, Math.fround(1 / 0.75)])
  assert.ok(Math.abs(once.filter((v) => v === 0).length / COUNT - 0.25) < 0.02)
  assert.deepEqual(await draw(() => F.dropout(ones([COUNT]), { p: 0.25 })), once)
})

test('nothing is dropped outside of training, everything at p = 1', async () => {
  assert.deepEqual(await draw(() => F.dropout(ones([4]), { training: false })), [1, 1, 1, 1])
  assert.deepEqual(await draw(() => F.dropout(ones([4]), { p: 1 })), [0, 0, 0, 0])
  assert.throws(() => F.dropout([1], { p: 1.5 }), /dropout: a probability lies in \[0, 1\], got 1.5/)
})

test('whole channels are dropped, in both layouts', async () => {
  const first = await draw(() => F.channelDropout(ones([3, 5, 4])))
  for (let i = 0; i < first.length; i += 4) assert.equal(new Set(first.slice(i, i + 4)).size, 1)
  const last = await draw(() => F.channelDropout(ones([1, 4, 5]), { layout: 'channelsLast' }))
  for (let i = 5; i < last.length; i++) assert.equal(last[i], last[i - 5])
})

test('alpha dropout keeps mean 0 and variance 1', async () => {
  seed(3)
  const values = await draw(() => F.alphaDropout(F.gaussianNoise(zeros([COUNT]), 1), { p: 0.3 }))
  assert.ok(Math.abs(mean(values)) < 0.03)
  assert.ok(Math.abs(variance(values) - 1) < 0.05)
})

test('gaussian noise and dropout have the variance they promise', async () => {
  const noise = await draw(() => F.gaussianNoise(ones([COUNT]), 0.5))
  assert.ok(Math.abs(mean(noise) - 1) < 0.02 && Math.abs(variance(noise) - 0.25) < 0.02)
  const scaled = await draw(() => F.gaussianDropout(ones([COUNT]), { p: 0.2 }))
  assert.ok(Math.abs(mean(scaled) - 1) < 0.02 && Math.abs(variance(scaled) - 0.25) < 0.02)
})
