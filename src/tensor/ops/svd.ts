import { composite, scan } from '../control.js'
import type { TensorLike } from '../core.js'
import { fail, typeText } from '../dims.js'
import { cast, toFloat } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { eye, iota } from './creation.js'
import { diagEmbed } from './diagonals.js'
import { abs, add, eq, ge, gt, like as likeOf, mul, neg, rsqrt, sqrt, sub, trueDivide, where } from './elementwise.js'
import { takeAlongDim } from './gather.js'
import { defineGradient } from './gradient-rule.js'
import { cat } from './join.js'
import { matmul } from './matmul.js'
import { pad } from './pad.js'
import { sum } from './reduce.js'
import { expand, narrow, reshape, transpose, unsqueeze } from './shape.js'
import { argsort } from './sort.js'

/** Singular values by one-sided Jacobi rotations (Hestenes 1958), all disjoint pairs of columns at once in a round-robin order. */

/** Sweeps over all pairs; convergence is quadratic, and f64 has settled long before. */
const SWEEPS = 14

const KEPT = { keepdim: true } as const

/** Next pairing of the round robin: the first column stays, the others move around. */
function rotateSeats(left: Tensor, right: Tensor): [Tensor, Tensor] {
  const half = left.shape[left.ndim - 1]
  if (half === 1) return [left, right]
  const part = (x: Tensor, start: number, length: number): Tensor => narrow(x, -1, start, length)
  return [
    cat([part(left, 0, 1), part(right, 0, 1), part(left, 1, half - 2)], -1),
    cat([part(right, 1, half - 1), part(left, half - 1, 1)], -1),
  ]
}

/** Rotates each column of `left` with its partner of `right` so that their first `rows` elements become orthogonal. */
function orthogonalise(left: Tensor, right: Tensor, rows: number): [Tensor, Tensor] {
  const [a, b] = [narrow(left, -2, 0, rows), narrow(right, -2, 0, rows)]
  const inner = (x: Tensor, y: Tensor): Tensor => sum(mul(x, y), -2, KEPT)
  const gamma = inner(a, b)
  const done = eq(gamma, likeOf(0, gamma))
  const one = likeOf(1, gamma)
  const zeta = trueDivide(sub(inner(b, b), inner(a, a)), mul(where(done, one, gamma), likeOf(2, gamma)))
  const size = trueDivide(one, add(abs(zeta), sqrt(add(one, mul(zeta, zeta)))))
  const tangent = where(done, likeOf(0, gamma), where(ge(zeta, likeOf(0, gamma)), size, neg(size)))
  const cosine = rsqrt(add(one, mul(tangent, tangent)))
  const sine = mul(cosine, tangent)
  return [sub(mul(left, cosine), mul(right, sine)), add(mul(left, sine), mul(right, cosine))]
}

interface Factors {
  readonly u: Tensor
  readonly s: Tensor
  readonly v: Tensor
}

/** Factors of matrices with at least as many rows as columns. */
function factorise(matrix: Tensor): Factors {
  const [m, n] = matrix.shape.slice(-2)
  const even = n + (n % 2)
  const batch = matrix.shape.slice(0, -2)
  const basis = expand(eye(even, undefined, { dtype: 'f64' }), [...batch, even, even])
  // The rotations of the columns are collected below the matrix.
  const whole = cat([pad(matrix, [0, even - n]), basis], -2)
  const half = even / 2
  const start: readonly [Tensor, Tensor] = [narrow(whole, -1, 0, half), narrow(whole, -1, half, half)]
  const steps = SWEEPS * Math.max(1, even - 1)
  const [[left, right]] = scan(
    ([p, q]: readonly [Tensor, Tensor]) => [rotateSeats(...orthogonalise(p, q, m)), []] as const,
    start,
    [] as readonly Tensor[],
    { length: steps },
  )
  const columns = cat([left, right], -1)
  const products = narrow(columns, -2, 0, m)
  const norms = sqrt(sum(mul(products, products), -2))
  // A column added to make the count even comes last, behind true zeros.
  const added = even > n ? abs(reshape(narrow(columns, -2, m + n, 1), norms.shape)) : sub(norms, norms)
  const order = narrow(
    argsort(where(gt(added, likeOf(0.5, added)), likeOf(-1, norms), norms), -1, { descending: true }),
    -1,
    0,
    n,
  )
  const s = takeAlongDim(norms, order, -1)
  const sorted = (x: Tensor): Tensor => takeAlongDim(x, unsqueeze(order, -2), -1)
  const length = unsqueeze(s, -2)
  const empty = eq(length, likeOf(0, length))
  const u = where(empty, likeOf(0, s), trueDivide(sorted(products), where(empty, likeOf(1, s), length)))
  return { u, s, v: sorted(narrow(columns, -2, m, n)) }
}

function decompose(x: Tensor): Tensor[] {
  const [m, n] = x.shape.slice(-2)
  return composite('svd', {}, [x], ([given]) => {
    const wide = cast(given, 'f64')
    const { u, s, v } = m >= n ? factorise(wide) : factorise(transpose(wide))
    return (m >= n ? [u, s, v] : [v, s, u]).map((factor) => cast(factor, x.dtype))
  })
}

// Townsend, "Differentiating the singular value decomposition", 2016: needs distinct singular values where U or V is used.
defineGradient('svd', ([ctU, ctS, ctV], { outputs: [u, s, v] }) => {
  const row = unsqueeze(s, -2)
  const column = unsqueeze(s, -1)
  const gap = sub(mul(row, row), mul(column, column))
  const k = s.shape[s.ndim - 1]
  const same = eq(unsqueeze(iota([k], 0), 1), iota([k], 0))
  const inverse = where(same, likeOf(0, gap), trueDivide(likeOf(1, gap), where(same, likeOf(1, gap), gap)))
  const skew = (factor: Tensor, ct: Tensor): Tensor => {
    const product = matmul(transpose(factor), ct)
    return mul(inverse, sub(product, transpose(product)))
  }
  const outside = (factor: Tensor, ct: Tensor): Tensor => sub(ct, matmul(factor, matmul(transpose(factor), ct)))
  const cores: Tensor[] = []
  if (ctS) cores.push(diagEmbed(ctS))
  if (ctU) cores.push(mul(skew(u, ctU), row))
  if (ctV) cores.push(mul(column, skew(v, ctV)))
  const parts = [matmul(u, matmul(cores.reduce(add), transpose(v)))]
  if (ctU) parts.push(matmul(trueDivide(outside(u, ctU), row), transpose(v)))
  if (ctV) parts.push(matmul(u, transpose(trueDivide(outside(v, ctV), row))))
  return [parts.reduce(add)]
})

function asMatrices(op: string, like: TensorLike): Tensor {
  const x = toFloat(like)
  if (x.ndim < 2 || x.size === 0) throw fail(op, `needs non-empty matrices [..., m, n], got ${typeText(x)}`)
  return x
}

/**
 * A = U diag(s) V^T: U [..., m, k], s [..., k] descending, V^T [..., k, n], k = min(m, n). Columns of U (or V) that belong to a singular
 * value of 0 are 0.
 */
export function svd(x: TensorLike): { readonly u: Tensor; readonly s: Tensor; readonly vt: Tensor } {
  const [u, s, v] = decompose(asMatrices('svd', x))
  return { u, s, vt: transpose(v) }
}

/** Singular values of matrices, descending. */
export const svdvals = (x: TensorLike): Tensor => decompose(asMatrices('svdvals', x))[1]
