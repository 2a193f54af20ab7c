import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evaluateGraph } from '../../../src/interpret/index.js'
import {
  apply,
  type ConvAttrs,
  Graph,
  IndexError,
  makeNode,
  parameter,
  splat,
  type WindowAttrs,
} from '../../../src/ir/index.js'
import { f32, i32, i64, of, run, runAll } from './helpers.js'

const M = of('f32', [1, 2, 3, 4, 5, 6], [2, 3])

test('sources: parameter, constant (splat and full), iota', () => {
  const x = parameter([2], 'f32')
  assert.deepEqual(
    Array.from(evaluateGraph(new Graph([x], [x]), [new Float32Array([3, 4])])[0] as Float32Array),
    [3, 4],
  )
  assert.deepEqual(run('constant', [], { shape: [2, 2], dtype: 'i64', data: new BigInt64Array([7n]) }), [
    7n,
    7n,
    7n,
    7n,
  ])
  assert.deepEqual(run('constant', [], { shape: [2], dtype: 'f16', data: new Uint16Array([0x3c00, 0xc000]) }), [1, -2])
  assert.deepEqual(run('constant', [], { shape: [0], dtype: 'f32', data: new Float32Array(1) }), [])
  assert.deepEqual(run('iota', [], { shape: [2, 3], dtype: 'i32', dimension: 0 }), [0, 0, 0, 1, 1, 1])
  assert.deepEqual(run('iota', [], { shape: [2, 3], dtype: 'i64', dimension: 1 }), [0n, 1n, 2n, 0n, 1n, 2n])
})

test('movement', () => {
  assert.deepEqual(run('reshape', [M], { shape: [3, 2] }), [1, 2, 3, 4, 5, 6])
  assert.deepEqual(run('transpose', [M], { permutation: [1, 0] }), [1, 4, 2, 5, 3, 6])
  assert.deepEqual(
    run('broadcast_in_dim', [of('f32', [1, 2], [2, 1])], { shape: [2, 2, 2], dims: [1, 2] }),
    [1, 1, 2, 2, 1, 1, 2, 2],
  )
  assert.deepEqual(run('broadcast_in_dim', [f32(1, 2)], { shape: [2, 2], dims: [0] }), [1, 1, 2, 2])
  assert.deepEqual(run('slice', [M], { start: [0, 0], limit: [2, 3], strides: [1, 2] }), [1, 3, 4, 6])
  assert.deepEqual(run('slice', [M], { start: [1, 1], limit: [1, 3], strides: [1, 1] }), [])
  assert.deepEqual(run('reverse', [M], { dimensions: [1] }), [3, 2, 1, 6, 5, 4])
  assert.deepEqual(run('reverse', [M], { dimensions: [0, 1] }), [6, 5, 4, 3, 2, 1])
  assert.deepEqual(run('concatenate', [M, of('f32', [7, 8], [2, 1])], { dimension: 1 }), [1, 2, 3, 7, 4, 5, 6, 8])
  assert.deepEqual(run('concatenate', [i64(1n), i64(), i64(2n)], { dimension: 0 }), [1n, 2n])
  assert.deepEqual(run('transpose', [of('i64', [1n, 2n, 3n, 4n], [2, 2])], { permutation: [1, 0] }), [1n, 3n, 2n, 4n])
})

test('pad: low, high, interior, negative, of nothing', () => {
  const zero = of('f32', [9], [])
  const pad = (x: typeof M, low: number[], high: number[], interior: number[]) =>
    run('pad', [x, zero], { low, high, interior })
  assert.deepEqual(pad(f32(1, 2, 3), [1], [2], [1]), [9, 1, 9, 2, 9, 3, 9, 9])
  assert.deepEqual(pad(f32(1, 2, 3), [-1], [0], [1]), [9, 2, 9, 3])
  assert.deepEqual(pad(f32(1, 2, 3), [-2], [-2], [1]), [2])
  assert.deepEqual(pad(f32(), [1], [1], [3]), [9, 9])
  assert.deepEqual(pad(f32(1, 2), [3], [-4], [0]), [9])
  assert.deepEqual(run('pad', [i64(1n), of('i64', [5n], [])], { low: [1], high: [0], interior: [0] }), [5n, 1n])
})

