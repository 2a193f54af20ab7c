import { sameShape } from '../../ir/index.js'
import { broadcastShapes, broadcastTo } from '../broadcast.js'
import { composite, scan } from '../control.js'
import { asTensor, type TensorLike } from '../core.js'
import { fail, typeText } from '../dims.js'
import { cast, computeType, promote, toFloat } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { eye, iota, ones, tril, triu, zeros } from './creation.js'
import { abs, add, eq, ge, like as likeOf, lt, mul, neg, sqrt, sub, trueDivide, where } from './elementwise.js'
import { defineGradient } from './gradient-rule.js'
import { cat } from './join.js'
import { matmul } from './matmul.js'
import { argmax, prod, sum } from './reduce.js'
import { expand, narrow, reshape, transpose, unsqueeze } from './shape.js'

/**
 * Dense linear algebra for batches of small matrices: composites whose bodies go column by column, in f64 inside, with gradients in
 * closed form.
 */

const KEPT = { keepdim: true } as const

function requireSquare(op: string, x: Tensor): void {
  if (x.ndim < 2 || x.shape[x.ndim - 1] !== x.shape[x.ndim - 2])
    throw fail(op, `needs square matrices [..., n, n], got ${typeText(x)}`)
}

/** Runs `body` on operands in f64 and rounds the results to the operands' dtype. */
function inDouble(
  name: string,
  operands: readonly Tensor[],
  body: (operands: Tensor[]) => readonly Tensor[],
): Tensor[] {
  return composite(name, {}, operands, (given) =>
    body(given.map((x) => cast(x, 'f64'))).map((result) => cast(result, given[0].dtype)),
  )
}

/** Row numbers [m, 1] and column numbers [n] of matrices [..., m, n], and the parts of a matrix that they pick. */
function places(m: Tensor) {
  const [rows, columns] = m.shape.slice(-2)
  const row = unsqueeze(iota([rows], 0), 1)
  const column = iota([columns], 0)
  const zero = likeOf(0, m)
  return {
    row,
    column,
    rowOf: (x: Tensor, is: Tensor): Tensor => sum(where(is, x, zero), -2, KEPT),
    columnOf: (x: Tensor, k: Tensor): Tensor => sum(where(eq(column, k), x, zero), -1, KEPT),
  }
}

/**
 * Gauss-Jordan elimination with partial pivoting of [A | B]: A becomes the identity, B the solution; also signed pivots [n, ...].
 * A pivot of 0 makes its row infinite or NaN, or leaves it where only the pivots are wanted.
 */
function eliminate(augmented: Tensor, n: number, onlyPivots = false): { reduced: Tensor; pivots: Tensor } {
  const { row, column, rowOf, columnOf } = places(augmented)
  const step = (m: Tensor, k: Tensor): readonly [Tensor, Tensor] => {
    const candidates = where(ge(row, k), abs(columnOf(m, k)), likeOf(-1, m))
    const best = argmax(candidates, -2, KEPT)
    const [isK, isBest] = [eq(row, k), eq(row, best)]
    const pivotRow = rowOf(m, isBest)
    const swapped = where(isK, pivotRow, where(isBest, rowOf(m, isK), m))
    const pivot = sum(where(eq(column, k), pivotRow, likeOf(0, m)), -1, KEPT)
    const divisor = onlyPivots ? where(eq(pivot, likeOf(0, m)), likeOf(1, m), pivot) : pivot
    const scaled = trueDivide(pivotRow, divisor)
    const next = where(isK, scaled, sub(swapped, mul(columnOf(swapped, k), scaled)))
    const signed = where(eq(best, k), pivot, neg(pivot))
    return [next, reshape(signed, m.shape.slice(0, -2))]
  }
  const [reduced, pivots] = scan(step, augmented, iota([n], 0))
  return { reduced, pivots }
}

/**
 * X with A X = B: A [..., n, n]; B [..., n, k], or a vector [n]. A singular A gives infinities or NaN.
 * @throws ShapeError when A is not square or B does not have its rows.
 */
