import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apply, broadcastInDim, finish, Graph, makeNode, parameter, splat, type Value } from '../../src/ir/index.js'
import { wrapArray } from '../../src/runtime/buffer.js'
import { assertAgrees, checkOn, cpuBackend, native } from './agree.js'

const add = (a: Value, b: Value): Value => apply('add', [a, b], {})
const multiply = (a: Value, b: Value): Value => apply('multiply', [a, b], {})
const sum = (x: Value, dimensions: number[]): Value => apply('reduce', [x], { kind: 'sum', dimensions })

test('results that are parameters, constants, views and each other', native, () => {
  const x = parameter([3, 4], 'f32')
  const t = apply('transpose', [x], { permutation: [1, 0] })
  const y = add(x, x)
  const flat = apply('reshape', [y], { shape: [12] })
  const c = splat(2.5, [5], 'f32')
  checkOn([x], [x, t, y, y, flat, c, apply('reshape', [t], { shape: [12] })])
})

test('movement ops as views and copies', native, () => {
  const x = parameter([2, 3, 4], 'i32')
  const y = parameter([2, 3, 4], 'i32')
  const results = [
    apply('concatenate', [x, y, x], { dimension: 1 }),
    apply('pad', [x, splat(9, [], 'i32')], { low: [1, -1, 0], high: [0, 2, 1], interior: [0, 1, 2] }),
    apply('reverse', [x], { dimensions: [0, 2] }),
    apply('reshape', [apply('transpose', [x], { permutation: [2, 0, 1] })], { shape: [4, 6] }),
    apply('slice', [x], { start: [0, 1, 0], limit: [2, 3, 4], strides: [1, 1, 3] }),
    apply('iota', [], { shape: [3, 5], dtype: 'i32', dimension: 1 }),
  ]
  checkOn([x, y], results, { edges: false })
})

test('memory is shared between values that never meet', native, () => {
  const x = parameter([1000], 'f32')
  let t: Value = x
  for (let i = 0; i < 20; i++) t = add(broadcastInDim(sum(apply('tanh', [t], {}), [0]), [1000], []), x)
  const executable = finish(cpuBackend().compile(new Graph([x], [t])))
  assert.ok(executable.report.arenaBytes <= 3 * 4096, `arena of ${executable.report.arenaBytes} bytes`)
  checkOn([x], [t], { edges: false, scale: 100 })
})

test('a donated parameter is updated in place, after its other readers', native, () => {
  const w = parameter([64], 'f32')
  const g = parameter([64], 'f32')
  const next = apply('subtract', [w, multiply(g, splat(0.1, [64], 'f32'))], {})
  const norm = sum(multiply(w, w), [0])
  const graph = new Graph([w, g], [next, norm])
  const array = new Float32Array(64).map((_, i) => i)
  const executable = finish(cpuBackend().compile(graph, { donated: [0, -1] }))
  const outputs = executable.runSync([
    wrapArray(array, 'f32', [64]),
    wrapArray(new Float32Array(64).fill(10), 'f32', [64]),
  ])
  assert.equal(outputs[0].array, array)
  assert.equal(array[5], 4)
  assert.equal(outputs[1].array[0], (63 * 64 * 127) / 6)
  assertAgrees(graph, [Float32Array.from({ length: 64 }, (_, i) => i), new Float32Array(64).fill(3)], {
    donated: [0, -1],
    scale: 10,
  })
})

test('a donated parameter whose readers come last is copied', native, () => {
  const w = parameter([8], 'f32')
  const next = add(w, splat(1, [8], 'f32'))
  // The old value is needed after the new one.
  const both = multiply(broadcastInDim(sum(next, [0]), [8], []), w)
  assertAgrees(new Graph([w], [next, both]), [Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8])], { donated: [0] })
})

test('two donated parameters that swap', native, () => {
  const a = parameter([40], 'f32')
  const b = parameter([40], 'f32')
  assertAgrees(
    new Graph([a, b], [add(b, b), add(a, a)]),
    [new Float32Array(40).fill(1), new Float32Array(40).fill(2)],
    { donated: [0, 1] },
  )
  assertAgrees(new Graph([a, b], [b, a]), [new Float32Array(40).fill(1), new Float32Array(40).fill(2)], {
    donated: [0, 1],
  })
})

