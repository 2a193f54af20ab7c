import {
  type ConvAttrs,
  type DotAttrs,
  type DType,
  dilated,
  freeDims,
  isFloat,
  type ShapeDType,
  sizeOf,
  stridesOf,
  type WindowAttrs,
} from '../ir/index.js'
import { allocateHost, type HostArray, type NumberArray, roundToStorage } from './array.js'
import { evaluatePad, evaluateTranspose, readStrided } from './movement.js'
import { extremeOf } from './reduce.js'
import { GREATEST_I64, LEAST_I64 } from './semantics.js'
import { offsetsOf } from './strided.js'

/** Accumulator wide enough for a contraction: f64 for floats, the ring modulo 2^32 or 2^64 for integers. */
type Accumulator = Float64Array | Int32Array | BigInt64Array

const allocateAccumulator = (dtype: DType, length: number): Accumulator =>
  isFloat(dtype) ? new Float64Array(length) : dtype === 'i64' ? new BigInt64Array(length) : new Int32Array(length)

function fromAccumulator(acc: Accumulator, dtype: DType): HostArray {
  if (acc instanceof BigInt64Array) return acc
  const out = allocateHost(dtype, acc.length) as NumberArray
  if (dtype === 'bool') for (let i = 0; i < acc.length; i++) out[i] = acc[i] === 0 ? 0 : 1
  else out.set(acc)
  return roundToStorage(out, dtype)
}

/** Operands in the accumulator's type, so that the inner loops see one kind of array each. */
function widen(data: HostArray, dtype: DType): Accumulator {
  if (data instanceof BigInt64Array) return data
  return isFloat(dtype) ? Float64Array.from(data) : Int32Array.from(data, (x) => x | 0)
}

interface Matrix {
  readonly data: Accumulator
  readonly offset: number
  readonly step: number
}

interface Size {
  readonly rows: number
  readonly cols: number
  readonly depth: number
}

/** acc[at + n] += the products of four rows of y with x[left], x[left + 1], ...: each sum is loaded and stored once for four products. */
function addFourFloats(
  acc: Float64Array,
  at: number,
  x: Float64Array,
  left: number,
  y: Float64Array,
  from: number,
  step: number,
  cols: number,
): void {
  const [a, b, c, d] = [x[left], x[left + 1], x[left + 2], x[left + 3]]
  for (let n = 0; n < cols; n++) {
    const i = from + n
    acc[at + n] += a * y[i] + b * y[i + step] + c * y[i + 2 * step] + d * y[i + 3 * step]
  }
}

// acc[at + n] += x * y[from + n]
function addFloats(acc: Float64Array, at: number, x: number, y: Float64Array, from: number, cols: number): void {
  for (let n = 0; n < cols; n++) acc[at + n] += x * y[from + n]
}

function addInts(acc: Int32Array, at: number, x: number, y: Int32Array, from: number, cols: number): void {
  for (let n = 0; n < cols; n++) acc[at + n] += Math.imul(x, y[from + n])
}

function addBigs(acc: BigInt64Array, at: number, x: bigint, y: BigInt64Array, from: number, cols: number): void {
  for (let n = 0; n < cols; n++) acc[at + n] += x * y[from + n]
}

/** out[row, :] += a[aRows[row] + k] * b[k, :], for every row and k. */
function accumulate(out: Matrix, a: Accumulator, aRows: Int32Array, b: Matrix, { rows, cols, depth }: Size): void {
  const acc = out.data
  for (let row = 0; row < rows; row++) {
    const at = out.offset + row * out.step
    let k = 0
    if (acc instanceof Float64Array) {
      for (; k + 4 <= depth; k += 4) {
        addFourFloats(
          acc,
          at,
          a as Float64Array,
          aRows[row] + k,
          b.data as Float64Array,
          b.offset + k * b.step,
          b.step,
          cols,
        )
      }
    }
    for (; k < depth; k++) {
      const from = b.offset + k * b.step
      const x = a[aRows[row] + k]
      if (acc instanceof Float64Array) addFloats(acc, at, x as number, b.data as Float64Array, from, cols)
      else if (acc instanceof Int32Array) addInts(acc, at, x as number, b.data as Int32Array, from, cols)
      else addBigs(acc, at, x as bigint, b.data as BigInt64Array, from, cols)
    }
  }
}

