import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as F from '../../../src/tensor/functional/index.js'
import { narrow, reshape, table, transpose, unsqueeze } from '../../../src/tensor/ops/index.js'
import type { Tensor } from '../../../src/tensor/tensor.js'
import { assertClose, checkGrad, of, range, run } from './helpers.js'

/** Attention of one head by its definition: `sees[t][s]` tells what query t may look at. */
function byHand(
  q: number[][],
  k: number[][],
  v: number[][],
  sees: (t: number, s: number) => boolean,
  scale: number,
): number[] {
  return q.flatMap((query, t) => {
    const weights = k.map((key, s) =>
      sees(t, s) ? Math.exp(scale * query.reduce((sum, x, i) => sum + x * key[i], 0)) : 0,
    )
    const total = weights.reduce((a, b) => a + b)
    return v[0].map((_, e) => (total === 0 ? 0 : weights.reduce((sum, w, s) => sum + w * v[s][e], 0) / total))
  })
}

const matrix = (values: readonly number[], columns: number): number[][] =>
  range(values.length / columns).map((i) => values.slice(i * columns, (i + 1) * columns))

test('equals its definition: causal, lengths of the keys, starts of the queries, rows that see nothing', () => {
  const [q, k, v] = [of([1, 1, 3, 2]), of([1, 1, 5, 2]), of([1, 1, 5, 4])]
  const cases: [F.AttentionOptions, (t: number, s: number) => boolean][] = [
    [{}, () => true],
    [{ causal: true }, (t, s) => s <= t],
    [{ causal: true, queryStarts: [2] }, (t, s) => s <= t + 2],
    [{ keyLengths: [3] }, (_, s) => s < 3],
    [{ causal: true, queryStarts: [2], keyLengths: [4] }, (t, s) => s <= t + 2 && s < 4],
    [{ keyLengths: [0] }, () => false],
  ]
  for (const [options, sees] of cases) {
    const [y] = run((...x) => F.scaledDotProductAttention(x[0], x[1], x[2], options), q, k, v)
    assertClose(y.values, byHand(matrix(q.values, 2), matrix(k.values, 2), matrix(v.values, 4), sees, 1 / Math.sqrt(2)))
  }
})

const SHAPES = [{ shape: [2, 4, 3, 2] }, { shape: [2, 2, 5, 2] }, { shape: [2, 2, 5, 3] }]

test('gradients, twice: grouped heads, masks, hidden rows', () => {
  const hidden = table(
    range(15).map((i) => (i % 3 !== 1 && i < 10 ? 1 : 0)),
    [3, 5],
    'bool',
  )
  const cases: F.AttentionOptions[] = [
    {},
    { causal: true, scale: 0.7 },
    { mask: hidden },
    { mask: hidden, causal: true, queryStarts: [1, 2], keyLengths: [5, 3] },
  ]
  for (const options of cases) checkGrad((q, k, v) => F.scaledDotProductAttention(q, k, v, options), SHAPES, 2)
})

test('an added mask has a gradient, summed over what it was spread along', () => {
  for (const shape of [
    [3, 5],
    [2, 1, 3, 5],
    [4, 1, 5],
    [2, 4, 3, 5],
  ])
    checkGrad((q, k, v, mask) => F.scaledDotProductAttention(q, k, v, { mask }), [...SHAPES, { shape }])
})

test('grouped heads equal repeated key heads; leading dimensions are free', () => {
  const [q, k, v] = [of([2, 4, 3, 2]), of([2, 2, 5, 2]), of([2, 2, 5, 3])]
  const repeat = (x: Tensor): Tensor => {
    const [b, h, s, d] = x.shape
    return reshape(unsqueeze(x, 2).expand([b, h, 2, s, d]), [b, h * 2, s, d])
  }
  const [grouped] = run((a, b, c) => F.scaledDotProductAttention(a, b, c), q, k, v)
  const [repeated] = run((a, b, c) => F.scaledDotProductAttention(a, repeat(b), repeat(c)), q, k, v)
  assertClose(grouped.values, repeated.values)
  const [flat] = run((a, b, c) => F.scaledDotProductAttention(a, b, c), of([3, 2]), of([5, 2]), of([5, 3]))
  assert.deepEqual(flat.shape, [3, 3])
  const many = run(
    (a) => F.scaledDotProductAttention(a, a, a, { mask: table([0, 0, 0], [3], 'f64') }),
    of([2, 1, 2, 3, 2]),
  )[0]
  assert.deepEqual(many.shape, [2, 1, 2, 3, 2])
})

