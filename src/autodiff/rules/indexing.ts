import {
  apply,
  type GatherAttrs,
  makeNode,
  type Node,
  type ScatterAttrs,
  type ScatterKind,
  type Shape,
  type Value,
} from '../../ir/index.js'
import * as e from '../emit.js'
import { type Cotangent, operandRules, type VjpRule } from '../rule.js'

const scatterAttrsOf = (attrs: GatherAttrs, kind: ScatterKind): ScatterAttrs => ({
  kind,
  update_window_dims: attrs.offset_dims,
  inserted_window_dims: attrs.collapsed_slice_dims,
  scatter_dims_to_operand_dims: attrs.start_index_map,
})

/** The gather that reads what the scatter wrote. */
function gatherAttrsOf(attrs: ScatterAttrs, operand: Shape, updates: Shape): GatherAttrs {
  const windows = attrs.update_window_dims.map((dim) => updates[dim])
  const inserted = attrs.inserted_window_dims
  let next = 0
  return {
    offset_dims: attrs.update_window_dims,
    collapsed_slice_dims: inserted,
    start_index_map: attrs.scatter_dims_to_operand_dims,
    slice_sizes: operand.map((_, dim) => (inserted.includes(dim) ? 1 : windows[next++])),
  }
}

/** What the scatter rules share: reading and writing at the places of the node's indices. */
function placesOf(node: Node<'scatter'>) {
  const [operand, indices, updates] = node.inputs
  const gatherAttrs = gatherAttrsOf(node.attrs, operand.shape, updates.shape)
  return {
    operand,
    updates,
    read: (x: Value): Value => apply('gather', [x, indices], gatherAttrs),
    write: (kind: ScatterKind, x: Value, values: Value): Value =>
      apply('scatter', [x, indices, values], { ...node.attrs, kind }),
  }
}

type ScatterRule = (ct: Value, node: Node<'scatter'>, needs: readonly boolean[]) => readonly [Cotangent, Cotangent]

/** The extreme's gradient is shared evenly among the operand and the updates that reach it; as in torch NaN where none does. */
const scatterExtreme: ScatterRule = (ct, node, needs) => {
  const { operand, updates, read, write } = placesOf(node)
  const result = node.outputs[0]
  const operandWins = e.compare('EQ', operand, result)
  const updateWins = e.compare('EQ', updates, read(result))
  const count = write('add', e.convert(operandWins, ct.dtype), e.convert(updateWins, ct.dtype))
  const part = e.divide(ct, count)
  return [
    needs[0] ? e.multiply(e.convert(operandWins, ct.dtype), part) : null,
    needs[2] ? e.multiply(e.convert(updateWins, ct.dtype), read(part)) : null,
  ]
}

const SCATTER: { readonly [K in ScatterKind]: ScatterRule } = {
  add: (ct, node, needs) => [ct, needs[2] ? placesOf(node).read(ct) : null],
  // As torch: updates that others overwrote get the cotangent of their place, too.
  set: (ct, node, needs) => {
    const { updates, read, write } = placesOf(node)
    return [needs[0] ? write('set', ct, e.zeros(updates)) : null, needs[2] ? read(ct) : null]
  },
  multiply: (ct, node, needs) => {
    const { operand, updates, read, write } = placesOf(node)
    const operandCt = needs[0] ? e.multiply(ct, write('multiply', e.like(operand, 1), updates)) : null
    if (!needs[2]) return [operandCt, null]
    // The product of the others: by division, except that a zero among the factors is left out and counted.
    const isZero = e.compare('EQ', updates, e.zeros(updates))
    const nonZero = e.select(isZero, e.like(updates, 1), updates)
    const product = read(e.multiply(ct, write('multiply', operand, nonZero)))
    const zeroCount = read(write('add', e.zeros(operand), e.convert(isZero, operand.dtype)))
    const otherZeros = e.subtract(zeroCount, e.convert(isZero, operand.dtype))
    const others = e.divide(product, nonZero)
    return [operandCt, e.select(e.compare('EQ', otherZeros, e.zeros(otherZeros)), others, e.zeros(others))]
  },
  max: scatterExtreme,
  min: scatterExtreme,
}

const scatter: VjpRule<'scatter'> = (node, [ct], needs) => {
  const [operandCt, updatesCt] = SCATTER[node.attrs.kind](ct as Value, node, needs)
  return [operandCt, null, updatesCt]
}

const dynamicSlice: VjpRule<'dynamic_slice'> = (node, [ct]) => {
  const [operand, ...starts] = node.inputs
  return [apply('dynamic_update_slice', [e.zeros(operand), ct as Value, ...starts], {}), ...starts.map(() => null)]
}

const dynamicUpdateSlice: VjpRule<'dynamic_update_slice'> = (node, [ct], needs) => {
  const [, update, ...starts] = node.inputs
  return [
    needs[0] ? apply('dynamic_update_slice', [ct as Value, e.zeros(update), ...starts], {}) : null,
    needs[1] ? apply('dynamic_slice', [ct as Value, ...starts], { slice_sizes: update.shape }) : null,
    ...starts.map(() => null),
  ]
}

/** Sorting positions along with the key gives the permutation; sorting cotangents by it puts them back. */
const sort: VjpRule<'sort'> = (node, cts, needs) => {
  const [key] = node.inputs
  const { dimension } = node.attrs
  const positions = apply('iota', [], { shape: key.shape, dtype: 'i32', dimension })
  const permutation = makeNode('sort', [key, positions], node.attrs).outputs[1]
  const wanted = node.inputs.map((_, i) => i).filter((i) => needs[i] && cts[i])
  const back = makeNode('sort', [permutation, ...wanted.map((i) => cts[i] as Value)], {
    dimension,
    descending: false,
  }).outputs
  return node.inputs.map((_, i) => (wanted.includes(i) ? back[wanted.indexOf(i) + 1] : null))
}

export const indexingRules = {
  gather: operandRules<'gather'>((ct, [operand, indices], _y, { attrs }) =>
    apply('scatter', [e.zeros(operand), indices, ct], scatterAttrsOf(attrs, 'add')),
  ),
  scatter,
  dynamic_slice: dynamicSlice,
  dynamic_update_slice: dynamicUpdateSlice,
  sort,
}
