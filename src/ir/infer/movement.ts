import type { OpAttrs, ShapeDType } from '../attrs.js'
import { shapeError } from '../errors.js'
import { sameShape, shapeText, sizeOf } from '../shape.js'

type Inputs = readonly ShapeDType[]

export function checkExtents(op: string, inputs: Inputs, shape: readonly number[]): void {
  for (const extent of shape) {
    if (!Number.isSafeInteger(extent) || extent < 0) {
      throw shapeError(op, inputs, `extents must be non-negative integers, got ${shapeText(shape)}`)
    }
  }
  if (!Number.isSafeInteger(sizeOf(shape))) throw shapeError(op, inputs, `${shapeText(shape)} has too many elements`)
}

/** Checks that `dims` are distinct dimensions of a tensor of rank `rank`. */
export function checkDims(op: string, inputs: Inputs, dims: readonly number[], rank: number, what: string): void {
  const seen = new Set<number>()
  for (const dim of dims) {
    if (!Number.isInteger(dim) || dim < 0 || dim >= rank || seen.has(dim)) {
      throw shapeError(op, inputs, `${what} [${dims.join(', ')}] must be distinct dimensions in [0, ${rank})`)
    }
    seen.add(dim)
  }
}

export function source(op: string, _inputs: Inputs, attrs: ShapeDType): ShapeDType {
  checkExtents(op, [], attrs.shape)
  return { shape: attrs.shape, dtype: attrs.dtype }
}

export function constant(op: string, inputs: Inputs, attrs: OpAttrs['constant']): ShapeDType {
  const size = sizeOf(attrs.shape)
  if (attrs.data.length !== 1 && attrs.data.length !== size) {
    throw shapeError(op, inputs, `${attrs.data.length} values do not fill ${shapeText(attrs.shape)} (${size} elements)`)
  }
  return source(op, inputs, attrs)
}

export function iota(op: string, inputs: Inputs, attrs: OpAttrs['iota']): ShapeDType {
  checkDims(op, inputs, [attrs.dimension], attrs.shape.length, 'dimension')
  return source(op, inputs, attrs)
}

export function reshape(op: string, inputs: Inputs, attrs: OpAttrs['reshape']): ShapeDType {
  checkExtents(op, inputs, attrs.shape)
  if (sizeOf(attrs.shape) !== sizeOf(inputs[0].shape)) {
    throw shapeError(op, inputs, `cannot hold ${sizeOf(inputs[0].shape)} elements in ${shapeText(attrs.shape)}`)
  }
  return { shape: attrs.shape, dtype: inputs[0].dtype }
}

export function transpose(op: string, inputs: Inputs, attrs: OpAttrs['transpose']): ShapeDType {
  const { shape, dtype } = inputs[0]
  checkDims(op, inputs, attrs.permutation, shape.length, 'permutation')
  if (attrs.permutation.length !== shape.length) {
    throw shapeError(
      op,
      inputs,
      `permutation [${attrs.permutation.join(', ')}] must name all ${shape.length} dimensions`,
    )
  }
  return { shape: attrs.permutation.map((dim) => shape[dim]), dtype }
}

export function broadcastInDim(op: string, inputs: Inputs, attrs: OpAttrs['broadcast_in_dim']): ShapeDType {
  const { shape, dtype } = inputs[0]
  checkExtents(op, inputs, attrs.shape)
  checkDims(op, inputs, attrs.dims, attrs.shape.length, 'dims')
  if (attrs.dims.length !== shape.length)
    throw shapeError(op, inputs, `dims must name a place for each of ${shape.length} dimensions`)
  shape.forEach((extent, i) => {
    const target = attrs.shape[attrs.dims[i]]
    if (extent !== 1 && extent !== target) {
      throw shapeError(
        op,
        inputs,
        `dimension ${i} of extent ${extent} does not broadcast to ${target} in ${shapeText(attrs.shape)}`,
      )
    }
  })
  return { shape: attrs.shape, dtype }
}

export function slice(op: string, inputs: Inputs, attrs: OpAttrs['slice']): ShapeDType {
  const { shape, dtype } = inputs[0]
  const { start, limit, strides } = attrs
  if (start.length !== shape.length || limit.length !== shape.length || strides.length !== shape.length) {
    throw shapeError(op, inputs, `start, limit and strides need ${shape.length} entries each`)
  }
  const result = shape.map((extent, i) => {
    if (!(start[i] >= 0 && start[i] <= limit[i] && limit[i] <= extent && strides[i] >= 1)) {
      throw shapeError(
        op,
        inputs,
        `slice ${start[i]}:${limit[i]}:${strides[i]} leaves dimension ${i} of extent ${extent}`,
      )
    }
    return Math.ceil((limit[i] - start[i]) / strides[i])
  })
  return { shape: result, dtype }
}

export function pad(op: string, inputs: Inputs, attrs: OpAttrs['pad']): ShapeDType {
  const [x, value] = inputs
  if (value.shape.length !== 0 || value.dtype !== x.dtype)
    throw shapeError(op, inputs, `the padding value must be a scalar of dtype ${x.dtype}`)
  const rank = x.shape.length
  if (attrs.low.length !== rank || attrs.high.length !== rank || attrs.interior.length !== rank) {
    throw shapeError(op, inputs, `low, high and interior need ${rank} entries each`)
  }
  const shape = x.shape.map(
    (extent, i) => attrs.low[i] + extent + Math.max(extent - 1, 0) * attrs.interior[i] + attrs.high[i],
  )
  if (shape.some((extent) => extent < 0) || attrs.interior.some((n) => n < 0)) {
    throw shapeError(
      op,
      inputs,
      `padding low [${attrs.low.join(', ')}] high [${attrs.high.join(', ')}] removes more than there is`,
    )
  }
  return { shape, dtype: x.dtype }
}

export function concatenate(op: string, inputs: Inputs, attrs: OpAttrs['concatenate']): ShapeDType {
  if (inputs.length === 0) throw shapeError(op, inputs, 'needs at least one operand')
  const [first] = inputs
  const { dimension } = attrs
  checkDims(op, inputs, [dimension], first.shape.length, 'dimension')
  let extent = 0
  for (const input of inputs) {
    const rest = input.shape.map((n, i) => (i === dimension ? first.shape[i] : n))
    if (input.dtype !== first.dtype || !sameShape(rest, first.shape)) {
      throw shapeError(op, inputs, `operands must agree in dtype and in every dimension but ${dimension}`)
    }
    extent += input.shape[dimension]
  }
  return { shape: first.shape.map((n, i) => (i === dimension ? extent : n)), dtype: first.dtype }
}

export function reverse(op: string, inputs: Inputs, attrs: OpAttrs['reverse']): ShapeDType {
  checkDims(op, inputs, attrs.dimensions, inputs[0].shape.length, 'dimensions')
  return inputs[0]
}
