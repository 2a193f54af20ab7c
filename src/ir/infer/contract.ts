import type { ConvAttrs, DotAttrs, OpAttrs, ShapeDType, WindowAttrs } from '../attrs.js'
import { dtypeKind } from '../dtype.js'
import { shapeError } from '../errors.js'
import { checkDims } from './movement.js'

type Inputs = readonly ShapeDType[]

export function freeDims(rank: number, ...used: (readonly number[])[]): number[] {
  const taken = new Set(used.flat())
  return Array.from({ length: rank }, (_, dim) => dim).filter((dim) => !taken.has(dim))
}

export function dotGeneral(op: string, inputs: Inputs, attrs: DotAttrs): ShapeDType {
  const [lhs, rhs] = inputs
  if (lhs.dtype !== rhs.dtype) throw shapeError(op, inputs, 'operands must have one dtype; convert with .to(dtype)')
  checkDims(op, inputs, [...attrs.lhs_batch, ...attrs.lhs_contract], lhs.shape.length, 'lhs dimensions')
  checkDims(op, inputs, [...attrs.rhs_batch, ...attrs.rhs_contract], rhs.shape.length, 'rhs dimensions')
  const pairs: (readonly [readonly number[], readonly number[], string])[] = [
    [attrs.lhs_batch, attrs.rhs_batch, 'batch'],
    [attrs.lhs_contract, attrs.rhs_contract, 'contracted'],
  ]
  for (const [left, right, what] of pairs) {
    if (left.length !== right.length) throw shapeError(op, inputs, `${what} dimensions must pair up`)
    left.forEach((dim, i) => {
      if (lhs.shape[dim] !== rhs.shape[right[i]]) {
        throw shapeError(
          op,
          inputs,
          `${what} extents differ: ${lhs.shape[dim]} (dimension ${dim}) and ${rhs.shape[right[i]]} (dimension ${right[i]})`,
        )
      }
    })
  }
  const shape = [
    ...attrs.lhs_batch.map((dim) => lhs.shape[dim]),
    ...freeDims(lhs.shape.length, attrs.lhs_batch, attrs.lhs_contract).map((dim) => lhs.shape[dim]),
    ...freeDims(rhs.shape.length, attrs.rhs_batch, attrs.rhs_contract).map((dim) => rhs.shape[dim]),
  ]
  return { shape, dtype: lhs.dtype }
}

export const dilated = (extent: number, dilation: number): number => (extent === 0 ? 0 : (extent - 1) * dilation + 1)

/** Number of window positions along one dimension. */
export function windowCount(
  extent: number,
  size: number,
  stride: number,
  low: number,
  high: number,
  base: number,
  window: number,
): number {
  const span = dilated(extent, base) + low + high - dilated(size, window)
  return span < 0 ? 0 : Math.floor(span / stride) + 1
}

export function convolution(op: string, inputs: Inputs, attrs: ConvAttrs): ShapeDType {
  const [x, kernel] = inputs
  const spatial = attrs.input_spatial.length
  const rank = spatial + 2
  if (x.dtype !== kernel.dtype) throw shapeError(op, inputs, 'operands must have one dtype; convert with .to(dtype)')
  if (x.shape.length !== rank || kernel.shape.length !== rank)
    throw shapeError(op, inputs, `operands must have rank ${rank}`)
  checkDims(op, inputs, [attrs.input_batch, attrs.input_feature, ...attrs.input_spatial], rank, 'input dimensions')
  checkDims(
    op,
    inputs,
    [attrs.kernel_input_feature, attrs.kernel_output_feature, ...attrs.kernel_spatial],
    rank,
    'kernel dimensions',
  )
  checkDims(op, inputs, [attrs.output_batch, attrs.output_feature, ...attrs.output_spatial], rank, 'output dimensions')
  const lists = [
    attrs.window_strides,
    attrs.padding,
    attrs.lhs_dilation,
    attrs.rhs_dilation,
    attrs.kernel_spatial,
    attrs.output_spatial,
  ]
  if (lists.some((list) => list.length !== spatial))
    throw shapeError(op, inputs, `needs ${spatial} strides, paddings and dilations`)
  if (
    [...attrs.window_strides, ...attrs.lhs_dilation, ...attrs.rhs_dilation].some((n) => !Number.isInteger(n) || n < 1)
  ) {
    throw shapeError(op, inputs, 'strides and dilations must be positive integers')
  }
  const features = x.shape[attrs.input_feature]
  const filters = kernel.shape[attrs.kernel_output_feature]
  const groups = attrs.feature_group_count
  if (kernel.shape[attrs.kernel_input_feature] * groups !== features) {
    throw shapeError(
      op,
      inputs,
      `the kernel takes ${kernel.shape[attrs.kernel_input_feature]} x ${groups} group(s) features, the input has ${features}`,
    )
  }
  if (filters % groups !== 0) throw shapeError(op, inputs, `${filters} filters do not divide into ${groups} groups`)
  const batches = attrs.batch_group_count
  if (groups > 1 && batches > 1) throw shapeError(op, inputs, 'cannot have both feature groups and batch groups')
  if (x.shape[attrs.input_batch] % batches !== 0 || filters % batches !== 0) {
    throw shapeError(op, inputs, `batch and filters must divide into ${batches} batch groups`)
  }
  const shape = new Array<number>(rank)
  shape[attrs.output_batch] = x.shape[attrs.input_batch] / batches
  shape[attrs.output_feature] = filters
  for (let i = 0; i < spatial; i++) {
    const [low, high] = attrs.padding[i]
    const extent = x.shape[attrs.input_spatial[i]]
    const size = kernel.shape[attrs.kernel_spatial[i]]
    shape[attrs.output_spatial[i]] = windowCount(
      extent,
      size,
      attrs.window_strides[i],
      low,
      high,
      attrs.lhs_dilation[i],
      attrs.rhs_dilation[i],
    )
  }
  return { shape, dtype: x.dtype }
}

export function reduce(op: string, inputs: Inputs, attrs: OpAttrs['reduce']): ShapeDType {
  const { shape, dtype } = inputs[0]
  const { kind, dimensions } = attrs
  checkDims(op, inputs, dimensions, shape.length, 'dimensions')
  const rest = shape.filter((_, dim) => !dimensions.includes(dim))
  if ((kind === 'and' || kind === 'or') && dtypeKind(dtype) === 'float')
    throw shapeError(op, inputs, `${kind} needs bool or integers`)
  if (kind !== 'argmax' && kind !== 'argmin') return { shape: rest, dtype }
  if (dimensions.length !== 1) throw shapeError(op, inputs, `${kind} takes one dimension`)
  if (shape[dimensions[0]] === 0) throw shapeError(op, inputs, `${kind} of an empty dimension has no answer`)
  return { shape: rest, dtype: 'i32' }
}

export function reduceWindow(op: string, inputs: Inputs, attrs: WindowAttrs): ShapeDType {
  const { shape, dtype } = inputs[0]
  const lists = [
    attrs.window_dimensions,
    attrs.window_strides,
    attrs.padding,
    attrs.base_dilation,
    attrs.window_dilation,
  ]
  if (lists.some((list) => list.length !== shape.length))
    throw shapeError(op, inputs, `window attributes need ${shape.length} entries each`)
  const result = shape.map((extent, i) => {
    const [low, high] = attrs.padding[i]
    return windowCount(
      extent,
      attrs.window_dimensions[i],
      attrs.window_strides[i],
      low,
      high,
      attrs.base_dilation[i],
      attrs.window_dilation[i],
    )
  })
  return { shape: result, dtype }
}
