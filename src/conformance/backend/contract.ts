import {
  type ConvAttrs,
  type DotAttrs,
  isFloat,
  type ReduceKind,
  type Shape,
  sizeOf,
  type Value,
  type WindowAttrs,
  type WindowKind,
} from '../../ir/index.js'
import type { InputSpec } from './data.js'
import { ALL, type Draft, type Drafts, FLOATS, INTEGERS, op, shapeLabel, summed } from './draft.js'

const EXACT = 'exact'
const UNIT = { low: -1, high: 1 }

const unit = (dtype: InputSpec['dtype'], shape: Shape): InputSpec => ({ dtype, shape, ...(isFloat(dtype) ? UNIT : {}) })

const plainDot: DotAttrs = { lhs_batch: [], rhs_batch: [], lhs_contract: [1], rhs_contract: [0] }

const DOTS: readonly [label: string, lhs: Shape, rhs: Shape, attrs: DotAttrs, terms: number][] = [
  ['1x1x1', [1, 1], [1, 1], plainDot, 1],
  ['vector', [33], [33], { lhs_batch: [], rhs_batch: [], lhs_contract: [0], rhs_contract: [0] }, 33],
  ['outer', [5], [7], { lhs_batch: [], rhs_batch: [], lhs_contract: [], rhs_contract: [] }, 1],
  ['row by matrix', [1, 129], [129, 67], plainDot, 129],
  ['matrix by column', [67, 129], [129, 1], plainDot, 129],
  ['small', [3, 5], [5, 2], plainDot, 5],
  ['tiles and a rest', [131, 70], [70, 97], plainDot, 70],
  ['long', [5, 1031], [1031, 6], plainDot, 1031],
  ['both transposed', [19, 37], [23, 19], { lhs_batch: [], rhs_batch: [], lhs_contract: [0], rhs_contract: [1] }, 19],
  ['right transposed', [37, 19], [23, 19], { lhs_batch: [], rhs_batch: [], lhs_contract: [1], rhs_contract: [1] }, 19],
  ['batched', [4, 3, 17], [4, 17, 9], { lhs_batch: [0], rhs_batch: [0], lhs_contract: [2], rhs_contract: [1] }, 17],
  [
    'attention',
    [2, 9, 3, 16],
    [2, 11, 3, 16],
    { lhs_batch: [0, 2], rhs_batch: [0, 2], lhs_contract: [3], rhs_contract: [3] },
    16,
  ],
  [
    'two contracted',
    [3, 4, 5],
    [5, 6, 3],
    { lhs_batch: [], rhs_batch: [], lhs_contract: [0, 2], rhs_contract: [2, 0] },
    15,
  ],
  ['nothing contracted over', [3, 0], [0, 4], plainDot, 0],
  ['no rows', [0, 4], [4, 3], plainDot, 4],
]

function* dots(): Drafts {
  for (const dtype of ALL) {
    for (const [label, lhs, rhs, attrs, terms] of DOTS) {
      const inputs = [unit(dtype, lhs), unit(dtype, rhs)]
      yield {
        label: `${dtype}/${label}`,
        inputs,
        build: (p) => [op('dot_general', p, attrs)],
        accuracy: summed(terms),
        gradient: dtype === 'f32',
      }
    }
  }
  const special: InputSpec = { dtype: 'f32', shape: [9, 9], specials: true }
  yield {
    label: 'f32/specials',
    inputs: [special, special],
    build: (p) => [op('dot_general', p, plainDot)],
    accuracy: summed(1e6),
  }
}

const conv2d: ConvAttrs = {
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
    [0, 0],
    [0, 0],
  ],
  lhs_dilation: [1, 1],
  rhs_dilation: [1, 1],
  feature_group_count: 1,
  batch_group_count: 1,
}
const channelsFirst = {
  input_feature: 1,
  input_spatial: [2, 3],
  kernel_output_feature: 0,
  kernel_input_feature: 1,
  kernel_spatial: [2, 3],
  output_feature: 1,
  output_spatial: [2, 3],
}
const same: ConvAttrs['padding'] = [
  [1, 1],
  [1, 1],
]

