import {
  type GatherAttrs,
  indexError,
  type OpAttrs,
  type ScatterAttrs,
  type ScatterKind,
  type Shape,
  type ShapeDType,
  sizeOf,
  stridesOf,
} from '../ir/index.js'
import { allocateHost, asMovable, type HostArray, type NumberArray, roundToStorage, toIndices } from './array.js'
import { copyStrided, offsetsOf } from './strided.js'

const pick = (values: readonly number[], dims: readonly number[]): number[] => dims.map((dim) => values[dim])

const dimsBut = (rank: number, used: readonly number[]): number[] =>
  Array.from({ length: rank }, (_, dim) => dim).filter((dim) => !used.includes(dim))

/**
 * Offsets into the operand where the window of each index vector starts.
 * @throws IndexError for a window that leaves the operand.
 */
function windowStarts(
  op: string,
  indices: HostArray,
  operand: Shape,
  window: readonly number[],
  map: readonly number[],
): Int32Array {
  const values = toIndices(indices)
  const strides = stridesOf(operand)
  const components = map.length
  // With no component at all there is one window per batch element, at the origin; the caller's batch size says how many.
  const starts = new Int32Array(components === 0 ? 0 : values.length / components)
  for (let i = 0; i < starts.length; i++) {
    let offset = 0
    for (let c = 0; c < components; c++) {
      const dim = map[c]
      const index = values[i * components + c]
      const limit = operand[dim] - window[dim] + 1
      if (!(index >= 0 && index < limit)) throw indexError(op, index, limit, dim)
      offset += index * strides[dim]
    }
    starts[i] = offset
  }
  return starts
}

export function evaluateGather(
  operand: HostArray,
  indices: HostArray,
  inputs: readonly ShapeDType[],
  output: ShapeDType,
  attrs: GatherAttrs,
): HostArray {
  const { shape, dtype } = inputs[0]
  const outStrides = stridesOf(output.shape)
  const kept = dimsBut(shape.length, attrs.collapsed_slice_dims)
  const window = pick(attrs.slice_sizes, kept)
  const batchDims = dimsBut(output.shape.length, attrs.offset_dims)
  const from = offsetsOf(window, pick(stridesOf(shape), kept))
  const to = offsetsOf(window, pick(outStrides, attrs.offset_dims))
  const batch = offsetsOf(pick(output.shape, batchDims), pick(outStrides, batchDims))
  const starts = windowStarts('gather', indices, shape, attrs.slice_sizes, attrs.start_index_map)
  const out = asMovable(allocateHost(dtype, sizeOf(output.shape)))
  const source = asMovable(operand)
  for (let b = 0; b < batch.length; b++) {
    const start = starts.length === 0 ? 0 : starts[b]
    for (let w = 0; w < from.length; w++) out[batch[b] + to[w]] = source[start + from[w]]
  }
  return out as HostArray
}

type NumberScatter = (o: NumberArray, at: number, value: number) => void
type BigScatter = (o: BigInt64Array, at: number, value: bigint) => void

const SCATTER: { readonly [K in ScatterKind]: { float: NumberScatter; int: NumberScatter; big: BigScatter } } = {
  set: {
    float: (o, at, v) => {
      o[at] = v
    },
    int: (o, at, v) => {
      o[at] = v
    },
    big: (o, at, v) => {
      o[at] = v
    },
  },
  add: {
    float: (o, at, v) => {
      o[at] += v
    },
    int: (o, at, v) => {
      o[at] += v
    },
    big: (o, at, v) => {
      o[at] += v
    },
  },
  multiply: {
    float: (o, at, v) => {
      o[at] *= v
    },
    int: (o, at, v) => {
      o[at] = Math.imul(o[at], v)
    },
    big: (o, at, v) => {
      o[at] *= v
    },
  },
  max: {
    float: (o, at, v) => {
      o[at] = Math.max(o[at], v)
    },
    int: (o, at, v) => {
      o[at] = Math.max(o[at], v)
    },
    big: (o, at, v) => {
      if (v > o[at]) o[at] = v
    },
  },
  min: {
    float: (o, at, v) => {
      o[at] = Math.min(o[at], v)
    },
    int: (o, at, v) => {
      o[at] = Math.min(o[at], v)
    },
    big: (o, at, v) => {
      if (v < o[at]) o[at] = v
    },
  },
}

export function evaluateScatter(
  xs: readonly HostArray[],
  inputs: readonly ShapeDType[],
  attrs: ScatterAttrs,
): HostArray {
  const [operand, indices, updates] = xs
  const { shape, dtype } = inputs[0]
  const updateShape = inputs[2].shape
  const updateStrides = stridesOf(updateShape)
  const kept = dimsBut(shape.length, attrs.inserted_window_dims)
  const window = pick(updateShape, attrs.update_window_dims)
  const windowOfDim = new Array<number>(shape.length).fill(1)
  kept.forEach((dim, i) => {
    windowOfDim[dim] = window[i]
  })
  const batchDims = dimsBut(updateShape.length, attrs.update_window_dims)
  const to = offsetsOf(window, pick(stridesOf(shape), kept))
  const from = offsetsOf(window, pick(updateStrides, attrs.update_window_dims))
  const batch = offsetsOf(pick(updateShape, batchDims), pick(updateStrides, batchDims))
  const starts = windowStarts('scatter', indices, shape, windowOfDim, attrs.scatter_dims_to_operand_dims)
  const out = operand.slice()
  const { float, int, big } = SCATTER[attrs.kind]
  const number = out instanceof Float32Array || out instanceof Float64Array ? float : int
  for (let b = 0; b < batch.length; b++) {
    const start = starts.length === 0 ? 0 : starts[b]
    if (out instanceof BigInt64Array)
      for (let w = 0; w < to.length; w++) big(out, start + to[w], (updates as BigInt64Array)[batch[b] + from[w]])
    else for (let w = 0; w < to.length; w++) number(out, start + to[w], (updates as NumberArray)[batch[b] + from[w]])
  }
  return dtype === 'bool' ? (out as Uint8Array).map((x) => (x === 0 ? 0 : 1)) : roundToStorage(out, dtype)
}

/** Offset of a window whose starts are clamped so that it fits. */
function clampedOffset(starts: readonly HostArray[], shape: Shape, window: Shape): number {
  const strides = stridesOf(shape)
  let offset = 0
  shape.forEach((extent, dim) => {
    offset += Math.min(Math.max(Number(starts[dim][0]), 0), extent - window[dim]) * strides[dim]
  })
  return offset
}

export function evaluateDynamicSlice(
  xs: readonly HostArray[],
  input: ShapeDType,
  { slice_sizes }: OpAttrs['dynamic_slice'],
): HostArray {
  const out = allocateHost(input.dtype, sizeOf(slice_sizes))
  const offset = clampedOffset(xs.slice(1), input.shape, slice_sizes)
  copyStrided(slice_sizes, out, { offset: 0, strides: stridesOf(slice_sizes) }, xs[0], {
    offset,
    strides: stridesOf(input.shape),
  })
  return out
}

export function evaluateDynamicUpdateSlice(xs: readonly HostArray[], inputs: readonly ShapeDType[]): HostArray {
  const out = xs[0].slice()
  const window = inputs[1].shape
  const offset = clampedOffset(xs.slice(2), inputs[0].shape, window)
  copyStrided(window, out, { offset, strides: stridesOf(inputs[0].shape) }, xs[1], {
    offset: 0,
    strides: stridesOf(window),
  })
  return out
}