const rows = { offset_dims: [1], collapsed_slice_dims: [0], start_index_map: [0], slice_sizes: [1, 3] }

test('gather: rows, windows, several components, i64 and empty indices', () => {
  assert.deepEqual(run('gather', [M, of('i32', [1, 0, 1], [3, 1])], rows), [4, 5, 6, 1, 2, 3, 4, 5, 6])
  assert.deepEqual(run('gather', [M, of('i64', [1n], [1, 1])], rows), [4, 5, 6])
  assert.deepEqual(run('gather', [M, of('i32', [], [0, 1])], rows), [])
  const points = { offset_dims: [], collapsed_slice_dims: [0, 1], start_index_map: [1, 0], slice_sizes: [1, 1] }
  assert.deepEqual(run('gather', [M, of('i32', [2, 0, 0, 1], [2, 2])], points), [3, 4])
  const window = { offset_dims: [0, 2], collapsed_slice_dims: [], start_index_map: [1], slice_sizes: [2, 2] }
  assert.deepEqual(run('gather', [M, of('i32', [0, 1], [2, 1])], window), [1, 2, 2, 3, 4, 5, 5, 6])
})

test('gather and scatter indices out of bounds name op, index and limit', () => {
  const gather = (index: number) => () => run('gather', [M, of('i32', [index], [1, 1])], rows)
  assert.throws(gather(2), /gather: index 2 for dimension 0 of the operand is outside \[0, 2\)/)
  assert.throws(gather(-1), IndexError)
  const attrs = {
    kind: 'add',
    update_window_dims: [1],
    inserted_window_dims: [0],
    scatter_dims_to_operand_dims: [0],
  } as const
  const scatter = () => run('scatter', [M, of('i32', [5], [1, 1]), of('f32', [1, 1, 1], [1, 3])], attrs)
  assert.throws(scatter, /scatter: index 5 for dimension 0 of the operand is outside \[0, 2\)/)
})

test('scatter kinds; duplicates apply in order', () => {
  const scatter = (kind: 'set', operand: typeof M, at: number[], updates: typeof M) =>
    run('scatter', [operand, of('i32', at, [at.length, 1]), updates], {
      kind,
      update_window_dims: [],
      inserted_window_dims: [0],
      scatter_dims_to_operand_dims: [0],
    })
  const kinds = { set: [10, 3, 30], add: [10, 25, 30], multiply: [10, 120, 30], max: [10, 20, 30], min: [10, 2, 30] }
  for (const [kind, want] of Object.entries(kinds)) {
    assert.deepEqual(scatter(kind as 'set', f32(10, 20, 30), [1, 1], f32(2, 3)), want)
    assert.deepEqual(scatter(kind as 'set', i32(10, 20, 30), [1, 1], i32(2, 3)), want)
    assert.deepEqual(scatter(kind as 'set', i64(10n, 20n, 30n), [1, 1], i64(2n, 3n)), want.map(BigInt))
  }
  assert.deepEqual(scatter('max' as 'set', f32(1), [0], f32(NaN)), [NaN])
  assert.deepEqual(scatter('add' as 'set', of('u8', [250]), [0], of('u8', [10])), [4])
})

test('dynamic slices clamp their starts', () => {
  const at = (...starts: number[]) => starts.map((start) => of('i32', [start], []))
  assert.deepEqual(run('dynamic_slice', [M, ...at(5, -3)], { slice_sizes: [1, 2] }), [4, 5])
  assert.deepEqual(run('dynamic_slice', [M, ...at(0, 1)], { slice_sizes: [2, 1] }), [2, 5])
  assert.deepEqual(run('dynamic_update_slice', [M, of('f32', [8, 9], [1, 2]), ...at(0, 9)], {}), [1, 8, 9, 4, 5, 6])
})

