import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import '../../../src/node.js'
import { setBackend } from '../../../src/runtime/index.js'
import * as F from '../../../src/tensor/functional/index.js'
import { grad, jit, sum, type Tensor, tensor } from '../../../src/tensor/index.js'
import { assertClose, checkGrad, of } from './helpers.js'

before(() => {
  setBackend('interpreter')
})

const boxes = (rows: number[][]): Tensor => tensor(rows.flat(), { shape: [rows.length, 4] })
const list = async (x: Tensor): Promise<number[]> => Array.from((await x.data()) as ArrayLike<number>)

const THREE = boxes([
  [0, 0, 10, 10],
  [1, 1, 11, 11],
  [20, 20, 30, 30],
])

describe('suppression', () => {
  test('keeps the best of what overlaps, best first', async () => {
    const scores = tensor([0.5, 0.9, 0.7])
    assert.deepEqual(await list(await F.nms(THREE, scores, 0.5)), [1, 2])
    assert.deepEqual(await list(await F.nms(THREE, scores, 0.9)), [1, 2, 0])
    assert.deepEqual(await list(await F.nms(boxes([]), tensor([]), 0.5)), [])
  })

  test('an overlap of exactly the threshold is kept', async () => {
    const pair = boxes([
      [0, 0, 2, 1],
      [1, 0, 2, 1],
    ])
    assert.deepEqual(await list(await F.nms(pair, tensor([1, 0.5]), 0.5)), [0, 1])
  })

  test('classes do not suppress one another', async () => {
    const kept = await F.batchedNms(THREE, tensor([0.5, 0.9, 0.7]), tensor(Int32Array.from([0, 1, 0])), 0.5)
    assert.deepEqual(await list(kept), [1, 2, 0])
  })

  test('within a compiled function the number of boxes is bounded', async () => {
    const keep = jit((b: Tensor, s: Tensor) => F.nmsUpTo(b, s, 0.5, 3))
    const { indices, count } = keep(THREE, tensor([0.5, 0.9, 0.7]))
    assert.deepEqual(await list(indices), [1, 2, -1])
    assert.equal(await count.item(), 2)
  })

  test('shapes are checked', async () => {
    await assert.rejects(F.nms(tensor([1, 2, 3]), tensor([1]), 0.5), /expected boxes \[N, 4\]/)
    assert.throws(() => F.roiAlign(tensor([1]), tensor([1]), 2), /expected features \[N, C, H, W\]/)
  })
})

describe('regions', () => {
  // 0 .. 15 in rows of 4.
  const ramp = tensor(Array.from({ length: 16 }, (_, i) => i)).reshape([1, 1, 4, 4])

  test('a bin of a linear image is its value at the centre, by fixed and by adaptive samples', async () => {
    const regions = tensor([0, 0.5, 0.5, 2.5, 2.5], { shape: [1, 5] })
    for (const samplingRatio of [2, -1]) {
      const out = F.roiAlign(ramp, regions, 1, { samplingRatio, aligned: true })
      // Pixel centres lie at half numbers: the region's centre (1.5, 1.5) is pixel 1, 1.
      assertClose(await list(out), [5])
    }
  })

  test('the greatest pixel takes the gradient, the first of equal ones', async () => {
    const flat = tensor([1, 1, 0, 0]).reshape([1, 1, 2, 2])
    const regions = tensor([0, 0, 0, 1, 1], { shape: [1, 5] })
    assert.deepEqual(await list(F.roiPool(flat, regions, 1)), [1])
    const [g] = grad(sum(F.roiPool(flat, regions, 1)), [flat])
    assert.deepEqual(await list(g), [1, 0, 0, 0])
  })

  test('bins outside of the image are 0', async () => {
    const regions = tensor([0, 9, 9, 12, 12], { shape: [1, 5] })
    assert.deepEqual(await list(F.roiPool(ramp, regions, 2)), [0, 0, 0, 0])
  })

  test('position sensitive pooling reads one channel a bin', async () => {
    const channels = tensor([1, 2, 3, 4]).reshape([1, 4, 1, 1]).expand([1, 4, 6, 6])
    const regions = tensor([0, 0, 0, 4, 4], { shape: [1, 5] })
    assert.deepEqual(await list(F.psRoiPool(channels, regions, 2)), [1, 2, 3, 4])
    assertClose(await list(F.psRoiAlign(channels, regions, 2, { samplingRatio: 2 })), [1, 2, 3, 4])
  })
})

test('without offsets a deformable convolution is a convolution', async () => {
  const x = tensor(Array.from({ length: 50 }, (_, i) => Math.sin(i))).reshape([1, 2, 5, 5])
  const weight = tensor(Array.from({ length: 36 }, (_, i) => Math.cos(i))).reshape([2, 2, 3, 3])
  const offset = tensor(new Float32Array(18 * 9)).reshape([1, 18, 3, 3])
  const options = { stride: 2, padding: 1 }
  assertClose(await list(F.deformConv2d(x, offset, weight, options)), await list(F.conv2d(x, weight, options)), 1e-5)
})

test('gradients agree with finite differences', () => {
  const x = of([1, 2, 3, 3])
  const offset = of(
    [1, 8, 2, 2],
    Array.from({ length: 32 }, (_, i) => 0.3 * Math.sin(3 * i + 1)),
  )
  const weight = of([1, 2, 2, 2])
  checkGrad((a, o, w) => F.deformConv2d(a, o, w), [x, offset, weight])
  const pair = [of([2, 4], [0, 0, 3, 2, 1, 1, 4, 5]), of([2, 4], [0.5, -0.4, 2.2, 2.4, 0.2, 1.3, 3.1, 4.4])]
  checkGrad((a, b) => F.generalizedBoxIouLoss(a, b), pair)
  checkGrad((a, b) => F.distanceBoxIou(a, b), pair)
})

test('boxes around masks', async () => {
  const mask = tensor([0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0], { shape: [2, 2, 3] })
  assert.deepEqual(await list(F.masksToBoxes(mask)), [1, 1, 2, 1, 2, 0, 2, 0])
})
