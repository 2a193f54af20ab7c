import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { vjp } from '../../../src/autodiff/index.js'
import { evaluateGraph } from '../../../src/interpret/index.js'
import {
  apply,
  type DType,
  finish,
  Graph,
  makeNode,
  type OpAttrs,
  type OpName,
  parameter,
  type Shape,
  splat,
  type TypedArray,
  topologicalOrder,
  type Value,
  verifyGraph,
} from '../../../src/ir/index.js'
import {
  inlineAll,
  inlineComposites,
  rewriteSteps,
  runPasses,
  simplify,
  standardPasses,
} from '../../../src/passes/index.js'

const op = <K extends OpName>(name: K, inputs: readonly Value[], attrs: OpAttrs[K]): Value => apply(name, inputs, attrs)
const bare = (name: OpName, ...inputs: Value[]): Value => apply(name as 'add', inputs, {})

const opsOf = (graph: Graph): string[] =>
  topologicalOrder(graph.results)
    .map((node) => node.op as string)
    .filter((name) => name !== 'parameter')

const x = parameter([2, 3], 'f32')
const y = parameter([2, 3], 'f32')
const n = parameter([2, 3], 'i32')
const full = (value: number, dtype: DType = 'f32', shape: Shape = [2, 3]): Value => splat(value, shape, dtype)
const simplified = (result: Value, params: readonly Value[] = [x, y, n]): Graph => {
  const graph = simplify(new Graph(params, [result]))
  verifyGraph(graph, 'simplify')
  return graph
}

/** Rewrites that leave `x` (or another value) alone. */
const gone: [string, Value, Value][] = [
  ['x + -0', bare('add', x, full(-0)), x],
  ['-0 + x', bare('add', full(-0), x), x],
  ['x - 0', bare('subtract', x, full(0)), x],
  ['x * 1', bare('multiply', x, full(1)), x],
  ['1 * x', bare('multiply', full(1), x), x],
  ['x / 1', bare('divide', x, full(1)), x],
  ['x ^ 1', bare('power', x, full(1)), x],
  ['--x', bare('negate', bare('negate', x)), x],
  ['not not n', bare('not', bare('not', n)), n],
  ['n + 0', bare('add', n, full(0, 'i32')), n],
  ['max(x, x)', bare('maximum', x, x), x],
  ['select(p, x, x)', op('select', [op('compare', [x, y], { direction: 'LT' }), x, x], {}), x],
  ['select(true, x, y)', op('select', [full(1, 'bool'), x, y], {}), x],
  ['reshape there and back', op('reshape', [op('reshape', [x], { shape: [6] })], { shape: [2, 3] }), x],
  ['transpose twice', op('transpose', [op('transpose', [x], { permutation: [1, 0] })], { permutation: [1, 0] }), x],
  ['broadcast to itself', op('broadcast_in_dim', [x], { shape: [2, 3], dims: [0, 1] }), x],
  ['whole slice', op('slice', [x], { start: [0, 0], limit: [2, 3], strides: [1, 1] }), x],
  ['pad by nothing', op('pad', [x, splat(0, [], 'f32')], { low: [0, 0], high: [0, 0], interior: [0, 0] }), x],
  ['reverse nothing', op('reverse', [x], { dimensions: [] }), x],
  ['concatenate one', op('concatenate', [x], { dimension: 0 }), x],
  ['convert to itself', op('convert', [x], { dtype: 'f32' }), x],
  ['f32 by way of f64', op('convert', [op('convert', [x], { dtype: 'f64' })], { dtype: 'f32' }), x],
  [
    'dynamic slice of everything',
    op('dynamic_slice', [x, splat(1, [], 'i32'), splat(0, [], 'i32')], { slice_sizes: [2, 3] }),
    x,
  ],
  ['max over nothing', op('reduce', [x], { kind: 'max', dimensions: [] }), x],
]

for (const [name, from, to] of gone) {
  test(`${name} goes`, () => {
    assert.equal(simplified(from).results[0], to)
  })
}

/** What must stay, since NaN, infinities, signed zeros or rounding would change. */
const kept: [string, Value][] = [
  ['x + 0', bare('add', x, full(0))],
  ['x - -0', bare('subtract', x, full(-0))],
  ['x * 0', bare('multiply', x, full(0))],
  ['x - x', bare('subtract', x, x)],
  ['x / x', bare('divide', x, x)],
  ['log(exp(x))', bare('log', bare('exponential', x))],
  ['x / 3', bare('divide', x, full(3))],
  ['f32 by way of f16', op('convert', [op('convert', [x], { dtype: 'f16' })], { dtype: 'f32' })],
  ['i32 by way of f32', op('convert', [op('convert', [n], { dtype: 'f32' })], { dtype: 'i32' })],
  [
    'i8 to u8 by way of f32',
    op('convert', [op('convert', [op('convert', [n], { dtype: 'i8' })], { dtype: 'f32' })], { dtype: 'u8' }),
  ],
  ['sum over nothing', op('reduce', [x], { kind: 'sum', dimensions: [] })],
]

