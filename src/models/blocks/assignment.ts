/** The cheapest pairing of rows and columns (Kuhn 1955), as loops inside the graph so that losses with it compile. */
import {
  add,
  any,
  argmin,
  eq,
  iota,
  le,
  logicalAnd,
  logicalNot,
  logicalOr,
  lt,
  minimum,
  ne,
  pad,
  reshape,
  stopGradient,
  sub,
  sum,
  type Tensor,
  tensor,
  transpose,
  where,
  whileLoop,
  zeros,
} from '../../tensor/index.js'

const FAR = 3e38

/** Entry `index` of a vector, or row `index` of a matrix: picked by a sum, since places are data. */
function at(x: Tensor, index: Tensor): Tensor {
  const shape = x.shape.map((extent, i) => (i === 0 ? extent : 1))
  return sum(where(eq(reshape(iota([x.shape[0]], 0), shape), index), x, 0), 0).to(x.dtype)
}

const put = (x: Tensor, index: Tensor, value: Tensor): Tensor => where(eq(iota(x.shape, 0), index), value, x)

interface Potentials {
  readonly row: Tensor
  readonly u: Tensor
  readonly v: Tensor
  readonly owner: Tensor
}

interface Search {
  readonly column: Tensor
  readonly u: Tensor
  readonly v: Tensor
  readonly least: Tensor
  readonly way: Tensor
  readonly used: Tensor
}

/** Rows and columns count from 1: place 0 stands for "none". */
function assign(cost: Tensor): Tensor {
  const [rows, columns] = cost.shape
  const padded = pad(cost, [1, 0, 1, 0])
  const whole = (count: number): Tensor => zeros([count], { dtype: 'i32' })
  const zero = (): Tensor => tensor(0, { dtype: 'i32' })

  const addRow = ({ row, u, v, owner }: Potentials): Potentials => {
    const owners = put(owner, zero(), row)
    const start: Search = {
      column: zero(),
      u,
      v,
      least: zeros([columns + 1]).add(FAR),
      way: whole(columns + 1),
      used: lt(whole(columns + 1), 0),
    }
    const found = whileLoop<Search>(
      (s) => ne(at(owners, s.column), 0),
      (s) => {
        const used = logicalOr(s.used, eq(iota([columns + 1], 0), s.column))
        const from = at(owners, s.column)
        const reduced = sub(sub(at(padded, from), at(s.u, from)), s.v)
        const better = logicalAnd(logicalNot(used), lt(reduced, s.least))
        const least = where(better, reduced, s.least)
        const way = where(better, s.column, s.way)
        const open = logicalAnd(logicalNot(used), ne(iota([columns + 1], 0), 0))
        const next = argmin(where(open, least, FAR), 0).to('i32')
        const step = at(least, next)
        const owned = eq(reshape(owners, [columns + 1, 1]), iota([1, rows + 1], 1))
        const touched = any(logicalAnd(owned, reshape(used, [columns + 1, 1])), 0)
        return {
          column: next,
          u: where(touched, add(s.u, step), s.u),
          v: where(used, sub(s.v, step), s.v),
          least: where(used, least, sub(least, step)),
          way,
          used,
        }
      },
      start,
    )
    const path = whileLoop<{ column: Tensor; owner: Tensor }>(
      (s) => ne(s.column, 0),
      (s) => {
        const before = at(found.way, s.column)
        return { column: before, owner: put(s.owner, s.column, at(s.owner, before)) }
      },
      { column: found.column, owner: owners },
    )
    return { row: add(row, 1), u: found.u, v: found.v, owner: path.owner }
  }

  const done = whileLoop<Potentials>((s) => le(s.row, rows), addRow, {
    row: tensor(1, { dtype: 'i32' }),
    u: zeros([rows + 1]),
    v: zeros([columns + 1]),
    owner: whole(columns + 1),
  })
  const owners = done.owner.narrow(0, 1, columns)
  return eq(reshape(iota([rows], 0).add(1), [rows, 1]), reshape(owners, [1, columns]))
}

/** bool [rows, columns], true for the pairs of the cheapest assignment; the shorter side is matched in full. Costs that are no numbers come last. */
export function cheapestPairs(costs: Tensor): Tensor {
  const given = stopGradient(costs).to('f32')
  const cost = minimum(where(eq(given, given), given, 1e30), 1e30)
  const [rows, columns] = cost.shape
  if (rows === 0 || columns === 0) return lt(zeros([rows, columns]), 0)
  return rows <= columns ? assign(cost) : transpose(assign(transpose(cost)))
}
