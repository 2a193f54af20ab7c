import * as Fn from '../../../tensor/functional/index.js'
import type { Tensor } from '../../../tensor/index.js'
import { type Args, type BindingTable, bindings } from '../signature.js'
import type { PyValue } from '../values.js'

type Layout = { stride: number | number[]; dilation: number | number[]; groups: number; bias: Tensor | null }

const convolution = (a: Args): Layout => ({
  bias: a.maybeTensor('bias') ?? null,
  stride: a.intOrInts('stride'),
  dilation: a.intOrInts('dilation'),
  groups: a.int('groups'),
})

type Conv = (x: Tensor, weight: Tensor, options: Fn.ConvOptions) => Tensor
type ConvTranspose = (x: Tensor, weight: Tensor, options: Fn.ConvTransposeOptions) => Tensor

/** Numbers, `same` or `valid`. */
const padding = (a: Args): Fn.ConvOptions['padding'] =>
  typeof a.raw('padding') === 'string' ? (a.string('padding') as 'same' | 'valid') : a.intOrInts('padding')

const conv =
  (fn: Conv) =>
  (a: Args): PyValue =>
    fn(a.tensor('input'), a.tensor('weight'), { ...convolution(a), padding: padding(a) })

const convTranspose =
  (fn: ConvTranspose) =>
  (a: Args): PyValue =>
    fn(a.tensor('input'), a.tensor('weight'), {
      ...convolution(a),
      padding: a.intOrInts('padding'),
      outputPadding: a.intOrInts('output_padding'),
    })

const window = (a: Args): Fn.PoolOptions & { padding: number | number[] } => ({
  stride: a.has('stride') ? a.intOrInts('stride') : undefined,
  padding: a.intOrInts('padding'),
  ceilMode: a.bool('ceil_mode'),
})

type MaxPool = (x: Tensor, kernelSize: Fn.PerDim, options: Fn.MaxPoolOptions) => Fn.Indexed
type AvgPool = (x: Tensor, kernelSize: Fn.PerDim, options: Fn.AvgPoolOptions) => Tensor
type LpPool = (x: Tensor, p: number, kernelSize: Fn.PerDim, options: Fn.PoolOptions) => Tensor
type Adaptive<R> = (x: Tensor, size: Fn.AdaptiveSize) => R

const pair = ({ values, indices }: Fn.Indexed, withIndices: boolean): PyValue =>
  withIndices ? [values, indices] : values

const maxPool =
  (fn: MaxPool) =>
  (a: Args): PyValue =>
    pair(
      fn(a.tensor('input'), a.intOrInts('kernel_size'), { ...window(a), dilation: a.intOrInts('dilation') }),
      a.bool('return_indices'),
    )

const avgPool =
  (fn: AvgPool) =>
  (a: Args): PyValue =>
    fn(a.tensor('input'), a.intOrInts('kernel_size'), {
      ...window(a),
      countIncludePad: a.bool('count_include_pad'),
      divisorOverride: a.maybeNumber('divisor_override') ?? null,
    })

const lpPool =
  (fn: LpPool) =>
  (a: Args): PyValue =>
    fn(a.tensor('input'), a.number('norm_type'), a.intOrInts('kernel_size'), {
      stride: a.has('stride') ? a.intOrInts('stride') : undefined,
      ceilMode: a.bool('ceil_mode'),
    })

const adaptiveAvg =
  (fn: Adaptive<Tensor>) =>
  (a: Args): PyValue =>
    fn(a.tensor('input'), a.sizes('output_size'))

const adaptiveMax =
  (fn: Adaptive<Fn.Indexed>) =>
  (a: Args): PyValue =>
    pair(fn(a.tensor('input'), a.sizes('output_size')), a.bool('return_indices'))

const CONV = '(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)'
const CONV_TRANSPOSE = '(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1)'
const MAX_POOL = '(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False)'
const AVG_POOL =
  '(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None)'