export function evaluateDot(xs: readonly HostArray[], inputs: readonly ShapeDType[], attrs: DotAttrs): HostArray {
  const [lhs, rhs] = inputs
  const lhsFree = freeDims(lhs.shape.length, attrs.lhs_batch, attrs.lhs_contract)
  const rhsFree = freeDims(rhs.shape.length, attrs.rhs_batch, attrs.rhs_contract)
  const a = widen(evaluateTranspose(xs[0], lhs, [...attrs.lhs_batch, ...lhsFree, ...attrs.lhs_contract]), lhs.dtype)
  const b = widen(evaluateTranspose(xs[1], rhs, [...attrs.rhs_batch, ...attrs.rhs_contract, ...rhsFree]), rhs.dtype)
  const extent = (shape: readonly number[], dims: readonly number[]): number => sizeOf(dims.map((dim) => shape[dim]))
  const batches = extent(lhs.shape, attrs.lhs_batch)
  const size = {
    rows: extent(lhs.shape, lhsFree),
    cols: extent(rhs.shape, rhsFree),
    depth: extent(lhs.shape, attrs.lhs_contract),
  }
  const { rows, cols, depth } = size
  const acc = allocateAccumulator(lhs.dtype, batches * rows * cols)
  const aRows = new Int32Array(rows)
  for (let batch = 0; batch < batches; batch++) {
    for (let row = 0; row < rows; row++) aRows[row] = (batch * rows + row) * depth
    accumulate(
      { data: acc, offset: batch * rows * cols, step: cols },
      a,
      aRows,
      { data: b, offset: batch * depth * cols, step: cols },
      size,
    )
  }
  return fromAccumulator(acc, lhs.dtype)
}

/** Padding and dilation as the attributes of `pad`. */
const padAttrs = (padding: readonly (readonly [number, number])[], dilation: readonly number[]) => ({
  low: padding.map(([low]) => low),
  high: padding.map(([, high]) => high),
  interior: dilation.map((n) => n - 1),
})

const zeroOf = (dtype: DType): number | bigint => (dtype === 'i64' ? 0n : 0)

/**
 * Convolution as one small matrix product per kernel position: the input, padded with zeros and dilated, in batch-spatial-feature order,
 * times the kernel in spatial-input-output order.
 */
export function evaluateConvolution(
  xs: readonly HostArray[],
  inputs: readonly ShapeDType[],
  output: ShapeDType,
  attrs: ConvAttrs,
): HostArray {
  const [input, kernel] = inputs
  const { dtype } = input
  if (sizeOf(output.shape) === 0) return allocateHost(dtype, 0)
  const toNhwc = [attrs.input_batch, ...attrs.input_spatial, attrs.input_feature]
  const nhwc = { dtype, shape: toNhwc.map((dim) => input.shape[dim]) }
  const padding = [[0, 0] as const, ...attrs.padding, [0, 0] as const]
  const pads = padAttrs(padding, [1, ...attrs.lhs_dilation, 1])
  const x = widen(evaluatePad(evaluateTranspose(xs[0], input, toNhwc), zeroOf(dtype), nhwc, pads), dtype)
  const xShape = nhwc.shape.map((n, i) => dilated(n, pads.interior[i] + 1) + pads.low[i] + pads.high[i])
  const xStrides = stridesOf(xShape)
  const w = widen(
    evaluateTranspose(xs[1], kernel, [
      ...attrs.kernel_spatial,
      attrs.kernel_input_feature,
      attrs.kernel_output_feature,
    ]),
    dtype,
  )
  const taps = attrs.kernel_spatial.map((dim) => kernel.shape[dim])
  const depth = kernel.shape[attrs.kernel_input_feature]
  const filters = kernel.shape[attrs.kernel_output_feature]
  const spatial = attrs.output_spatial.map((dim) => output.shape[dim])
  const batch = output.shape[attrs.output_batch]
  const groups = attrs.feature_group_count * attrs.batch_group_count
  const size = { rows: batch * sizeOf(spatial), cols: filters / groups, depth }
  const spatialStrides = xStrides.slice(1, -1)
  const rows = offsetsOf(
    [batch, ...spatial],
    [xStrides[0], ...spatialStrides.map((s, i) => s * attrs.window_strides[i])],
  )
  const tapOffsets = offsetsOf(
    taps,
    spatialStrides.map((s, i) => s * attrs.rhs_dilation[i]),
  )
  const acc = allocateAccumulator(dtype, size.rows * filters)
  const aRows = new Int32Array(size.rows)
  for (let group = 0; group < groups; group++) {
    // Feature groups take their own slice of features, batch groups their own slice of the batch.
    const base = attrs.batch_group_count > 1 ? group * batch * xStrides[0] : group * depth
    tapOffsets.forEach((offset, tap) => {
      for (let row = 0; row < size.rows; row++) aRows[row] = base + rows[row] + offset
      accumulate(
        { data: acc, offset: group * size.cols, step: filters },
        x,
        aRows,
        { data: w, offset: tap * depth * filters + group * size.cols, step: filters },
        size,
      )
    })
  }
  const nhwcOut = fromAccumulator(acc, dtype)
  const places = [attrs.output_batch, ...attrs.output_spatial, attrs.output_feature]
  const inverse = places.map((_, dim) => places.indexOf(dim))
  return evaluateTranspose(nhwcOut, { dtype, shape: [batch, ...spatial, filters] }, inverse)
}

