import { sizeOf, stridesOf } from '../../ir/index.js'
import { asTensor, constant, record, type TensorLike } from '../core.js'
import { iota, table } from '../ops/creation.js'
import type { Tensor } from '../tensor.js'
import { batched, range } from './conv.js'
import { type AvgPoolOptions, avgPool1d, avgPool2d, avgPool3d, type Indexed, type PoolOptions } from './pool.js'
import { dataDims, type Layout, type PerDim, perDim } from './spatial.js'

export interface AdaptivePoolOptions {
  /** Default channelsFirst. */
  layout?: Layout
}

/** Positions along a dimension; null keeps the input's. One number stands for all dimensions. */
export type AdaptiveSize = number | readonly (number | null)[]

/** Input positions of each output position: from floor(i * in / out) up to ceil((i + 1) * in / out). */
function windowsOf(extent: number, count: number): number[][] {
  return Array.from({ length: count }, (_, i) => {
    const start = Math.floor((i * extent) / count)
    return range(start, Math.ceil(((i + 1) * extent) / count) - start)
  })
}

interface Adaptive {
  readonly input: Tensor
  readonly restore: (y: Tensor) => Tensor
  readonly spatial: readonly number[]
  /** For each spatial dimension, the input positions of each output position. */
  readonly windows: readonly number[][][]
}

function adaptive(
  op: string,
  rank: number,
  x: TensorLike,
  outputSize: AdaptiveSize,
  options: AdaptivePoolOptions,
): Adaptive {
  const { input, restore } = batched(op, asTensor(x), rank)
  const { spatial } = dataDims(options.layout ?? 'channelsFirst', rank)
  const asked = typeof outputSize === 'number' ? outputSize : outputSize.map((n, i) => n ?? input.shape[spatial[i]])
  const sizes = perDim(op, 'outputSize', asked, rank)
  const windows = spatial.map((dim, i) => {
    if (input.shape[dim] === 0)
      throw new RangeError(`${op}: a spatial dimension of [${input.shape.join(', ')}] is empty`)
    return windowsOf(input.shape[dim], sizes[i])
  })
  return { input, restore, spatial, windows }
}

/** Gathers windows of one length along `dim`: the dimension becomes two, [windows, length]. */
export function takeWindows(x: Tensor, dim: number, windows: readonly number[][], length: number): Tensor {
  const indices = table(windows.flat(), [windows.length, length, 1], 'i32')
  return record('gather', [x, indices], {
    offset_dims: [...range(0, dim), ...range(dim + 2, x.ndim - dim - 1)],
    collapsed_slice_dims: [dim],
    start_index_map: [dim],
    slice_sizes: x.shape.map((n, i) => (i === dim ? 1 : n)),
  })
}

/** Fills windows up to one length by repeating their last position. */
function equalLengths(windows: readonly number[][]): { filled: number[][]; length: number } {
  const length = Math.max(...windows.map((window) => window.length), 1)
  return { filled: windows.map((w) => [...w, ...new Array<number>(length - w.length).fill(w[w.length - 1])]), length }
}

function averageAlong(x: Tensor, dim: number, windows: readonly number[][]): Tensor {
  const { filled, length } = equalLengths(windows)
  let taken = takeWindows(x, dim, filled, length)
  if (windows.some((window) => window.length < length)) {
    const inside = windows.flatMap((window) => range(0, length).map((i) => (i < window.length ? 1 : 0)))
    const mask = table(inside, [windows.length, length], 'bool')
    const spread = record('broadcast_in_dim', [mask], { shape: taken.shape, dims: [dim, dim + 1] })
    taken = record('select', [spread, taken, constant(0, x.dtype, taken.shape)], {})
  }
  const sum = record('reduce', [taken], { kind: 'sum', dimensions: [dim + 1] })
  const counts = table(
    windows.map((window) => window.length),
    [windows.length],
    x.dtype,
  )
  return record('divide', [sum, record('broadcast_in_dim', [counts], { shape: sum.shape, dims: [dim] })], {})
}

