import { dilated, stridesOf, windowCount } from '../../ir/index.js'
import { asTensor, constant, record, type TensorLike } from '../core.js'
import type { Tensor } from '../tensor.js'
import { type PerDim, perDim } from './spatial.js'

export interface UnfoldOptions {
  /** Default 1. */
  dilation?: PerDim
  /** Default 0. */
  padding?: PerDim
  /** Default 1. */
  stride?: PerDim
}

/** Coordinates of every tap of a kernel, in row-major order. */
export function tapsOf(kernel: readonly number[]): number[][] {
  const strides = stridesOf(kernel)
  const count = kernel.reduce((total, n) => total * n, 1)
  return Array.from({ length: count }, (_, tap) => kernel.map((n, dim) => Math.floor(tap / strides[dim]) % n))
}

interface Geometry {
  readonly kernel: readonly number[]
  readonly strides: readonly number[]
  readonly dilation: readonly number[]
  readonly padding: readonly number[]
  readonly positions: readonly number[]
}

function geometry(op: string, extents: readonly number[], kernelSize: PerDim, options: UnfoldOptions): Geometry {
  const kernel = perDim(op, 'kernelSize', kernelSize, 2, 1)
  const strides = perDim(op, 'stride', options.stride ?? 1, 2, 1)
  const dilation = perDim(op, 'dilation', options.dilation ?? 1, 2, 1)
  const padding = perDim(op, 'padding', options.padding ?? 0, 2)
  const positions = extents.map((extent, i) =>
    windowCount(extent, kernel[i], strides[i], padding[i], padding[i], 1, dilation[i]),
  )
  return { kernel, strides, dilation, padding, positions }
}

const spread = (lead: readonly number[], spatial: readonly number[]): number[] => [...lead, ...spatial]

/**
 * Sliding blocks as columns (im2col). `x` [batch?, channels, height, width] gives [batch?, channels * kh * kw, positions].
 * @param kernelSize one number, or [kh, kw]
 */
export function unfold(x: TensorLike, kernelSize: PerDim, options: UnfoldOptions = {}): Tensor {
  const input = asTensor(x)
  if (input.ndim !== 3 && input.ndim !== 4)
    throw new RangeError(`unfold: expected [batch?, channels, height, width], got [${input.shape.join(', ')}]`)
  const lead = input.shape.slice(0, -2)
  const { kernel, strides, dilation, padding, positions } = geometry(
    'unfold',
    input.shape.slice(-2),
    kernelSize,
    options,
  )
  const zeros = lead.map(() => 0)
  const ones = lead.map(() => 1)
  const low = spread(zeros, padding)
  const padded = record('pad', [input, constant(0, input.dtype)], { low, high: low, interior: low.map(() => 0) })
  const columns = tapsOf(kernel).map((tap) => {
    const start = tap.map((at, i) => at * dilation[i])
    const limit = start.map((at, i) => Math.max(at, at + (positions[i] - 1) * strides[i] + 1))
    const block = record('slice', [padded], {
      start: spread(zeros, start),
      limit: spread(lead, limit),
      strides: spread(ones, strides),
    })
    return record('reshape', [block], { shape: [...lead, 1, positions[0] * positions[1]] })
  })
  const stacked = record('concatenate', columns, { dimension: lead.length })
  const channels = lead[lead.length - 1]
  return record('reshape', [stacked], {
    shape: [...lead.slice(0, -1), channels * columns.length, positions[0] * positions[1]],
  })
}

/**
 * Sums columns back into an image, the adjoint of {@link unfold}. `x` [batch?, channels * kh * kw, positions] gives
 * [batch?, channels, height, width].
 * @throws RangeError when the columns do not fit the geometry.
 */
export function fold(x: TensorLike, outputSize: PerDim, kernelSize: PerDim, options: UnfoldOptions = {}): Tensor {
  const input = asTensor(x)
  const size = perDim('fold', 'outputSize', outputSize, 2, 1)
  const { kernel, strides, dilation, padding, positions } = geometry('fold', size, kernelSize, options)
  const taps = tapsOf(kernel)
  const [rows, columns] = input.shape.slice(-2)
  const count = positions[0] * positions[1]
  if ((input.ndim !== 2 && input.ndim !== 3) || rows % taps.length !== 0 || columns !== count) {
    throw new RangeError(
      `fold: expected [batch?, channels * ${taps.length}, ${count}] for output [${size.join(', ')}], got [${input.shape.join(', ')}]`,
    )
  }
  const lead = [...input.shape.slice(0, -2), rows / taps.length]
  const blocks = record('reshape', [input], { shape: [...lead, taps.length, ...positions] })
  const zero = constant(0, input.dtype)
  let sum: Tensor | null = null
  taps.forEach((tap, i) => {
    const slice = record('slice', [blocks], {
      start: [...lead.map(() => 0), i, 0, 0],
      limit: [...lead, i + 1, ...positions],
      strides: blocks.shape.map(() => 1),
    })
    const block = record('reshape', [slice], { shape: [...lead, ...positions] })
    const low = tap.map((at, dim) => at * dilation[dim] - padding[dim])
    const placed = record('pad', [block, zero], {
      low: [...lead.map(() => 0), ...low],
      high: [...lead.map(() => 0), ...low.map((at, dim) => size[dim] - at - dilated(positions[dim], strides[dim]))],
      interior: [...lead.map(() => 0), ...strides.map((n) => n - 1)],
    })
    sum = sum === null ? placed : record('add', [sum, placed], {})
  })
  return sum ?? constant(0, input.dtype, [...lead, ...size])
}
