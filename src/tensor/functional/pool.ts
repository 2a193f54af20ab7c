import { dilated, type Shape, sizeOf, stridesOf, type WindowKind, windowCount } from '../../ir/index.js'
import { asTensor, constant, record, type TensorLike } from '../core.js'
import { iota, table } from '../ops/creation.js'
import type { Tensor } from '../tensor.js'
import { leastOf } from './constants.js'
import { batched } from './conv.js'
import { dataDims, type Layout, type PerDim, perDim, type SpatialPadding, spatialPadding } from './spatial.js'
import { tapsOf } from './unfold.js'

export interface PoolOptions {
  /** Default: the kernel size. */
  stride?: PerDim
  /** Default 0. Padding never wins a maximum. */
  padding?: SpatialPadding
  /** Keeps a last window that starts inside the padded input and leaves it; default false. */
  ceilMode?: boolean
  /** Default channelsFirst. */
  layout?: Layout
}

export interface MaxPoolOptions extends PoolOptions {
  /** Default 1. */
  dilation?: PerDim
}

export interface AvgPoolOptions extends PoolOptions {
  /** Whether padding counts in the divisor; default true. */
  countIncludePad?: boolean
  /** Divides every window by this number. */
  divisorOverride?: number | null
}

/** A maximum together with where it stands: the row-major index in the input's spatial plane, i32. */
export interface Indexed {
  readonly values: Tensor
  readonly indices: Tensor
}

export interface Pooling {
  readonly op: string
  readonly input: Tensor
  readonly restore: (y: Tensor) => Tensor
  readonly spatial: readonly number[]
  readonly extents: readonly number[]
  readonly kernel: readonly number[]
  readonly strides: readonly number[]
  readonly dilation: readonly number[]
  /** As asked for. */
  readonly padding: readonly (readonly [number, number])[]
  /** With what ceilMode adds at the end. */
  readonly reach: readonly (readonly [number, number])[]
  readonly positions: readonly number[]
}

/** Window positions along one dimension when the last may leave the padded input, as torch counts them. */
function ceilCount(extent: number, span: number, stride: number, [low, high]: readonly [number, number]): number {
  const count = Math.max(0, Math.ceil((extent + low + high - span) / stride) + 1)
  return count > 0 && (count - 1) * stride >= extent + low ? count - 1 : count
}

export function pooling(op: string, rank: number, x: TensorLike, kernelSize: PerDim, options: MaxPoolOptions): Pooling {
  const { input, restore } = batched(op, asTensor(x), rank)
  const { spatial } = dataDims(options.layout ?? 'channelsFirst', rank)
  const extents = spatial.map((dim) => input.shape[dim])
  const kernel = perDim(op, 'kernelSize', kernelSize, rank, 1)
  const strides = perDim(op, 'stride', options.stride ?? kernel, rank, 1)
  const dilation = perDim(op, 'dilation', options.dilation ?? 1, rank, 1)
  const padding = spatialPadding(op, options.padding ?? 0, { extents, kernel, strides, dilation })
  const spans = kernel.map((n, i) => dilated(n, dilation[i]))
  const positions = extents.map((extent, i) =>
    options.ceilMode
      ? ceilCount(extent, spans[i], strides[i], padding[i])
      : windowCount(extent, kernel[i], strides[i], padding[i][0], padding[i][1], 1, dilation[i]),
  )
  if (positions.some((count) => count === 0) && extents.every((extent) => extent > 0)) {
    throw new RangeError(
      `${op}: a window of [${spans.join(', ')}] does not fit the padded input [${input.shape.join(', ')}]`,
    )
  }
  const reach = padding.map(([low, high], i) => {
    const needed = (positions[i] - 1) * strides[i] + spans[i] - extents[i] - low
    return [low, options.ceilMode ? Math.max(needed, 0) : high] as const
  })
  return { op, input, restore, spatial, extents, kernel, strides, dilation, padding, reach, positions }
}

