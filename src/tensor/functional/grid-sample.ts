import { shapeText, sizeOf, stridesOf } from '../../ir/index.js'
import { record, type TensorLike } from '../core.js'
import { fail, typeText } from '../dims.js'
import { iota, table } from '../ops/creation.js'
import {
  abs,
  add,
  eq,
  floor,
  fmod,
  ge,
  like,
  logicalAnd,
  lt,
  mul,
  stopGradient,
  sub,
  trueDivide,
  where,
} from '../ops/elementwise.js'
import { movedim, reshape, select } from '../ops/shape.js'
import { cast, floatType, resultType, toFloat } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { range } from './conv.js'
import { CUBIC } from './interpolate.js'
import { tapsOf } from './unfold.js'

export interface GridSampleOptions {
  /** bicubic takes images only. Default bilinear (also of volumes). */
  mode?: 'bilinear' | 'nearest' | 'bicubic'
  /** What lies outside: zeros, the nearest border pixel, or the mirrored image. Default zeros. */
  paddingMode?: 'zeros' | 'border' | 'reflection'
  /** -1 and 1 are the centres of the corner pixels, instead of the corners of the image. Default false. */
  alignCorners?: boolean
}

type Padding = NonNullable<GridSampleOptions['paddingMode']>

/** Positions in pixels of normalised coordinates. */
const pixels = (x: Tensor, size: number, alignCorners: boolean): Tensor => {
  const shifted = add(x, like(1, x))
  if (alignCorners) return mul(shifted, like((size - 1) / 2, x))
  return mul(sub(mul(shifted, like(size, x)), like(1, x)), like(0.5, x))
}

/** Into [0, size - 1]; no gradient passes from outside. */
function clip(x: Tensor, size: number): Tensor {
  const low = like(0, x)
  const high = like(size - 1, x)
  // NaN goes to the low end, so that it never becomes an index.
  return where(ge(x, high), high, where(ge(x, low), x, low))
}

/** Mirrored until it falls between `low` and `high`. */
function reflect(x: Tensor, low: number, high: number): Tensor {
  if (low === high) return mul(x, like(0, x))
  const span = like(high - low, x)
  const offset = abs(sub(x, like(low, x)))
  const extra = fmod(offset, span)
  const flips = stopGradient(floor(trueDivide(offset, span)))
  const even = eq(fmod(flips, like(2, x)), like(0, x))
  return add(where(even, extra, sub(span, extra)), like(low, x))
}

const PAD: { readonly [P in Padding]: (x: Tensor, size: number, alignCorners: boolean) => Tensor } = {
  zeros: (x) => x,
  border: clip,
  reflection: (x, size, alignCorners) =>
    clip(alignCorners ? reflect(x, 0, size - 1) : reflect(x, -0.5, size - 0.5), size),
}

/** What all taps share: `x` flat and the shape of the positions. */
interface Source {
  /** [N, C, pixels] */
  readonly flat: Tensor
  readonly extents: readonly number[]
}

/** Values of all channels at whole positions (one tensor a dimension, [N, ...out]), [N, ...out, C]; 0 outside of the image. */
function pixelsAt({ flat, extents }: Source, positions: readonly Tensor[]): Tensor {
  const strides = stridesOf(extents)
  const inside = positions
    .map((at, i) => logicalAnd(ge(at, like(0, at)), lt(at, like(extents[i], at))))
    .reduce(logicalAnd)
  const index = positions
    .map((at, i) => cast(mul(where(inside, at, like(0, at)), like(strides[i], at)), 'i32'))
    .reduce(add)
  const { shape } = index
  const parts = [iota(shape, 0), index].map((part) => reshape(part, [...shape, 1]))
  const taken = record('gather', [flat, record('concatenate', parts, { dimension: shape.length })], {
    offset_dims: [shape.length],
    collapsed_slice_dims: [0, 2],
    start_index_map: [0, 2],
    slice_sizes: [1, flat.shape[1], 1],
  })
  return where(reshape(inside, [...shape, 1]), taken, like(0, taken))
}

const scaled = (values: Tensor, weight: Tensor): Tensor => mul(values, reshape(weight, [...weight.shape, 1]))

function bilinear(source: Source, positions: readonly Tensor[]): Tensor {
  const low = positions.map((at) => stopGradient(floor(at)))
  const share = positions.map((at, i) => sub(at, low[i]))
  const corners = tapsOf(positions.map(() => 2)).map((corner) => {
    const at = low.map((base, i) => add(base, like(corner[i], base)))
    const weight = share.map((s, i) => (corner[i] === 1 ? s : sub(like(1, s), s))).reduce(mul)
    return scaled(pixelsAt(source, at), weight)
  })
  return corners.reduce(add)
}