function adaptiveAverage(
  op: string,
  rank: number,
  x: TensorLike,
  outputSize: AdaptiveSize,
  options: AdaptivePoolOptions,
): Tensor {
  const { input, restore, spatial, windows } = adaptive(op, rank, x, outputSize, options)
  let y = input
  spatial.forEach((dim, i) => {
    if (windows[i].length !== y.shape[dim]) y = averageAlong(y, dim, windows[i])
  })
  return restore(y)
}

/** Mean over windows chosen so that the spatial dimensions of [batch, channels, ...spatial] become `sizes`. */
export const adaptiveAveragePool = (x: TensorLike, sizes: readonly number[], layout: Layout): Tensor =>
  adaptiveAverage('adaptiveAvgPool', sizes.length, x, sizes, { layout })

/** Every combination of one window of each dimension, as row-major positions in the plane. */
function planeWindows(windows: readonly number[][][], extents: readonly number[]): number[][] {
  const strides = stridesOf(extents)
  let plane: number[][] = [[0]]
  windows.forEach((list, i) => {
    plane = plane.flatMap((base) => list.map((window) => base.flatMap((at) => window.map((p) => at + p * strides[i]))))
  })
  return plane
}

function adaptiveMaximum(
  op: string,
  rank: number,
  x: TensorLike,
  outputSize: AdaptiveSize,
  options: AdaptivePoolOptions,
): Indexed {
  const { input, restore, spatial, windows } = adaptive(op, rank, x, outputSize, options)
  const extents = spatial.map((dim) => input.shape[dim])
  const { filled, length } = equalLengths(planeWindows(windows, extents))
  const first = spatial[0]
  const flatShape = [...input.shape.slice(0, first), sizeOf(extents), ...input.shape.slice(first + rank)]
  const flat = record('reshape', [input], { shape: flatShape })
  const taken = takeWindows(flat, first, filled, length)
  const chosen = record('reduce', [taken], { kind: 'argmax', dimensions: [first + 1] })
  const { shape } = chosen
  const window = iota(shape, first)
  const entry = record('add', [record('multiply', [window, constant(length, 'i32', shape)], {}), chosen], {})
  const indices = takeFlat(table(filled.flat(), [filled.length * length], 'i32'), entry)
  const outer = [
    ...input.shape.slice(0, first),
    ...windows.map((list) => list.length),
    ...input.shape.slice(first + rank),
  ]
  const shaped = (y: Tensor): Tensor => restore(record('reshape', [y], { shape: outer }))
  return { values: shaped(takeAlong(flat, first, indices)), indices: shaped(indices) }
}

/** Elements of a vector at `indices`, in the shape of `indices`. */
function takeFlat(x: Tensor, indices: Tensor): Tensor {
  return record('gather', [x, record('reshape', [indices], { shape: [...indices.shape, 1] })], {
    offset_dims: [],
    collapsed_slice_dims: [0],
    start_index_map: [0],
    slice_sizes: [1],
  })
}

/** Offsets in a row-major tensor of `shape` of the elements that `indices` choose along `dim`. */
function flatOffsets(shape: readonly number[], dim: number, indices: Tensor): Tensor {
  const strides = stridesOf(shape)
  const scaled = (x: Tensor, by: number): Tensor => record('multiply', [x, constant(by, 'i32', indices.shape)], {})
  let offset = scaled(indices, strides[dim])
  shape.forEach((_, other) => {
    if (other === dim) return
    const along = iota(indices.shape, other)
    offset = record('add', [offset, scaled(along, strides[other])], {})
  })
  return offset
}

/** Elements of `x` at `indices` along `dim`; the other dimensions agree. */
function takeAlong(x: Tensor, dim: number, indices: Tensor): Tensor {
  return takeFlat(record('reshape', [x], { shape: [x.size] }), flatOffsets(x.shape, dim, indices))
}

/** Mean over windows chosen so that the output has `outputSize` positions. `x` [batch?, channels, length]. */
export const adaptiveAvgPool1d = (x: TensorLike, outputSize: AdaptiveSize, options: AdaptivePoolOptions = {}): Tensor =>
  adaptiveAverage('adaptiveAvgPool1d', 1, x, outputSize, options)
/** {@link adaptiveAvgPool1d} of [batch?, channels, height, width]. */
export const adaptiveAvgPool2d = (x: TensorLike, outputSize: AdaptiveSize, options: AdaptivePoolOptions = {}): Tensor =>
  adaptiveAverage('adaptiveAvgPool2d', 2, x, outputSize, options)