const CONVS: readonly [label: string, input: Shape, kernel: Shape, attrs: ConvAttrs][] = [
  ['1x1', [2, 5, 7, 3], [1, 1, 3, 17], conv2d],
  ['3x3 same', [2, 9, 7, 5], [3, 3, 5, 33], { ...conv2d, padding: same }],
  [
    'strided',
    [1, 11, 10, 4],
    [3, 2, 4, 6],
    {
      ...conv2d,
      window_strides: [2, 3],
      padding: [
        [0, 1],
        [1, 2],
      ],
    },
  ],
  ['channels first', [2, 5, 9, 7], [8, 5, 3, 3], { ...conv2d, ...channelsFirst, padding: same }],
  ['kernel dilated', [1, 9, 9, 3], [3, 3, 3, 4], { ...conv2d, rhs_dilation: [2, 3] }],
  [
    'input dilated',
    [1, 5, 4, 3],
    [3, 2, 3, 4],
    {
      ...conv2d,
      lhs_dilation: [2, 3],
      padding: [
        [2, 1],
        [-1, 2],
      ],
    },
  ],
  ['depthwise', [1, 7, 7, 9], [3, 3, 1, 9], { ...conv2d, feature_group_count: 9, padding: same }],
  ['grouped', [2, 6, 5, 8], [3, 3, 4, 6], { ...conv2d, feature_group_count: 2 }],
  ['batch groups', [4, 5, 5, 3], [2, 2, 3, 6], { ...conv2d, batch_group_count: 2 }],
  ['window larger than the input', [1, 2, 2, 3], [3, 3, 3, 4], conv2d],
  ['empty batch', [0, 5, 5, 3], [3, 3, 3, 4], conv2d],
]

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
  window_strides: [2],
  padding: [[2, 1]],
  lhs_dilation: [1],
  rhs_dilation: [2],
  feature_group_count: 1,
  batch_group_count: 1,
}
const conv3d: ConvAttrs = {
  ...conv1d,
  input_spatial: [2, 3, 4],
  kernel_spatial: [2, 3, 4],
  output_spatial: [2, 3, 4],
  window_strides: [1, 2, 1],
  padding: [
    [1, 1],
    [0, 1],
    [0, 0],
  ],
  lhs_dilation: [1, 1, 1],
  rhs_dilation: [1, 1, 2],
}

function* convolutions(): Drafts {
  const cases = [
    ...CONVS,
    ['1d', [2, 3, 17], [5, 3, 3], conv1d] as const,
    ['3d', [1, 2, 4, 5, 6], [3, 2, 2, 3, 2], conv3d] as const,
  ]
  for (const dtype of [...FLOATS, ...INTEGERS]) {
    for (const [label, input, kernel, attrs] of cases) {
      const inputs = [unit(dtype, input), unit(dtype, kernel)]
      const terms = sizeOf(kernel) / kernel[attrs.kernel_output_feature]
      yield {
        label: `${dtype}/${label}`,
        inputs,
        build: (p) => [op('convolution', p, attrs)],
        accuracy: summed(terms),
        gradient: dtype === 'f32',
      }
    }
  }
}

const REDUCED: readonly [shape: Shape, dimensions: readonly number[]][] = [
  [[], []],
  [[1], [0]],
  [[33], [0]],
  [[1031], [0]],
  [[5, 67], [1]],
  [[67, 5], [0]],
  [[3, 17, 5], [1]],
  [
    [3, 17, 5],
    [0, 2],
  ],
  [
    [3, 17, 5],
    [0, 1, 2],
  ],
  [[4, 0], [1]],
  [[0, 4], [1]],
  [[2, 1, 3], [1]],
]

const NUMERIC: ReduceKind[] = ['sum', 'max', 'min', 'prod']

/** Factors near one, so that products neither vanish nor grow. */
const factors = (kind: ReduceKind): Partial<InputSpec> => (kind === 'prod' ? { low: 0.9, high: 1.1 } : {})

function* folds(): Drafts {
  for (const dtype of ALL) {
    for (const kind of [...NUMERIC, ...(isFloat(dtype) ? [] : (['and', 'or'] as ReduceKind[]))]) {
      for (const [shape, dimensions] of REDUCED) {
        const input: InputSpec = { dtype, shape, ...(isFloat(dtype) ? factors(kind) : {}) }
        const exact = kind !== 'sum' && kind !== 'prod'
        yield {
          label: `${kind}/${dtype}/${shapeLabel(shape)} over ${dimensions.join()}`,
          inputs: [input],
          build: ([x]) => [op('reduce', [x], { kind, dimensions })],
          accuracy: exact ? EXACT : summed(sizeOf(shape)),
          gradient: dtype === 'f32',
        }
      }
      const build: Draft['build'] = ([x]) => [op('reduce', [x], { kind, dimensions: [1] })]
      if (kind === 'max' || kind === 'min')
        yield {
          label: `${kind}/${dtype}/specials`,
          inputs: [{ dtype, shape: [37, 5], specials: true }],
          build,
          accuracy: EXACT,
        }
    }
  }
}

