import type { ConvAttrs } from '../../ir/index.js'
import { asTensor, record, type TensorLike } from '../core.js'
import type { Tensor } from '../tensor.js'
import { dataDims, type Layout, type PerDim, perDim, type SpatialPadding, spatialPadding } from './spatial.js'

export interface ConvOptions {
  /** [out] */
  bias?: TensorLike | null
  /** Default 1. */
  stride?: PerDim
  /** Default 0. */
  padding?: SpatialPadding
  /** Spacing of the kernel's taps; default 1. */
  dilation?: PerDim
  /** Groups of channels that are convolved apart; default 1. */
  groups?: number
  /** Layout of input and output; default channelsFirst. */
  layout?: Layout
  /** Layout of the kernel, [out, in / groups, ...k] or [...k, in / groups, out]; default that of the data. */
  kernelLayout?: Layout
}

interface KernelDims {
  readonly input: number
  readonly output: number
  readonly spatial: readonly number[]
}

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i)

const kernelDims = (layout: Layout, rank: number): KernelDims =>
  layout === 'channelsLast'
    ? { input: rank, output: rank + 1, spatial: range(0, rank) }
    : { input: 1, output: 0, spatial: range(2, rank) }

export function checkRank(op: string, what: string, x: Tensor, rank: number, meaning: string): void {
  if (x.ndim !== rank)
    throw new RangeError(
      `${op}: ${what} must have ${rank} dimensions (${meaning}), got ${x.dtype}[${x.shape.join(', ')}]`,
    )
}

/** Adds a leading batch dimension where there is none; `restore` takes it off again. */
export function batched(op: string, x: Tensor, rank: number): { input: Tensor; restore: (y: Tensor) => Tensor } {
  if (x.ndim === rank + 1) {
    return {
      input: record('reshape', [x], { shape: [1, ...x.shape] }),
      restore: (y) => record('reshape', [y], { shape: y.shape.slice(1) }),
    }
  }
  checkRank(op, 'the input', x, rank + 2, `batch, channels and ${rank} spatial ones`)
  return { input: x, restore: (y) => y }
}

/** Adds `bias` [channels] along dimension `feature` of `y`. */
export function addBias(op: string, y: Tensor, bias: TensorLike | null | undefined, feature: number): Tensor {
  if (bias === null || bias === undefined) return y
  const b = asTensor(bias, y.dtype)
  if (b.ndim !== 1 || b.shape[0] !== y.shape[feature])
    throw new RangeError(`${op}: the bias must have shape [${y.shape[feature]}], got [${b.shape.join(', ')}]`)
  return record('add', [y, record('broadcast_in_dim', [b], { shape: y.shape, dims: [feature] })], {})
}

function convolutionAttrs(rank: number, layout: Layout, kernel: KernelDims): Omit<ConvAttrs, 'padding'> {
  const data = dataDims(layout, rank)
  const ones = new Array<number>(rank).fill(1)
  return {
    input_batch: data.batch,
    input_feature: data.feature,
    input_spatial: data.spatial,
    kernel_input_feature: kernel.input,
    kernel_output_feature: kernel.output,
    kernel_spatial: kernel.spatial,
    output_batch: data.batch,
    output_feature: data.feature,
    output_spatial: data.spatial,
    window_strides: ones,
    lhs_dilation: ones,
    rhs_dilation: ones,
    feature_group_count: 1,
    batch_group_count: 1,
  }
}

/** Convolution over `rank` spatial dimensions: the cross-correlation that deep learning calls so. */
export function convolve(op: string, rank: number, x: TensorLike, weight: TensorLike, options: ConvOptions): Tensor {
  const { layout = 'channelsFirst', kernelLayout = layout, groups = 1 } = options
  const { input, restore } = batched(op, asTensor(x), rank)
  const w = asTensor(weight, input.dtype)
  checkRank(
    op,
    'the kernel',
    w,
    rank + 2,
    kernelLayout === 'channelsLast' ? '...k, in / groups, out' : 'out, in / groups, ...k',
  )
  const kernel = kernelDims(kernelLayout, rank)
  const strides = perDim(op, 'stride', options.stride ?? 1, rank, 1)
  const dilation = perDim(op, 'dilation', options.dilation ?? 1, rank, 1)
  const data = dataDims(layout, rank)
  const padding = spatialPadding(op, options.padding ?? 0, {
    extents: data.spatial.map((dim) => input.shape[dim]),
    kernel: kernel.spatial.map((dim) => w.shape[dim]),
    strides,
    dilation,
  })
  const y = record('convolution', [input, w], {
    ...convolutionAttrs(rank, layout, kernel),
    window_strides: strides,
    padding,
    rhs_dilation: dilation,
    feature_group_count: groups,
  })
  return restore(addBias(op, y, options.bias, data.feature))
}

