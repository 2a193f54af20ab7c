import type { OpAttrs, ScatterKind, Shape, Value } from '../../ir/index.js'
import type { InputSpec } from './data.js'
import { ALL, type Draft, type Drafts, FLOATS, INTEGERS, op, SHAPES, shapeLabel, within } from './draft.js'

const EXACT = 'exact'

/** One draft a dtype for each labelled pair of input shape and emitted op. */
function* perDType(variants: readonly (readonly [label: string, shape: Shape, emit: (x: Value) => Value])[]): Drafts {
  for (const dtype of ALL) {
    for (const [label, shape, emit] of variants) {
      yield {
        label: `${dtype}/${label}`,
        inputs: [{ dtype, shape }],
        build: ([x]) => [emit(x)],
        accuracy: EXACT,
        gradient: dtype === 'f32',
      }
    }
  }
}

function* sources(): Drafts {
  for (const dtype of ALL) {
    for (const shape of SHAPES) {
      const build: Draft['build'] = (params) => params
      yield {
        label: `${dtype}/${shapeLabel(shape)}`,
        inputs: [{ dtype, shape, specials: true }],
        build,
        accuracy: EXACT,
      }
    }
  }
}

function* constants(): Drafts {
  for (const dtype of FLOATS) {
    yield {
      label: `${dtype}/computed`,
      inputs: [{ dtype, shape: [5] }],
      build: ([x]) => [op('multiply', [x, op('sqrt', [op('abs', [x], {})], {})], {})],
      accuracy: within(2),
    }
  }
  const full: OpAttrs['constant'] = { shape: [2, 3], dtype: 'i32', data: Int32Array.from([1, -2, 3, -4, 5, -6]) }
  const splat: OpAttrs['constant'] = { shape: [3, 35], dtype: 'f32', data: Float32Array.from([1.5]) }
  const empty: OpAttrs['constant'] = { shape: [0], dtype: 'i64', data: new BigInt64Array(0) }
  const wide: OpAttrs['constant'] = {
    shape: [3],
    dtype: 'i64',
    data: BigInt64Array.from([2n ** 62n, -1n, 2n ** 53n + 1n]),
  }
  yield {
    label: 'all',
    inputs: [],
    build: () => [full, splat, empty, wide].map((attrs) => op('constant', [], attrs)),
    accuracy: EXACT,
  }
}

function* iotas(): Drafts {
  for (const dtype of [...FLOATS, ...INTEGERS]) {
    const build: Draft['build'] = () => [
      op('iota', [], { shape: [3, 37], dtype, dimension: 1 }),
      op('iota', [], { shape: [9, 2, 2], dtype, dimension: 0 }),
      op('iota', [], { shape: [0, 2], dtype, dimension: 0 }),
    ]
    yield { label: dtype, inputs: [], build, accuracy: EXACT }
  }
}

const permute = (permutation: readonly number[]) => (x: Value) => op('transpose', [x], { permutation })
const spread = (shape: Shape, dims: readonly number[]) => (x: Value) => op('broadcast_in_dim', [x], { shape, dims })
const cut = (start: readonly number[], limit: readonly number[], strides: readonly number[]) => (x: Value) =>
  op('slice', [x], { start, limit, strides })
const flip =
  (...dimensions: number[]) =>
  (x: Value) =>
    op('reverse', [x], { dimensions })

const movement = {
  reshape: () =>
    perDType([
      ['flat', [3, 35], (x) => op('reshape', [x], { shape: [105] })],
      ['empty', [0, 3], (x) => op('reshape', [x], { shape: [3, 0, 7] })],
      ['scalar', [1, 1], (x) => op('reshape', [x], { shape: [] })],
      ['of a transpose', [3, 35], (x) => op('reshape', [permute([1, 0])(x)], { shape: [5, 21] })],
    ]),
  transpose: () =>
    perDType([
      ['2d', [37, 19], permute([1, 0])],
      ['3d', [3, 17, 5], permute([2, 0, 1])],
      ['4d', [2, 9, 3, 33], permute([0, 2, 1, 3])],
      ['empty', [0, 4], permute([1, 0])],
      ['ones', [1, 7, 1], permute([2, 1, 0])],
    ]),
  broadcast_in_dim: () =>
    perDType([
      ['scalar', [], spread([3, 33], [])],
      ['rows', [33], spread([3, 33], [1])],
      ['columns', [7], spread([7, 19], [0])],
      ['swapped', [5, 3], spread([3, 2, 5], [2, 0])],
      ['of one', [1, 5], spread([4, 5], [0, 1])],
      ['to nothing', [1], spread([0], [0])],
    ]),
  slice: () =>
    perDType([
      ['rows', [9, 17], cut([2, 0], [7, 17], [1, 1])],
      ['columns', [9, 17], cut([0, 3], [9, 12], [1, 1])],
      ['strided', [9, 17], cut([1, 2], [8, 17], [3, 2])],
      ['nothing', [4], cut([2], [2], [1])],
    ]),
  reverse: () =>
    perDType([
      ['last', [5, 33], flip(1)],
      ['both', [5, 9], flip(0, 1)],
      ['middle', [2, 7, 3], flip(1)],
      ['empty', [0], flip(0)],
    ]),
}

