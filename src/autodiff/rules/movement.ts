import { apply, splat, type Value } from '../../ir/index.js'
import * as e from '../emit.js'
import { operandRules, unaryRule, type VjpRule } from '../rule.js'

const concatenate: VjpRule<'concatenate'> = (node, [ct], needs) => {
  const { dimension } = node.attrs
  const { shape } = node.outputs[0]
  let at = 0
  return node.inputs.map((input, i) => {
    const start = shape.map((_, dim) => (dim === dimension ? at : 0))
    at += input.shape[dimension]
    const limit = shape.map((n, dim) => (dim === dimension ? at : n))
    return needs[i] ? apply('slice', [ct as Value], { start, limit, strides: shape.map(() => 1) }) : null
  })
}

export const movementRules = {
  reshape: unaryRule<'reshape'>((ct, x) => e.reshape(ct, x.shape)),
  transpose: unaryRule<'transpose'>((ct, _x, _y, { attrs }) =>
    e.transpose(ct, e.inversePermutation(attrs.permutation)),
  ),
  broadcast_in_dim: unaryRule<'broadcast_in_dim'>((ct, x, _y, { attrs }) => {
    const kept = attrs.dims.filter((dim, i) => x.shape[i] === attrs.shape[dim])
    const dimensions = attrs.shape.map((_, dim) => dim).filter((dim) => !kept.includes(dim))
    // The dimensions left are ascending; those of x may be placed in another order.
    const ascending = [...kept].sort((a, b) => a - b)
    const summed = e.reduce('sum', ct, dimensions)
    return e.reshape(
      e.transpose(
        summed,
        kept.map((dim) => ascending.indexOf(dim)),
      ),
      x.shape,
    )
  }),
  slice: unaryRule<'slice'>((ct, x, _y, { attrs }) => {
    const { start, strides } = attrs
    const high = x.shape.map((n, i) => n - start[i] - (ct.shape[i] === 0 ? 0 : (ct.shape[i] - 1) * strides[i] + 1))
    return e.padZeros(
      ct,
      start,
      high,
      strides.map((stride) => stride - 1),
    )
  }),
  pad: operandRules<'pad'>(
    (ct, [x], _y, { attrs }) => {
      const none = x.shape.map(() => 0)
      const trimmed = e.padZeros(
        ct,
        attrs.low.map((n) => -n),
        attrs.high.map((n) => -n),
        none,
      )
      return apply('slice', [trimmed], { start: none, limit: trimmed.shape, strides: attrs.interior.map((n) => n + 1) })
    },
    (ct, [x], _y, { attrs }) => {
      const inside = apply('pad', [splat(1, x.shape, 'bool'), splat(0, [], 'bool')], attrs)
      return e.sumAll(e.select(inside, e.zeros(ct), ct))
    },
  ),
  concatenate,
  reverse: unaryRule<'reverse'>((ct, _x, _y, { attrs }) => apply('reverse', [ct], attrs)),
}
