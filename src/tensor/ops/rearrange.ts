import { asTensor, record, type TensorLike } from '../core.js'
import { type Dims, fail, type IntList, range, resolveDim, resolveDims, toInts, typeText } from '../dims.js'
import { Tensor } from '../tensor.js'
import { table } from './creation.js'
import { sub, trueDivide } from './elementwise.js'
import { take } from './gather.js'
import { knownContents } from './index-spec.js'
import { cat } from './join.js'
import { expand, flatten, narrow, permute, reshape, sliceDims, transpose, unsqueeze } from './shape.js'

/** Repeating, reversing, rolling, and the reorderings of image channels. */

/** Tiles `x`: dimension i repeats `counts[i]` times; extra counts add leading dimensions. */
export function repeat(like: TensorLike, ...counts: IntList): Tensor {
  const x = asTensor(like)
  const times = toInts(counts)
  if (times.length < x.ndim || times.some((n) => !Number.isInteger(n) || n < 0)) {
    throw fail(
      'repeat',
      `${typeText(x)} needs at least ${x.ndim} counts of 0 or more, got [${times.join(', ')}]; or use tile`,
    )
  }
  const shape = [...times.slice(x.ndim).map(() => 1), ...x.shape]
  // [a, b] becomes [ta, a, tb, b] and then [ta * a, tb * b].
  const spread = expand(
    reshape(
      x,
      shape.flatMap((extent) => [1, extent]),
    ),
    shape.flatMap((extent, dim) => [times[dim], extent]),
  )
  return reshape(
    spread,
    shape.map((extent, dim) => extent * times[dim]),
  )
}

/** {@link repeat} in numpy's way: missing counts are leading ones. */
export function tile(like: TensorLike, ...counts: IntList): Tensor {
  const x = asTensor(like)
  const times = toInts(counts)
  return repeat(x, [...range(Math.max(0, x.ndim - times.length)).map(() => 1), ...times])
}

/**
 * Repeats each slice along `dim` (default: each element of the flattened tensor): all as often, or each by its own count. A tensor of
 * counts must be known already, since it decides the shape.
 */
export function repeatInterleave(like: TensorLike, repeats: number | readonly number[] | Tensor, dim?: number): Tensor {
  const x = dim === undefined ? flatten(like) : asTensor(like)
  const at = resolveDim('repeatInterleave', dim ?? 0, x.ndim, x)
  const extent = x.shape[at]
  const counts = countsOf(repeats)
  if ((counts.length !== 1 && counts.length !== extent) || counts.some((n) => !Number.isInteger(n) || n < 0))
    throw fail('repeatInterleave', `needs 1 or ${extent} counts of 0 or more for ${typeText(x)}, got ${counts.length}`)
  const places = range(extent).flatMap((i) => range(counts[counts.length === 1 ? 0 : i]).map(() => i))
  return take(x, table(places, [places.length], 'i32'), at)
}

function countsOf(repeats: number | readonly number[] | Tensor): readonly number[] {
  if (typeof repeats === 'number') return [repeats]
  if (!(repeats instanceof Tensor)) return repeats
  const contents = knownContents(repeats)
  if (!contents)
    throw fail(
      'repeatInterleave',
      `the counts ${typeText(repeats)} decide the shape and are not known yet; read them first`,
    )
  return Array.from(contents, Number)
}

/** Reverses the order along dimensions. */
export function flip(like: TensorLike, dims: Dims): Tensor {
  const x = asTensor(like)
  const dimensions = resolveDims('flip', dims, x)
  return dimensions.length === 0 ? x : record('reverse', [x], { dimensions })
}

/** Moves elements on by `shifts` along `dims`, the last ones to the front; without `dims`, in row-major order. */
export function roll(like: TensorLike, shifts: number | readonly number[], dims?: number | readonly number[]): Tensor {
  const x = asTensor(like)
  const amounts = typeof shifts === 'number' ? [shifts] : shifts
  if (dims === undefined) {
    if (amounts.length !== 1) throw fail('roll', 'several shifts need as many dims')
    return reshape(roll(flatten(x), amounts[0], 0), x.shape)
  }
  const places = typeof dims === 'number' ? [dims] : dims
  if (places.length !== amounts.length)
    throw fail('roll', `${amounts.length} shifts and ${places.length} dims must pair up`)
  return places.reduce<Tensor>((rolled, dim, i) => {
    const at = resolveDim('roll', dim, x.ndim, x)
    const extent = x.shape[at]
    const by = extent > 0 ? ((amounts[i] % extent) + extent) % extent : 0
    if (by === 0) return rolled
    return cat([narrow(rolled, at, extent - by, by), narrow(rolled, at, 0, extent - by)], at)
  }, x)
}

/** Turns by `k` quarter turns in the plane of two dimensions, from the first towards the second. */
export function rot90(like: TensorLike, k = 1, dims: readonly [number, number] = [0, 1]): Tensor {
  const x = asTensor(like)
  const [a, b] = dims.map((dim) => resolveDim('rot90', dim, x.ndim, x))
  if (a === b) throw fail('rot90', `needs two different dimensions, got [${dims.join(', ')}]`)
  const turns = ((k % 4) + 4) % 4
  if (turns === 0) return x
  if (turns === 2) return flip(x, [a, b])
  return turns === 1 ? flip(transpose(x, a, b), a) : flip(transpose(x, a, b), b)
}