export function solve(matrix: TensorLike, right: TensorLike): Tensor {
  const [a, given] = promote([matrix, right], computeType(promote([matrix, right])[0].dtype))
  requireSquare('solve', a)
  // As torch: one dimension less than A is a batch of vectors only where it has the batch of A, else matrices to broadcast.
  const isVector = given.ndim === 1 || sameShape(given.shape, a.shape.slice(0, -1))
  const b = isVector ? unsqueeze(given, given.ndim) : given
  const n = a.shape[a.ndim - 1]
  if (b.shape[b.ndim - 2] !== n) throw fail('solve', `B ${typeText(given)} must have the ${n} rows of A ${typeText(a)}`)
  const batch = broadcastShapes('solve', a.shape.slice(0, -2), b.shape.slice(0, -2))
  const k = b.shape[b.ndim - 1]
  const operands = [broadcastTo(a, [...batch, n, n]), broadcastTo(b, [...batch, n, k])]
  if (n === 0) return isVector ? reshape(operands[1], [...batch, 0]) : operands[1]
  const [x] = inDouble('solve', operands, ([m, v]) => {
    const { reduced } = eliminate(cat([m, v], -1), n)
    return [narrow(reduced, -1, n, k)]
  })
  return isVector ? reshape(x, x.shape.slice(0, -1)) : x
}

defineGradient('solve', ([ct], { inputs: [a], outputs: [x] }) => {
  if (!ct) return [null, null]
  const right = solve(transpose(a), ct)
  return [neg(matmul(right, transpose(x))), right]
})

/** Inverse of matrices [..., n, n]. */
export function inv(like: TensorLike): Tensor {
  const x = toFloat(like)
  requireSquare('inv', x)
  return solve(x, expand(eye(x.shape[x.ndim - 1], undefined, { dtype: x.dtype }), x.shape))
}

/** Determinant of matrices [..., n, n]. As in torch the gradient of a singular matrix is 0. */
export function det(like: TensorLike): Tensor {
  const x = toFloat(like)
  requireSquare('det', x)
  const n = x.shape[x.ndim - 1]
  if (n === 0) return ones(x.shape.slice(0, -2), { dtype: x.dtype })
  return inDouble('det', [x], ([m]) => [prod(eliminate(m, n, true).pivots, 0)])[0]
}

defineGradient('det', ([ct], { inputs: [x], outputs: [y] }) => {
  if (!ct) return [null]
  const ofMatrix = (value: Tensor): Tensor => reshape(value, [...value.shape, 1, 1])
  const singular = ofMatrix(eq(y, likeOf(0, y)))
  const invertible = where(singular, eye(x.shape[x.ndim - 1], undefined, { dtype: x.dtype }), x)
  return [mul(ofMatrix(mul(ct, y)), transpose(inv(invertible)))]
})

/** Lower triangular L with A = L L^T, for symmetric positive definite A [..., n, n]; NaN where A is not. */
export function cholesky(like: TensorLike): Tensor {
  const x = toFloat(like)
  requireSquare('cholesky', x)
  return inDouble('cholesky', [x], ([a]) => {
    const { row, column, rowOf, columnOf } = places(a)
    const step = (l: Tensor, k: Tensor): readonly [Tensor, readonly Tensor[]] => {
      const isK = eq(row, k)
      const rest = sub(columnOf(a, k), sum(mul(l, rowOf(l, isK)), -1, KEPT))
      const filled = where(ge(row, k), trueDivide(rest, sqrt(rowOf(rest, isK))), likeOf(0, a))
      return [where(eq(column, k), filled, l), []]
    }
    return [scan(step, zeros(a.shape, { dtype: 'f64' }), iota([a.shape[a.ndim - 1]], 0))[0]]
  })[0]
}

defineGradient('cholesky', ([ct], { outputs: [l] }) => {
  if (!ct) return [null]
  const n = l.shape[l.ndim - 1]
  const half = mul(eye(n, undefined, { dtype: l.dtype }), likeOf(0.5, l))
  const inner = tril(matmul(transpose(l), ct))
  const phi = sub(inner, mul(inner, half))
  // L^-T phi L^-1, made symmetric.
  const left = solve(transpose(l), phi)
  const full = transpose(solve(transpose(l), transpose(left)))
  return [mul(add(full, transpose(full)), likeOf(0.5, l))]
})