function* pads(): Drafts {
  const variants: [string, Shape, OpAttrs['pad']][] = [
    ['edges', [5, 9], { low: [1, 2], high: [3, 0], interior: [0, 0] }],
    ['interior', [4, 5], { low: [0, 1], high: [1, 0], interior: [2, 1] }],
    ['negative', [6, 7], { low: [-2, 1], high: [1, -3], interior: [0, 0] }],
    ['negative and interior', [6], { low: [-3], high: [-2], interior: [1] }],
    ['nothing', [0, 3], { low: [2, 0], high: [1, 1], interior: [4, 1] }],
    ['scalar', [], { low: [], high: [], interior: [] }],
  ]
  for (const dtype of ALL) {
    for (const [label, shape, attrs] of variants) {
      const inputs: InputSpec[] = [
        { dtype, shape },
        { dtype, shape: [] },
      ]
      yield {
        label: `${dtype}/${label}`,
        inputs,
        build: (p) => [op('pad', p, attrs)],
        accuracy: EXACT,
        gradient: dtype === 'f32',
      }
    }
  }
}

function* concatenates(): Drafts {
  const variants: [string, Shape[], number][] = [
    [
      'rows',
      [
        [2, 5],
        [3, 5],
        [1, 5],
      ],
      0,
    ],
    [
      'columns',
      [
        [3, 2],
        [3, 33],
        [3, 1],
      ],
      1,
    ],
    [
      'with nothing',
      [
        [0, 3],
        [2, 3],
        [0, 3],
      ],
      0,
    ],
    ['one', [[4]], 0],
    [
      'middle',
      [
        [2, 1, 3],
        [2, 4, 3],
      ],
      1,
    ],
  ]
  for (const dtype of ALL) {
    for (const [label, shapes, dimension] of variants) {
      const inputs = shapes.map((shape) => ({ dtype, shape }))
      yield {
        label: `${dtype}/${label}`,
        inputs,
        build: (p) => [op('concatenate', p, { dimension })],
        accuracy: EXACT,
        gradient: dtype === 'f32',
      }
    }
  }
}

const rows = { offset_dims: [1], collapsed_slice_dims: [0], start_index_map: [0], slice_sizes: [1, 5] }
const points = { offset_dims: [], collapsed_slice_dims: [0, 1], start_index_map: [1, 0], slice_sizes: [1, 1] }
const windows = { offset_dims: [0, 2], collapsed_slice_dims: [], start_index_map: [1], slice_sizes: [7, 2] }

function* gathers(): Drafts {
  for (const dtype of ALL) {
    for (const indices of ['i32', 'i64', 'u8'] as const) {
      const operand = { dtype, shape: [7, 5] }
      const at = (shape: Shape, high: number): InputSpec => ({ dtype: indices, shape, low: 0, high })
      const make = (label: string, index: InputSpec, attrs: OpAttrs['gather']): Draft => ({
        label: `${dtype}/${indices}/${label}`,
        inputs: [operand, index],
        build: (p) => [op('gather', p, attrs)],
        accuracy: dtype === 'f32' ? within(8, 1) : EXACT,
        gradient: dtype === 'f32',
      })
      yield make('rows', at([3, 4, 1], 7), rows)
      yield make('no rows', at([0, 1], 7), rows)
      yield make('points', at([9, 2], 5), points)
      yield make('windows', at([3, 1], 4), windows)
    }
  }
  const outside = (value: number): Draft => ({
    label: `index ${value} outside`,
    inputs: [
      { dtype: 'f32', shape: [7, 5] },
      { dtype: 'i32', shape: [1, 1], values: [value] },
    ],
    build: (p) => [op('gather', p, rows)],
    accuracy: EXACT,
    fails: new RegExp(`gather.*${value}.*7`),
  })
  yield outside(7)
  yield outside(-1)
}

