import { type Shape, sameShape, shapeText, sizeOf } from '../../ir/index.js'
import { broadcastTo } from '../broadcast.js'
import { asTensor, record, type TensorLike } from '../core.js'
import { type Dims, fail, type IntList, range, resolveDim, resolveDims, toInts, typeText } from '../dims.js'
import type { Tensor } from '../tensor.js'

/** Fills in one -1 so that the shape holds `size` elements. */
function completeShape(op: string, shape: readonly number[], x: Tensor, size = x.size): number[] {
  const open = shape.indexOf(-1)
  if (open !== shape.lastIndexOf(-1)) throw fail(op, `only one extent of ${shapeText(shape)} may be -1`)
  const known = sizeOf(shape.filter((extent) => extent !== -1))
  const fits = open < 0 ? known === size : known > 0 ? size % known === 0 : false
  if (!fits || shape.some((extent) => !Number.isInteger(extent) || extent < -1)) {
    throw fail(op, `${typeText(x)} with ${size} elements does not fit ${shapeText(shape)}; one extent may be -1`)
  }
  return shape.map((extent) => (extent === -1 ? size / known : extent))
}

/** The same elements in row-major order under another shape; one extent may be -1. */
export function reshape(like: TensorLike, ...shape: IntList): Tensor {
  const x = asTensor(like)
  const target = completeShape('reshape', toInts(shape), x)
  return sameShape(target, x.shape) ? x : record('reshape', [x], { shape: target })
}

/** Reorders dimensions: dimension i of the result is dimension `dims[i]` of `x`. */
export function permute(like: TensorLike, ...dims: IntList): Tensor {
  const x = asTensor(like)
  const given = toInts(dims)
  if (given.length !== x.ndim)
    throw fail('permute', `${typeText(x)} needs ${x.ndim} dimensions, got [${given.join(', ')}]`)
  const permutation = given.map((dim) => resolveDim('permute', dim, x.ndim, x))
  if (new Set(permutation).size !== x.ndim) throw fail('permute', `dimensions [${given.join(', ')}] repeat`)
  return permutation.every((dim, i) => dim === i) ? x : record('transpose', [x], { permutation })
}

/** Swaps two dimensions. */
export function transpose(like: TensorLike, dim0 = -2, dim1 = -1): Tensor {
  const x = asTensor(like)
  const [a, b] = [resolveDim('transpose', dim0, x.ndim, x), resolveDim('transpose', dim1, x.ndim, x)]
  const order = range(x.ndim)
  if (x.ndim > 0) [order[a], order[b]] = [b, a]
  return permute(x, order)
}

/** Transposed matrix; vectors and scalars stay as they are. */
export function t(like: TensorLike): Tensor {
  const x = asTensor(like)
  if (x.ndim > 2) throw fail('t', `${typeText(x)} has more than 2 dimensions; use transpose(dim0, dim1)`)
  return x.ndim < 2 ? x : permute(x, 1, 0)
}

/** Swaps the last two dimensions of a batch of matrices. */
export const mT = (x: TensorLike): Tensor => transpose(x, -2, -1)

/** Merges the dimensions `start` to `end` (inclusive) into one. */
export function flatten(like: TensorLike, start = 0, end = -1): Tensor {
  const x = asTensor(like)
  if (x.ndim === 0) return reshape(x, 1)
  const [a, b] = [resolveDim('flatten', start, x.ndim, x), resolveDim('flatten', end, x.ndim, x)]
  if (a > b) throw fail('flatten', `start ${start} lies after end ${end} in ${typeText(x)}`)
  return reshape(x, [...x.shape.slice(0, a), sizeOf(x.shape.slice(a, b + 1)), ...x.shape.slice(b + 1)])
}

/** Splits dimension `dim` into `sizes`; one of them may be -1. */
export function unflatten(like: TensorLike, dim: number, sizes: Shape): Tensor {
  const x = asTensor(like)
  const at = resolveDim('unflatten', dim, x.ndim, x)
  const split = completeShape('unflatten', sizes, x, x.shape[at])
  return reshape(x, [...x.shape.slice(0, at), ...split, ...x.shape.slice(at + 1)])
}

