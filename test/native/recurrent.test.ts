import assert from 'node:assert/strict'
import { test } from 'node:test'
import { vjp } from '../../src/autodiff/index.js'
import { type DType, finish, Graph, parameter, type Shape, sizeOf, type Value } from '../../src/ir/index.js'
import { wrapArray } from '../../src/runtime/buffer.js'
import { Trace, withTrace } from '../../src/runtime/index.js'
import { wrap } from '../../src/tensor/core.js'
import { gru, gruLayer, lstm, lstmLayer, rnnLayer } from '../../src/tensor/functional/index.js'
import { relu, type Tensor, transpose } from '../../src/tensor/index.js'
import { checkOn, cpuBackend, native, sample } from './agree.js'

/** Recurrent layers natively, forward and backward, against their bodies in the interpreter. */

type Build = (...inputs: Tensor[]) => readonly Tensor[]

interface Case {
  readonly gates: number
  readonly states: number
  readonly build: (inputs: Tensor[], options: { reverse: boolean; mask: Tensor | null }) => readonly Tensor[]
}

const weightsOf = ([x, weightIh, weightHh, biasIh, biasHh]: Tensor[]) =>
  [x, { weightIh, weightHh, biasIh, biasHh }] as const

const CASES: Readonly<Record<string, Case>> = {
  lstm: {
    gates: 4,
    states: 2,
    build: (inputs, options) => {
      const { output, h, c } = lstmLayer(...weightsOf(inputs), { h0: inputs[5], c0: inputs[6], ...options })
      return [output, h, c]
    },
  },
  gru: {
    gates: 3,
    states: 1,
    build: (inputs, options) => {
      const { output, h } = gruLayer(...weightsOf(inputs), { h0: inputs[5], ...options })
      return [output, h]
    },
  },
  tanh: {
    gates: 1,
    states: 1,
    build: (inputs, options) => {
      const { output, h } = rnnLayer(...weightsOf(inputs), { h0: inputs[5], ...options })
      return [output, h]
    },
  },
  relu: {
    gates: 1,
    states: 1,
    build: (inputs, options) => {
      const { output, h } = rnnLayer(...weightsOf(inputs), { h0: inputs[5], activation: relu, ...options })
      return [output, h]
    },
  },
}

function graphOf(
  params: readonly Value[],
  build: Build,
  floats: readonly Value[],
): { params: Value[]; results: Value[] } {
  const results = withTrace(new Trace('body', 'test', params), () => build(...params.map(wrap))).map(
    ({ value }) => value,
  )
  const seeds = results.map(({ shape, dtype }) => parameter(shape, dtype))
  const grads = vjp(results, seeds, floats).filter((grad): grad is Value => grad !== null)
  return { params: [...params, ...seeds], results: [...results, ...grads] }
}

const operands = ({ gates, states }: Case, [, n, i, h]: readonly number[], steps: number, dtype: DType): Value[] =>
  [[steps, n, i], [gates * h, i], [gates * h, h], [gates * h], [gates * h], ...Array(states).fill([n, h])].map(
    (shape: Shape) => parameter(shape, dtype),
  )

// Steps, sequences, features, units: 1, less than a vector, no multiple of a tile, more than one block of units and of rows.
const SHAPES = [
  [1, 1, 1, 1],
  [3, 2, 3, 5],
  [4, 7, 2, 33],
  [2, 15, 4, 64],
  [3, 61, 1, 17],
  [0, 2, 3, 4],
  [2, 0, 3, 4],
]

function check(name: string, shape: readonly number[], dtype: DType, way: { reverse: boolean; masked: boolean }): void {
  const kind = CASES[name]
  const floats = operands(kind, shape, shape[0], dtype)
  const mask = parameter([shape[0], shape[1]], 'bool')
  const params = way.masked ? [...floats, mask] : floats
  const { params: all, results } = graphOf(
    params,
    (...inputs) => kind.build(inputs, { reverse: way.reverse, mask: way.masked ? inputs[inputs.length - 1] : null }),
    floats,
  )
  checkOn(all, results, { edges: false, low: -1, high: 1, scale: 600, floor: 0.3, what: `${name} ${shape} ${dtype}` })
}

