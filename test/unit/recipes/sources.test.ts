import '../../../src/node.js'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ImageSource } from '../../../src/recipes/image-source.js'
import { classificationLoss } from '../../../src/recipes/loss.js'
import { optimizerFor } from '../../../src/recipes/optimizer.js'
import { TextSource } from '../../../src/recipes/text-source.js'
import { WindowSource } from '../../../src/recipes/window-source.js'
import { tensor } from '../../../src/tensor/index.js'
import type { Batch, EpochSource } from '../../../src/train/index.js'

interface Seen {
  readonly shape: readonly number[]
  readonly x: readonly number[]
  readonly y: readonly number[]
  readonly size: number
}

async function batchesOf(source: EpochSource, epoch: number, start = 0): Promise<Seen[]> {
  const seen: Seen[] = []
  for await (const { x, y, size } of source.epoch(epoch, start) as AsyncIterable<Batch>)
    seen.push({
      shape: x[0].shape,
      x: Array.from((await x[0].data()) as Float32Array),
      y: Array.from((await y[0].data()) as Int32Array),
      size,
    })
  return seen
}

/** A source can go on at any batch, repeats an epoch, and gives another one the next time. */
async function checkResumes(source: EpochSource): Promise<void> {
  const whole = await batchesOf(source, 3)
  assert.equal(whole.length, source.batches)
  assert.deepEqual(await batchesOf(source, 3), whole)
  assert.notDeepEqual(await batchesOf(source, 4), whole)
  for (let start = 0; start <= whole.length; start++)
    assert.deepEqual(await batchesOf(source, 3, start), whole.slice(start), `from batch ${start}`)
}

const rows = Array.from({ length: 23 }, (_, i) => ({
  ids: Int32Array.from({ length: 1 + ((i * 7) % 40) }, (_, k) => 2 + ((i + k) % 9)),
  label: i % 3,
}))

describe('texts', () => {
  it('come in batches of one padded length, each once', async () => {
    const source = new TextSource(rows, { batchSize: 4, shuffleSeed: 5, characterDropout: 0 })
    const seen = await batchesOf(source, 0)
    assert.equal(
      seen.reduce((sum, { size }) => sum + size, 0),
      rows.length,
    )
    for (const { shape } of seen) assert.equal(shape[1] % 16, 0)
    const texts = seen.flatMap(({ x, shape, size }) =>
      Array.from({ length: size }, (_, i) =>
        x
          .slice(i * shape[1], (i + 1) * shape[1])
          .filter((id) => id !== 0)
          .join(),
      ),
    )
    assert.deepEqual(texts.sort(), rows.map(({ ids }) => ids.join()).sort())
    await checkResumes(source)
  })

  it('lose characters while training, other ones each epoch, never padding', async () => {
    const options = { batchSize: 4, characterDropout: 0.5 }
    const source = new TextSource(rows, { ...options, shuffleSeed: 5 })
    const unknown = (await batchesOf(source, 0)).flatMap(({ x }) => x).filter((id) => id === 1).length
    const characters = rows.reduce((sum, { ids }) => sum + ids.length, 0)
    assert.ok(Math.abs(unknown / characters - 0.5) < 0.1, `${unknown} of ${characters}`)
    await checkResumes(source)
    const ordered = new TextSource(rows, { ...options, shuffleSeed: null })
    assert.ok(!(await batchesOf(ordered, 0)).flatMap(({ x }) => x).includes(1))
  })

  it('that are not there are an error', () => {
    assert.throws(
      () => new TextSource([], { batchSize: 4, shuffleSeed: null, characterDropout: 0 }),
      /there is no data/,
    )
  })
})