test('wrong operands are named', () => {
  const attend = (options: F.AttentionOptions, k = [2, 2, 5, 2]) =>
    run((q, b, v) => F.scaledDotProductAttention(q, b, v, options), of([2, 4, 3, 2]), of(k), of([2, 2, 5, 3]))
  assert.throws(() => attend({}, [2, 3, 5, 2]), /key heads/)
  assert.throws(() => attend({}, [2, 2, 5, 3]), /expected \[batch, heads, queries, d\]/)
  assert.throws(() => attend({ mask: table([0, 0], [2], 'f64') }), /do not broadcast|does not broadcast/)
  assert.throws(() => attend({ keyLengths: [1, 2, 3] }), /keyLengths must be \[2\]/)
})

test('rotary embeddings: angles, both pairings, the rest of the features', () => {
  const turn = (interleaved: boolean, features: number[]) =>
    run(
      (x) => F.applyRotary(x, F.rotaryTables([1], 4, { theta: 100, dtype: 'f64' }), { interleaved }),
      of([1, features.length], features),
    )[0].values
  const [c, s, c2, s2] = [Math.cos(1), Math.sin(1), Math.cos(0.1), Math.sin(0.1)]
  assertClose(turn(false, [1, 2, 3, 4, 7]), [c - 3 * s, 2 * c2 - 4 * s2, 3 * c + s, 4 * c2 + 2 * s2, 7])
  assertClose(turn(true, [1, 2, 3, 4]), [c - 2 * s, 2 * c + s, 3 * c2 - 4 * s2, 4 * c2 + 3 * s2])
  const tables = (): F.RotaryTables => F.rotaryTables([0, 3, 7], 2, { dtype: 'f64' })
  for (const interleaved of [false, true])
    checkGrad((x) => F.applyRotary(x, tables(), { interleaved }), [{ shape: [2, 3, 4] }], 2)
  assert.throws(() => run((x) => F.applyRotary(x, tables()), of([3, 1])), /applyRotary: tables/)
})

test('multi-head attention: masks hide as in torch, single examples, separate projections', () => {
  const [x, w, o] = [of([2, 3, 4]), of([12, 4]), of([4, 4])]
  const attend =
    (options: Partial<F.MultiHeadAttentionOptions>) =>
    (...[a, inProjWeight, outProjWeight]: Tensor[]) =>
      F.multiHeadAttention(a, a, a, { numHeads: 2, inProjWeight, outProjWeight, needWeights: true, ...options })
  const weights = (options: Partial<F.MultiHeadAttentionOptions>) =>
    run((...xs) => attend(options)(...xs).weights as Tensor, x, w, o)[0]
  const padding = weights({ keyPaddingMask: table([0, 0, 1, 0, 1, 1], [2, 3], 'bool') })
  assert.deepEqual(padding.shape, [2, 3, 3])
  assert.deepEqual([padding.values[2], padding.values[10], padding.values[11], padding.values[9]], [0, 0, 0, 1])
  const above = table([0, 1, 1, 0, 0, 1, 0, 0, 0], [3, 3], 'bool')
  assertClose(weights({ attnMask: above }).values, weights({ causal: true }).values)
  const each = weights({ averageWeights: false, attnMask: table(new Array<number>(36).fill(0), [4, 3, 3], 'f64') })
  assert.deepEqual(each.shape, [2, 2, 3, 3])
  const packed = run((...xs) => attend({})(...xs).output, x, w, o)[0]
  const single = run((a, b, c) => attend({})(reshape(narrow(a, 0, 1, 1), [3, 4]), b, c).output, x, w, o)[0]
  assertClose(single.values, packed.values.slice(12))
  const [apart] = run(
    (a, b, c) => {
      const part = (i: number): Tensor => narrow(b, 0, 4 * i, 4)
      const projections = { qProjWeight: part(0), kProjWeight: part(1), vProjWeight: part(2) }
      return F.multiHeadAttention(a, a, a, { numHeads: 2, ...projections, outProjWeight: c }).output
    },
    x,
    w,
    o,
  )
  assertClose(apart.values, packed.values)
  checkGrad(
    (a, b, c) =>
      F.multiHeadAttention(a, transpose(a, 0, 1).transpose(0, 1), a, { numHeads: 2, inProjWeight: b, outProjWeight: c })
        .output,
    [{ shape: [2, 3, 4] }, { shape: [12, 4] }, { shape: [4, 4] }],
  )
})