for (const [name, value] of kept) {
  test(`${name} stays`, () => {
    assert.deepEqual(opsOf(simplified(value)), opsOf(new Graph([x, y, n], [value])))
  })
}

test('rewrites to cheaper ops', () => {
  const cases: [Value, string[]][] = [
    [bare('add', x, bare('negate', y)), ['subtract']],
    [bare('subtract', x, bare('negate', y)), ['add']],
    [bare('multiply', x, full(-1)), ['negate']],
    [bare('power', x, full(2)), ['multiply']],
    [bare('divide', x, full(8)), ['constant', 'multiply']],
    [bare('abs', bare('negate', x)), ['abs']],
    [op('convert', [op('convert', [n], { dtype: 'i64' })], { dtype: 'f32' }), ['convert']],
    [
      op('broadcast_in_dim', [op('broadcast_in_dim', [splat(2, [], 'f32')], { shape: [3], dims: [] })], {
        shape: [2, 3],
        dims: [1],
      }),
      ['constant'],
    ],
    [bare('multiply', full(2), op('convert', [full(3, 'i32')], { dtype: 'f32' })), ['constant']],
    [op('dynamic_slice', [x, splat(9, [], 'i32'), splat(1, [], 'i32')], { slice_sizes: [1, 2] }), ['slice']],
    [op('reduce', [op('reshape', [x], { shape: [2, 1, 3] })], { kind: 'max', dimensions: [1] }), []],
  ]
  for (const [value, want] of cases) assert.deepEqual(opsOf(simplified(value)), want)
})

test('common subexpressions: by attributes, commuted operands, small constants, whole loops', () => {
  const both = bare('multiply', bare('add', x, y), bare('add', y, x))
  assert.deepEqual(opsOf(simplified(both)), ['add', 'multiply'])
  const differing = bare(
    'subtract',
    op('reduce', [x], { kind: 'sum', dimensions: [0] }),
    op('reduce', [x], { kind: 'max', dimensions: [0] }),
  )
  assert.deepEqual(opsOf(simplified(differing)), ['reduce', 'reduce', 'subtract'])
  const ordered = bare('add', bare('subtract', x, y), bare('subtract', y, x))
  assert.deepEqual(opsOf(simplified(ordered)), ['subtract', 'subtract', 'add'])
  const constant = (values: number[]): Value =>
    op('constant', [], { shape: [2], dtype: 'f32', data: Float32Array.from(values) })
  assert.deepEqual(opsOf(simplified(bare('divide', constant([1, 2]), constant([1, 2])))), ['constant', 'divide'])
  assert.deepEqual(opsOf(simplified(bare('divide', constant([0, 2]), constant([-0, 2])))), [
    'constant',
    'constant',
    'divide',
  ])
})

test('optimization_barrier keeps recomputation apart', () => {
  const behind = makeNode('optimization_barrier', [x], {}).outputs[0]
  const graph = simplified(bare('add', bare('sine', x), bare('sine', behind)))
  assert.deepEqual(opsOf(graph).sort(), ['add', 'optimization_barrier', 'sine', 'sine'])
})

test('a dot absorbs transposes where its free dimensions keep their order', () => {
  const w = op('transpose', [parameter([4, 3], 'f32')], { permutation: [1, 0] })
  const dot = op('dot_general', [x, w], { lhs_batch: [], rhs_batch: [], lhs_contract: [1], rhs_contract: [0] })
  const graph = simplify(new Graph([x, w.node.inputs[0]], [dot]))
  assert.deepEqual(opsOf(graph), ['dot_general'])
  const a = parameter([2, 3, 4], 'f32')
  const swapped = op('transpose', [a], { permutation: [1, 0, 2] })
  const b = parameter([4, 5], 'f32')
  const free = op('dot_general', [swapped, b], { lhs_batch: [], rhs_batch: [], lhs_contract: [2], rhs_contract: [0] })
  assert.deepEqual(opsOf(simplify(new Graph([a, b], [free]))), ['transpose', 'dot_general'])
})

test('a chain of 20,000 nodes', () => {
  let value: Value = x
  for (let i = 0; i < 20000; i++) value = bare('negate', value)
  assert.equal(simplified(value).results[0], x)
})