describe('windows of a text', () => {
  const ids = Int32Array.from({ length: 1004 }, (_, i) => i)

  it('cover every character once, in order, for evaluation', async () => {
    const source = new WindowSource(ids, { batchSize: 4, length: 50, shuffleSeed: null })
    const seen = await batchesOf(source, 0)
    assert.deepEqual(
      seen.flatMap(({ x }) => x),
      Array.from(ids.subarray(0, 1003)),
    )
    assert.deepEqual(
      seen.flatMap(({ y }) => y),
      Array.from(ids.subarray(1)),
    )
    assert.ok(Math.abs(seen.reduce((sum, { size }) => sum + size, 0) * 50 - 1003) < 1e-9)
    assert.equal(seen.length, source.batches)
  })

  it('are shuffled for training, and resume', async () => {
    const source = new WindowSource(ids, { batchSize: 4, length: 50, shuffleSeed: 1 })
    for (const { x, y, shape } of await batchesOf(source, 0)) {
      assert.deepEqual(shape, [4, 50])
      assert.deepEqual(
        y,
        x.map((id) => id + 1),
      )
    }
    await checkResumes(source)
  })

  it('need a text longer than a window', () => {
    assert.throws(
      () => new WindowSource(ids.subarray(0, 50), { batchSize: 1, length: 50, shuffleSeed: 1 }),
      /has 50 characters, .* at least 51/,
    )
  })
})

describe('images', () => {
  const count = 10
  const images = {
    dtype: 'u8',
    shape: [count, 3, 2],
    data: Uint8Array.from({ length: count * 6 }, (_, i) => i),
  } as const
  const data = { images, labels: Int32Array.from({ length: count }, (_, i) => i % 2) }
  const plain = { batchSize: 4, shuffleSeed: null, rescale: 0.5, flip: false, shift: 0 }

  it('are rescaled and keep their order for evaluation', async () => {
    const [first] = await batchesOf(new ImageSource(data, 2, 10, { ...plain, flip: true, shift: 1 }), 0)
    assert.deepEqual(first.shape, [4, 3, 2, 1])
    assert.deepEqual(first.x.slice(0, 6), [6, 6.5, 7, 7.5, 8, 8.5])
    assert.deepEqual(first.y, [0, 1, 0, 1])
  })

  it('are mirrored and moved for training, and resume', async () => {
    const mirrored = await batchesOf(new ImageSource(data, 0, 10, { ...plain, shuffleSeed: 2, flip: true }), 0)
    const pairs = mirrored.flatMap(({ x }) => Array.from({ length: x.length / 2 }, (_, i) => x[2 * i + 1] - x[2 * i]))
    assert.deepEqual(new Set(pairs), new Set([0.5, -0.5]))
    await checkResumes(new ImageSource(data, 0, 10, { ...plain, shuffleSeed: 2, flip: true, shift: 1 }))
  })
})

describe('the loss of recipes', () => {
  it('is the cross-entropy, with smoothing between it and the mean over classes', async () => {
    const logits = tensor([
      [
        [1, 2, 4],
        [0, 0, 1],
      ],
    ])
    const labels = tensor(Int32Array.from([2, 0]), { shape: [1, 2] })
    const logp = [
      [1, 2, 4],
      [0, 0, 1],
    ].map((row) => {
      const total = Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0))
      return row.map((value) => value - total)
    })
    const expected = [logp[0][2], logp[1][0]].map(
      (hit, i) => -(0.9 * hit + (0.1 / 3) * logp[i].reduce((a, b) => a + b, 0)),
    )
    const losses = classificationLoss(0.1)(labels, logits)
    assert.deepEqual(losses.shape, [1, 2])
    for (const [i, value] of Array.from((await losses.data()) as Float32Array).entries())
      assert.ok(Math.abs(value - expected[i]) < 1e-6)
  })
})

describe('the learning rate of recipes', () => {
  const rates = (schedule: object): number[] => {
    const spec = { name: 'adam', learningRate: 1, schedule } as Parameters<typeof optimizerFor>[0]
    const optimizer = optimizerFor(spec, 10)
    return Array.from({ length: 11 }, (_, step) => {
      optimizer.iterations = step
      return Number(optimizer.learningRate.toFixed(6))
    })
  }

  it('warms up and falls', () => {
    assert.deepEqual(
      rates({ type: 'linear', warmupSteps: 2, finalFactor: 0.2 }),
      [0.5, 1, 1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2],
    )
    const cosine = rates({ type: 'cosine', warmupSteps: 0, finalFactor: 0 })
    assert.deepEqual([cosine[0], cosine[5], cosine[10]], [1, 0.5, 0])
    assert.deepEqual(new Set(rates({ type: 'constant' })), new Set([1]))
  })
})
