import assert from 'node:assert/strict'
import { test } from 'node:test'
import { vjp } from '../../../src/autodiff/index.js'
import { evaluateGraph } from '../../../src/interpret/index.js'
import {
  Graph,
  parameter,
  type ReduceKind,
  type ScatterKind,
  splat,
  type Value,
  type WindowKind,
} from '../../../src/ir/index.js'
import { checkGradient, gradientsAt, op } from './check.js'

const square = (x: Value): Value => op('multiply', [x, x], {})
const indices = (values: readonly number[], shape: readonly number[]): Value =>
  op('constant', [], { shape, dtype: 'i32', data: Int32Array.from(values) })

test('gradients of the movement ops', () => {
  const x = { shape: [3, 4] }
  checkGradient((a) => square(op('reshape', [a], { shape: [2, 6] })), [x], 2)
  checkGradient((a) => square(op('transpose', [a], { permutation: [1, 2, 0] })), [{ shape: [2, 3, 4] }], 2)
  checkGradient((a) => square(op('broadcast_in_dim', [a], { shape: [4, 2, 3], dims: [2, 0] })), [{ shape: [3, 1] }], 2)
  checkGradient((a) => square(op('broadcast_in_dim', [a], { shape: [4, 2, 3], dims: [2, 0] })), [{ shape: [3, 4] }], 2)
  checkGradient((a) => square(op('slice', [a], { start: [0, 1], limit: [3, 4], strides: [2, 2] })), [x], 2)
  checkGradient((a) => square(op('slice', [a], { start: [1, 1], limit: [1, 4], strides: [2, 2] })), [x])
  checkGradient((a) => square(op('reverse', [a], { dimensions: [1] })), [x], 2)
  checkGradient((a, b) => square(op('concatenate', [a, b, a], { dimension: 1 })), [x, { shape: [3, 2] }], 2)
})

test('gradient of pad: positive, negative and interior padding, and the padding value', () => {
  const pads = [
    { low: [1, 0], high: [2, 1], interior: [0, 2] },
    { low: [-1, 2], high: [0, -1], interior: [1, 0] },
    { low: [0, -3], high: [0, -2], interior: [0, 3] },
  ]
  for (const attrs of pads)
    checkGradient((a, v) => square(op('pad', [a, v], attrs)), [{ shape: [3, 4] }, { shape: [] }], 2)
})

test('gradients of gather and of every scatter', () => {
  const rows = { offset_dims: [1], collapsed_slice_dims: [0], start_index_map: [0], slice_sizes: [1, 3] }
  const at = indices([2, 0, 2], [3, 1])
  checkGradient((a) => square(op('gather', [a, at], rows)), [{ shape: [4, 3] }], 2)
  for (const kind of ['set', 'add', 'max', 'min', 'multiply'] as ScatterKind[]) {
    const attrs = { kind, update_window_dims: [1], inserted_window_dims: [0], scatter_dims_to_operand_dims: [0] }
    // What was overwritten has a gradient in torch's sense alone.
    const places = kind === 'set' ? indices([2, 0, 1], [3, 1]) : at
    checkGradient(
      (a, u) => square(op('scatter', [a, places, u], attrs)),
      [{ shape: [4, 3] }, { shape: [3, 3], low: 0.2 }],
      2,
    )
  }
})

test('scatter set: as in torch all writers of a place get its gradient', () => {
  const attrs = {
    kind: 'set',
    update_window_dims: [],
    inserted_window_dims: [0],
    scatter_dims_to_operand_dims: [0],
  } as const
  const f = (a: Value, u: Value) => op('scatter', [a, indices([1, 1, 0], [3, 1]), u], attrs)
  const args = [
    { shape: [3], values: [1, 2, 3] },
    { shape: [3], values: [4, 5, 6] },
  ]
  assert.deepEqual(gradientsAt(f, args), [
    [0, 0, 1],
    [1, 1, 1],
  ])
})