const LP_POOL = '(input, norm_type, kernel_size, stride=None, ceil_mode=False)'
const UNPOOL = '(input, indices, kernel_size, stride=None, padding=0, output_size=None)'

type Unpool = typeof Fn.maxUnpool2d
const maxUnpool =
  (fn: Unpool) =>
  (a: Args): PyValue =>
    fn(a.tensor('input'), a.tensor('indices'), a.intOrInts('kernel_size'), {
      stride: a.has('stride') ? a.intOrInts('stride') : undefined,
      padding: a.intOrInts('padding'),
      outputSize: a.maybeInts('output_size'),
    })

const unfoldOptions = (a: Args): Fn.UnfoldOptions => ({
  dilation: a.intOrInts('dilation'),
  padding: a.intOrInts('padding'),
  stride: a.intOrInts('stride'),
})

/** Convolution and pooling. */
export const SPATIAL: BindingTable = bindings({
  [`F.conv1d${CONV}`]: conv(Fn.conv1d),
  [`F.conv2d${CONV}`]: conv(Fn.conv2d),
  [`F.conv3d${CONV}`]: conv(Fn.conv3d),
  [`F.conv_transpose1d${CONV_TRANSPOSE}`]: convTranspose(Fn.convTranspose1d),
  [`F.conv_transpose2d${CONV_TRANSPOSE}`]: convTranspose(Fn.convTranspose2d),
  [`F.conv_transpose3d${CONV_TRANSPOSE}`]: convTranspose(Fn.convTranspose3d),
  'F.unfold(input, kernel_size, dilation=1, padding=0, stride=1)': (a) =>
    Fn.unfold(a.tensor('input'), a.intOrInts('kernel_size'), unfoldOptions(a)),
  'F.fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1)': (a) =>
    Fn.fold(a.tensor('input'), a.intOrInts('output_size'), a.intOrInts('kernel_size'), unfoldOptions(a)),
  [`F.max_pool1d${MAX_POOL}`]: maxPool(Fn.maxPool1dWithIndices),
  [`F.max_pool2d${MAX_POOL}`]: maxPool(Fn.maxPool2dWithIndices),
  [`F.max_pool3d${MAX_POOL}`]: maxPool(Fn.maxPool3dWithIndices),
  [`F.avg_pool1d${AVG_POOL}`]: avgPool(Fn.avgPool1d),
  [`F.avg_pool2d${AVG_POOL}`]: avgPool(Fn.avgPool2d),
  [`F.avg_pool3d${AVG_POOL}`]: avgPool(Fn.avgPool3d),
  [`F.lp_pool1d${LP_POOL}`]: lpPool(Fn.lpPool1d),
  [`F.lp_pool2d${LP_POOL}`]: lpPool(Fn.lpPool2d),
  [`F.lp_pool3d${LP_POOL}`]: lpPool(Fn.lpPool3d),
  'F.adaptive_avg_pool1d(input, output_size)': adaptiveAvg(Fn.adaptiveAvgPool1d),
  'F.adaptive_avg_pool2d(input, output_size)': adaptiveAvg(Fn.adaptiveAvgPool2d),
  'F.adaptive_avg_pool3d(input, output_size)': adaptiveAvg(Fn.adaptiveAvgPool3d),
  'F.adaptive_max_pool1d(input, output_size, return_indices=False)': adaptiveMax(Fn.adaptiveMaxPool1dWithIndices),
  'F.adaptive_max_pool2d(input, output_size, return_indices=False)': adaptiveMax(Fn.adaptiveMaxPool2dWithIndices),
  'F.adaptive_max_pool3d(input, output_size, return_indices=False)': adaptiveMax(Fn.adaptiveMaxPool3dWithIndices),
  [`F.max_unpool1d${UNPOOL}`]: maxUnpool(Fn.maxUnpool1d),
  [`F.max_unpool2d${UNPOOL}`]: maxUnpool(Fn.maxUnpool2d),
  [`F.max_unpool3d${UNPOOL}`]: maxUnpool(Fn.maxUnpool3d),
})
