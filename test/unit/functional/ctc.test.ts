import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as F from '../../../src/tensor/functional/index.js'
import { logSoftmax, table } from '../../../src/tensor/ops/index.js'
import { assertClose, checkGrad, numbers, of, run } from './helpers.js'

/** -log of the summed probability of all paths of `steps` classes that collapse to `labels`. */
function byHand(logProbs: number[][], labels: number[], blank: number): number {
  let total = 0
  const walk = (t: number, last: number, made: number[], sum: number): void => {
    if (t === logProbs.length) {
      if (made.join() === labels.join()) total += Math.exp(sum)
      return
    }
    logProbs[t].forEach((value, c) => {
      walk(t + 1, c, c === blank || c === last ? made : [...made, c], sum + value)
    })
  }
  walk(0, -1, [], 0)
  return -Math.log(total)
}

const CLASSES = 3

function scores(steps: number, batch: number): { flat: number[]; rows: (n: number, length: number) => number[][] } {
  const raw = numbers(steps * batch * CLASSES, -2, 2)
  const flat = Array.from({ length: steps * batch }, (_, i) => {
    const row = Array.from(raw.slice(i * CLASSES, (i + 1) * CLASSES))
    const total = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0))
    return row.map((x) => x - total)
  })
  return {
    flat: flat.flat(),
    rows: (n, length) => Array.from({ length }, (_, t) => flat[t * batch + n]),
  }
}

test('equals the sum over all paths, with repeated labels and lengths', () => {
  for (const blank of [0, 2]) {
    const [a, b] = blank === 0 ? [1, 2] : [0, 1]
    const labels = [[a, a], [b], [a, b, a], []]
    const inputs = [5, 4, 5, 3]
    const { flat, rows } = scores(5, 4)
    const padded = labels.flatMap((row) => [...row, 9, 9, 9].slice(0, 3))
    const [loss] = run(
      (x) =>
        F.ctcLoss(x, table(padded, [4, 3], 'i64'), table(inputs, [4], 'i64'), table([2, 1, 3, 0], [4], 'i64'), {
          blank,
          reduction: 'none',
        }),
      of([5, 4, CLASSES], flat),
    )
    assertClose(
      loss.values,
      labels.map((row, n) => byHand(rows(n, inputs[n]), row, blank)),
      1e-9,
    )
  }
})

test('labels one after the other, single examples, reductions', () => {
  const { flat, rows } = scores(4, 2)
  const losses = [byHand(rows(0, 4), [1, 2], 0), byHand(rows(1, 3), [2], 0)]
  const loss = (reduction: F.Reduction) =>
    run((x) => F.ctcLoss(x, [1, 2, 2], [4, 3], [2, 1], { reduction }), of([4, 2, CLASSES], flat))[0].values
  assertClose(loss('none'), losses)
  assertClose(loss('sum'), [losses[0] + losses[1]])
  assertClose(loss('mean'), [(losses[0] / 2 + losses[1]) / 2])
  const single = rows(0, 4).flat()
  const [one] = run((x) => F.ctcLoss(x, [1, 2], 4, 2, { reduction: 'none' }), of([4, CLASSES], single))
  assert.deepEqual(one.shape, [])
  assertClose(one.values, [losses[0]])
})

test('labels that do not fit are infinitely unlikely, or nothing with zeroInfinity', () => {
  const { flat } = scores(2, 2)
  const loss = (zeroInfinity: boolean) =>
    run(
      (x) =>
        F.ctcLoss(
          x,
          [
            [1, 1],
            [1, 2],
          ],
          [2, 0],
          [2, 2],
          { zeroInfinity, reduction: 'none' },
        ),
      of([2, 2, CLASSES], flat),
    )[0].values
  assert.deepEqual(loss(false), [Infinity, Infinity])
  assert.deepEqual(loss(true), [0, 0])
  const [empty] = run(
    (x) => F.ctcLoss(x, table([], [1, 0], 'i32'), [0], [0], { reduction: 'none' }),
    of([2, 1, CLASSES]),
  )
  assert.deepEqual(empty.values, [0])
})

test('gradients, twice, with lengths, repeats and an impossible example', () => {
  const targets = [
    [1, 1],
    [2, 0],
    [1, 1],
  ]
  const loss = (x: Parameters<typeof F.ctcLoss>[0], reduction: F.Reduction) =>
    F.ctcLoss(x, targets, [4, 3, 2], [2, 1, 2], { reduction, zeroInfinity: true })
  checkGrad((x) => loss(logSoftmax(x, -1), 'mean'), [{ shape: [4, 3, CLASSES] }], 2)
  // The derivative is that of log-probabilities as free variables, whether or not they are normalised.
  checkGrad((x) => loss(x, 'none'), [{ shape: [4, 3, CLASSES], low: -2, high: -1 }])
})

test('long sequences of certain labels neither overflow nor lose their gradient', () => {
  const steps = 300
  const certain = Array.from({ length: steps }, (_, t) => (t % 2 === 0 ? [-1e3, 0, -1e3] : [0, -1e3, -1e3])).flat()
  const labels = new Array<number>(steps / 2).fill(1)
  const [loss] = run(
    (x) => F.ctcLoss(x, [labels], [steps], [steps / 2], { reduction: 'none' }),
    of([steps, 1, CLASSES], certain, 'f32'),
  )
  assertClose(loss.values, [0], 1e-6)
})

test('wrong operands are named', () => {
  assert.throws(
    () => run((x) => F.ctcLoss(x, [[1]], [2, 2], [1]), of([2, 1, 3])),
    /ctcLoss: inputLengths must be \[1\]/,
  )
  assert.throws(
    () => run((x) => F.ctcLoss(x, [[1]], [2], [1], { blank: 3 }), of([2, 1, 3])),
    /blank 3 is not one of 3 classes/,
  )
  assert.throws(() => run((x) => F.ctcLoss(x, [[7]], [2], [1]), of([2, 1, 3])), /7/)
})