function* argReductions(): Drafts {
  for (const dtype of ALL) {
    for (const kind of ['argmax', 'argmin'] as const) {
      for (const [shape, dim] of [
        [[33], 0],
        [[5, 67], 1],
        [[67, 5], 0],
        [[3, 9, 4], 1],
        [[0, 4], 1],
      ] as [Shape, number][]) {
        yield {
          label: `${kind}/${dtype}/${shapeLabel(shape)}`,
          inputs: [{ dtype, shape, specials: true, low: -3, high: 3 }],
          build: ([x]) => [op('reduce', [x], { kind, dimensions: [dim] })],
          accuracy: EXACT,
        }
      }
    }
  }
}

function* reductions(): Drafts {
  yield* folds()
  yield* argReductions()
  // A reduction that reads a view, and one with an elementwise producer and consumer.
  const fused: Draft['build'] = ([x]) => {
    const squares = op('multiply', [x, x], {})
    return [
      op(
        'sqrt',
        [op('reduce', [op('transpose', [squares], { permutation: [1, 0] })], { kind: 'sum', dimensions: [0] })],
        {},
      ),
    ]
  }
  yield {
    label: 'sum/f32/fused',
    inputs: [{ dtype: 'f32', shape: [37, 19] }],
    build: fused,
    accuracy: summed(19),
    gradient: true,
  }
}

const window2d: Omit<WindowAttrs, 'kind'> = {
  window_dimensions: [1, 2, 2, 1],
  window_strides: [1, 2, 2, 1],
  padding: [
    [0, 0],
    [0, 0],
    [0, 0],
    [0, 0],
  ],
  base_dilation: [1, 1, 1, 1],
  window_dilation: [1, 1, 1, 1],
}

const WINDOWS: readonly [label: string, shape: Shape, attrs: Omit<WindowAttrs, 'kind'>][] = [
  ['2x2', [2, 8, 6, 5], window2d],
  [
    '3x3 stride 2 padded',
    [2, 9, 7, 17],
    {
      ...window2d,
      window_dimensions: [1, 3, 3, 1],
      padding: [
        [0, 0],
        [1, 1],
        [0, 1],
        [0, 0],
      ],
    },
  ],
  ['overlapping', [1, 7, 7, 3], { ...window2d, window_dimensions: [1, 3, 2, 1], window_strides: [1, 1, 1, 1] }],
  ['channels first', [2, 5, 9, 7], { ...window2d, window_dimensions: [1, 1, 3, 3], window_strides: [1, 1, 2, 2] }],
  ['dilated', [1, 9, 9, 2], { ...window2d, window_strides: [1, 1, 1, 1], window_dilation: [1, 2, 3, 1] }],
  ['base dilated', [1, 4, 3, 2], { ...window2d, base_dilation: [1, 2, 3, 1] }],
  [
    'negative padding',
    [1, 8, 8, 2],
    {
      ...window2d,
      padding: [
        [0, 0],
        [-1, 0],
        [2, -3],
        [0, 0],
      ],
    },
  ],
  ['no window fits', [1, 1, 1, 2], window2d],
]

function* windows(): Drafts {
  for (const dtype of [...FLOATS, ...INTEGERS]) {
    for (const kind of ['sum', 'max', 'min'] as WindowKind[]) {
      for (const [label, shape, attrs] of WINDOWS) {
        yield {
          label: `${kind}/${dtype}/${label}`,
          inputs: [{ dtype, shape }],
          build: ([x]: readonly Value[]) => [op('reduce_window', [x], { kind, ...attrs })],
          accuracy: kind === 'sum' ? summed(9) : EXACT,
          gradient: dtype === 'f32',
        }
      }
    }
  }
}

/** Drafts of contractions and reductions. */
export const contractDrafts = {
  dot_general: dots,
  convolution: convolutions,
  reduce: reductions,
  reduce_window: windows,
}
