import type { DotAttrs } from '../../ir/index.js'
import { broadcastShapes, broadcastTo } from '../broadcast.js'
import { record, type TensorLike } from '../core.js'
import { fail, range, resolveDim, typeText } from '../dims.js'
import { cast, promote, resultType } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { add, mul } from './elementwise.js'
import { reshape } from './shape.js'

/** Products of matrices and their kin. */

export const dotGeneral = (x: Tensor, y: Tensor, attrs: DotAttrs): Tensor => record('dot_general', [x, y], attrs)

/** Both operands in their common dtype. */
const pair = (x: TensorLike, y: TensorLike): [Tensor, Tensor] => promote([x, y]) as [Tensor, Tensor]

/** Matrix times matrix with equal batch dimensions in front. */
function batchedProduct(x: Tensor, y: Tensor): Tensor {
  const batch = range(x.ndim - 2)
  return dotGeneral(x, y, {
    lhs_batch: batch,
    rhs_batch: batch,
    lhs_contract: [x.ndim - 1],
    rhs_contract: [y.ndim - 2],
  })
}

function matrixProduct(x: Tensor, y: Tensor): Tensor {
  // A single right matrix serves all batches: no copies, one large product.
  if (y.ndim === 2)
    return dotGeneral(x, y, { lhs_batch: [], rhs_batch: [], lhs_contract: [x.ndim - 1], rhs_contract: [0] })
  const batch = broadcastShapes('matmul', x.shape.slice(0, -2), y.shape.slice(0, -2))
  const spread = (z: Tensor): Tensor => broadcastTo(z, [...batch, ...z.shape.slice(-2)])
  return batchedProduct(spread(x), spread(y))
}

/**
 * Matrix product of the last two dimensions; the dimensions before them broadcast. A vector on the left is a row, on the right a column,
 * and its dimension is dropped from the result.
 * @throws ShapeError when the contracted extents differ, naming the transposition that fits.
 */
export function matmul(left: TensorLike, right: TensorLike): Tensor {
  const [x, y] = pair(left, right)
  if (x.ndim === 0 || y.ndim === 0)
    throw fail('matmul', `takes tensors of rank 1 or more, got ${typeText(x)} and ${typeText(y)}; use mul for scalars`)
  const rows = x.ndim === 1 ? reshape(x, [1, x.size]) : x
  const columns = y.ndim === 1 ? reshape(y, [y.size, 1]) : y
  const [k, other] = [rows.shape[rows.ndim - 1], columns.shape[columns.ndim - 2]]
  if (k !== other) {
    const fits = columns.shape[columns.ndim - 1] === k ? '; did you mean x.matmul(y.transpose(-2, -1))?' : ''
    throw fail('matmul', `${typeText(x)} and ${typeText(y)}: the last extent ${k} of x meets ${other} rows of y${fits}`)
  }
  const product = matrixProduct(rows, columns)
  const drop = [...(x.ndim === 1 ? [product.ndim - 2] : []), ...(y.ndim === 1 ? [product.ndim - 1] : [])]
  return reshape(
    product,
    product.shape.filter((_, dim) => !drop.includes(dim)),
  )
}

function requireRank(op: string, x: Tensor, rank: number): void {
  if (x.ndim !== rank) throw fail(op, `needs rank ${rank}, got ${typeText(x)}`)
}

/** Product of two matrices. */
export function mm(left: TensorLike, right: TensorLike): Tensor {
  const [x, y] = pair(left, right)
  requireRank('mm', x, 2)
  requireRank('mm', y, 2)
  return matmul(x, y)
}

/** Products of two stacks of matrices. */
export function bmm(left: TensorLike, right: TensorLike): Tensor {
  const [x, y] = pair(left, right)
  requireRank('bmm', x, 3)
  requireRank('bmm', y, 3)
  if (x.shape[0] !== y.shape[0])
    throw fail('bmm', `${typeText(x)} and ${typeText(y)} must have as many matrices; matmul broadcasts`)
  return matmul(x, y)
}

/** Matrix times vector. */
export const mv = (matrix: TensorLike, vector: TensorLike): Tensor => matmul(matrix, vector)

/** Sum of the products of two vectors. */
export function dot(left: TensorLike, right: TensorLike): Tensor {
  const [x, y] = pair(left, right)
  requireRank('dot', x, 1)
  requireRank('dot', y, 1)
  return matmul(x, y)
}

/** All products of the elements of two vectors. */
export function outer(left: TensorLike, right: TensorLike): Tensor {
  const [x, y] = pair(left, right)
  requireRank('outer', x, 1)
  requireRank('outer', y, 1)
  return mul(reshape(x, [x.size, 1]), y)
}

export interface ScaledOptions {
  /** Factor of the added tensor; default 1. */
  readonly beta?: TensorLike
  /** Factor of the product; default 1. */
  readonly alpha?: TensorLike
}

function scaledSum(t: TensorLike, product: Tensor, { beta = 1, alpha = 1 }: ScaledOptions): Tensor {
  const scaled = alpha === 1 ? product : mul(product, alpha)
  // As torch: beta 0 leaves t out, NaN and all.
  if (beta === 0) return scaled
  return add(beta === 1 ? t : mul(t, beta), scaled)
}

/** beta * t + alpha * (x @ y), for matrices. */
export const addmm = (t: TensorLike, x: TensorLike, y: TensorLike, options: ScaledOptions = {}): Tensor =>
  scaledSum(t, mm(x, y), options)

/** beta * t + alpha * (x @ y), for stacks of matrices. */
export const baddbmm = (t: TensorLike, x: TensorLike, y: TensorLike, options: ScaledOptions = {}): Tensor =>
  scaledSum(t, bmm(x, y), options)

