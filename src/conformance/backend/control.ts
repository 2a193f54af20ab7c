import { Graph, makeNode, parameter, splat, type Value } from '../../ir/index.js'
import type { InputSpec } from './data.js'
import { type Drafts, op, summed, within } from './draft.js'

const EXACT = 'exact'
const bare = (name: 'add' | 'multiply' | 'tanh' | 'sine', ...inputs: Value[]): Value => op(name, inputs, {})

function* whiles(): Drafts {
  for (const start of [0, 100]) {
    const condParams = [parameter([], 'i32'), parameter([33], 'f32')]
    const cond = new Graph(condParams, [op('compare', [condParams[0], splat(7, [], 'i32')], { direction: 'LT' })])
    const [i, x] = [parameter([], 'i32'), parameter([33], 'f32')]
    const body = new Graph(
      [i, x],
      [bare('add', i, splat(1, [], 'i32')), bare('sine', bare('multiply', x, splat(1.5, [33], 'f32')))],
    )
    yield {
      label: start === 0 ? 'seven steps' : 'no step',
      inputs: [
        { dtype: 'i32', shape: [], values: [start] },
        { dtype: 'f32', shape: [33] },
      ],
      build: (p) => makeNode('while', p, { cond, body }).outputs,
      accuracy: within(64, 1),
    }
  }
}

/** A recurrent cell: weights as a constant, a state and a counter carried, one input and one output a step. */
function cell(): Graph {
  const w = parameter([9, 9], 'f32')
  const count = parameter([], 'i32')
  const state = parameter([5, 9], 'f32')
  const x = parameter([5, 9], 'f32')
  const mixed = op('dot_general', [state, w], { lhs_batch: [], rhs_batch: [], lhs_contract: [1], rhs_contract: [0] })
  const next = bare('tanh', bare('add', mixed, x))
  return new Graph([w, count, state, x], [bare('add', count, splat(1, [], 'i32')), next, bare('multiply', next, x)])
}

function* scans(): Drafts {
  const body = cell()
  for (const length of [0, 1, 6]) {
    for (const reverse of [false, true]) {
      const f32 = (...shape: number[]): InputSpec => ({ dtype: 'f32', shape, low: -0.5, high: 0.5 })
      yield {
        label: `${length} steps${reverse ? ', reversed' : ''}`,
        inputs: [f32(9, 9), { dtype: 'i32', shape: [], values: [3] }, f32(5, 9), f32(length, 5, 9)],
        build: (p) => makeNode('scan', p, { body, num_consts: 1, num_carry: 2, length, reverse }).outputs,
        accuracy: summed(64),
        gradient: true,
      }
    }
  }
}

const squareOfSine = (): Graph => {
  const x = parameter([5, 7], 'f32')
  const sine = bare('sine', x)
  return new Graph([x], [bare('multiply', sine, sine), sine])
}

function* calls(): Drafts {
  for (const remat of [false, true]) {
    const build = (p: readonly Value[]) => makeNode('call', p, { body: squareOfSine(), remat }).outputs
    yield {
      label: remat ? 'remat' : 'plain',
      inputs: [{ dtype: 'f32', shape: [5, 7] }],
      build,
      accuracy: within(16, 1),
      gradient: true,
    }
  }
}

function* composites(): Drafts {
  const build = (p: readonly Value[]) =>
    makeNode('composite', p, { name: 'conformance_only', attributes: { n: 2 }, body: squareOfSine() }).outputs
  yield { label: 'by body', inputs: [{ dtype: 'f32', shape: [5, 7] }], build, accuracy: within(16, 1), gradient: true }
}

function* passingOn(name: 'stop_gradient' | 'optimization_barrier'): Drafts {
  const inputs: InputSpec[] = [
    { dtype: 'f32', shape: [33], specials: true },
    { dtype: 'i64', shape: [3], specials: true },
  ]
  const build = (p: readonly Value[]) =>
    name === 'stop_gradient' ? p.map((x) => op(name, [x], {})) : makeNode(name, p, {}).outputs
  yield { label: 'values', inputs, build, accuracy: EXACT }
}

/** Drafts of control flow and of ops that only mean something to the compiler. */
export const controlDrafts = {
  while: whiles,
  scan: scans,
  call: calls,
  composite: composites,
  stop_gradient: () => passingOn('stop_gradient'),
  optimization_barrier: () => passingOn('optimization_barrier'),
}
