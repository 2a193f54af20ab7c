import { apply, freeDims, type OpAttrs, splat, type Value } from '../../ir/index.js'
import * as e from '../emit.js'
import { operandRules, unaryRule, type VjpRule } from '../rule.js'
import { convInputGrad, convWeightGrad } from './convolution.js'
import { windowExtremeGrad, windowSumGrad } from './window.js'

const ascending = (dims: readonly number[]): number[] => [...dims].sort((a, b) => a - b)
const range = (start: number, count: number): number[] => Array.from({ length: count }, (_, i) => start + i)

/** Dimensions of a dot's result: batch, then free dimensions of the left operand, then those of the right one. */
function dotLayout(
  { lhs_batch, rhs_batch, lhs_contract, rhs_contract }: OpAttrs['dot_general'],
  lhs: Value,
  rhs: Value,
) {
  const lhsFree = freeDims(lhs.shape.length, lhs_batch, lhs_contract)
  const rhsFree = freeDims(rhs.shape.length, rhs_batch, rhs_contract)
  const batch = range(0, lhs_batch.length)
  const lhsPlaces = range(batch.length, lhsFree.length)
  return { lhsFree, rhsFree, batch, lhsPlaces, rhsPlaces: range(batch.length + lhsFree.length, rhsFree.length) }
}

const dotGeneral = operandRules<'dot_general'>(
  (ct, [lhs, rhs], _y, { attrs }) => {
    const { lhsFree, rhsFree, batch, rhsPlaces } = dotLayout(attrs, lhs, rhs)
    const dot = apply('dot_general', [ct, rhs], {
      lhs_batch: batch,
      rhs_batch: attrs.rhs_batch,
      lhs_contract: rhsPlaces,
      rhs_contract: rhsFree,
    })
    // What is left of rhs are its contracted dimensions, ascending; each belongs to a contracted dimension of lhs.
    const contracted = ascending(attrs.rhs_contract).map((dim) => attrs.lhs_contract[attrs.rhs_contract.indexOf(dim)])
    return e.transpose(dot, e.inversePermutation([...attrs.lhs_batch, ...lhsFree, ...contracted]))
  },
  (ct, [lhs, rhs], _y, { attrs }) => {
    const { lhsFree, rhsFree, batch, lhsPlaces } = dotLayout(attrs, lhs, rhs)
    const dot = apply('dot_general', [lhs, ct], {
      lhs_batch: attrs.lhs_batch,
      rhs_batch: batch,
      lhs_contract: lhsFree,
      rhs_contract: lhsPlaces,
    })
    const contracted = ascending(attrs.lhs_contract).map((dim) => attrs.rhs_contract[attrs.lhs_contract.indexOf(dim)])
    return e.transpose(dot, e.inversePermutation([...attrs.rhs_batch, ...contracted, ...rhsFree]))
  },
)

/** Product of the elements before each one along the last dimension: doubling steps, so the graph grows with log n. */
function exclusiveProduct(x: Value): Value {
  const last = x.shape.length - 1
  const n = x.shape[last]
  const only = (dim: number, value: number): number[] => x.shape.map((_, i) => (i === dim ? value : 0))
  const shift = (y: Value, by: number): Value =>
    apply('pad', [y, splat(1, [], y.dtype)], {
      low: only(last, by),
      high: only(last, -by),
      interior: x.shape.map(() => 0),
    })
  let product = shift(x, 1)
  for (let by = 1; by < n; by *= 2) product = e.multiply(product, shift(product, by))
  return product
}

/** Each element's gradient is the product of the others: exact where elements are zero, and to any order. */
function prodGrad(ct: Value, x: Value, dimensions: readonly number[]): Value {
  const kept = freeDims(x.shape.length, dimensions)
  const order = [...kept, ...ascending(dimensions)]
  const moved = e.transpose(x, order)
  const count = dimensions.reduce((n, dim) => n * x.shape[dim], 1)
  const lines = e.reshape(moved, [...ct.shape, count])
  if (count === 0) return e.zeros(x)
  const reverse = (y: Value): Value => apply('reverse', [y], { dimensions: [kept.length] })
  const others = e.multiply(exclusiveProduct(lines), reverse(exclusiveProduct(reverse(lines))))
  const grad = e.multiply(e.unreduce(ct, lines.shape, [kept.length]), others)
  return e.transpose(e.reshape(grad, moved.shape), e.inversePermutation(order))
}

/** The gradient of an extreme is shared evenly among the elements that reach it; as in torch all get NaN where none does (it is NaN). */
function extremeGrad(ct: Value, x: Value, y: Value, dimensions: readonly number[]): Value {
  const isExtreme = e.compare('EQ', x, e.unreduce(y, x.shape, dimensions))
  const count = e.reduce('sum', e.convert(isExtreme, x.dtype), dimensions)
  const share = e.unreduce(e.divide(ct, count), x.shape, dimensions)
  const none = e.unreduce(e.divide(e.zeros(ct), count), x.shape, dimensions)
  return e.select(isExtreme, share, none)
}

const reduce: VjpRule<'reduce'> = unaryRule((ct, x, y, { attrs }) => {
  const { kind, dimensions } = attrs
  if (kind === 'sum') return e.unreduce(ct, x.shape, dimensions)
  return kind === 'prod' ? prodGrad(ct, x, dimensions) : extremeGrad(ct, x, y, dimensions)
})

export const contractRules = {
  dot_general: dotGeneral,
  convolution: operandRules<'convolution'>(
    (ct, [x, kernel], _y, { attrs }) => convInputGrad(ct, kernel, x.shape, attrs),
    (ct, [x, kernel], _y, { attrs }) => convWeightGrad(x, ct, kernel.shape, attrs),
  ),
  reduce,
  reduce_window: unaryRule<'reduce_window'>((ct, x, _y, { attrs }) =>
    attrs.kind === 'sum' ? windowSumGrad(ct, x, attrs) : windowExtremeGrad(ct, x, attrs),
  ),
}