test('sort: stable, NaN greatest, companions follow, other dimensions', () => {
  const keys = f32(2, NaN, 1, 2, -Infinity)
  const places = i32(0, 1, 2, 3, 4)
  const sort = (descending: boolean) => runAll('sort', [keys, places], { dimension: 0, descending })
  assert.deepEqual(sort(false), [
    [-Infinity, 1, 2, 2, NaN],
    [4, 2, 0, 3, 1],
  ])
  assert.deepEqual(sort(true), [
    [NaN, 2, 2, 1, -Infinity],
    [1, 0, 3, 2, 4],
  ])
  assert.deepEqual(runAll('sort', [f32(0, -0, 0), i32(0, 1, 2)], { dimension: 0, descending: true })[1], [0, 1, 2])
  assert.deepEqual(run('sort', [of('i64', [3n, 1n, 2n, 4n], [2, 2])], { dimension: 0, descending: false }), [
    2n,
    1n,
    3n,
    4n,
  ])
  assert.deepEqual(run('sort', [of('f32', [], [0, 2])], { dimension: 0, descending: false }), [])
})

test('dot_general: matrix, batch, empty contraction, integers wrap, i64 exact, bool', () => {
  const plain = { lhs_batch: [], rhs_batch: [], lhs_contract: [1], rhs_contract: [0] }
  assert.deepEqual(run('dot_general', [M, of('f32', [1, 0, 0, 1, 1, 1], [3, 2])], plain), [4, 5, 10, 11])
  const batched = { lhs_batch: [1], rhs_batch: [0], lhs_contract: [0], rhs_contract: [1] }
  assert.deepEqual(run('dot_general', [M, of('f32', [1, 2, 3, 4, 5, 6], [3, 2])], batched), [9, 26, 51])
  assert.deepEqual(run('dot_general', [of('f32', [], [2, 0]), of('f32', [], [0, 1])], plain), [0, 0])
  assert.deepEqual(run('dot_general', [of('i8', [100, 100], [1, 2]), of('i8', [2, 1], [2, 1])], plain), [44])
  const big = 2n ** 53n + 1n
  assert.deepEqual(run('dot_general', [of('i64', [big, 1n], [1, 2]), of('i64', [1n, 1n], [2, 1])], plain), [big + 1n])
  assert.deepEqual(run('dot_general', [of('bool', [1, 1], [1, 2]), of('bool', [1, 1], [2, 1])], plain), [1])
  assert.deepEqual(run('dot_general', [of('f16', [300, 300], [1, 2]), of('f16', [300, -299], [2, 1])], plain), [300])
})

const conv1d: ConvAttrs = {
  input_batch: 0,
  input_feature: 1,
  input_spatial: [2],
  kernel_output_feature: 0,
  kernel_input_feature: 1,
  kernel_spatial: [2],
  output_batch: 0,
  output_feature: 1,
  output_spatial: [2],
  window_strides: [1],
  padding: [[0, 0]],
  lhs_dilation: [1],
  rhs_dilation: [1],
  feature_group_count: 1,
  batch_group_count: 1,
}

test('convolution: padding, stride, dilations, groups, batch groups, layout', () => {
  const x = of('f32', [1, 2, 3, 4], [1, 1, 4])
  const k = of('f32', [1, 10], [1, 1, 2])
  const conv = (a: typeof x, w: typeof x, extra: Partial<ConvAttrs>) =>
    run('convolution', [a, w], { ...conv1d, ...extra })
  assert.deepEqual(conv(x, k, {}), [21, 32, 43])
  assert.deepEqual(conv(x, k, { padding: [[1, 1]], window_strides: [2] }), [10, 32, 4])
  assert.deepEqual(conv(x, k, { padding: [[-1, 0]] }), [32, 43])
  assert.deepEqual(conv(x, k, { rhs_dilation: [2] }), [31, 42])
  assert.deepEqual(conv(x, k, { lhs_dilation: [2] }), [1, 20, 2, 30, 3, 40])
  const two = of('f32', [1, 2, 3, 4], [1, 2, 2])
  assert.deepEqual(conv(two, of('f32', [1, 10, 100, 1000], [2, 1, 2]), { feature_group_count: 2 }), [21, 4300])
  const batch = of('f32', [1, 2, 3, 4], [2, 1, 2])
  assert.deepEqual(conv(batch, of('f32', [1, 10, 100, 1000], [2, 1, 2]), { batch_group_count: 2 }), [21, 4300])
  const nlc = { input_spatial: [1], input_feature: 2, output_spatial: [1], output_feature: 2 }
  assert.deepEqual(conv(of('f32', [1, 3, 2, 4], [1, 2, 2]), of('f32', [1, 10, 100, 1000], [1, 2, 2]), nlc), [4321])
  assert.deepEqual(conv(x, of('f32', [1, 1, 1, 1, 1], [1, 1, 5]), {}), [])
  assert.deepEqual(conv(of('f32', [], [0, 1, 4]), k, {}), [])
})