const WAYS = [
  { reverse: false, masked: false },
  { reverse: true, masked: true },
  { reverse: false, masked: true },
]

test('native LSTM, GRU and plain recurrence with all gradients', native, () => {
  for (const name of Object.keys(CASES))
    for (const shape of SHAPES)
      WAYS.forEach((way, i) => {
        if (i < 2 || shape[3] === 5) check(name, shape, 'f32', way)
      })
})

test('native recurrence in f64; halves run by the body', native, () => {
  for (const name of Object.keys(CASES)) check(name, [3, 5, 3, 19], 'f64', WAYS[1])
  check('lstm', [2, 2, 2, 3], 'bf16', WAYS[0])
})

test('native recurrence: NaN and infinities stay in their sequence', native, () => {
  for (const name of Object.keys(CASES)) {
    const kind = CASES[name]
    const floats = operands(kind, [3, 4, 2, 6], 3, 'f32')
    const results = withTrace(new Trace('body', 'test', floats), () =>
      kind.build(floats.map(wrap), { reverse: false, mask: null }),
    ).map(({ value }) => value)
    const arrays = floats.map(({ shape, dtype }, i) => sample(dtype, sizeOf(shape), i, -1, 1, false))
    const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    values.forEach((value, row) => {
      arrays[0][row * 2] = value
    })
    const inputs = floats.map(({ shape, dtype }, i) => wrapArray(arrays[i], dtype, shape))
    const [output] = finish(cpuBackend().compile(new Graph(floats, results), { name: 'test' })).runSync(inputs)
    const data = output.array as Float32Array
    const finite = (t: number, row: number): boolean =>
      data.subarray((t * 4 + row) * 6, (t * 4 + row + 1) * 6).every(Number.isFinite)
    assert.ok(
      [0, 1, 2].every((t) => finite(t, 3)),
      name,
    )
    assert.ok(!finite(0, 0) && !finite(2, 0), `${name}: NaN must reach the states`)
  }
})

test('native recurrence reads transposed weights and inputs', native, () => {
  const kind = CASES.lstm
  const floats = operands(kind, [3, 4, 5, 6], 3, 'f32').map((value, i) =>
    i < 3 ? parameter([...value.shape].reverse(), 'f32') : value,
  )
  const turn = (x: Tensor): Tensor => transpose(x, 0, x.ndim - 1)
  const { params, results } = graphOf(
    floats,
    (...inputs) =>
      kind.build(
        inputs.map((x, i) => (i < 3 ? turn(x) : x)),
        { reverse: false, mask: null },
      ),
    floats,
  )
  checkOn(params, results, { edges: false, low: -1, high: 1, scale: 200, floor: 0.1 })
})

test('native stacks: two layers, both ways, lengths', native, () => {
  const dtype = 'f32'
  for (const gates of [4, 3]) {
    const layer = (features: number): Shape[] =>
      [0, 1].flatMap(() => [[gates * 5, features], [gates * 5, 5], [gates * 5], [gates * 5]])
    const params = [[3, 4, 7], ...layer(7), ...layer(10)].map((shape) => parameter(shape, dtype))
    const lengths = parameter([3], 'i32')
    const run = gates === 4 ? lstm : gru
    const { params: all, results } = graphOf(
      [...params, lengths],
      (x, ...more) => {
        const weights = [0, 1, 2, 3].map((i) => {
          const [weightIh, weightHh, biasIh, biasHh] = more.slice(4 * i, 4 * i + 4)
          return { weightIh, weightHh, biasIh, biasHh }
        })
        const { output, h } = run(x, weights, { bidirectional: true, batchFirst: true, lengths: more[more.length - 1] })
        return [output, h]
      },
      params,
    )
    checkOn(all, results, { edges: false, low: -1, high: 4, scale: 1000, floor: 1 })
  }
})