function scanGraph(length: number, reverse: boolean): Graph {
  const c = parameter([5], 'f32')
  const h = parameter([5], 'f32')
  const k = parameter([5], 'f32')
  const x = parameter([5], 'f32')
  const next = apply('tanh', [add(multiply(h, c), x)], {})
  const body = new Graph([c, h, k, x], [next, h, add(next, k), x])
  const outer = [parameter([5], 'f32'), parameter([5], 'f32'), parameter([5], 'f32'), parameter([length, 5], 'f32')]
  const scan = makeNode('scan', outer, { body, num_consts: 1, num_carry: 2, length, reverse })
  return new Graph(outer, [...scan.outputs])
}

test('scan: carries, constants, slices, stacked results', native, () => {
  for (const length of [0, 1, 2, 7]) {
    for (const reverse of [false, true]) {
      const graph = scanGraph(length, reverse)
      checkOn(graph.params, graph.results, { edges: false, floor: 1, what: `scan of ${length}, reverse ${reverse}` })
    }
  }
})

test('while: a loop with a condition, swapped carries and a nested scan', native, () => {
  const params = () => [parameter([], 'i32'), parameter([4], 'f32'), parameter([4], 'f32')]
  const [ci, ca, cb] = params()
  const cond = new Graph([ci, ca, cb], [apply('compare', [ci, splat(5, [], 'i32')], { direction: 'LT' })])
  const [i, a, b] = params()
  const inner = [parameter([4], 'f32'), parameter([4], 'f32')]
  const innerBody = new Graph(inner, [add(inner[0], inner[1])])
  const stacked = broadcastInDim(b, [3, 4], [1])
  const scanned = makeNode('scan', [a, stacked], {
    body: innerBody,
    num_consts: 0,
    num_carry: 1,
    length: 3,
    reverse: false,
  })
  const body = new Graph(
    [i, a, b],
    [add(i, splat(1, [], 'i32')), multiply(b, splat(0.5, [4], 'f32')), scanned.outputs[0]],
  )
  const outer = params()
  const loop = makeNode('while', outer, { cond, body })
  const graph = new Graph(outer, [...loop.outputs])
  for (const start of [0, 4, 5, 9]) {
    assertAgrees(graph, [Int32Array.of(start), Float32Array.of(1, 2, 3, 4), Float32Array.of(5, 6, 7, 8)], {
      what: `while from ${start}`,
    })
  }
})

test('an index out of range names op, operand, index and limit', native, () => {
  const x = parameter([10, 3], 'f32')
  const indices = parameter([2, 1], 'i32')
  const row = apply('gather', [x, indices], {
    offset_dims: [1],
    collapsed_slice_dims: [0],
    start_index_map: [0],
    slice_sizes: [1, 3],
  })
  const executable = finish(cpuBackend().compile(new Graph([x, indices], [row]), { name: 'lookup' }))
  const input = wrapArray(new Float32Array(30), 'f32', [10, 3])
  assert.throws(
    () => executable.runSync([input, wrapArray(Int32Array.of(3, 10), 'i32', [2, 1])]),
    /lookup: gather\(f32\[10, 3\], i32\[2, 1\]\): index 10 in operand 1 .* less than 10/,
  )
  assert.throws(() => executable.runSync([input, wrapArray(Int32Array.of(-1, 2), 'i32', [2, 1])]), /index -1/)
})

test('wrong inputs are named', native, () => {
  const x = parameter([4], 'f32')
  const executable = finish(cpuBackend().compile(new Graph([x], [add(x, x)]), { name: 'double' }))
  assert.throws(() => executable.runSync([]), /double: takes 1 inputs, got 0/)
  assert.throws(
    () => executable.runSync([wrapArray(new Float32Array(5), 'f32', [5])]),
    /double: input 0 must be f32\[4\], got f32\[5\]/,
  )
})

test('a run can be aborted between instructions, and rejects with the reason', native, async () => {
  const i = parameter([], 'i32')
  const ci = parameter([], 'i32')
  const cond = new Graph([ci], [apply('compare', [ci, splat(0, [], 'i32')], { direction: 'GE' })])
  const body = new Graph([i], [apply('and', [add(i, splat(1, [], 'i32')), splat(1023, [], 'i32')], {})])
  const start = parameter([], 'i32')
  const loop = makeNode('while', [start], { cond, body })
  const executable = finish(cpuBackend().compile(new Graph([start], [...loop.outputs]), { name: 'endless' }))
  const controller = new AbortController()
  const run = executable.run([wrapArray(Int32Array.of(0), 'i32', [])], { signal: controller.signal })
  setTimeout(() => controller.abort(new Error('enough')), 20)
  await assert.rejects(run.done as Promise<void>, /enough/)
  const later = executable.run([wrapArray(Int32Array.of(0), 'i32', [])], { signal: AbortSignal.abort() })
  await assert.rejects(later.done as Promise<void>, /abort/i)
})