test('reductions: kinds, dimensions, NaN, nothing', () => {
  const reduce = (kind: 'sum', x: typeof M, dimensions: number[]) => run('reduce', [x], { kind, dimensions })
  const all = (kind: string, x: typeof M) =>
    reduce(
      kind as 'sum',
      x,
      x.shape.map((_, i) => i),
    )
  assert.deepEqual(reduce('sum', M, [0]), [5, 7, 9])
  assert.deepEqual(reduce('sum', M, [1, 0]), [21])
  assert.deepEqual(reduce('prod' as 'sum', M, [1]), [6, 120])
  assert.deepEqual(all('max', f32(1, NaN, 3)), [NaN])
  assert.deepEqual(all('min', f32(1, NaN, -3)), [NaN])
  assert.deepEqual(
    ['sum', 'prod', 'max', 'min'].map((kind) => all(kind, f32())[0]),
    [0, 1, -Infinity, Infinity],
  )
  assert.deepEqual(
    ['sum', 'prod', 'max', 'min', 'and', 'or'].map((kind) => all(kind, of('i8', []))[0]),
    [0, 1, -128, 127, -1, 0],
  )
  assert.deepEqual(
    ['max', 'min'].map((kind) => all(kind, i64())[0]),
    [-(2n ** 63n), 2n ** 63n - 1n],
  )
  assert.deepEqual(all('sum', of('i8', [127, 1])), [-128])
  assert.deepEqual(all('prod', i32(65536, 65536)), [0])
  assert.deepEqual(all('sum', i64(2n ** 53n, 1n)), [2n ** 53n + 1n])
  assert.deepEqual(all('and', of('u8', [6, 3])), [2])
  assert.deepEqual(all('or', of('bool', [0, 1])), [1])
  assert.deepEqual(
    ['and', 'or', 'sum', 'prod', 'max', 'min'].map((kind) => all(kind, of('bool', [1, 1]))[0]),
    [1, 1, 1, 1, 1, 1],
  )
  assert.deepEqual(all('and', of('bool', [])), [1])
})

test('argmax and argmin: first of ties, first NaN', () => {
  const arg = (kind: 'argmax' | 'argmin', x: typeof M, dim: number) => run('reduce', [x], { kind, dimensions: [dim] })
  assert.deepEqual(arg('argmax', f32(1, 3, 3), 0), [1])
  assert.deepEqual(arg('argmin', f32(2, 1, 1), 0), [1])
  assert.deepEqual(arg('argmax', f32(1, NaN, 9, NaN), 0), [1])
  assert.deepEqual(arg('argmin', f32(1, NaN, -9), 0), [1])
  assert.deepEqual(arg('argmax', M, 0), [1, 1, 1])
  assert.deepEqual(arg('argmin', i64(2n ** 53n + 1n, 2n ** 53n), 0), [1])
})