/** A list over all dimensions of the input: `values` at the spatial ones, `rest` elsewhere. */
const overall = <T>(p: Pooling, values: readonly T[], rest: T): T[] =>
  p.input.shape.map((_, dim) => (p.spatial.includes(dim) ? values[p.spatial.indexOf(dim)] : rest))

function reduceWindow(p: Pooling, kind: WindowKind, x: Tensor = p.input): Tensor {
  return record('reduce_window', [x], {
    kind,
    window_dimensions: overall(p, p.kernel, 1),
    window_strides: overall(p, p.strides, 1),
    padding: overall<readonly [number, number]>(p, p.reach, [0, 0]),
    base_dilation: x.shape.map(() => 1),
    window_dilation: overall(p, p.dilation, 1),
  })
}

const integer = (value: number, shape: Shape): Tensor => constant(value, 'i32', shape)

/** Where each window's maximum stands: the first one of equals, in row-major order of the window. */
function windowArgmax(p: Pooling): Tensor {
  const { input } = p
  const padded = record('pad', [input, constant(leastOf(input.dtype), input.dtype)], {
    low: overall(
      p,
      p.reach.map(([low]) => low),
      0,
    ),
    high: overall(
      p,
      p.reach.map(([, high]) => high),
      0,
    ),
    interior: input.shape.map(() => 0),
  })
  const outer = input.shape.map((n, dim) => (p.spatial.includes(dim) ? p.positions[p.spatial.indexOf(dim)] : n))
  const views = tapsOf(p.kernel).map((tap) => {
    const start = tap.map((at, i) => at * p.dilation[i])
    const limit = start.map((at, i) => at + (p.positions[i] - 1) * p.strides[i] + 1)
    const view = record('slice', [padded], {
      start: overall(p, start, 0),
      limit: input.shape.map((n, dim) => (p.spatial.includes(dim) ? limit[p.spatial.indexOf(dim)] : n)),
      strides: overall(p, p.strides, 1),
    })
    return record('reshape', [view], { shape: [...outer, 1] })
  })
  const stacked = record('concatenate', views, { dimension: outer.length })
  const tap = record('reduce', [stacked], { kind: 'argmax', dimensions: [outer.length] })
  const tapStrides = stridesOf(p.kernel)
  const planeStrides = stridesOf(p.extents)
  let index = integer(0, outer)
  p.spatial.forEach((dim, i) => {
    const along = record(
      'remainder',
      [record('divide', [tap, integer(tapStrides[i], outer)], {}), integer(p.kernel[i], outer)],
      {},
    )
    const position = iota(outer, dim)
    const start = record(
      'subtract',
      [record('multiply', [position, integer(p.strides[i], outer)], {}), integer(p.reach[i][0], outer)],
      {},
    )
    const at = record('add', [start, record('multiply', [along, integer(p.dilation[i], outer)], {})], {})
    const inside = record(
      'minimum',
      [record('maximum', [at, integer(0, outer)], {}), integer(p.extents[i] - 1, outer)],
      {},
    )
    index = record('add', [index, record('multiply', [inside, integer(planeStrides[i], outer)], {})], {})
  })
  return index
}

/** Elements that each window position averages over, along one spatial dimension. */
function counts(p: Pooling, i: number, includePad: boolean): number[] {
  const [low, high] = p.padding[i]
  const [from, to] = includePad ? [-low, p.extents[i] + high] : [0, p.extents[i]]
  return Array.from({ length: p.positions[i] }, (_, position) => {
    const start = position * p.strides[i] - low
    return Math.min(start + p.kernel[i], to) - Math.max(start, from)
  })
}