test('the transpose of a product is the product of exchanged operands', native, () => {
  const contract = { lhs_batch: [0], rhs_batch: [0], lhs_contract: [1], rhs_contract: [1] }
  const a = parameter([2, 5, 3, 4], 'f32')
  const b = parameter([2, 5, 6], 'f32')
  const dot = apply('dot_general', [a, b], contract)
  const swapped = apply('transpose', [dot], { permutation: [0, 3, 1, 2] })
  const executable = finish(cpuBackend().compile(new Graph([a, b], [swapped])))
  assert.deepEqual(executable.report.kernels, { dot_general: 1 })
  checkOn([a, b], [swapped], { edges: false, floor: 8 })
  const other = apply('transpose', [dot], { permutation: [0, 3, 2, 1] })
  checkOn([a, b], [dot, other, add(dot, dot)], { edges: false, floor: 8 })
})

test('products and convolutions take a bias in', native, () => {
  const contract = { lhs_batch: [], rhs_batch: [], lhs_contract: [1], rhs_contract: [1] }
  const x = parameter([7, 20], 'f32')
  const w = parameter([9, 20], 'f32')
  const b = parameter([9], 'f32')
  const y = add(apply('dot_general', [x, w], contract), broadcastInDim(b, [7, 9], [1]))
  assert.deepEqual(finish(cpuBackend().compile(new Graph([x, w, b], [y]))).report.kernels, { dot_general: 1 })
  checkOn([x, w, b], [y], { edges: false, floor: 8 })
  const rows = parameter([7], 'f32')
  const notBias = add(broadcastInDim(rows, [7, 9], [0]), apply('dot_general', [x, w], contract))
  checkOn([x, w, rows], [notBias], { edges: false, floor: 8 })

  const image = parameter([2, 5, 6, 3], 'f32')
  const kernel = parameter([3, 3, 3, 4], 'f32')
  const features = parameter([4], 'f32')
  const conv = apply('convolution', [image, kernel], {
    input_batch: 0,
    input_feature: 3,
    input_spatial: [1, 2],
    kernel_input_feature: 2,
    kernel_output_feature: 3,
    kernel_spatial: [0, 1],
    output_batch: 0,
    output_feature: 3,
    output_spatial: [1, 2],
    window_strides: [1, 1],
    padding: [
      [1, 1],
      [1, 1],
    ],
    lhs_dilation: [1, 1],
    rhs_dilation: [1, 1],
    feature_group_count: 1,
    batch_group_count: 1,
  })
  const z = add(conv, broadcastInDim(features, conv.shape, [3]))
  assert.deepEqual(finish(cpuBackend().compile(new Graph([image, kernel, features], [z]))).report.kernels, {
    convolution: 1,
  })
  checkOn([image, kernel, features], [z], { edges: false, floor: 16 })
})

test('operands that stay the same are packed after a few runs, without a change of bits', native, async () => {
  const x = parameter([5, 70], 'f32')
  const w = parameter([90, 70], 'f32')
  const v = parameter([90, 130], 'f32')
  const b = parameter([90], 'f32')
  const contract = { lhs_batch: [], rhs_batch: [], lhs_contract: [1], rhs_contract: [1] }
  const hidden = add(apply('dot_general', [x, w], contract), broadcastInDim(b, [5, 90], [1]))
  const y = apply('dot_general', [hidden, v], { ...contract, rhs_contract: [0] })
  const executable = finish(cpuBackend().compile(new Graph([x, w, v, b], [y, hidden]), { stableFrom: 1 }))
  const fill = (shape: number[], step: number) =>
    wrapArray(
      Float32Array.from({ length: shape.reduce((a, n) => a * n, 1) }, (_, i) => Math.sin(i * step)),
      'f32',
      shape,
    )
  const inputs = [fill([5, 70], 1), fill([90, 70], 0.7), fill([90, 130], 0.3), fill([90], 2)]
  const first = executable.runSync(inputs).map(({ array }) => array.slice())
  for (let round = 0; round < 5; round++) {
    assert.deepEqual(
      executable.runSync(inputs).map(({ array }) => array.slice()),
      first,
    )
    const run = executable.run(inputs)
    await run.done
    assert.deepEqual(
      run.outputs.map(({ array }) => array.slice()),
      first,
    )
  }
  // Another buffer of other contents is not mistaken for the packed one.
  const other = executable.runSync([inputs[0], fill([90, 70], 0.2), inputs[2], inputs[3]])
  assert.notDeepEqual(other[0].array.slice(), first[0])
})
