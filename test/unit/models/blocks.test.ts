import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { cheapestPairs } from '../../../src/models/blocks/assignment.js'
import { corners, generalisedOverlap, setLoss } from '../../../src/models/blocks/boxes.js'
import { gridPositions, patchPlaces, placed } from '../../../src/models/blocks/grids.js'
import { chunkedScan } from '../../../src/models/blocks/state-space.js'
import '../../../src/node.js'
import { grad, jit, random, type Tensor, tensor } from '../../../src/tensor/index.js'

const numbers = async (x: Tensor): Promise<number[]> => Array.from(await x.to('f32').data(), Number)
const seeded = <T>(seed: number, draw: () => T): T => {
  random.seed(seed)
  return draw()
}
const i32 = (rows: number[][]): Tensor => tensor(rows, { dtype: 'i32' })

/** The least total over all assignments of the shorter side. */
function leastCost(costs: readonly (readonly number[])[]): number {
  const walk = (row: number, used: ReadonlySet<number>): number => {
    if (row === costs.length) return 0
    return Math.min(
      ...costs[row].map((cost, column) =>
        used.has(column) ? Number.POSITIVE_INFINITY : cost + walk(row + 1, new Set([...used, column])),
      ),
    )
  }
  return walk(0, new Set())
}

describe('the cheapest pairing', () => {
  test('equals that of a search over all, either side longer, inside jit too', async () => {
    const compiled = jit(cheapestPairs)
    for (let seed = 0; seed < 12; seed++) {
      const costs = await numbers(seeded(seed, () => random.uniform([4, 6])))
      const rows = Array.from({ length: 4 }, (_, i) => costs.slice(6 * i, 6 * i + 6))
      const pairs = await numbers(compiled(tensor(rows)))
      const total = pairs.reduce((sum, chosen, i) => sum + chosen * costs[i], 0)
      assert.equal(pairs.filter((chosen) => chosen).length, 4)
      assert.ok(Math.abs(total - leastCost(rows)) < 1e-5)
      const turned = await numbers(cheapestPairs(tensor(rows).t()))
      for (let row = 0; row < 4; row++)
        for (let column = 0; column < 6; column++) assert.equal(turned[column * 4 + row], pairs[row * 6 + column])
    }
  })

  test('takes no pairs where there is nothing, and no NaN where there is a number', async () => {
    assert.deepEqual(cheapestPairs(tensor([], { shape: [3, 0], dtype: 'f32' })).shape, [3, 0])
    assert.deepEqual(await numbers(cheapestPairs(tensor([[Number.NaN, 5]]))), [0, 1])
  })
})

describe('boxes', () => {
  test('overlap is 1 for equal boxes and negative for those apart', async () => {
    const box = corners(tensor([[0.5, 0.5, 0.2, 0.2]]))
    const away = corners(tensor([[0.1, 0.1, 0.1, 0.1]]))
    assert.ok(Math.abs((await numbers(generalisedOverlap(box, box)))[0] - 1) < 1e-5)
    assert.ok((await numbers(generalisedOverlap(box, away)))[0] < -0.5)
  })

  test('the loss of images without targets has a finite gradient', async () => {
    const weights = {
      class_cost: 1,
      bbox_cost: 5,
      giou_cost: 2,
      bbox_loss_coefficient: 5,
      giou_loss_coefficient: 2,
      eos_coefficient: 0.1,
    }
    const targets = [
      { class_labels: [1], boxes: [[0.5, 0.5, 0.2, 0.3]] },
      { class_labels: tensor([], { shape: [0], dtype: 'i32' }), boxes: tensor([], { shape: [0, 4], dtype: 'f32' }) },
    ]
    const logits = seeded(1, () => random.normal([2, 3, 4]))
    const slope = grad((boxes: Tensor) => setLoss(logits, boxes, targets, weights))
    const values = await numbers(slope(seeded(2, () => random.uniform([2, 3, 4]))) as Tensor)
    assert.ok(values.every(Number.isFinite))
    assert.equal(values.slice(0, 12).filter((value) => value !== 0).length > 0, true)
    assert.ok(values.slice(12).every((value) => value === 0))
  })
})

describe('places on grids', () => {
  test('patches stand in blocks, frame by frame', async () => {
    const { row, column, frame } = patchPlaces(i32([[2, 2, 4]]), 16, 2)
    assert.deepEqual((await numbers(row)).slice(0, 8), [0, 0, 1, 1, 0, 0, 1, 1])
    assert.deepEqual((await numbers(column)).slice(0, 8), [0, 1, 0, 1, 2, 3, 2, 3])
    assert.deepEqual(await numbers(frame), [...new Array(8).fill(0), ...new Array(8).fill(1)])
  })

  test('text goes on after the longer side of an image, padding stays at 0', async () => {
    const kinds = i32([[0, 0, 1, 1, 1, 1, 1, 1, 0]])
    const valid = tensor([[0, 1, 1, 1, 1, 1, 1, 1, 1]]).ne(0)
    const positions = gridPositions({ kinds, valid, grids: new Map([[1, i32([[1, 4, 6]])]]), merge: 2 })
    assert.deepEqual(await numbers(positions), [
      ...[0, 0, 1, 1, 1, 1, 1, 1, 4],
      ...[0, 0, 1, 1, 1, 2, 2, 2, 4],
      ...[0, 0, 1, 2, 3, 1, 2, 3, 4],
    ])
  })

  test('vectors replace those of their places in order', async () => {
    const here = tensor([
      [0, 1, 0],
      [1, 0, 0],
    ]).ne(0)
    const out = placed(
      tensor([
        [[0], [0], [0]],
        [[0], [0], [0]],
      ]),
      here,
      tensor([[7], [8]]),
    )
    assert.deepEqual(await numbers(out), [0, 7, 0, 8, 0, 0])
  })
})

test('a scan in chunks equals the recurrence step by step, whatever the chunk', async () => {
  const [tokens, heads, width, states] = [7, 2, 3, 2]
  const draw = (seed: number, shape: number[]): Tensor => seeded(seed, () => random.normal(shape))
  const x = draw(1, [1, tokens, heads, width])
  const steps = seeded(2, () => random.uniform([1, tokens, heads]))
  const rates = tensor([-0.5, -1.5])
  const [enter, read] = [draw(3, [1, tokens, heads, states]), draw(4, [1, tokens, heads, states])]
  const [xs, ds, bs, cs] = await Promise.all([x, steps, enter, read].map(numbers))
  const want: number[] = new Array(tokens * heads * width).fill(0)
  for (let head = 0; head < heads; head++) {
    const state = Array.from({ length: width }, () => new Array<number>(states).fill(0))
    for (let t = 0; t < tokens; t++) {
      const step = ds[t * heads + head]
      const decay = Math.exp([-0.5, -1.5][head] * step)
      for (let p = 0; p < width; p++)
        for (let n = 0; n < states; n++) {
          const at = (t * heads + head) * states + n
          state[p][n] = decay * state[p][n] + step * xs[(t * heads + head) * width + p] * bs[at]
          want[(t * heads + head) * width + p] += state[p][n] * cs[at]
        }
    }
  }
  for (const chunk of [1, 3, 8]) {
    const got = await numbers(chunkedScan({ x, steps, rates, enter, read, chunk }))
    for (const [i, value] of got.entries()) assert.ok(Math.abs(value - want[i]) < 1e-5)
  }
})