function divisor(p: Pooling, options: AvgPoolOptions, sum: Tensor): Tensor {
  if (options.divisorOverride) return constant(options.divisorOverride, sum.dtype, sum.shape)
  const perDimension = p.spatial.map((_, i) => counts(p, i, options.countIncludePad ?? true))
  const full = sizeOf(p.kernel)
  let products = [1]
  for (const list of perDimension) products = products.flatMap((product) => list.map((count) => product * count))
  if (products.every((product) => product === full)) return constant(full, sum.dtype, sum.shape)
  return record('broadcast_in_dim', [table(products, p.positions, sum.dtype)], { shape: sum.shape, dims: p.spatial })
}

function average(op: string, rank: number, x: TensorLike, kernelSize: PerDim, options: AvgPoolOptions): Tensor {
  const p = pooling(op, rank, x, kernelSize, options)
  const sum = reduceWindow(p, 'sum')
  return p.restore(record('divide', [sum, divisor(p, options, sum)], {}))
}

function maximum(op: string, rank: number, x: TensorLike, kernelSize: PerDim, options: MaxPoolOptions): Tensor {
  const p = pooling(op, rank, x, kernelSize, options)
  return p.restore(reduceWindow(p, 'max'))
}

function maximumWithIndices(
  op: string,
  rank: number,
  x: TensorLike,
  kernelSize: PerDim,
  options: MaxPoolOptions,
): Indexed {
  const p = pooling(op, rank, x, kernelSize, options)
  return { values: p.restore(reduceWindow(p, 'max')), indices: p.restore(windowArgmax(p)) }
}

/** Maximum of sliding windows. `x` [batch?, channels, length]. The gradient goes to the first of equal maxima. */
export const maxPool1d = (x: TensorLike, kernelSize: PerDim, options: MaxPoolOptions = {}): Tensor =>
  maximum('maxPool1d', 1, x, kernelSize, options)
/** Maximum of sliding windows. `x` [batch?, channels, height, width]. */
export const maxPool2d = (x: TensorLike, kernelSize: PerDim, options: MaxPoolOptions = {}): Tensor =>
  maximum('maxPool2d', 2, x, kernelSize, options)
/** Maximum of sliding windows. `x` [batch?, channels, depth, height, width]. */
export const maxPool3d = (x: TensorLike, kernelSize: PerDim, options: MaxPoolOptions = {}): Tensor =>
  maximum('maxPool3d', 3, x, kernelSize, options)

/** {@link maxPool1d} with the positions of the maxima. */
export const maxPool1dWithIndices = (x: TensorLike, kernelSize: PerDim, options: MaxPoolOptions = {}): Indexed =>
  maximumWithIndices('maxPool1d', 1, x, kernelSize, options)
/** {@link maxPool2d} with the positions of the maxima. */
export const maxPool2dWithIndices = (x: TensorLike, kernelSize: PerDim, options: MaxPoolOptions = {}): Indexed =>
  maximumWithIndices('maxPool2d', 2, x, kernelSize, options)
/** {@link maxPool3d} with the positions of the maxima. */
export const maxPool3dWithIndices = (x: TensorLike, kernelSize: PerDim, options: MaxPoolOptions = {}): Indexed =>
  maximumWithIndices('maxPool3d', 3, x, kernelSize, options)

/** Mean of sliding windows. `x` [batch?, channels, length]. */
export const avgPool1d = (x: TensorLike, kernelSize: PerDim, options: AvgPoolOptions = {}): Tensor =>
  average('avgPool1d', 1, x, kernelSize, options)
/** Mean of sliding windows. `x` [batch?, channels, height, width]. */
export const avgPool2d = (x: TensorLike, kernelSize: PerDim, options: AvgPoolOptions = {}): Tensor =>
  average('avgPool2d', 2, x, kernelSize, options)
/** Mean of sliding windows. `x` [batch?, channels, depth, height, width]. */
export const avgPool3d = (x: TensorLike, kernelSize: PerDim, options: AvgPoolOptions = {}): Tensor =>
  average('avgPool3d', 3, x, kernelSize, options)
