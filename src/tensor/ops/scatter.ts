import { isFloat, type ScatterKind } from '../../ir/index.js'
import { broadcastTo } from '../broadcast.js'
import { asTensor, record, type TensorLike } from '../core.js'
import { fail, range, resolveDim, typeText } from '../dims.js'
import { cast } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { onesLike, zerosLike } from './creation.js'
import { add, eq, like as likeOf, maximum, mul, sub, to, toBool, trueDivide, where } from './elementwise.js'
import { asIndex, checkElementIndex, elementPlaces, scatterElements, takeAlongRows, wrapNegative } from './gather.js'
import { cumsum } from './prefix.js'
import { expand, flatten, reshape, sliceDims, unsqueeze } from './shape.js'

/** Writing at computed places, as functions: the operand is not changed. Places out of range are an error at run time. */

interface Write {
  readonly x: Tensor
  readonly places: Tensor
  readonly updates: Tensor
}

/** The part of `src` that the index uses, in the dtype of x. */
function prepare(op: string, like: TensorLike, dim: number, indices: TensorLike, src: TensorLike): Write {
  const x = asTensor(like)
  const given = asIndex(op, indices)
  if (x.ndim === 0) {
    const one = prepare(op, reshape(x, 1), 0, reshape(given, given.size), reshape(asTensor(src, x.dtype), -1))
    return one
  }
  const at = resolveDim(op, dim, x.ndim, x)
  checkElementIndex(op, x, at, given)
  const values = cast(src, x.dtype)
  if (values.ndim !== 0 && (values.ndim !== x.ndim || given.shape.some((extent, i) => extent > values.shape[i])))
    throw fail(op, `src ${typeText(values)} must reach over index ${typeText(given)} in every dimension`)
  const updates =
    values.ndim === 0
      ? expand(values, given.shape)
      : sliceDims(
          values,
          given.shape.map(() => 0),
          given.shape,
        )
  return { x, places: elementPlaces(given, at), updates }
}

const written =
  (op: string, kind: ScatterKind) =>
  (x: TensorLike, dim: number, indices: TensorLike, src: TensorLike): Tensor => {
    const write = prepare(op, x, dim, indices, src)
    return reshape(scatterElements(kind, write.x, write.places, write.updates), asTensor(x).shape)
  }

/** out[index[i][j]][j] = src[i][j] for dim 0, and so on; the last of repeated places wins. `src` may be a number. */
export const scatter = written('scatter', 'set')

/** {@link scatter} that adds to what is there. */
export const scatterAdd = written('scatterAdd', 'add')

export type ScatterReduction = 'sum' | 'prod' | 'mean' | 'amax' | 'amin'

const KINDS: { readonly [R in ScatterReduction]: ScatterKind } = {
  sum: 'add',
  prod: 'multiply',
  mean: 'add',
  amax: 'max',
  amin: 'min',
}

const neutral = (reduction: ScatterReduction, x: Tensor): number => {
  if (reduction === 'prod') return 1
  if (reduction === 'sum' || reduction === 'mean') return 0
  const sign = reduction === 'amax' ? -1 : 1
  return isFloat(x.dtype) ? sign * Number.POSITIVE_INFINITY : sign * (x.dtype === 'i64' ? 2 ** 53 : 2 ** 31 - 1)
}

export interface ScatterReduceOptions {
  /** Whether what is in x takes part; default true. */
  readonly includeSelf?: boolean
}

type WriteWith = (kind: ScatterKind, x: Tensor, updates: Tensor) => Tensor

/** Reduces updates into x by `write`, which knows the places. */
function reduceInto(
  x: Tensor,
  updates: Tensor,
  reduction: ScatterReduction,
  includeSelf: boolean,
  write: WriteWith,
): Tensor {
  const kind = KINDS[reduction]
  if (!kind) throw fail('scatterReduce', `unknown reduction '${reduction}'; use ${Object.keys(KINDS).join(', ')}`)
  const start = includeSelf ? x : write('set', x, expand(likeOf(neutral(reduction, x), x), updates.shape))
  const total = write(kind, start, updates)
  if (reduction !== 'mean') return total
  const hits = write('add', includeSelf ? onesLike(x) : zerosLike(x), onesLike(updates))
  const count = maximum(hits, likeOf(1, x))
  return isFloat(x.dtype) ? trueDivide(total, count) : record('divide', [total, count], {})
}

/** Combines `src` into x at the places of {@link scatter}. */
export function scatterReduce(
  like: TensorLike,
  dim: number,
  indices: TensorLike,
  src: TensorLike,
  reduction: ScatterReduction,
  { includeSelf = true }: ScatterReduceOptions = {},
): Tensor {
  const { x, places, updates } = prepare('scatterReduce', like, dim, indices, src)
  const result = reduceInto(x, updates, reduction, includeSelf, (kind, base, values) =>
    scatterElements(kind, base, places, values),
  )
  return reshape(result, asTensor(like).shape)
}

interface SliceWrite {
  readonly x: Tensor
  readonly source: Tensor
  readonly write: WriteWith
}