const doubled = (name: string, inner: Value = x): Value => {
  const p = parameter([2, 3], 'f32')
  return op('composite', [inner], { name, attributes: {}, body: new Graph([p], [bare('add', p, p)]) })
}

test('inline: calls, stop_gradient, unlisted composites, nested ones and loop bodies', () => {
  const graph = new Graph([x], [op('stop_gradient', [doubled('kept', doubled('dropped'))], {})])
  assert.deepEqual(opsOf(inlineComposites(graph, (name) => name === 'kept')), ['add', 'composite'])
  assert.deepEqual(opsOf(inlineAll(graph)), ['add', 'add'])
  const p = parameter([2, 3], 'f32')
  const nested = new Graph([p], [doubled('inner', p)])
  const called = new Graph([x], [op('call', [x], { body: nested, remat: false })])
  assert.deepEqual(opsOf(inlineAll(called)), ['add'])
  const scan = op('scan', [x], { body: nested, num_consts: 0, num_carry: 1, length: 3, reverse: false })
  const inlined = inlineAll(new Graph([x], [scan])).results[0].node
  assert.deepEqual(opsOf((inlined.attrs as OpAttrs['scan']).body), ['add'])
})

test('the forward scan of a gradient merges with the first one, and results that nothing reads go', () => {
  const c = parameter([], 'f64')
  const item = parameter([], 'f64')
  const body = new Graph([c, item], [bare('sine', bare('multiply', c, item)), bare('exponential', c)])
  const init = parameter([], 'f64')
  const xs = parameter([5], 'f64')
  const last = op('scan', [init, xs], { body, num_consts: 0, num_carry: 1, length: 5, reverse: false })
  const grads = vjp([last], [splat(1, [], 'f64')], [init, xs]) as Value[]
  const graph = new Graph([init, xs], [last, ...grads])
  const after = finish(
    runPasses(
      graph,
      standardPasses(() => false),
      { verify: true },
    ),
  )
  const scans = topologicalOrder(after.results).filter((node) => node.op === 'scan')
  assert.equal(scans.length, 2)
  const forward = scans.find((node) => !(node.attrs as OpAttrs['scan']).reverse)
  assert.equal(forward?.outputs.length, 2)
  const inputs = [new Float64Array([0.4]), Float64Array.from([0.1, 2, -1, 0.5, 3])]
  assert.deepEqual(evaluateGraph(after, inputs), evaluateGraph(graph, inputs))
})

test('runPasses prints every stage and names the pass that breaks a graph', () => {
  const stages: string[] = []
  finish(
    runPasses(
      new Graph([x], [bare('add', x, full(-0))]),
      standardPasses(() => false),
      { print: (text) => stages.push(text) },
    ),
  )
  assert.deepEqual(
    stages.map((text) => text.split('\n')[0]),
    ['// traced', '// after inline', '// after simplify', '// after scans', '// after simplify-again'],
  )
  assert.match(stages[1], /add\(%0, %1\)/)
  const breaking = { name: 'breaking', run: () => rewriteSteps(new Graph([], [x]), () => null) }
  assert.throws(
    () => finish(runPasses(new Graph([x], [x]), [breaking], { verify: true })),
    /after breaking: undeclared parameter f32\[2, 3\]/,
  )
})

/** Random graphs over f32[2, 3], i32[2, 3] and f32[3, 2] values. */
type Choice = readonly [kind: number, a: number, b: number, extra: number]

const UNARY: OpName[] = ['negate', 'abs', 'floor', 'sqrt', 'exponential', 'sign', 'round_nearest_even', 'tanh']
const BINARY: OpName[] = ['add', 'subtract', 'multiply', 'divide', 'maximum', 'minimum', 'remainder', 'add', 'multiply']
const INT_BINARY: OpName[] = [
  'add',
  'subtract',
  'multiply',
  'divide',
  'remainder',
  'and',
  'or',
  'xor',
  'shift_left',
  'maximum',
  'power',
]
const SPLATS = [0, -0, 1, -1, 2, 0.5, 3, Number.NaN, Number.POSITIVE_INFINITY]
const DTYPES: DType[] = ['f64', 'f16', 'bf16', 'i8', 'u8', 'i64', 'i32', 'bool', 'u32', 'i16']