/** {@link adaptiveAvgPool1d} of [batch?, channels, depth, height, width]. */
export const adaptiveAvgPool3d = (x: TensorLike, outputSize: AdaptiveSize, options: AdaptivePoolOptions = {}): Tensor =>
  adaptiveAverage('adaptiveAvgPool3d', 3, x, outputSize, options)

/** Maximum over windows chosen so that the output has `outputSize` positions, with the positions of the maxima. */
export const adaptiveMaxPool1dWithIndices = (
  x: TensorLike,
  outputSize: AdaptiveSize,
  options: AdaptivePoolOptions = {},
): Indexed => adaptiveMaximum('adaptiveMaxPool1d', 1, x, outputSize, options)
/** {@link adaptiveMaxPool1dWithIndices} of [batch?, channels, height, width]. */
export const adaptiveMaxPool2dWithIndices = (
  x: TensorLike,
  outputSize: AdaptiveSize,
  options: AdaptivePoolOptions = {},
): Indexed => adaptiveMaximum('adaptiveMaxPool2d', 2, x, outputSize, options)
/** {@link adaptiveMaxPool1dWithIndices} of [batch?, channels, depth, height, width]. */
export const adaptiveMaxPool3dWithIndices = (
  x: TensorLike,
  outputSize: AdaptiveSize,
  options: AdaptivePoolOptions = {},
): Indexed => adaptiveMaximum('adaptiveMaxPool3d', 3, x, outputSize, options)

export const adaptiveMaxPool1d = (x: TensorLike, outputSize: AdaptiveSize, options: AdaptivePoolOptions = {}): Tensor =>
  adaptiveMaxPool1dWithIndices(x, outputSize, options).values
export const adaptiveMaxPool2d = (x: TensorLike, outputSize: AdaptiveSize, options: AdaptivePoolOptions = {}): Tensor =>
  adaptiveMaxPool2dWithIndices(x, outputSize, options).values
export const adaptiveMaxPool3d = (x: TensorLike, outputSize: AdaptiveSize, options: AdaptivePoolOptions = {}): Tensor =>
  adaptiveMaxPool3dWithIndices(x, outputSize, options).values

type AvgPool = (x: TensorLike, kernelSize: PerDim, options?: AvgPoolOptions) => Tensor

function lpPool(
  op: string,
  rank: number,
  average: AvgPool,
  x: TensorLike,
  p: number,
  kernelSize: PerDim,
  options: PoolOptions,
): Tensor {
  const input = asTensor(x)
  const power = (y: Tensor, exponent: number): Tensor => record('power', [y, constant(exponent, y.dtype, y.shape)], {})
  const mean = average(power(input, p), kernelSize, options)
  const count = sizeOf(perDim(op, 'kernelSize', kernelSize, rank, 1))
  const total = record('multiply', [mean, constant(count, mean.dtype, mean.shape)], {})
  // A window of zeros passes no gradient; that of the root would be infinite.
  const [zero, one] = [constant(0, total.dtype, total.shape), constant(1, total.dtype, total.shape)]
  const empty = record('compare', [total, zero], { direction: 'EQ' })
  return record('select', [empty, zero, power(record('select', [empty, one, total], {}), 1 / p)], {})
}

/** (sum of x^p over the window)^(1/p), as torch computes it: no absolute value is taken. */
export const lpPool1d = (x: TensorLike, p: number, kernelSize: PerDim, options: PoolOptions = {}): Tensor =>
  lpPool('lpPool1d', 1, avgPool1d, x, p, kernelSize, options)
export const lpPool2d = (x: TensorLike, p: number, kernelSize: PerDim, options: PoolOptions = {}): Tensor =>
  lpPool('lpPool2d', 2, avgPool2d, x, p, kernelSize, options)
export const lpPool3d = (x: TensorLike, p: number, kernelSize: PerDim, options: PoolOptions = {}): Tensor =>
  lpPool('lpPool3d', 3, avgPool3d, x, p, kernelSize, options)

export interface MaxUnpoolOptions {
  /** Default: the kernel size. */
  stride?: PerDim
  /** Default 0. */
  padding?: PerDim
  /** Spatial extents of the result; default (in - 1) * stride - 2 * padding + kernel. */
  outputSize?: readonly number[]
}