test('scatter multiply: zeros among the factors', () => {
  const attrs = {
    kind: 'multiply',
    update_window_dims: [],
    inserted_window_dims: [0],
    scatter_dims_to_operand_dims: [0],
  } as const
  const f = (a: Value, u: Value) => op('scatter', [a, indices([0, 0, 1, 1], [4, 1]), u], attrs)
  const args = [
    { shape: [2], values: [2, 3] },
    { shape: [4], values: [0, 5, 0, 0] },
  ]
  assert.deepEqual(gradientsAt(f, args), [
    [0, 0],
    [10, 0, 0, 0],
  ])
})

test('gradients of dynamic_slice and dynamic_update_slice', () => {
  const start = [indices([1], []), indices([5], [])]
  checkGradient((a) => square(op('dynamic_slice', [a, ...start], { slice_sizes: [2, 2] })), [{ shape: [4, 3] }], 2)
  checkGradient(
    (a, u) => square(op('dynamic_update_slice', [a, u, ...start], {})),
    [{ shape: [4, 3] }, { shape: [2, 2] }],
    2,
  )
})

test('gradient of sort, key and companion', () => {
  const f = (descending: boolean, which: number) => (a: Value, b: Value) => {
    const key = op('sort', [a, b], { dimension: 0, descending })
    return square(key.node.outputs[which])
  }
  for (const descending of [false, true]) {
    for (const which of [0, 1]) checkGradient(f(descending, which), [{ shape: [5, 2] }, { shape: [5, 2] }], 2)
  }
})

test('gradient of dot_general: batch, several contracted dimensions in crossed order, none', () => {
  const plain = { lhs_batch: [], rhs_batch: [], lhs_contract: [1], rhs_contract: [0] }
  checkGradient((a, b) => op('dot_general', [a, b], plain), [{ shape: [3, 4] }, { shape: [4, 2] }], 2)
  const crossed = { lhs_batch: [1], rhs_batch: [2], lhs_contract: [3, 0], rhs_contract: [0, 3] }
  checkGradient((a, b) => op('dot_general', [a, b], crossed), [{ shape: [4, 2, 3, 5] }, { shape: [5, 6, 2, 4] }], 2)
  const outer = { lhs_batch: [], rhs_batch: [], lhs_contract: [], rhs_contract: [] }
  checkGradient((a, b) => op('dot_general', [a, b], outer), [{ shape: [3] }, { shape: [2, 2] }], 2)
})

const nchw = {
  input_batch: 0,
  input_feature: 1,
  input_spatial: [2, 3],
  kernel_output_feature: 0,
  kernel_input_feature: 1,
  kernel_spatial: [2, 3],
  output_batch: 0,
  output_feature: 1,
  output_spatial: [2, 3],
}
const plainConv = {
  ...nchw,
  window_strides: [1, 1],
  padding: [[0, 0] as const, [0, 0] as const],
  lhs_dilation: [1, 1],
  rhs_dilation: [1, 1],
  feature_group_count: 1,
  batch_group_count: 1,
}

test('gradient of convolution: strides, padding, dilations, groups, batch groups, other layouts', () => {
  const cases = [
    { attrs: plainConv, x: [2, 3, 5, 4], w: [4, 3, 3, 2] },
    {
      attrs: { ...plainConv, window_strides: [2, 3], padding: [[1, 2] as const, [0, 1] as const] },
      x: [2, 3, 5, 6],
      w: [2, 3, 3, 2],
    },
    {
      attrs: { ...plainConv, lhs_dilation: [2, 1], rhs_dilation: [1, 2], padding: [[2, 1] as const, [-1, 2] as const] },
      x: [1, 2, 4, 6],
      w: [3, 2, 2, 2],
    },
    { attrs: { ...plainConv, feature_group_count: 2, window_strides: [2, 1] }, x: [2, 4, 5, 4], w: [6, 2, 2, 2] },
    { attrs: { ...plainConv, feature_group_count: 4 }, x: [1, 4, 3, 3], w: [4, 1, 2, 2] },
    { attrs: { ...plainConv, batch_group_count: 2 }, x: [4, 3, 4, 4], w: [6, 3, 2, 3] },
    {
      attrs: {
        ...plainConv,
        input_batch: 0,
        input_spatial: [1, 2],
        input_feature: 3,
        kernel_spatial: [0, 1],
        kernel_input_feature: 2,
        kernel_output_feature: 3,
        output_batch: 0,
        output_spatial: [1, 2],
        output_feature: 3,
        window_strides: [2, 2],
        padding: [[0, 1] as const, [1, 1] as const],
        feature_group_count: 2,
      },
      x: [2, 5, 4, 4],
      w: [3, 2, 2, 6],
    },
  ]
  for (const { attrs, x, w } of cases) {
    checkGradient((a, b) => op('convolution', [a, b], attrs), [{ shape: x }, { shape: w }], 2)
  }
})