function* scatters(): Drafts {
  for (const dtype of [...FLOATS, ...INTEGERS]) {
    for (const kind of ['set', 'add', 'max', 'min', 'multiply'] as ScatterKind[]) {
      const make = (
        label: string,
        operand: Shape,
        indices: InputSpec,
        updates: Shape,
        places: Omit<OpAttrs['scatter'], 'kind'>,
      ): Draft => ({
        label: `${dtype}/${kind}/${label}`,
        inputs: [{ dtype, shape: operand }, indices, { dtype, shape: updates }],
        build: (p) => [op('scatter', p, { kind, ...places })],
        accuracy: kind === 'set' || kind === 'max' || kind === 'min' ? EXACT : within(8, 8),
        gradient: dtype === 'f32',
      })
      const rowPlaces = { update_window_dims: [1], inserted_window_dims: [0], scatter_dims_to_operand_dims: [0] }
      yield make('rows', [7, 5], { dtype: 'i32', shape: [9, 1], low: 0, high: 7 }, [9, 5], rowPlaces)
      yield make('nothing', [7, 5], { dtype: 'i32', shape: [0, 1], low: 0, high: 7 }, [0, 5], rowPlaces)
      const pointPlaces = { update_window_dims: [], inserted_window_dims: [0, 1], scatter_dims_to_operand_dims: [0, 1] }
      yield make('points', [5, 5], { dtype: 'i64', shape: [3, 7, 2], low: 0, high: 5 }, [3, 7], pointPlaces)
      const windowPlaces = { update_window_dims: [1, 2], inserted_window_dims: [], scatter_dims_to_operand_dims: [1] }
      yield make('windows', [4, 6], { dtype: 'i32', shape: [3, 1], low: 0, high: 5 }, [3, 4, 2], windowPlaces)
    }
  }
  yield {
    label: 'index outside',
    inputs: [
      { dtype: 'f32', shape: [3] },
      { dtype: 'i32', shape: [1, 1], values: [3] },
      { dtype: 'f32', shape: [1] },
    ],
    build: (p) => [
      op('scatter', p, {
        kind: 'add',
        update_window_dims: [],
        inserted_window_dims: [0],
        scatter_dims_to_operand_dims: [0],
      }),
    ],
    accuracy: EXACT,
    fails: /scatter.*3.*3/,
  }
}

function* dynamicSlices(): Drafts {
  for (const dtype of ALL) {
    for (const start of [-3, 2, 50]) {
      const starts: InputSpec[] = [
        { dtype: 'i32', shape: [], values: [start] },
        { dtype: 'i32', shape: [], values: [1] },
      ]
      yield {
        label: `${dtype}/${start}`,
        inputs: [{ dtype, shape: [7, 9] }, ...starts],
        build: (p) => [op('dynamic_slice', p, { slice_sizes: [3, 5] })],
        accuracy: EXACT,
        gradient: dtype === 'f32',
      }
    }
  }
}

function* dynamicUpdates(): Drafts {
  for (const dtype of ALL) {
    for (const start of [-3, 2, 50]) {
      const starts: InputSpec[] = [
        { dtype: 'i64', shape: [], values: [start] },
        { dtype: 'i64', shape: [], values: [1] },
      ]
      const inputs = [{ dtype, shape: [7, 9] }, { dtype, shape: [3, 5] }, ...starts]
      yield {
        label: `${dtype}/${start}`,
        inputs,
        build: (p) => [op('dynamic_update_slice', p, {})],
        accuracy: EXACT,
        gradient: dtype === 'f32',
      }
    }
  }
}

function* sorts(): Drafts {
  for (const dtype of ALL) {
    for (const descending of [false, true]) {
      for (const [shape, dimension] of [
        [[33], 0],
        [[5, 17], 1],
        [[17, 3], 0],
        [[0, 2], 0],
        [[1], 0],
      ] as [Shape, number][]) {
        const inputs: InputSpec[] = [
          { dtype, shape, specials: true, low: 0, high: 4 },
          { dtype: 'f32', shape },
        ]
        const positions = (): Value => op('iota', [], { shape, dtype: 'i32', dimension })
        yield {
          label: `${dtype}/${shapeLabel(shape)}/${descending ? 'descending' : 'ascending'}`,
          inputs,
          build: ([key, other]) => op('sort', [key, other, positions()], { dimension, descending }).node.outputs,
          accuracy: EXACT,
        }
      }
    }
  }
}

/** Drafts of the ops that move and index elements. */
export const structureDrafts = {
  parameter: sources,
  constant: constants,
  iota: iotas,
  ...movement,
  pad: pads,
  concatenate: concatenates,
  gather: gathers,
  scatter: scatters,
  dynamic_slice: dynamicSlices,
  dynamic_update_slice: dynamicUpdates,
  sort: sorts,
}
