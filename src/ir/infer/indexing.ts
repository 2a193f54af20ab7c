import type { GatherAttrs, OpAttrs, ScatterAttrs, ShapeDType } from '../attrs.js'
import { isInteger } from '../dtype.js'
import { shapeError } from '../errors.js'
import { sameShape, shapeText } from '../shape.js'
import { checkDims } from './movement.js'

type Inputs = readonly ShapeDType[]

function checkIndices(op: string, inputs: Inputs, indices: ShapeDType, components: number): void {
  if (!isInteger(indices.dtype))
    throw shapeError(op, inputs, `indices must be integers, got ${indices.dtype}; convert with .to('i32')`)
  if (indices.shape.length === 0 || indices.shape[indices.shape.length - 1] !== components) {
    throw shapeError(op, inputs, `the last dimension of the indices must hold ${components} components`)
  }
}

export function gather(op: string, inputs: Inputs, attrs: GatherAttrs): ShapeDType {
  const [operand, indices] = inputs
  const rank = operand.shape.length
  checkIndices(op, inputs, indices, attrs.start_index_map.length)
  checkDims(op, inputs, attrs.start_index_map, rank, 'start_index_map')
  checkDims(op, inputs, attrs.collapsed_slice_dims, rank, 'collapsed_slice_dims')
  if (attrs.slice_sizes.length !== rank) throw shapeError(op, inputs, `slice_sizes needs ${rank} entries`)
  attrs.slice_sizes.forEach((size, dim) => {
    const limit = attrs.collapsed_slice_dims.includes(dim) ? 1 : operand.shape[dim]
    if (size < 0 || size > limit)
      throw shapeError(op, inputs, `slice size ${size} exceeds ${limit} in dimension ${dim}`)
  })
  const window = attrs.slice_sizes.filter((_, dim) => !attrs.collapsed_slice_dims.includes(dim))
  const batch = indices.shape.slice(0, -1)
  const outRank = batch.length + window.length
  checkDims(op, inputs, attrs.offset_dims, outRank, 'offset_dims')
  if (attrs.offset_dims.length !== window.length)
    throw shapeError(op, inputs, `offset_dims must place ${window.length} slice dimensions`)
  let b = 0
  const shape = Array.from({ length: outRank }, (_, dim) => {
    const offset = attrs.offset_dims.indexOf(dim)
    return offset >= 0 ? window[offset] : batch[b++]
  })
  return { shape, dtype: operand.dtype }
}

export function scatter(op: string, inputs: Inputs, attrs: ScatterAttrs): ShapeDType {
  const [operand, indices, updates] = inputs
  const rank = operand.shape.length
  checkIndices(op, inputs, indices, attrs.scatter_dims_to_operand_dims.length)
  checkDims(op, inputs, attrs.scatter_dims_to_operand_dims, rank, 'scatter_dims_to_operand_dims')
  checkDims(op, inputs, attrs.inserted_window_dims, rank, 'inserted_window_dims')
  checkDims(op, inputs, attrs.update_window_dims, updates.shape.length, 'update_window_dims')
  if (updates.dtype !== operand.dtype) throw shapeError(op, inputs, 'updates must have the dtype of the operand')
  const batch = updates.shape.filter((_, dim) => !attrs.update_window_dims.includes(dim))
  if (!sameShape(batch, indices.shape.slice(0, -1))) {
    throw shapeError(
      op,
      inputs,
      `updates must have batch dimensions ${shapeText(indices.shape.slice(0, -1))}, got ${shapeText(batch)}`,
    )
  }
  const windowDims = operand.shape.map((_, dim) => dim).filter((dim) => !attrs.inserted_window_dims.includes(dim))
  if (windowDims.length !== attrs.update_window_dims.length) {
    throw shapeError(op, inputs, `update_window_dims must name ${windowDims.length} dimensions`)
  }
  windowDims.forEach((dim, i) => {
    if (updates.shape[attrs.update_window_dims[i]] > operand.shape[dim]) {
      throw shapeError(op, inputs, `the update window exceeds dimension ${dim} of the operand`)
    }
  })
  return operand
}

function checkStarts(op: string, inputs: Inputs, starts: Inputs, rank: number): void {
  if (starts.length !== rank) throw shapeError(op, inputs, `needs ${rank} scalar starts, got ${starts.length}`)
  for (const start of starts) {
    if (start.shape.length !== 0 || !isInteger(start.dtype))
      throw shapeError(op, inputs, 'starts must be integer scalars')
  }
}

export function dynamicSlice(op: string, inputs: Inputs, attrs: OpAttrs['dynamic_slice']): ShapeDType {
  const [operand, ...starts] = inputs
  checkStarts(op, inputs, starts, operand.shape.length)
  if (
    attrs.slice_sizes.length !== operand.shape.length ||
    attrs.slice_sizes.some((n, i) => n < 0 || n > operand.shape[i])
  ) {
    throw shapeError(op, inputs, `slice_sizes ${shapeText(attrs.slice_sizes)} must fit the operand`)
  }
  return { shape: attrs.slice_sizes, dtype: operand.dtype }
}

export function dynamicUpdateSlice(op: string, inputs: Inputs): ShapeDType {
  const [operand, update, ...starts] = inputs
  checkStarts(op, inputs, starts, operand.shape.length)
  if (update.dtype !== operand.dtype) throw shapeError(op, inputs, 'the update must have the dtype of the operand')
  if (update.shape.length !== operand.shape.length || update.shape.some((n, i) => n > operand.shape[i])) {
    throw shapeError(op, inputs, 'the update must fit the operand')
  }
  return operand
}

export function sort(op: string, inputs: Inputs, attrs: OpAttrs['sort']): ShapeDType[] {
  if (inputs.length === 0) throw shapeError(op, inputs, 'needs at least one operand')
  checkDims(op, inputs, [attrs.dimension], inputs[0].shape.length, 'dimension')
  for (const input of inputs) {
    if (!sameShape(input.shape, inputs[0].shape)) throw shapeError(op, inputs, 'operands must have one shape')
  }
  return inputs.map(({ shape, dtype }) => ({ shape, dtype }))
}