/** Weight of the tap at distance |t - tap| by Keys' kernel, as polynomials of the offset t in [0, 1). */
function cubicWeights(t: Tensor): Tensor[] {
  const a = CUBIC
  const near = (d: Tensor): Tensor => add(mul(mul(sub(mul(like(a + 2, d), d), like(a + 3, d)), d), d), like(1, d))
  const far = (d: Tensor): Tensor => {
    const inner = sub(mul(like(a, d), d), like(5 * a, d))
    return sub(mul(add(mul(inner, d), like(8 * a, d)), d), like(4 * a, d))
  }
  const one = like(1, t)
  return [far(add(t, one)), near(t), near(sub(one, t)), far(sub(like(2, t), t))]
}

function bicubic(source: Source, positions: readonly Tensor[], pad: (x: Tensor, i: number) => Tensor): Tensor {
  const base = positions.map((at) => stopGradient(floor(at)))
  const weights = positions.map((at, i) => cubicWeights(sub(at, base[i])))
  const taps = tapsOf([4, 4]).map((tap) => {
    const at = base.map((from, i) => pad(add(from, like(tap[i] - 1, from)), i))
    return scaled(pixelsAt(source, at), mul(weights[0][tap[0]], weights[1][tap[1]]))
  })
  return taps.reduce(add)
}

/**
 * Values of `x` [N, C, H, W] (or [N, C, D, H, W]) at the normalised positions `grid` [N, ...out, 2] (or 3), (x, y[, z]) in [-1, 1]:
 * [N, C, ...out] (Jaderberg et al. 2015, with torch's conventions).
 * @throws ShapeError when shapes do not fit.
 */
export function gridSample(x: TensorLike, grid: TensorLike, options: GridSampleOptions = {}): Tensor {
  const { mode = 'bilinear', paddingMode = 'zeros', alignCorners = false } = options
  const dtype = floatType(resultType(x, grid))
  const [input, places] = [cast(x, dtype), cast(grid, dtype)]
  const rank = input.ndim - 2
  if (
    (rank !== 2 && rank !== 3) ||
    places.ndim !== rank + 2 ||
    places.shape[rank + 1] !== rank ||
    places.shape[0] !== input.shape[0]
  )
    throw fail(
      'gridSample',
      `expected [N, C, H, W] and [N, H', W', 2] (or volumes and 3), got ${typeText(input)} and ${typeText(places)}`,
    )
  if (mode === 'bicubic' && rank !== 2) throw fail('gridSample', 'bicubic takes images only')
  if (!PAD[paddingMode])
    throw fail('gridSample', `paddingMode must be zeros, border or reflection, got '${paddingMode}'`)
  const extents = input.shape.slice(2)
  const source = { flat: reshape(input, [input.shape[0], input.shape[1], sizeOf(extents)]), extents }
  const pad = (at: Tensor, i: number): Tensor => PAD[paddingMode](at, extents[i], alignCorners)
  // Coordinates come as x, y, z; dimensions stand the other way round.
  const positions = extents.map((size, i) => pixels(select(places, -1, rank - 1 - i), size, alignCorners))
  if (mode === 'bicubic') return movedim(bicubic(source, positions, pad), -1, 1)
  const padded = positions.map(pad)
  if (mode === 'bilinear') return movedim(bilinear(source, padded), -1, 1)
  const whole = padded.map((at) => record('round_nearest_even', [stopGradient(at)], {}))
  return movedim(pixelsAt(source, whole), -1, 1)
}

/** -1 to 1 in `count` steps: pixel centres, or with `alignCorners` both ends. */
const baseLine = (count: number, alignCorners: boolean): number[] => {
  if (alignCorners) return count === 1 ? [0] : range(0, count).map((i) => -1 + (2 * i) / (count - 1))
  return range(0, count).map((i) => (2 * i + 1) / count - 1)
}

/**
 * Grid for {@link gridSample} from affine maps: `theta` [N, 2, 3] for `size` [N, C, H, W] gives [N, H, W, 2]; [N, 3, 4] for volumes gives
 * [N, D, H, W, 3].
 */
export function affineGrid(
  theta: TensorLike,
  size: readonly number[],
  options: { alignCorners?: boolean } = {},
): Tensor {
  const maps = toFloat(theta)
  const extents = size.slice(2)
  const rank = extents.length
  if (maps.ndim !== 3 || maps.shape[0] !== size[0] || maps.shape[1] !== rank || maps.shape[2] !== rank + 1)
    throw fail(
      'affineGrid',
      `theta must be [${size[0]}, ${rank}, ${rank + 1}] for size ${shapeText(size)}, got ${typeText(maps)}`,
    )
  const lines = extents.map((count) => baseLine(count, options.alignCorners ?? false))
  const points = tapsOf(extents).flatMap((at) => [
    ...range(0, rank).map((i) => lines[rank - 1 - i][at[rank - 1 - i]]),
    1,
  ])
  const base = table(points, [sizeOf(extents), rank + 1], maps.dtype)
  const grid = record('dot_general', [maps, base], {
    lhs_batch: [],
    rhs_batch: [],
    lhs_contract: [2],
    rhs_contract: [1],
  })
  return reshape(movedim(grid, 1, -1), [size[0], ...extents, rank])
}