test('reduce_window: strides, padding, dilations, NaN, integers', () => {
  const attrs: WindowAttrs = {
    kind: 'sum',
    window_dimensions: [2],
    window_strides: [1],
    padding: [[0, 0]],
    base_dilation: [1],
    window_dilation: [1],
  }
  const window = (x: typeof M, extra: Partial<WindowAttrs>) => run('reduce_window', [x], { ...attrs, ...extra })
  const x = f32(1, 5, 2, 4)
  assert.deepEqual(window(x, {}), [6, 7, 6])
  assert.deepEqual(window(x, { kind: 'max', window_strides: [2] }), [5, 4])
  assert.deepEqual(window(x, { kind: 'min', padding: [[1, 1]] }), [1, 1, 2, 2, 4])
  assert.deepEqual(window(x, { window_dilation: [2] }), [3, 9])
  assert.deepEqual(window(x, { base_dilation: [2] }), [1, 5, 5, 2, 2, 4])
  assert.deepEqual(window(f32(1, NaN, 2, 4), { kind: 'max' }), [NaN, NaN, 4])
  assert.deepEqual(window(of('i8', [127, 1]), {}), [-128])
  assert.deepEqual(window(i64(2n ** 53n, 1n), {}), [2n ** 53n + 1n])
  assert.deepEqual(window(i64(1n, 2n), { kind: 'max', padding: [[1, 0]] }), [1n, 2n])
  assert.deepEqual(
    window(of('i32', [-5, -7]), { kind: 'max', padding: [[2, 0]], window_strides: [1] }),
    [-2147483648, -5, -5],
  )
})

test('while, call and composite run their bodies', () => {
  const p = parameter([], 'i32')
  const q = parameter([], 'i32')
  const cond = new Graph([p], [apply('compare', [p, splat(100, [], 'i32')], { direction: 'LT' })])
  const body = new Graph([q], [apply('add', [q, q], {})])
  const one = of('i32', [3], [])
  assert.deepEqual(run('while', [one], { cond, body }), [192])
  assert.deepEqual(run('call', [one], { body, remat: true }), [6])
  assert.deepEqual(run('composite', [one], { name: 'double', attributes: {}, body }), [6])
})

test('scan: carry, stacked results, reversed', () => {
  const k = parameter([], 'f32')
  const c = parameter([], 'f32')
  const x = parameter([2], 'f32')
  const next = apply('add', [apply('multiply', [c, k], {}), splat(1, [], 'f32')], {})
  const body = new Graph(
    [k, c, x],
    [next, apply('add', [x, apply('broadcast_in_dim', [c], { shape: [2], dims: [] })], {})],
  )
  const operands = [of('f32', [10], []), of('f32', [1], []), of('f32', [1, 2, 3, 4, 5, 6], [3, 2])]
  const scan = (reverse: boolean) => runAll('scan', operands, { body, num_consts: 1, num_carry: 1, length: 3, reverse })
  assert.deepEqual(scan(false), [[1111], [2, 3, 14, 15, 116, 117]])
  assert.deepEqual(scan(true), [[1111], [112, 113, 14, 15, 6, 7]])
})

test('meta ops hand values on', () => {
  assert.deepEqual(run('stop_gradient', [M], {}), [1, 2, 3, 4, 5, 6])
  assert.deepEqual(runAll('optimization_barrier', [f32(1), i64(2n)], {}), [[1], [2n]])
})

test('results share no memory with inputs, constants or each other', () => {
  const x = parameter([4], 'f32')
  const data = new Float32Array([1, 2])
  const constant = apply('constant', [], { shape: [2], dtype: 'f32', data })
  const square = apply('multiply', [x, x], {})
  const same = makeNode(
    'optimization_barrier',
    [apply('reshape', [x], { shape: [2, 2] }), square, square, constant],
    {},
  ).outputs
  const input = new Float32Array([1, 2, 3, 4])
  const results = evaluateGraph(new Graph([x], [...same]), [input])
  assert.equal(new Set([input, data, ...results].map((array) => array.buffer)).size, 6)
  assert.deepEqual(
    results.map((array) => Array.from(array as Float32Array)),
    [
      [1, 2, 3, 4],
      [1, 4, 9, 16],
      [1, 4, 9, 16],
      [1, 2],
    ],
  )
})

test('errors: wrong number and size of inputs', () => {
  const x = parameter([2], 'f32')
  const graph = new Graph([x], [x])
  assert.throws(() => evaluateGraph(graph, []), /takes 1 inputs, got 0/)
  assert.throws(() => evaluateGraph(graph, [new Float32Array(3)]), /input 0 has 3 elements, f32\[2\] needs 2/)
})