/**
 * 1-d convolution. `x` [batch?, in, length], `weight` [out, in / groups, k] (channelsLast: [batch?, length, in], [k, in / groups, out]).
 * @throws ShapeError when channels and groups do not fit.
 */
export function conv1d(x: TensorLike, weight: TensorLike, options: ConvOptions = {}): Tensor {
  return convolve('conv1d', 1, x, weight, options)
}

/** 2-d convolution. `x` [batch?, in, height, width], `weight` [out, in / groups, kh, kw] (channelsLast: NHWC and HWIO). */
export function conv2d(x: TensorLike, weight: TensorLike, options: ConvOptions = {}): Tensor {
  return convolve('conv2d', 2, x, weight, options)
}

/** 3-d convolution. `x` [batch?, in, depth, height, width], `weight` [out, in / groups, kd, kh, kw] (channelsLast: NDHWC and DHWIO). */
export function conv3d(x: TensorLike, weight: TensorLike, options: ConvOptions = {}): Tensor {
  return convolve('conv3d', 3, x, weight, options)
}

function depthwise(
  op: string,
  rank: number,
  x: TensorLike,
  weight: TensorLike,
  options: Omit<ConvOptions, 'groups'>,
): Tensor {
  const { layout = 'channelsFirst', kernelLayout = layout } = options
  const input = asTensor(x)
  let kernel = asTensor(weight, input.dtype)
  checkRank(
    op,
    'the kernel',
    kernel,
    rank + 2,
    kernelLayout === 'channelsLast' ? '...k, in, multiplier' : 'in * multiplier, 1, ...k',
  )
  const groups = kernelLayout === 'channelsLast' ? kernel.shape[rank] : input.shape[input.ndim - rank - 1]
  if (kernelLayout === 'channelsLast') {
    const taps = kernel.shape.slice(0, rank)
    kernel = record('reshape', [kernel], { shape: [...taps, 1, kernel.shape[rank] * kernel.shape[rank + 1]] })
  }
  return convolve(op, rank, input, kernel, { ...options, groups })
}

/**
 * Each channel convolved with its own filters. `weight` [in * multiplier, 1, k], or with kernelLayout channelsLast [k, in, multiplier].
 * Output channel `c * multiplier + m` is filter m of channel c.
 */
export function depthwiseConv1d(x: TensorLike, weight: TensorLike, options: Omit<ConvOptions, 'groups'> = {}): Tensor {
  return depthwise('depthwiseConv1d', 1, x, weight, options)
}

/** {@link depthwiseConv1d} in two dimensions: `weight` [in * multiplier, 1, kh, kw] or [kh, kw, in, multiplier]. */
export function depthwiseConv2d(x: TensorLike, weight: TensorLike, options: Omit<ConvOptions, 'groups'> = {}): Tensor {
  return depthwise('depthwiseConv2d', 2, x, weight, options)
}

/** A depthwise convolution, then a 1x1 convolution that mixes the channels; `bias` is added at the end. */
export function separableConv1d(
  x: TensorLike,
  depth: TensorLike,
  point: TensorLike,
  options: Omit<ConvOptions, 'groups'> = {},
): Tensor {
  const { layout, kernelLayout, bias } = options
  return conv1d(depthwiseConv1d(x, depth, { ...options, bias: null }), point, { layout, kernelLayout, bias })
}

/** {@link separableConv1d} in two dimensions. */
export function separableConv2d(
  x: TensorLike,
  depth: TensorLike,
  point: TensorLike,
  options: Omit<ConvOptions, 'groups'> = {},
): Tensor {
  const { layout, kernelLayout, bias } = options
  return conv2d(depthwiseConv2d(x, depth, { ...options, bias: null }), point, { layout, kernelLayout, bias })
}

export { convolutionAttrs, range }
