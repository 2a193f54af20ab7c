import { dilated } from '../../ir/index.js'

/** Where the channels of images and signals stand: torch's NC..., or Keras' N...C. */
export type Layout = 'channelsFirst' | 'channelsLast'

/** One number for all spatial dimensions, or one for each. */
export type PerDim = number | readonly number[]

/**
 * Padding of spatial dimensions: symmetric (a number, or one for each dimension), explicit `[low, high]` pairs, or by name.
 * `same` gives `ceil(extent / stride)` positions with the odd pixel at the end, as TensorFlow and torch do; `causal` pads in front only.
 */
export type SpatialPadding = PerDim | readonly (readonly [low: number, high: number])[] | 'same' | 'valid' | 'causal'

/**
 * One entry for each of `rank` spatial dimensions.
 * @throws RangeError naming the option when the count differs or an entry is not an integer of at least `least`.
 */
export function perDim(op: string, what: string, value: PerDim, rank: number, least = 0): number[] {
  const list = typeof value === 'number' ? new Array<number>(rank).fill(value) : [...value]
  if (list.length === 1 && rank > 1) list.push(...new Array<number>(rank - 1).fill(list[0]))
  if (list.length !== rank) throw new RangeError(`${op}: ${what} needs one number or ${rank}, got [${list.join(', ')}]`)
  for (const item of list) {
    if (!Number.isInteger(item) || item < least)
      throw new RangeError(`${op}: ${what} must be integers of at least ${least}, got [${list.join(', ')}]`)
  }
  return list
}

export interface Window {
  /** Extents of the spatial input dimensions. */
  readonly extents: readonly number[]
  readonly kernel: readonly number[]
  readonly strides: readonly number[]
  readonly dilation: readonly number[]
}

type Pair = readonly [number, number]

const isPairs = (padding: readonly number[] | readonly Pair[]): padding is readonly Pair[] => Array.isArray(padding[0])

const NAMED: { readonly [K in 'same' | 'valid' | 'causal']: (window: Window, dim: number) => Pair } = {
  valid: () => [0, 0],
  causal: ({ kernel, dilation }, dim) => [dilation[dim] * (kernel[dim] - 1), 0],
  same: ({ extents, kernel, strides, dilation }, dim) => {
    const positions = Math.ceil(extents[dim] / strides[dim])
    const span = (positions - 1) * strides[dim] + dilated(kernel[dim], dilation[dim])
    const total = Math.max(span - extents[dim], 0)
    const low = Math.floor(total / 2)
    return [low, total - low]
  },
}

/** Padding as `[low, high]` for each spatial dimension. */
export function spatialPadding(op: string, padding: SpatialPadding, window: Window): Pair[] {
  const rank = window.extents.length
  if (typeof padding === 'string') {
    const rule = NAMED[padding]
    if (!rule) throw new RangeError(`${op}: padding must be numbers, 'same', 'valid' or 'causal', got '${padding}'`)
    return window.extents.map((_, dim) => rule(window, dim))
  }
  if (typeof padding === 'number' || !isPairs(padding)) {
    return perDim(op, 'padding', padding, rank).map((size) => [size, size] as const)
  }
  if (padding.length !== rank || padding.some((pair) => pair.length !== 2 || !pair.every(Number.isInteger)))
    throw new RangeError(`${op}: padding needs ${rank} [low, high] pairs of integers, got ${JSON.stringify(padding)}`)
  return [...padding]
}

/** Dimension numbers of a batch of images or signals with `rank` spatial dimensions. */
export function dataDims(layout: Layout, rank: number): { batch: number; feature: number; spatial: number[] } {
  const first = layout === 'channelsLast' ? 1 : 2
  return {
    batch: 0,
    feature: layout === 'channelsLast' ? rank + 1 : 1,
    spatial: Array.from({ length: rank }, (_, i) => first + i),
  }
}
