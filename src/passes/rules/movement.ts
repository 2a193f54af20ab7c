import {
  apply,
  type DotAttrs,
  freeDims,
  isOp,
  type OpAttrs,
  type OpName,
  sameShape,
  type Value,
} from '../../ir/index.js'
import { respread, splatOf } from './splat.js'

/** A rewrite of one node on inputs that are simplified already: the value that replaces it, or null. */
export type AttrRule<K extends OpName> = (inputs: readonly Value[], attrs: OpAttrs[K]) => Value | null

const isIdentity = (dims: readonly number[]): boolean => dims.every((dim, i) => dim === i)
const allEqual = (values: readonly number[], value: number): boolean => values.every((v) => v === value)

const reshape: AttrRule<'reshape'> = ([x], { shape }) => {
  if (sameShape(x.shape, shape)) return x
  if (x.node.op === 'reshape') return apply('reshape', [x.node.inputs[0]], { shape })
  return respread(x, shape)
}

const transpose: AttrRule<'transpose'> = ([x], { permutation }) => {
  if (isIdentity(permutation)) return x
  const { node } = x
  if (isOp(node, 'transpose')) {
    const inner = node.attrs.permutation
    return apply('transpose', [node.inputs[0]], { permutation: permutation.map((dim) => inner[dim]) })
  }
  return respread(
    x,
    permutation.map((dim) => x.shape[dim]),
  )
}

const broadcast: AttrRule<'broadcast_in_dim'> = ([x], { shape, dims }) => {
  if (isIdentity(dims) && sameShape(x.shape, shape)) return x
  const { node } = x
  if (isOp(node, 'broadcast_in_dim')) {
    return apply('broadcast_in_dim', [node.inputs[0]], { shape, dims: node.attrs.dims.map((dim) => dims[dim]) })
  }
  return respread(x, shape)
}

const slice: AttrRule<'slice'> = ([x], { start, limit, strides }) => {
  if (allEqual(start, 0) && allEqual(strides, 1) && sameShape(limit, x.shape)) return x
  return respread(
    x,
    start.map((first, i) => Math.ceil((limit[i] - first) / strides[i])),
  )
}

const pad: AttrRule<'pad'> = ([x], { low, high, interior }) => {
  const still = x.shape.every((n, i) => low[i] === 0 && high[i] === 0 && (interior[i] === 0 || n <= 1))
  return still ? x : null
}

const reverse: AttrRule<'reverse'> = ([x], { dimensions }) => {
  const moving = dimensions.filter((dim) => x.shape[dim] > 1)
  if (moving.length === 0) return x
  return splatOf(x) === null ? null : x
}

const concatenate: AttrRule<'concatenate'> = (inputs, attrs) => {
  const filled = inputs.filter((input) => input.shape[attrs.dimension] > 0)
  if (inputs.length === 1) return inputs[0]
  if (filled.length === inputs.length || filled.length === 0) return null
  return filled.length === 1 ? filled[0] : apply('concatenate', filled, attrs)
}

/** With starts that are known the clamping can be done at once. */
const dynamicSlice: AttrRule<'dynamic_slice'> = ([x, ...starts], { slice_sizes }) => {
  if (sameShape(x.shape, slice_sizes)) return x
  const known = starts.map(splatOf)
  if (known.some((start) => start === null)) return null
  const start = known.map((value, dim) => Math.min(Math.max(Number(value), 0), x.shape[dim] - slice_sizes[dim]))
  return apply('slice', [x], { start, limit: start.map((n, dim) => n + slice_sizes[dim]), strides: start.map(() => 1) })
}

/** Sum is left out: it adds to +0, so that -0 becomes +0. */
const reduce: AttrRule<'reduce'> = ([x], { kind, dimensions }) => {
  if (kind === 'argmax' || kind === 'argmin') return null
  if (dimensions.length === 0) return kind === 'sum' ? null : x
  if (kind === 'sum' || !dimensions.every((dim) => x.shape[dim] === 1)) return null
  return apply('reshape', [x], { shape: x.shape.filter((_, dim) => !dimensions.includes(dim)) })
}

const ascending = (dims: readonly number[]): boolean => dims.every((dim, i) => i === 0 || dims[i - 1] < dim)

/** The operand under a transpose and where its dimensions went, if the dot's free dimensions keep their order. */
function underTranspose(
  x: Value,
  batch: readonly number[],
  contract: readonly number[],
): { x: Value; place: readonly number[] } | null {
  const { node } = x
  if (!isOp(node, 'transpose')) return null
  const place = node.attrs.permutation
  const free = freeDims(x.shape.length, batch, contract).map((dim) => place[dim])
  return ascending(free) ? { x: node.inputs[0], place } : null
}

/** A dot reads its operands through their dimension numbers, so a transpose before it costs nothing to absorb. */
const dot: AttrRule<'dot_general'> = ([lhs, rhs], attrs) => {
  const left = underTranspose(lhs, attrs.lhs_batch, attrs.lhs_contract)
  const right = underTranspose(rhs, attrs.rhs_batch, attrs.rhs_contract)
  if (!left && !right) return null
  const move = (dims: readonly number[], found: { place: readonly number[] } | null): readonly number[] =>
    found ? dims.map((dim) => found.place[dim]) : dims
  const moved: DotAttrs = {
    lhs_batch: move(attrs.lhs_batch, left),
    rhs_batch: move(attrs.rhs_batch, right),
    lhs_contract: move(attrs.lhs_contract, left),
    rhs_contract: move(attrs.rhs_contract, right),
  }
  return apply('dot_general', [left?.x ?? lhs, right?.x ?? rhs], moved)
}

export const movementRules: { readonly [K in OpName]?: AttrRule<K> } = {
  reshape,
  transpose,
  broadcast_in_dim: broadcast,
  slice,
  pad,
  reverse,
  concatenate,
  dynamic_slice: dynamicSlice,
  reduce,
  dot_general: dot,
}