interface Reflected {
  readonly r: Tensor
  readonly q: Tensor
}

/** Householder reflections that make `a` upper triangular, with LAPACK's signs. */
function reflect(a: Tensor): Reflected {
  const [m, n] = a.shape.slice(-2)
  const identity = expand(eye(m, undefined, { dtype: 'f64' }), [...a.shape.slice(0, -2), m, m])
  const { row, rowOf, columnOf } = places(a)
  const step = ({ r, q }: Reflected, k: Tensor): readonly [Reflected, readonly Tensor[]] => {
    const zero = likeOf(0, r)
    const x = where(ge(row, k), columnOf(r, k), zero)
    const first = rowOf(x, eq(row, k))
    const tail = sum(where(eq(row, k), zero, mul(x, x)), -2, KEPT)
    const size = sqrt(add(mul(first, first), tail))
    const v = where(eq(row, k), add(x, where(lt(first, zero), neg(size), size)), x)
    const length = sum(mul(v, v), -2, KEPT)
    // A column that is zero below its diagonal stays as it is.
    const factor = where(eq(tail, zero), zero, trueDivide(likeOf(2, r), length))
    const scaled = mul(v, factor)
    const next = {
      r: sub(r, matmul(scaled, matmul(transpose(v), r))),
      q: sub(q, matmul(matmul(q, v), transpose(scaled))),
    }
    return [next, []]
  }
  return scan(step, { r: a, q: identity }, iota([Math.min(m, n)], 0))[0]
}

/** Q [..., m, k] with orthonormal columns and upper triangular R [..., k, n], k = min(m, n): A = Q R. Gradients need m >= n. */
export function qr(like: TensorLike): { readonly q: Tensor; readonly r: Tensor } {
  const x = toFloat(like)
  if (x.ndim < 2) throw fail('qr', `needs matrices [..., m, n], got ${typeText(x)}`)
  const k = Math.min(x.shape[x.ndim - 2], x.shape[x.ndim - 1])
  const [q, r] = inDouble('qr', [x], ([a]) => {
    const reflected = reflect(a)
    return [narrow(reflected.q, -1, 0, k), triu(narrow(reflected.r, -2, 0, k))]
  })
  return { q, r }
}

// Walter and Lehmann, "Algorithmic differentiation of linear algebra functions", 2018.
defineGradient('qr', ([ctQ, ctR], { inputs: [x], outputs: [q, r] }) => {
  if (x.shape[x.ndim - 2] < x.shape[x.ndim - 1])
    throw fail('qr', `the gradient needs at least as many rows as columns, got ${typeText(x)}`)
  const fromR = ctR ? matmul(ctR, transpose(r)) : null
  const fromQ = ctQ ? neg(matmul(transpose(q), ctQ)) : null
  const both = fromR && fromQ ? add(fromR, fromQ) : (fromR ?? fromQ)
  if (!both) return [null]
  const upper = triu(both)
  const diagonal = mul(upper, eye(upper.shape[upper.ndim - 1], undefined, { dtype: x.dtype }))
  const inner = matmul(q, sub(add(upper, transpose(upper)), diagonal))
  const whole = ctQ ? add(ctQ, inner) : inner
  return [transpose(solve(r, transpose(whole)))]
})

/** Powers of square matrices, n >= 0 (negative: of the inverse). */
export function matrixPower(like: TensorLike, n: number): Tensor {
  const x = asTensor(like)
  requireSquare('matrixPower', x)
  if (!Number.isInteger(n)) throw fail('matrixPower', `the exponent must be an integer, got ${n}`)
  if (n < 0) return matrixPower(inv(x), -n)
  let result: Tensor | null = null
  let square = x
  for (let rest = n; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = result ? matmul(result, square) : square
    if (rest > 1) square = matmul(square, square)
  }
  return result ?? expand(eye(x.shape[x.ndim - 1], undefined, { dtype: x.dtype }), x.shape)
}
