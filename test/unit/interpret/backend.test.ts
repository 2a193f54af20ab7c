import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createInterpreterBackend } from '../../../src/backends/interpreter/index.js'
import { apply, finish, Graph, IndexError, parameter, splat } from '../../../src/ir/index.js'
import { wrapArray } from '../../../src/runtime/index.js'

const backend = createInterpreterBackend()

const gatherGraph = (): Graph => {
  const x = parameter([3], 'f32')
  const at = parameter([2, 1], 'i32')
  const attrs = { offset_dims: [], collapsed_slice_dims: [0], start_index_map: [0], slice_sizes: [1] }
  return new Graph([x, at], [apply('gather', [x, at], attrs)])
}

const gatherInputs = (...indices: number[]) => [
  wrapArray(new Float32Array([1, 2, 3]), 'f32', [3]),
  wrapArray(new Int32Array(indices), 'i32', [2, 1]),
]

test('runs at once and has nothing to wait for', () => {
  const run = finish(backend.compile(gatherGraph())).run(gatherInputs(2, 0))
  assert.equal(run.done, null)
  assert.deepEqual(Array.from(run.outputs[0].array as Float32Array), [3, 1])
})

test('a failure rejects `done` of run, and throws from runSync', async () => {
  const executable = finish(backend.compile(gatherGraph()))
  await assert.rejects(executable.run(gatherInputs(0, 3)).done as Promise<void>, IndexError)
  assert.throws(() => executable.runSync(gatherInputs(0, 3)), /gather: index 3 for dimension 0/)
})

test('an aborted signal rejects with its reason', async () => {
  const signal = AbortSignal.abort(new Error('enough'))
  await assert.rejects(
    finish(backend.compile(gatherGraph())).run(gatherInputs(0, 0), { signal }).done as Promise<void>,
    /enough/,
  )
})

test('inputs of another shape or dtype are refused by position', () => {
  const [x] = gatherInputs(0, 0)
  const wrong = wrapArray(new Int32Array(2), 'i32', [2])
  assert.throws(
    () => finish(backend.compile(gatherGraph())).runSync([x, wrong]),
    /input 1 must be i32\[2, 1\], got i32\[2\]/,
  )
})

test('reports the composites that ran by their body', () => {
  const p = parameter([2], 'f32')
  const body = new Graph([p], [apply('add', [p, splat(1, [2], 'f32')], {})])
  const x = parameter([2], 'f32')
  const once = apply('composite', [x], { name: 'plus_one', attributes: {}, body })
  const twice = apply('composite', [once], { name: 'plus_one', attributes: {}, body })
  const executable = finish(backend.compile(new Graph([x], [twice])))
  assert.deepEqual(executable.report.byBody, { plus_one: 2 })
  const [out] = executable.runSync([wrapArray(new Float32Array([1, 2]), 'f32', [2])])
  assert.deepEqual(Array.from(out.array as Float32Array), [3, 4])
})
