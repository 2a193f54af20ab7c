import { asTensor, record, type TensorLike } from '../core.js'
import { fail, range, typeText } from '../dims.js'
import { cast } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { cat } from './join.js'
import { flip } from './rearrange.js'
import { expand, narrow } from './shape.js'

export type PadMode = 'constant' | 'reflect' | 'replicate' | 'circular'

export interface PadOptions {
  readonly mode?: PadMode
  /** Fill of mode `constant`; default 0. */
  readonly value?: TensorLike
}

/** What lies beside dimension `dim` when it grows by `count` at its start or end. */
type Filler = (x: Tensor, dim: number, count: number, side: 'start' | 'end') => Tensor

const FILLERS: { readonly [M in Exclude<PadMode, 'constant'>]: Filler } = {
  reflect: (x, dim, count, side) => {
    const extent = x.shape[dim]
    if (count >= extent)
      throw fail('pad', `reflecting ${count} elements needs more than ${count} in dimension ${dim} of ${typeText(x)}`)
    return flip(narrow(x, dim, side === 'start' ? 1 : extent - 1 - count, count), dim)
  },
  replicate: (x, dim, count, side) => {
    const extent = x.shape[dim]
    if (extent === 0) throw fail('pad', `dimension ${dim} of ${typeText(x)} has no edge to replicate`)
    const edge = narrow(x, dim, side === 'start' ? 0 : extent - 1, 1)
    return expand(
      edge,
      x.shape.map((n, i) => (i === dim ? count : n)),
    )
  },
  circular: (x, dim, count, side) => {
    const extent = x.shape[dim]
    if (count > extent)
      throw fail('pad', `wrapping ${count} elements needs as many in dimension ${dim} of ${typeText(x)}`)
    return narrow(x, dim, side === 'start' ? extent - count : 0, count)
  },
}

function padDim(x: Tensor, dim: number, low: number, high: number, filler: Filler): Tensor {
  const inner = narrow(x, dim, Math.max(0, -low), x.shape[dim] + Math.min(0, low) + Math.min(0, high))
  const parts = [inner]
  // As torch: a crop on one side still shows in a reflection on the other, but not in what wraps around.
  const source = filler === FILLERS.circular ? inner : x
  if (low > 0) parts.unshift(filler(source, dim, low, 'start'))
  if (high > 0) parts.push(filler(source, dim, high, 'end'))
  return cat(parts, dim)
}

/**
 * Pads (or, with negative amounts, crops). `padding` lists pairs (before, after) from the last dimension backwards, as torch's F.pad:
 * `[1, 2]` pads the last dimension, `[1, 2, 3, 4]` also the one before.
 * @throws ShapeError when there are more pairs than dimensions, or too few elements to reflect or wrap.
 */
export function pad(like: TensorLike, padding: readonly number[], options: PadOptions = {}): Tensor {
  const x = asTensor(like)
  const { mode = 'constant', value = 0 } = options
  const pairs = padding.length / 2
  if (!Number.isInteger(pairs) || pairs > x.ndim || !padding.every(Number.isInteger))
    throw fail(
      'pad',
      `[${padding.join(', ')}] must hold up to ${x.ndim} pairs (before, after) of integers for ${typeText(x)}`,
    )
  const low = range(x.ndim).map((dim) => padding[2 * (x.ndim - 1 - dim)] ?? 0)
  const high = range(x.ndim).map((dim) => padding[2 * (x.ndim - 1 - dim) + 1] ?? 0)
  if (mode === 'constant') return record('pad', [x, cast(value, x.dtype)], { low, high, interior: low.map(() => 0) })
  const filler = FILLERS[mode]
  if (!filler) throw fail('pad', `unknown mode '${mode}'; use ${['constant', ...Object.keys(FILLERS)].join(', ')}`)
  return range(x.ndim).reduce(
    (padded, dim) => (low[dim] === 0 && high[dim] === 0 ? padded : padDim(padded, dim, low[dim], high[dim], filler)),
    x,
  )
}