/** Differences of neighbours along `dim`, `n` times. */
export function diff(like: TensorLike, options: { readonly n?: number; readonly dim?: number } = {}): Tensor {
  const { n = 1, dim = -1 } = options
  let x = asTensor(like)
  const at = resolveDim('diff', dim, x.ndim, x)
  for (let i = 0; i < n && x.shape[at] > 0; i++) {
    const rest = x.shape[at] - 1
    x = sub(narrow(x, at, 1, rest), narrow(x, at, 0, rest))
  }
  return x
}

/** Slope along `dim` by central differences, one-sided at the ends; `spacing` is the distance of neighbours. */
function slope(x: Tensor, dim: number, spacing: number): Tensor {
  const n = x.shape[dim]
  if (n < 2) throw fail('gradient', `dimension ${dim} of ${typeText(x)} needs at least 2 elements`)
  const edge = (start: number): Tensor =>
    trueDivide(sub(narrow(x, dim, start + 1, 1), narrow(x, dim, start, 1)), spacing)
  const inner = trueDivide(sub(narrow(x, dim, 2, n - 2), narrow(x, dim, 0, n - 2)), 2 * spacing)
  return cat([edge(0), inner, edge(n - 2)], dim)
}

/** Numerical slopes along dimensions (default all), one tensor each, as numpy.gradient. */
export function gradient(like: TensorLike, options: { readonly dim?: Dims; readonly spacing?: number } = {}): Tensor[] {
  const x = asTensor(like)
  return resolveDims('gradient', options.dim, x).map((dim) => slope(x, dim, options.spacing ?? 1))
}

/** [..., c r^2, h, w] to [..., c, h r, w r]. */
export function pixelShuffle(like: TensorLike, factor: number): Tensor {
  const x = asTensor(like)
  if (x.ndim < 3 || x.shape[x.ndim - 3] % (factor * factor) !== 0)
    throw fail(
      'pixelShuffle',
      `${typeText(x)} must be [..., channels, height, width] with channels a multiple of ${factor ** 2}`,
    )
  const lead = x.shape.slice(0, -3)
  const [channels, h, w] = x.shape.slice(-3)
  const c = channels / (factor * factor)
  const k = lead.length
  const parts = reshape(x, [...lead, c, factor, factor, h, w])
  return reshape(permute(parts, [...range(k), k, k + 3, k + 1, k + 4, k + 2]), [...lead, c, h * factor, w * factor])
}

/** [..., c, h r, w r] to [..., c r^2, h, w]. */
export function pixelUnshuffle(like: TensorLike, factor: number): Tensor {
  const x = asTensor(like)
  const [c, height, width] = x.shape.slice(-3)
  if (x.ndim < 3 || height % factor !== 0 || width % factor !== 0)
    throw fail(
      'pixelUnshuffle',
      `${typeText(x)} must be [..., channels, height, width] with sides that are multiples of ${factor}`,
    )
  const lead = x.shape.slice(0, -3)
  const [h, w] = [height / factor, width / factor]
  const k = lead.length
  const parts = reshape(x, [...lead, c, h, factor, w, factor])
  return reshape(permute(parts, [...range(k), k, k + 2, k + 4, k + 1, k + 3]), [...lead, c * factor * factor, h, w])
}

/** Interleaves `groups` groups of the channels in dimension 1. */
export function channelShuffle(like: TensorLike, groups: number): Tensor {
  const x = asTensor(like)
  if (x.ndim < 2 || x.shape[1] % groups !== 0)
    throw fail('channelShuffle', `dimension 1 of ${typeText(x)} must be a multiple of ${groups}`)
  const rest = x.shape.slice(2)
  const parts = reshape(x, [x.shape[0], groups, x.shape[1] / groups, ...rest])
  return reshape(transpose(parts, 1, 2), x.shape)
}

/** Windows of `size` elements every `step` along `dim`; the window becomes a new last dimension (torch's Tensor.unfold). */
export function unfold(like: TensorLike, dim: number, size: number, step = 1): Tensor {
  const x = asTensor(like)
  const at = resolveDim('unfold', dim, x.ndim, x)
  const extent = x.shape[at] ?? 1
  if (!(size >= 0 && size <= extent && step > 0))
    throw fail('unfold', `windows of ${size} every ${step} do not fit dimension ${dim} of ${typeText(x)}`)
  const count = Math.floor((extent - size) / step) + 1
  // One strided slice for each place within the window.
  const columns = range(size).map((offset) => {
    const start = x.shape.map((_, i) => (i === at ? offset : 0))
    const limit = x.shape.map((n, i) => (i === at ? offset + (count - 1) * step + 1 : n))
    const strides = x.shape.map((_, i) => (i === at ? step : 1))
    return unsqueeze(sliceDims(x, start, limit, strides), x.ndim)
  })
  if (columns.length > 0) return cat(columns, x.ndim)
  const shape = [...x.shape.map((n, i) => (i === at ? count : n)), 0]
  return reshape(narrow(flatten(x), 0, 0, 0), shape)
}