test('gradients of reductions', () => {
  for (const kind of ['sum', 'max', 'min', 'prod'] as ReduceKind[]) {
    for (const dimensions of [[1], [0, 2], [0, 1, 2], []]) {
      checkGradient((a) => square(op('reduce', [a], { kind, dimensions })), [{ shape: [2, 3, 4], low: 0.3 }], 2)
    }
  }
})

test('prod with zeros: gradients of first and second order', () => {
  const prod = (a: Value) => op('reduce', [a], { kind: 'prod', dimensions: [0] })
  assert.deepEqual(gradientsAt(prod, [{ shape: [4], values: [2, 0, 3, 5] }]), [[0, 30, 0, 0]])
  assert.deepEqual(gradientsAt(prod, [{ shape: [3], values: [0, 0, 3] }]), [[0, 0, 0]])
  checkGradient(prod, [{ shape: [3], values: [0, 2, 3] }], 2)
})

test('max: ties share the gradient', () => {
  const max = (a: Value) => op('reduce', [a], { kind: 'max', dimensions: [0] })
  assert.deepEqual(gradientsAt(max, [{ shape: [4], values: [3, 1, 3, 3] }]), [[1 / 3, 0, 1 / 3, 1 / 3]])
})

const pool = (kind: WindowKind, extra = {}) => ({
  kind,
  window_dimensions: [1, 3, 2],
  window_strides: [1, 2, 1],
  padding: [[0, 0] as const, [1, 1] as const, [0, 1] as const],
  base_dilation: [1, 1, 1],
  window_dilation: [1, 1, 1],
  ...extra,
})

test('gradients of window sums and extremes', () => {
  for (const kind of ['sum', 'max', 'min'] as WindowKind[]) {
    for (const extra of [
      {},
      { base_dilation: [1, 2, 1] },
      { window_dilation: [1, 1, 2] },
      {
        padding: [
          [0, 0],
          [-1, 2],
          [0, 0],
        ],
      },
    ]) {
      checkGradient((a) => square(op('reduce_window', [a], pool(kind, extra))), [{ shape: [2, 5, 4] }], 2)
    }
  }
})

test('window max: the first maximum takes all', () => {
  const f = (a: Value) =>
    op('reduce_window', [a], {
      kind: 'max',
      window_dimensions: [2],
      window_strides: [1],
      padding: [[0, 0]],
      base_dilation: [1],
      window_dilation: [1],
    })
  assert.deepEqual(gradientsAt(f, [{ shape: [4], values: [1, 1, 1, 0] }]), [[1, 1, 1, 0]])
})

const cellBody = (): Graph => {
  const w = parameter([3, 3], 'f64')
  const step = parameter([], 'i32')
  const h = parameter([3], 'f64')
  const x = parameter([3], 'f64')
  const mixed = op('dot_general', [w, h], { lhs_batch: [], rhs_batch: [], lhs_contract: [1], rhs_contract: [0] })
  const next = op('tanh', [op('add', [mixed, x], {})], {})
  const counted = op('add', [step, splat(1, [], 'i32')], {})
  return new Graph([w, step, h, x], [counted, next, op('multiply', [next, x], {})])
}

