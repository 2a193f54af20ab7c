import { asTensor, record, type TensorLike } from '../core.js'
import { fail, typeText } from '../dims.js'
import { iota, table } from '../ops/creation.js'
import { add, floor, ge, like, logicalAnd, lt, mul, stopGradient, sub, to, where } from '../ops/elementwise.js'
import { movedim, reshape, select } from '../ops/shape.js'
import { cast, floatType, resultType } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { conv2d } from './conv.js'
import { tapsOf } from './unfold.js'

// Reference: torchvision.ops.deform_conv2d (Dai et al. 2017; with a mask, Zhu et al. 2019).

type Pair = number | readonly [height: number, width: number]

export interface DeformConvOptions {
  bias?: TensorLike | null
  stride?: Pair
  padding?: Pair
  dilation?: Pair
  /** Modulation of each sample: [N, offset groups * kernel pixels, out height, out width]. */
  mask?: TensorLike | null
}

const pair = (x: Pair): readonly [number, number] => (typeof x === 'number' ? [x, x] : x)

interface Geometry {
  readonly kernel: readonly [number, number]
  readonly stride: readonly [number, number]
  readonly padding: readonly [number, number]
  readonly dilation: readonly [number, number]
  readonly output: readonly [number, number]
  /** Groups of channels that share offsets. */
  readonly groups: number
}

function geometryOf(x: Tensor, weight: Tensor, offset: Tensor, options: DeformConvOptions): Geometry {
  if (x.ndim !== 4 || weight.ndim !== 4 || offset.ndim !== 4)
    throw fail(
      'deformConv2d',
      `expected [N, C, H, W], offsets [N, 2GK, H', W'] and weights [O, C / groups, kH, kW], got ${typeText(x)}, ${typeText(offset)} and ${typeText(weight)}`,
    )
  const kernel: [number, number] = [weight.shape[2], weight.shape[3]]
  const [stride, padding, dilation] = [
    pair(options.stride ?? 1),
    pair(options.padding ?? 0),
    pair(options.dilation ?? 1),
  ]
  const reach = (i: number): number => x.shape[i + 2] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1
  const output: [number, number] = [Math.floor(reach(0) / stride[0]) + 1, Math.floor(reach(1) / stride[1]) + 1]
  const pixels = kernel[0] * kernel[1]
  const groups = offset.shape[1] / (2 * pixels)
  const fits = offset.shape[0] === x.shape[0] && offset.shape[2] === output[0] && offset.shape[3] === output[1]
  if (!fits || !Number.isInteger(groups) || groups < 1 || x.shape[1] % groups !== 0)
    throw fail(
      'deformConv2d',
      `expected offsets [${x.shape[0]}, ${2 * pixels} times a divisor of ${x.shape[1]} channels, ${output.join(', ')}], got ${typeText(offset)}`,
    )
  return { kernel, stride, padding, dilation, output, groups }
}

/** Positions of all samples, y and x: [N, groups, kernel pixels, H', W'] each. */
function positionsOf(offset: Tensor, { kernel, stride, padding, dilation, output, groups }: Geometry): Tensor[] {
  const taps = tapsOf(kernel)
  const moved = reshape(offset, [offset.shape[0], groups, taps.length, 2, ...output])
  return [0, 1].map((dim) => {
    const start = taps.map((tap) => tap[dim] * dilation[dim] - padding[dim])
    const first = reshape(table(start, [taps.length], offset.dtype), [1, 1, taps.length, 1, 1])
    const place = cast(iota([1, 1, 1, ...output], 3 + dim), offset.dtype)
    return add(add(mul(place, like(stride[dim], place)), first), select(moved, 3, dim))
  })
}

/** Pixels at whole positions, 0 outside: [N, groups, K, H', W', C / groups]. */
function pixelsAt(flat: Tensor, extents: readonly number[], y: Tensor, x: Tensor): Tensor {
  const within = (at: Tensor, size: number): Tensor => logicalAnd(ge(at, like(0, at)), lt(at, like(size, at)))
  const inside = logicalAnd(within(y, extents[0]), within(x, extents[1]))
  const kept = (at: Tensor): Tensor => to(where(inside, at, like(0, at)), 'i32')
  const rows = kept(y)
  const index = add(mul(rows, like(extents[1], rows)), kept(x))
  const { shape } = index
  const parts = [iota(shape, 0), iota(shape, 1), index].map((part) => reshape(part, [...shape, 1]))
  const taken = record('gather', [flat, record('concatenate', parts, { dimension: shape.length })], {
    offset_dims: [shape.length],
    collapsed_slice_dims: [0, 1, 3],
    start_index_map: [0, 1, 3],
    slice_sizes: [1, 1, flat.shape[2], 1],
  })
  return mul(taken, reshape(cast(inside, flat.dtype), [...shape, 1]))
}

/** Bilinear samples of each offset group's channels: [N, groups, K, H', W', C / groups]. */
function samples(input: Tensor, [y, x]: readonly Tensor[], groups: number): Tensor {
  const [count, channels, height, width] = input.shape
  const flat = reshape(input, [count, groups, channels / groups, height * width])
  const low = [y, x].map((at) => stopGradient(floor(at)))
  const share = [sub(y, low[0]), sub(x, low[1])]
  const corners = tapsOf([2, 2]).map((corner) => {
    const at = low.map((base, i) => add(base, like(corner[i], base)))
    const weight = share.map((s, i) => (corner[i] === 1 ? s : sub(like(1, s), s))).reduce(mul)
    return mul(pixelsAt(flat, [height, width], at[0], at[1]), reshape(weight, [...weight.shape, 1]))
  })
  return corners.reduce(add)
}

/**
 * Convolution that samples its input at shifted positions: `x` [N, C, H, W], `offset` [N, 2 * groups * K, H', W'] (y and x of each of the K kernel
 * pixels), `weight` [O, C / weight groups, kH, kW] -> [N, O, H', W']. Differentiable in all operands.
 * @throws ShapeError where shapes do not fit.
 */
export function deformConv2d(
  x: TensorLike,
  offset: TensorLike,
  weight: TensorLike,
  options: DeformConvOptions = {},
): Tensor {
  const dtype = floatType(resultType(x, weight))
  const [input, shifts, kernel] = [x, offset, weight].map((operand) => cast(asTensor(operand), dtype))
  const geometry = geometryOf(input, kernel, shifts, options)
  const [count, channels] = input.shape
  const { groups, output } = geometry
  const pixels = geometry.kernel[0] * geometry.kernel[1]
  let taken = samples(input, positionsOf(shifts, geometry), groups)
  if (options.mask !== undefined && options.mask !== null) {
    const mask = cast(asTensor(options.mask), dtype)
    const expected = [count, groups * pixels, ...output]
    if (mask.shape.join() !== expected.join())
      throw fail('deformConv2d', `expected a mask [${expected.join(', ')}], got ${typeText(mask)}`)
    taken = mul(taken, reshape(mask, [count, groups, pixels, ...output, 1]))
  }
  // What is left is a convolution of one pixel over all samples.
  const columns = reshape(movedim(taken, -1, 2), [count, channels * pixels, ...output])
  const weightGroups = channels / kernel.shape[1]
  if (!Number.isInteger(weightGroups))
    throw fail('deformConv2d', `${typeText(kernel)} does not fit ${channels} channels`)
  const flat = reshape(kernel, [kernel.shape[0], kernel.shape[1] * pixels, 1, 1])
  return conv2d(columns, flat, { groups: weightGroups, bias: options.bias ?? null })
}