/** Writing whole slices of dimension `dim` at a vector of indices. */
function sliceWrite(op: string, like: TensorLike, dim: number, indices: TensorLike, values: TensorLike): SliceWrite {
  const given = asTensor(like)
  const x = given.ndim === 0 ? reshape(given, 1) : given
  const at = resolveDim(op, dim, x.ndim, x)
  const index = flatten(wrapNegative(asIndex(op, indices), x.shape[at]))
  const shape = x.shape.map((extent, i) => (i === at ? index.size : extent))
  const given2 = cast(values, x.dtype)
  if (given2.ndim > x.ndim) throw fail(op, `source ${typeText(given2)} has more dimensions than ${typeText(x)}`)
  const source = broadcastTo(given2, shape, op)
  const attrs = {
    update_window_dims: range(x.ndim).filter((i) => i !== at),
    inserted_window_dims: [at],
    scatter_dims_to_operand_dims: [at],
  }
  const write: WriteWith = (kind, base, updates) =>
    record('scatter', [base, unsqueeze(index, 1), updates], { kind, ...attrs })
  return { x, source, write }
}

/** x with the slices of `source` added along `dim` at `indices`, times `alpha`. */
export function indexAdd(
  like: TensorLike,
  dim: number,
  indices: TensorLike,
  source: TensorLike,
  { alpha = 1 }: { readonly alpha?: TensorLike } = {},
): Tensor {
  const call = sliceWrite('indexAdd', like, dim, indices, source)
  return reshape(call.write('add', call.x, alpha === 1 ? call.source : mul(call.source, alpha)), asTensor(like).shape)
}

/** x with the slices of `source` put along `dim` at `indices`. */
export function indexCopy(like: TensorLike, dim: number, indices: TensorLike, source: TensorLike): Tensor {
  const call = sliceWrite('indexCopy', like, dim, indices, source)
  return reshape(call.write('set', call.x, call.source), asTensor(like).shape)
}

/** x with `value` in the slices along `dim` at `indices`. */
export const indexFill = (x: TensorLike, dim: number, indices: TensorLike, value: TensorLike): Tensor =>
  indexCopy(x, dim, indices, value)

/** x with the slices of `source` combined along `dim` at `indices`. */
export function indexReduce(
  like: TensorLike,
  dim: number,
  indices: TensorLike,
  source: TensorLike,
  reduction: ScatterReduction,
  { includeSelf = true }: ScatterReduceOptions = {},
): Tensor {
  const call = sliceWrite('indexReduce', like, dim, indices, source)
  return reshape(reduceInto(call.x, call.source, reduction, includeSelf, call.write), asTensor(like).shape)
}

/** x whose elements under `mask` are taken from `source` in order. */
export function maskedScatter(like: TensorLike, mask: TensorLike, source: TensorLike): Tensor {
  const x = asTensor(like)
  const chosen = broadcastTo(toBool(asTensor(mask)), x.shape, 'maskedScatter')
  const order = sub(cumsum(to(flatten(chosen), 'i32'), 0), cast(1, 'i64'))
  const place = maximum(order, likeOf(0, order))
  const taken = reshape(takeAlongRows(flatten(cast(source, x.dtype)), to(place, 'i32')), x.shape)
  return where(chosen, taken, x)
}

/** Number of times each of 0 ... length - 1 occurs (i64), or the sums of their `weights`; others are an error at run time. */
export function countIndices(indices: TensorLike, length: number, weights?: TensorLike): Tensor {
  const index = flatten(asIndex('countIndices', indices))
  const values = weights === undefined ? onesLike(index, { dtype: 'i64' }) : flatten(asTensor(weights))
  const start = zerosLike(expand(likeOf(0, values), [length]))
  return scatterElements('add', start, unsqueeze(index, 1), values)
}

/** Counts of elements in `bins` equal intervals from `min` to `max` (both 0: the range of x); the rest is left out. */
export function histc(
  like: TensorLike,
  { bins = 100, min = 0, max = 0 }: { readonly bins?: number; readonly min?: number; readonly max?: number } = {},
): Tensor {
  const x = flatten(asTensor(like))
  if (!(bins > 0) || min > max)
    throw fail('histc', `needs positive bins and min <= max, got bins ${bins}, ${min} to ${max}`)
  const whole = min === max
  const bound = (kind: 'min' | 'max', given: number): Tensor =>
    whole && min === 0 && x.size > 0 ? record('reduce', [x], { kind, dimensions: [0] }) : cast(given, x.dtype)
  const [low, high] = [bound('min', min), bound('max', max)]
  // A range of no width is widened by 1 on both sides, as in torch.
  const flat = eq(low, high)
  const from = where(flat, sub(low, likeOf(1, x)), low)
  const to_ = where(flat, add(high, likeOf(1, x)), high)
  const inside = record(
    'and',
    [
      record('compare', [x, expand(from, x.shape)], { direction: 'GE' }),
      record('compare', [x, expand(to_, x.shape)], { direction: 'LE' }),
    ],
    {},
  )
  const position = trueDivide(mul(sub(where(inside, x, from), from), likeOf(bins, x)), sub(to_, from))
  const bin = record('minimum', [to(position, 'i32'), expand(cast(bins - 1, 'i32'), x.shape)], {})
  return countIndices(bin, bins, to(inside, x.dtype))
}