function maxUnpool(
  op: string,
  rank: number,
  x: TensorLike,
  indices: TensorLike,
  kernelSize: PerDim,
  options: MaxUnpoolOptions,
): Tensor {
  const { input, restore } = batched(op, asTensor(x), rank)
  const places = record('convert', [batched(op, asTensor(indices), rank).input], { dtype: 'i32' })
  const kernel = perDim(op, 'kernelSize', kernelSize, rank, 1)
  const strides = perDim(op, 'stride', options.stride ?? kernel, rank, 1)
  const padding = perDim(op, 'padding', options.padding ?? 0, rank)
  const extents = input.shape.slice(2)
  const natural = extents.map((n, i) => (n - 1) * strides[i] - 2 * padding[i] + kernel[i])
  // torch's outputSize may repeat the leading dimensions.
  const size = perDim(op, 'outputSize', options.outputSize?.slice(-rank) ?? natural, rank, 1)
  const planes = input.shape[0] * input.shape[1]
  const count = sizeOf(extents)
  const rows = [planes, count]
  const offsets = flatOffsets([planes, sizeOf(size)], 1, record('reshape', [places], { shape: rows }))
  const zeros = constant(0, input.dtype, [planes * sizeOf(size)])
  const updates = record('reshape', [input], { shape: [planes * count] })
  const flat = record('scatter', [zeros, record('reshape', [offsets], { shape: [planes * count, 1] }), updates], {
    kind: 'set',
    update_window_dims: [],
    inserted_window_dims: [0],
    scatter_dims_to_operand_dims: [0],
  })
  return restore(record('reshape', [flat], { shape: [...input.shape.slice(0, 2), ...size] }))
}

/** Puts values back where a max pooling took them from; zeros elsewhere. `indices` as from {@link maxPool1dWithIndices}. */
export const maxUnpool1d = (
  x: TensorLike,
  indices: TensorLike,
  kernelSize: PerDim,
  options: MaxUnpoolOptions = {},
): Tensor => maxUnpool('maxUnpool1d', 1, x, indices, kernelSize, options)
export const maxUnpool2d = (
  x: TensorLike,
  indices: TensorLike,
  kernelSize: PerDim,
  options: MaxUnpoolOptions = {},
): Tensor => maxUnpool('maxUnpool2d', 2, x, indices, kernelSize, options)
export const maxUnpool3d = (
  x: TensorLike,
  indices: TensorLike,
  kernelSize: PerDim,
  options: MaxUnpoolOptions = {},
): Tensor => maxUnpool('maxUnpool3d', 3, x, indices, kernelSize, options)

export interface GlobalPoolOptions {
  /** Default channelsFirst. */
  layout?: Layout
  /** Keeps the spatial dimensions with extent 1; default false. */
  keepDims?: boolean
}

function globalPool(
  x: TensorLike,
  options: GlobalPoolOptions,
  pool: (input: Tensor, spatial: number[]) => Tensor,
): Tensor {
  const input = asTensor(x)
  const { spatial } = dataDims(options.layout ?? 'channelsFirst', input.ndim - 2)
  const y = pool(input, spatial)
  if (!options.keepDims) return y
  return record('reshape', [y], { shape: input.shape.map((n, dim) => (spatial.includes(dim) ? 1 : n)) })
}

/** Mean over all spatial dimensions. `x` [batch, channels, ...spatial] gives [batch, channels]. */
export function globalAvgPool(x: TensorLike, options: GlobalPoolOptions = {}): Tensor {
  return globalPool(x, options, (input, spatial) => {
    const sum = record('reduce', [input], { kind: 'sum', dimensions: spatial })
    return record('divide', [sum, constant(sizeOf(spatial.map((dim) => input.shape[dim])), sum.dtype, sum.shape)], {})
  })
}

/** Maximum over all spatial dimensions. `x` [batch, channels, ...spatial] gives [batch, channels]. */
export function globalMaxPool(x: TensorLike, options: GlobalPoolOptions = {}): Tensor {
  return globalPool(x, options, (input, spatial) => record('reduce', [input], { kind: 'max', dimensions: spatial }))
}
