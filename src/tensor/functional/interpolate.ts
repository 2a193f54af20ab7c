import { asTensor, record, type TensorLike } from '../core.js'
import { table } from '../ops/creation.js'
import { mul } from '../ops/elementwise.js'
import { sum } from '../ops/reduce.js'
import { cast, computeType, toFloat } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { range } from './conv.js'
import { adaptiveAveragePool, takeWindows } from './pool-adaptive.js'
import { dataDims, type Layout } from './spatial.js'

export type InterpolationMode =
  | 'nearest'
  | 'nearest-exact'
  | 'linear'
  | 'bilinear'
  | 'trilinear'
  | 'cubic'
  | 'bicubic'
  | 'area'

export interface InterpolateOptions {
  /** Extents of the result. Give this or `scaleFactor`. */
  size?: number | readonly number[]
  /** Extents are the floor of the input's times this; the factor itself, not the ratio of the extents, then sets the sampling step. */
  scaleFactor?: number | readonly number[]
  /** Default `nearest`. */
  mode?: InterpolationMode
  /** Corner pixels of input and output coincide, instead of corners of the images; for linear and cubic. Default false. */
  alignCorners?: boolean
  /** Widens the filter when shrinking; for linear and cubic. Default false. */
  antialias?: boolean
  /** Takes the ratio of the extents as the sampling step even where a factor is given. */
  recomputeScaleFactor?: boolean
  /** Default channelsFirst. */
  layout?: Layout
}

/** One dimension to resample. */
interface Axis {
  readonly input: number
  readonly output: number
  /** Input positions an output position. */
  readonly step: number
  readonly alignCorners: boolean
}

/** Input positions and their weights for each output position; rows of one length. */
interface Taps {
  readonly positions: number[][]
  readonly weights: number[][]
}

const clampTo = (x: number, limit: number): number => Math.min(Math.max(x, 0), limit - 1)

/** torch's arithmetic of nearest neighbours is that of f32. */
function nearest({ input, output, step }: Axis, shift: number): Taps {
  const at = (i: number): number => {
    if (shift === 0 && output === input) return i
    if (shift === 0 && output === 2 * input) return i >> 1
    return clampTo(Math.floor(Math.fround((i + shift) * Math.fround(step))), input)
  }
  return { positions: range(0, output).map((i) => [at(i)]), weights: range(0, output).map(() => [1]) }
}

const sourceOf = ({ step, alignCorners }: Axis, i: number): number => (alignCorners ? step * i : step * (i + 0.5) - 0.5)

function linear(axis: Axis): Taps {
  const rows = range(0, axis.output).map((i) => {
    const source = Math.max(sourceOf(axis, i), 0)
    const low = clampTo(Math.floor(source), axis.input)
    const share = Math.min(Math.max(source - low, 0), 1)
    return { positions: [low, clampTo(low + 1, axis.input)], weights: [1 - share, share] }
  })
  return { positions: rows.map((row) => row.positions), weights: rows.map((row) => row.weights) }
}

/** Keys' cubic convolution kernel (1981). */
export const cubicKernel = (x: number, a: number): number => {
  const d = Math.abs(x)
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1
  return d < 2 ? a * (((d - 5) * d + 8) * d - 4) : 0
}

/** Keys' parameter: torch's plain and antialiased filters differ in it. */
export const CUBIC = -0.75
const CUBIC_ANTIALIAS = -0.5

function cubic(axis: Axis): Taps {
  const rows = range(0, axis.output).map((i) => {
    const source = sourceOf(axis, i)
    const base = Math.floor(source)
    const taps = [-1, 0, 1, 2]
    return {
      positions: taps.map((tap) => clampTo(base + tap, axis.input)),
      weights: taps.map((tap) => cubicKernel(source - base - tap, CUBIC)),
    }
  })
  return { positions: rows.map((row) => row.positions), weights: rows.map((row) => row.weights) }
}

const triangle = (x: number): number => Math.max(1 - Math.abs(x), 0)

/** A filter of `radius`, stretched by the step when shrinking, as Pillow's. */
function antialiased({ input, output, step }: Axis, radius: number, filter: (x: number) => number): Taps {
  const stretch = Math.max(step, 1)
  const support = radius * stretch
  const rows = range(0, output).map((i) => {
    const center = step * (i + 0.5)
    const from = Math.max(Math.trunc(center - support + 0.5), 0)
    const count = Math.min(Math.trunc(center + support + 0.5), input) - from
    const weights = range(0, count).map((j) => filter((j + from - center + 0.5) / stretch))
    const total = weights.reduce((a, b) => a + b, 0)
    return { positions: range(from, count), weights: weights.map((w) => (total === 0 ? w : w / total)) }
  })
  const length = Math.max(...rows.map(({ positions }) => positions.length), 1)
  const fill = (list: number[], value: number): number[] => [
    ...list,
    ...new Array<number>(length - list.length).fill(value),
  ]
  return {
    positions: rows.map(({ positions }) => fill(positions, positions[0] ?? 0)),
    weights: rows.map(({ weights }) => fill(weights, 0)),
  }
}

