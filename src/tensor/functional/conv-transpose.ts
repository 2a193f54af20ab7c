import { asTensor, record, type TensorLike } from '../core.js'
import type { Tensor } from '../tensor.js'
import { addBias, batched, checkRank, convolutionAttrs, range } from './conv.js'
import { dataDims, type Layout, type PerDim, perDim, type SpatialPadding, spatialPadding } from './spatial.js'

export interface ConvTransposeOptions {
  /** [out] */
  bias?: TensorLike | null
  /** Default 1. */
  stride?: PerDim
  /**
   * What is cut off the full result: a number, one for each dimension, or [low, high] pairs (default 0). `valid` and `same` are Keras':
   * `(in - 1) * stride + max(k, stride)` and `in * stride` positions.
   */
  padding?: Exclude<SpatialPadding, 'causal'>
  /** Positions added at the end. Keras' default depends on the padding; else 0. */
  outputPadding?: PerDim
  /** Default 1. */
  dilation?: PerDim
  /** Default 1. */
  groups?: number
  /** Layout of input and output; default channelsFirst. */
  layout?: Layout
  /** Layout of the kernel, [in, out / groups, ...k] or [...k, out / groups, in]; default that of the data. */
  kernelLayout?: Layout
}

/** What Keras pads the dilated input with on each side, for a kernel that spans `span` positions. */
function kerasPadding(padding: 'same' | 'valid', span: number, stride: number, extra: number | null): [number, number] {
  if (padding === 'valid') return [span - 1, span - 1 + (extra ?? Math.max(span, stride) - span)]
  const total = extra === null ? stride + span - 2 : span + (span % 2) - 2 + extra
  const low = Math.min(Math.ceil(total / 2), span - 1)
  return [low, total - low]
}

/** [in, out / groups, ...k] as a kernel that convolves all groups at once: [in / groups, out, ...k]. */
function regroup(kernel: Tensor, groups: number): Tensor {
  if (groups === 1) return kernel
  const [inputs, outputs, ...taps] = kernel.shape
  const split = record('reshape', [kernel], { shape: [groups, inputs / groups, outputs, ...taps] })
  const rest = range(3, taps.length)
  const moved = record('transpose', [split], { permutation: [1, 0, 2, ...rest] })
  return record('reshape', [moved], { shape: [inputs / groups, groups * outputs, ...taps] })
}

function paddingOf(
  op: string,
  options: ConvTransposeOptions,
  spans: readonly number[],
  strides: readonly number[],
): [number, number][] {
  const rank = spans.length
  const { padding = 0, outputPadding } = options
  const extra = outputPadding === undefined ? null : perDim(op, 'outputPadding', outputPadding, rank)
  if (padding === 'same' || padding === 'valid') {
    return spans.map((span, i) => kerasPadding(padding, span, strides[i], extra === null ? null : extra[i]))
  }
  const ones = new Array<number>(rank).fill(1)
  const cut = spatialPadding(op, padding, { extents: spans, kernel: spans, strides, dilation: ones })
  return spans.map((span, i) => [span - 1 - cut[i][0], span - 1 - cut[i][1] + (extra?.[i] ?? 0)])
}

function convolveTransposed(
  op: string,
  rank: number,
  x: TensorLike,
  weight: TensorLike,
  options: ConvTransposeOptions,
): Tensor {
  const { layout = 'channelsFirst', kernelLayout = layout, groups = 1 } = options
  const { input, restore } = batched(op, asTensor(x), rank)
  const w = asTensor(weight, input.dtype)
  const last = kernelLayout === 'channelsLast'
  checkRank(op, 'the kernel', w, rank + 2, last ? '...k, out / groups, in' : 'in, out / groups, ...k')
  const data = dataDims(layout, rank)
  const inputs = w.shape[last ? rank + 1 : 0]
  if (input.shape[data.feature] !== inputs || inputs % groups !== 0) {
    throw new RangeError(
      `${op}: the kernel takes ${inputs} channels in ${groups} group(s), the input has ${input.shape[data.feature]}`,
    )
  }
  const strides = perDim(op, 'stride', options.stride ?? 1, rank, 1)
  const dilation = perDim(op, 'dilation', options.dilation ?? 1, rank, 1)
  // A transposed convolution is a convolution of the stretched input with the kernel turned around.
  const first = last && groups > 1 ? record('transpose', [w], { permutation: [rank + 1, rank, ...range(0, rank)] }) : w
  const asFirst = !last || groups > 1
  const spatial = asFirst ? range(2, rank) : range(0, rank)
  const spans = spatial.map((dim, i) => (first.shape[dim] - 1) * dilation[i] + 1)
  const turned = record('reverse', [regroup(first, groups)], { dimensions: spatial })
  const y = record('convolution', [input, turned], {
    ...convolutionAttrs(rank, layout, { input: asFirst ? 0 : rank + 1, output: asFirst ? 1 : rank, spatial }),
    padding: paddingOf(op, options, spans, strides),
    lhs_dilation: strides,
    rhs_dilation: dilation,
    feature_group_count: groups,
  })
  return restore(addBias(op, y, options.bias, data.feature))
}

/** 1-d transposed convolution: the gradient of {@link conv1d} with respect to its input. `weight` [in, out / groups, k]. */
export function convTranspose1d(x: TensorLike, weight: TensorLike, options: ConvTransposeOptions = {}): Tensor {
  return convolveTransposed('convTranspose1d', 1, x, weight, options)
}

/** 2-d transposed convolution. `weight` [in, out / groups, kh, kw] (channelsLast: [kh, kw, out / groups, in]). */
export function convTranspose2d(x: TensorLike, weight: TensorLike, options: ConvTransposeOptions = {}): Tensor {
  return convolveTransposed('convTranspose2d', 2, x, weight, options)
}

/** 3-d transposed convolution. `weight` [in, out / groups, kd, kh, kw] (channelsLast: [kd, kh, kw, out / groups, in]). */
export function convTranspose3d(x: TensorLike, weight: TensorLike, options: ConvTransposeOptions = {}): Tensor {
  return convolveTransposed('convTranspose3d', 3, x, weight, options)
}