function randomGraph(choices: readonly Choice[]): Graph {
  const floats: Value[] = [x, y]
  const ints: Value[] = [n]
  const wide: Value[] = [op('transpose', [x], { permutation: [1, 0] })]
  const from = (pool: readonly Value[], i: number): Value => pool[pool.length - 1 - (i % pool.length)]
  const steps: ((a: number, b: number, extra: number) => void)[] = [
    (a, _b, e) => floats.push(bare(UNARY[e % UNARY.length], from(floats, a))),
    (a, b, e) => floats.push(bare(BINARY[e % BINARY.length], from(floats, a), from(floats, b))),
    (a, b, e) => ints.push(bare(INT_BINARY[e % INT_BINARY.length], from(ints, a), from(ints, b))),
    (_a, _b, e) => floats.push(full(SPLATS[e % SPLATS.length])),
    (_a, _b, e) => ints.push(full((e % 5) - 1, 'i32')),
    (a, _b, e) =>
      floats.push(
        op('convert', [op('convert', [from(floats, a)], { dtype: DTYPES[e % DTYPES.length] })], { dtype: 'f32' }),
      ),
    (a, _b, e) =>
      ints.push(
        op('convert', [op('convert', [from(ints, a)], { dtype: DTYPES[e % DTYPES.length] })], { dtype: 'i32' }),
      ),
    (a, b) => floats.push(op('convert', [bare('subtract', from(ints, a), from(ints, b))], { dtype: 'f32' })),
    (a, b, e) =>
      floats.push(
        op(
          'select',
          [
            op('compare', [from(floats, a), from(floats, b)], { direction: e % 2 ? 'LT' : 'NE' }),
            from(floats, b),
            from(floats, e),
          ],
          {},
        ),
      ),
    (a) => wide.push(op('transpose', [from(floats, a)], { permutation: [1, 0] })),
    (a) => floats.push(op('transpose', [from(wide, a)], { permutation: [1, 0] })),
    (a) => wide.push(op('reshape', [from(floats, a)], { shape: [3, 2] })),
    (a) => floats.push(op('reshape', [from(wide, a)], { shape: [2, 3] })),
    (a, _b, e) => floats.push(op('reverse', [from(floats, a)], { dimensions: e % 2 ? [1] : [] })),
    (a, b) =>
      floats.push(
        op('slice', [op('concatenate', [from(floats, a), from(floats, b)], { dimension: 0 })], {
          start: [b % 2, 0],
          limit: [(b % 2) + 2, 3],
          strides: [1, 1],
        }),
      ),
    (a, _b, e) =>
      floats.push(
        op(
          'broadcast_in_dim',
          [op('reduce', [from(floats, a)], { kind: e % 2 ? 'max' : 'sum', dimensions: [e % 3 === 0 ? 0 : 1] })],
          { shape: [2, 3], dims: [e % 3 === 0 ? 1 : 0] },
        ),
      ),
    (a, b) =>
      floats.push(
        op(
          'dot_general',
          [
            op('dot_general', [from(floats, a), from(wide, b)], {
              lhs_batch: [],
              rhs_batch: [],
              lhs_contract: [1],
              rhs_contract: [0],
            }),
            from(floats, b),
          ],
          { lhs_batch: [], rhs_batch: [], lhs_contract: [1], rhs_contract: [0] },
        ),
      ),
    (a, b) => floats.push(makeNode('optimization_barrier', [from(floats, a), from(floats, b)], {}).outputs[b % 2]),
    (a) => floats.push(doubled('double', from(floats, a))),
  ]
  for (const [kind, a, b, extra] of choices) steps[kind % steps.length](a, b, extra)
  return new Graph([x, y, n], [from(floats, 0), from(floats, 1), from(ints, 0), from(wide, 0)])
}

const plain = (arrays: readonly TypedArray[]): unknown[] => arrays.map((array) => Array.from(array as Float32Array))

test('random graphs compute the same, bit for bit, after the standard passes', () => {
  const choice = fc.tuple(fc.nat(), fc.nat(6), fc.nat(6), fc.nat(99))
  const float = fc.constantFrom(
    0,
    -0,
    1,
    -1,
    2.5,
    -3.75,
    1e-3,
    7,
    300,
    -1e20,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  )
  const int = fc.constantFrom(0, 1, -1, 5, -128, 300, 2147483647, -2147483648, 33)
  const six = <T>(item: fc.Arbitrary<T>) => fc.array(item, { minLength: 6, maxLength: 6 })
  fc.assert(
    fc.property(
      fc.array(choice, { minLength: 1, maxLength: 25 }),
      six(float),
      six(float),
      six(int),
      (choices, a, b, c) => {
        const graph = randomGraph(choices)
        const inputs = [Float32Array.from(a), Float32Array.from(b), Int32Array.from(c)]
        const before = plain(evaluateGraph(graph, inputs))
        const after = finish(
          runPasses(
            graph,
            standardPasses(() => false),
            { verify: true },
          ),
        )
        assert.deepEqual(plain(evaluateGraph(after, inputs)), before)
        assert.deepEqual(plain(evaluateGraph(graph, inputs)), before)
      },
    ),
    { numRuns: 400 },
  )
})