type Resampler = (axis: Axis, antialias: boolean) => Taps

const LINEAR: Resampler = (axis, antialias) => (antialias ? antialiased(axis, 1, triangle) : linear(axis))
const CUBICAL: Resampler = (axis, antialias) =>
  antialias ? antialiased(axis, 2, (x) => cubicKernel(x, CUBIC_ANTIALIAS)) : cubic(axis)

const RESAMPLERS: { readonly [M in Exclude<InterpolationMode, 'area'>]: Resampler } = {
  nearest: (axis) => nearest(axis, 0),
  'nearest-exact': (axis) => nearest(axis, 0.5),
  linear: LINEAR,
  bilinear: LINEAR,
  trilinear: LINEAR,
  cubic: CUBICAL,
  bicubic: CUBICAL,
}

function resample(x: Tensor, dim: number, { positions, weights }: Taps): Tensor {
  const length = positions[0].length
  const taken = takeWindows(x, dim, positions, length)
  if (length === 1)
    return record('reshape', [taken], { shape: x.shape.map((n, i) => (i === dim ? positions.length : n)) })
  const factors = table(weights.flat(), [positions.length, length], x.dtype)
  const spread = record('broadcast_in_dim', [factors], { shape: taken.shape, dims: [dim, dim + 1] })
  return sum(mul(taken, spread), dim + 1)
}

const perSpatial = (what: string, value: number | readonly number[], rank: number): number[] => {
  const list = typeof value === 'number' ? new Array<number>(rank).fill(value) : [...value]
  if (list.length !== rank)
    throw new RangeError(`interpolate: ${what} needs one number or ${rank}, got [${list.join(', ')}]`)
  return list
}

function axesOf(extents: readonly number[], options: InterpolateOptions): Axis[] {
  const { size, scaleFactor, alignCorners = false } = options
  const rank = extents.length
  if ((size === undefined) === (scaleFactor === undefined))
    throw new RangeError('interpolate: give either size or scaleFactor')
  const factors = scaleFactor === undefined ? null : perSpatial('scaleFactor', scaleFactor, rank)
  const sizes = factors ? extents.map((n, i) => Math.floor(n * factors[i])) : perSpatial('size', size as number, rank)
  return extents.map((input, i) => {
    const output = sizes[i]
    if (!Number.isInteger(output) || output < 1 || input < 1)
      throw new RangeError(`interpolate: extents must be positive integers, got ${input} to ${output}`)
    if (alignCorners) return { input, output, alignCorners, step: output > 1 ? (input - 1) / (output - 1) : 0 }
    return {
      input,
      output,
      alignCorners,
      step: factors && !options.recomputeScaleFactor ? 1 / factors[i] : input / output,
    }
  })
}

/**
 * Resamples the spatial dimensions of `x` [batch, channels, ...spatial], with torch's conventions. Cubic and antialiased modes are meant
 * for images.
 * @throws RangeError when neither or both of size and scaleFactor are given.
 */
export function interpolate(x: TensorLike, options: InterpolateOptions): Tensor {
  const given = asTensor(x)
  const { mode = 'nearest', layout = 'channelsFirst', antialias = false } = options
  if (given.ndim < 3)
    throw new RangeError(`interpolate: expected [batch, channels, ...spatial], got [${given.shape.join(', ')}]`)
  const { spatial } = dataDims(layout, given.ndim - 2)
  const axes = axesOf(
    spatial.map((dim) => given.shape[dim]),
    options,
  )
  if (mode === 'area')
    return adaptiveAveragePool(
      given,
      axes.map(({ output }) => output),
      layout,
    )
  const resampler = RESAMPLERS[mode]
  if (!resampler)
    throw new RangeError(`interpolate: mode must be one of ${Object.keys(RESAMPLERS).join(', ')}, area; got '${mode}'`)
  const copies = mode === 'nearest' || mode === 'nearest-exact'
  const float = copies ? given : toFloat(given)
  let y = copies ? float : cast(float, computeType(float.dtype))
  axes.forEach((axis, i) => {
    const same = axis.input === axis.output && axis.step === 1
    if (!same) y = resample(y, spatial[i], resampler(axis, antialias))
  })
  return cast(y, float.dtype)
}