const WINDOW_INIT: { readonly [K in WindowAttrs['kind']]: (dtype: DType) => number | bigint } = {
  sum: zeroOf,
  max: (dtype) => (dtype === 'i64' ? LEAST_I64 : extremeOf(dtype, 'least')),
  min: (dtype) => (dtype === 'i64' ? GREATEST_I64 : extremeOf(dtype, 'greatest')),
}

type Combine = (acc: Accumulator, view: HostArray) => void

const WINDOW_COMBINE: { readonly [K in WindowAttrs['kind']]: Combine } = {
  sum: (acc, view) => {
    if (acc instanceof BigInt64Array) for (let i = 0; i < acc.length; i++) acc[i] += view[i] as bigint
    else for (let i = 0; i < acc.length; i++) acc[i] += view[i] as number
  },
  max: (acc, view) => {
    for (let i = 0; i < acc.length; i++) if (view[i] > acc[i] || Number.isNaN(view[i])) acc[i] = view[i]
  },
  min: (acc, view) => {
    for (let i = 0; i < acc.length; i++) if (view[i] < acc[i] || Number.isNaN(view[i])) acc[i] = view[i]
  },
}

/** Pads with the fold's identity, then folds the strided views that each window position sees. */
export function evaluateReduceWindow(
  x: HostArray,
  input: ShapeDType,
  output: ShapeDType,
  attrs: WindowAttrs,
): HostArray {
  const { dtype } = input
  const size = sizeOf(output.shape)
  if (size === 0) return allocateHost(dtype, 0)
  const init = WINDOW_INIT[attrs.kind](dtype)
  const pads = padAttrs(attrs.padding, attrs.base_dilation)
  const padded = evaluatePad(x, init, input, pads)
  const shape = input.shape.map((n, i) => dilated(n, attrs.base_dilation[i]) + pads.low[i] + pads.high[i])
  const strides = stridesOf(shape)
  const steps = strides.map((s, i) => s * attrs.window_strides[i])
  const combine = WINDOW_COMBINE[attrs.kind]
  const acc: Accumulator = dtype === 'i64' ? new BigInt64Array(size) : new Float64Array(size)
  if (acc instanceof BigInt64Array) acc.fill(BigInt(init))
  else acc.fill(Number(init))
  for (const offset of offsetsOf(
    attrs.window_dimensions,
    strides.map((s, i) => s * attrs.window_dilation[i]),
  )) {
    combine(acc, readStrided(padded, output.shape, steps, offset, dtype))
  }
  return fromAccumulator(acc, dtype)
}