test('gradient of scan: constants, carry, xs, an integer carry; both directions; second order', () => {
  const body = cellBody()
  for (const reverse of [false, true]) {
    const f = (w: Value, h: Value, xs: Value): Value => {
      const node = op('scan', [w, splat(0, [], 'i32'), h, xs], {
        body,
        num_consts: 1,
        num_carry: 2,
        length: 4,
        reverse,
      }).node
      const ys = op('reduce', [node.outputs[2]], { kind: 'sum', dimensions: [0] })
      return op('add', [ys, square(node.outputs[1])], {})
    }
    checkGradient(f, [{ shape: [3, 3] }, { shape: [3] }, { shape: [4, 3] }], 2)
  }
})

test('scan of length 0 passes the cotangent of the carry through', () => {
  const f = (h: Value, xs: Value): Value =>
    op('scan', [splat(0.5, [3, 3], 'f64'), splat(0, [], 'i32'), h, xs], {
      body: cellBody(),
      num_consts: 1,
      num_carry: 2,
      length: 0,
      reverse: false,
    }).node.outputs[1]
  assert.deepEqual(
    gradientsAt(f, [
      { shape: [3], values: [1, 2, 3] },
      { shape: [0, 3], values: [] },
    ]),
    [[1, 1, 1], []],
  )
})

test('while says to use scan', () => {
  const p = parameter([], 'f64')
  const cond = new Graph([p], [op('compare', [p, splat(9, [], 'f64')], { direction: 'LT' })])
  const q = parameter([], 'f64')
  const x = parameter([], 'f64')
  const y = op('while', [x], { cond, body: new Graph([q], [op('add', [q, q], {})]) })
  assert.throws(() => vjp([y], [splat(1, [], 'f64')], [x]), /use scan/)
})

test('call and composite differentiate through their bodies, an operand passed twice included', () => {
  const body = (): Graph => {
    const a = parameter([3], 'f64')
    const b = parameter([3], 'f64')
    return new Graph([a, b], [op('multiply', [op('sine', [a], {}), b], {})])
  }
  for (const remat of [false, true]) {
    checkGradient((x, y) => op('call', [x, y], { body: body(), remat }), [{ shape: [3] }, { shape: [3] }], 2)
    checkGradient((x) => op('call', [x, x], { body: body(), remat }), [{ shape: [3] }], 2)
  }
  checkGradient(
    (x, y) => square(op('composite', [x, y], { name: 'test_only', attributes: {}, body: body() })),
    [{ shape: [3] }, { shape: [3] }],
    2,
  )
})

test('remat recomputes behind a barrier', () => {
  const a = parameter([3], 'f64')
  const body = new Graph([a], [op('sine', [op('exponential', [a], {})], {})])
  const x = parameter([3], 'f64')
  const ct = parameter([3], 'f64')
  const y = op('call', [x], { body, remat: true })
  const [grad] = vjp([y], [ct], [x]) as Value[]
  const ops = new Set<string>()
  const stack = [grad]
  while (stack.length > 0) {
    const value = stack.pop() as Value
    ops.add(value.node.op)
    stack.push(...value.node.inputs)
  }
  assert.ok(ops.has('optimization_barrier') && ops.has('exponential') && !ops.has('call'))
  const at = 0.3
  const [got] = evaluateGraph(new Graph([x, ct], [grad]), [new Float64Array(3).fill(at), new Float64Array(3).fill(1)])
  assert.ok(Math.abs(Number(got[0]) - Math.cos(Math.exp(at)) * Math.exp(at)) < 1e-12)
})

test('optimization_barrier passes gradients', () => {
  checkGradient(
    (a, b) => {
      const node = op('optimization_barrier', [a, b], {}).node
      return op('multiply', [node.outputs[0], square(node.outputs[1])], {})
    },
    [{ shape: [3] }, { shape: [3] }],
    2,
  )
})
