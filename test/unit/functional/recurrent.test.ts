import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as F from '../../../src/tensor/functional/index.js'
import { cat, narrow, sigmoid, table, tanh } from '../../../src/tensor/ops/index.js'
import type { Tensor } from '../../../src/tensor/tensor.js'
import { assertClose, checkGrad, of, run } from './helpers.js'

const [T, N, I, H] = [4, 2, 3, 2]
const mask = (): Tensor => table([1, 1, 1, 1, 1, 0, 1, 0], [T, N], 'bool')
const args = (gates: number, ...more: number[][]) =>
  [[T, N, I], [gates * H, I], [gates * H, H], [gates * H], [gates * H], [N, H], ...more].map((shape) => ({ shape }))

const lstm =
  (options: F.LstmLayerOptions) =>
  (...xs: Tensor[]) => {
    const [x, weightIh, weightHh, biasIh, biasHh, h0, c0] = xs
    const { output, h, c } = F.lstmLayer(x, { weightIh, weightHh, biasIh, biasHh }, { h0, c0, ...options })
    return cat([output.reshape(-1), h.reshape(-1), c.reshape(-1)])
  }

const gru =
  (options: F.GruLayerOptions) =>
  (...xs: Tensor[]) => {
    const [x, weightIh, weightHh, biasIh, biasHh, h0] = xs
    const { output, h } = F.gruLayer(x, { weightIh, weightHh, biasIh, biasHh }, { h0, ...options })
    return cat([output.reshape(-1), h.reshape(-1)])
  }

// Activations of one's own take the way without a composite: its values and gradients come from the scan alone.
const own = { activation: (x: Tensor) => tanh(x), recurrentActivation: (x: Tensor) => sigmoid(x) }
const WAYS = [{}, { reverse: true }, { masked: true }, { reverse: true, masked: true }]

test('LSTM and GRU composites agree with the step-by-step recurrence', () => {
  for (const { masked, ...way } of WAYS as { masked?: boolean; reverse?: boolean }[]) {
    const options = () => ({ ...way, mask: masked ? mask() : null })
    const lstmInputs = args(4, [N, H]).map(({ shape }) => of(shape))
    assertClose(
      run((...xs) => lstm(options())(...xs), ...lstmInputs)[0].values,
      run((...xs) => lstm({ ...options(), ...own })(...xs), ...lstmInputs)[0].values,
    )
    const gruInputs = args(3).map(({ shape }) => of(shape))
    assertClose(
      run((...xs) => gru(options())(...xs), ...gruInputs)[0].values,
      run((...xs) => gru({ ...options(), ...own })(...xs), ...gruInputs)[0].values,
    )
  }
})

test('gradients of LSTM, GRU and plain recurrence with masks, both ways', () => {
  for (const { masked, ...way } of WAYS as { masked?: boolean; reverse?: boolean }[]) {
    const options = () => ({ ...way, mask: masked ? mask() : null })
    checkGrad((...xs) => lstm(options())(...xs), args(4, [N, H]))
    checkGrad((...xs) => gru(options())(...xs), args(3))
    checkGrad(
      (x, weightIh, weightHh, biasIh, biasHh, h0) =>
        F.rnnLayer(x, { weightIh, weightHh, biasIh, biasHh }, { h0, ...options() }).output,
      args(1),
    )
  }
})

test('gradients of gradients of LSTM and GRU', () => {
  checkGrad((...xs) => lstm({ mask: mask() })(...xs), args(4, [N, H]), 2)
  checkGrad((...xs) => gru({ reverse: true })(...xs), args(3), 2)
})

test('projection, reset gate before the product', () => {
  checkGrad(
    (x, weightIh, weightHh, weightHr) => F.lstmLayer(x, { weightIh, weightHh, weightHr }, { reverse: true }).output,
    [
      [T, N, I],
      [4 * H, I],
      [4 * H, 1],
      [1, H],
    ].map((shape) => ({ shape })),
  )
  checkGrad((...xs) => gru({ resetAfter: false })(...xs), args(3))
})

test('a stack of two layers, both ways, with lengths: each sequence as if it were alone', () => {
  const shapes = [
    [4 * H, I],
    [4 * H, H],
    [4 * H, I],
    [4 * H, H],
    [4 * H, 2 * H],
    [4 * H, H],
    [4 * H, 2 * H],
    [4 * H, H],
  ]
  const weights = shapes.map((shape) => of(shape))
  const sets = (ws: Tensor[]) => [0, 2, 4, 6].map((i) => ({ weightIh: ws[i], weightHh: ws[i + 1] }))
  const x = of([N, T, I])
  const options = { bidirectional: true, batchFirst: true }
  const all = run(
    (a, ...ws) => {
      const { output, h, c } = F.lstm(a, sets(ws), { ...options, lengths: [4, 2] })
      return [output, h, c]
    },
    x,
    ...weights,
  )
  assert.deepEqual(
    all.map(({ shape }) => shape),
    [
      [N, T, 2 * H],
      [4, N, H],
      [4, N, H],
    ],
  )
  const alone = run(
    (a, ...ws) => {
      const { output, h } = F.lstm(narrow(narrow(a, 0, 1, 1), 1, 0, 2), sets(ws), options)
      return [output, h]
    },
    x,
    ...weights,
  )
  const second = all[0].values.slice(T * 2 * H)
  assertClose(second.slice(0, 4 * H), alone[0].values)
  assert.deepEqual(second.slice(4 * H), new Array<number>(4 * H).fill(0))
  assertClose(
    [0, 1, 2, 3].flatMap((i) => all[1].values.slice((i * N + 1) * H, (i * N + 2) * H)),
    alone[1].values,
  )
})

test('single sequences have no batch dimension; sequences of no steps keep their state', () => {
  const weights = [of([3 * H, I]), of([3 * H, H])]
  const [single, h] = run(
    (x, weightIh, weightHh) => {
      const result = F.gru(x, [{ weightIh, weightHh }])
      return [result.output, result.h]
    },
    of([T, I]),
    ...weights,
  )
  assert.deepEqual(
    [single.shape, h.shape],
    [
      [T, H],
      [1, H],
    ],
  )
  const [none, last] = run(
    (x, weightIh, weightHh, h0) => {
      const result = F.gruLayer(x, { weightIh, weightHh }, { h0 })
      return [result.output, result.h]
    },
    of([0, N, I]),
    ...weights,
    of([N, H], [1, 2, 3, 4]),
  )
  assert.deepEqual(
    [none.shape, last.values],
    [
      [0, N, H],
      [1, 2, 3, 4],
    ],
  )
})

test('wrong operands are named', () => {
  const layer = (h0: number[], hh = [3 * H, H]) =>
    run(
      (x, weightIh, weightHh, start) => F.gruLayer(x, { weightIh, weightHh }, { h0: start }).output,
      of([T, N, I]),
      of([3 * H, I]),
      of(hh),
      of(h0),
    )
  assert.throws(() => layer([N, H + 1]), /gru: the initial state must be \[2, 2\]/)
  assert.throws(() => layer([N, H], [4 * H, H]), /gru: weights must be \[3 \* units, features\]/)
  assert.throws(() => run((x) => F.lstm(x, []).output, of([T, N, I])), /0 sets of weights/)
})