/**
 * Sums products over pairs of dimensions: the last `dims` of x with the first of y, or the listed ones. The rest of x comes first.
 */
export function tensordot(
  left: TensorLike,
  right: TensorLike,
  dims: number | readonly [readonly number[], readonly number[]] = 2,
): Tensor {
  const [x, y] = pair(left, right)
  const [a, b] = typeof dims === 'number' ? [range(dims).map((i) => x.ndim - dims + i), range(dims)] : dims
  const lhs = a.map((dim) => resolveDim('tensordot', dim, x.ndim, x))
  const rhs = b.map((dim) => resolveDim('tensordot', dim, y.ndim, y))
  if (lhs.length !== rhs.length || lhs.some((dim, i) => x.shape[dim] !== y.shape[rhs[i]]))
    throw fail(
      'tensordot',
      `dimensions [${a.join(', ')}] of ${typeText(x)} and [${b.join(', ')}] of ${typeText(y)} must pair up`,
    )
  return dotGeneral(x, y, { lhs_batch: [], rhs_batch: [], lhs_contract: lhs, rhs_contract: rhs })
}

/** x @ weight^T + bias: x [..., in], weight [out, in], bias [out]. */
export function linear(like: TensorLike, weight: TensorLike, bias?: TensorLike | null): Tensor {
  const dtype = resultType(like, weight)
  const [x, w] = [cast(like, dtype), cast(weight, dtype)]
  const inputs = w.shape[w.ndim - 1]
  if (w.ndim > 2 || w.ndim === 0 || x.ndim === 0 || x.shape[x.ndim - 1] !== inputs)
    throw fail('linear', `x ${typeText(x)} must end in the ${inputs} inputs of weight ${typeText(w)} [outputs, inputs]`)
  const product =
    w.ndim === 1
      ? matmul(x, w)
      : dotGeneral(x, w, { lhs_batch: [], rhs_batch: [], lhs_contract: [x.ndim - 1], rhs_contract: [1] })
  return bias === undefined || bias === null ? product : add(product, bias)
}

/** x^T W_o y + bias_o for each output o: x [..., n], y [..., m], weight [outputs, n, m], bias [outputs]. */
export function bilinear(left: TensorLike, right: TensorLike, weight: TensorLike, bias?: TensorLike | null): Tensor {
  const [x, y, w] = promote([left, right, weight])
  if (w.ndim !== 3 || x.shape[x.ndim - 1] !== w.shape[1] || y.shape[y.ndim - 1] !== w.shape[2])
    throw fail(
      'bilinear',
      `x ${typeText(x)} and y ${typeText(y)} must end in the extents of weight ${typeText(w)} [outputs, n, m]`,
    )
  // [..., outputs, m] by way of x, then the sum over m.
  const half = dotGeneral(x, w, { lhs_batch: [], rhs_batch: [], lhs_contract: [x.ndim - 1], rhs_contract: [1] })
  const product = reshape(matmul(half, reshape(y, [...y.shape, 1])), half.shape.slice(0, -1))
  return bias === undefined || bias === null ? product : add(product, bias)
}

/** Product of several matrices, in the order that costs least; the first and the last may be vectors. */
export function multiDot(operands: readonly TensorLike[]): Tensor {
  const given = promote(operands)
  if (given.length < 2) throw fail('multiDot', `needs at least two operands, got ${given.length}`)
  const last = given[given.length - 1]
  const rows = given.map((x, i) => (x.ndim === 1 && i === 0 ? 1 : x.shape[0]))
  const extents = [...rows, last.ndim === 1 ? 1 : last.shape[1]]
  return chainProduct(given, cheapestSplits(extents), 0, given.length - 1)
}

/** splits[i][j]: where the product of operands i to j is cut last (the classical dynamic program over chain lengths). */
function cheapestSplits(extents: readonly number[]): number[][] {
  const n = extents.length - 1
  const cost = range(n).map(() => new Array<number>(n).fill(0))
  const splits = range(n).map(() => new Array<number>(n).fill(0))
  for (let length = 1; length < n; length++) {
    for (let i = 0; i + length < n; i++) {
      const j = i + length
      cost[i][j] = Number.POSITIVE_INFINITY
      for (let k = i; k < j; k++) {
        const total = cost[i][k] + cost[k + 1][j] + extents[i] * extents[k + 1] * extents[j + 1]
        if (total < cost[i][j]) [cost[i][j], splits[i][j]] = [total, k]
      }
    }
  }
  return splits
}

function chainProduct(
  operands: readonly Tensor[],
  splits: readonly (readonly number[])[],
  from: number,
  to: number,
): Tensor {
  if (from === to) return operands[from]
  const cut = splits[from][to]
  return matmul(chainProduct(operands, splits, from, cut), chainProduct(operands, splits, cut + 1, to))
}

/** Products of all elements of x with all of y, as blocks: numpy's kron. */
export function kron(left: TensorLike, right: TensorLike): Tensor {
  const [x, y] = pair(left, right)
  const rank = Math.max(x.ndim, y.ndim)
  const lead = (z: Tensor): number[] => [...range(rank - z.ndim).map(() => 1), ...z.shape]
  const [a, b] = [lead(x), lead(y)]
  const wide = reshape(
    x,
    a.flatMap((extent) => [extent, 1]),
  )
  const narrow = reshape(
    y,
    b.flatMap((extent) => [1, extent]),
  )
  return reshape(
    mul(wide, narrow),
    a.map((extent, i) => extent * b[i]),
  )
}