/** Moves dimensions to new places; the others keep their order. */
export function movedim(
  like: TensorLike,
  source: number | readonly number[],
  target: number | readonly number[],
): Tensor {
  const x = asTensor(like)
  const resolve = (dims: number | readonly number[]): number[] =>
    (typeof dims === 'number' ? [dims] : dims).map((dim) => resolveDim('movedim', dim, x.ndim, x))
  const [from, to] = [resolve(source), resolve(target)]
  if (from.length !== to.length || new Set(from).size !== from.length || new Set(to).size !== to.length)
    throw fail('movedim', `source [${from.join(', ')}] and target [${to.join(', ')}] must pair up without repeats`)
  const rest = range(x.ndim).filter((dim) => !from.includes(dim))
  const order = range(x.ndim).map((dim) => {
    const moved = to.indexOf(dim)
    return moved >= 0 ? from[moved] : (rest.shift() as number)
  })
  return permute(x, order)
}

/** Drops dimensions of extent 1: all of them, or those named (others named stay). */
export function squeeze(like: TensorLike, dims?: Dims): Tensor {
  const x = asTensor(like)
  const drop = resolveDims('squeeze', dims, x)
  return reshape(
    x,
    x.shape.filter((extent, dim) => extent !== 1 || !drop.includes(dim)),
  )
}

/** Adds a dimension of extent 1 at `dim`. */
export function unsqueeze(like: TensorLike, dim: number): Tensor {
  const x = asTensor(like)
  const at = resolveDim('unsqueeze', dim, x.ndim + 1, x)
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)])
}

/** Repeats dimensions of extent 1 without copying; -1 keeps an extent, leading dimensions may be added. */
export function expand(like: TensorLike, ...shape: IntList): Tensor {
  const x = asTensor(like)
  const given = toInts(shape)
  const shift = given.length - x.ndim
  return broadcastTo(
    x,
    given.map((extent, dim) => (extent === -1 && dim >= shift ? x.shape[dim - shift] : extent)),
    'expand',
  )
}

/** {@link expand} to the shape of `other`. */
export const expandAs = (x: TensorLike, other: Tensor): Tensor => expand(x, other.shape)

/** Reads one element of every `strides[i]` from `start[i]` to before `limit[i]`; all non-negative and in range. */
export function sliceDims(x: Tensor, start: Shape, limit: Shape, strides: Shape = x.shape.map(() => 1)): Tensor {
  const whole = x.shape.every((extent, i) => start[i] === 0 && limit[i] === extent && strides[i] === 1)
  return whole ? x : record('slice', [x], { start, limit, strides })
}

/** `length` elements of dimension `dim` from `start` on. */
export function narrow(like: TensorLike, dim: number, start: number, length: number): Tensor {
  const x = asTensor(like)
  const at = resolveDim('narrow', dim, x.ndim, x)
  const extent = x.shape[at]
  const from = start < 0 ? start + extent : start
  if (!Number.isInteger(from) || !Number.isInteger(length) || from < 0 || length < 0 || from + length > extent)
    throw fail('narrow', `start ${start} and length ${length} leave dimension ${dim} of ${typeText(x)}`)
  return sliceDims(
    x,
    x.shape.map((_, i) => (i === at ? from : 0)),
    x.shape.map((n, i) => (i === at ? from + length : n)),
  )
}

/** Element `index` of dimension `dim`; the dimension is dropped. */
export function select(like: TensorLike, dim: number, index: number): Tensor {
  const x = asTensor(like)
  const at = resolveDim('select', dim, x.ndim, x)
  const extent = x.shape[at] ?? 0
  if (!Number.isInteger(index) || index < -extent || index >= extent)
    throw fail('select', `index ${index} leaves dimension ${dim} of ${typeText(x)}`)
  const one = narrow(x, at, index < 0 ? index + extent : index, 1)
  return reshape(
    one,
    x.shape.filter((_, i) => i !== at),
  )
}
