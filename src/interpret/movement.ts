import { type OpAttrs, type Shape, type ShapeDType, sizeOf, stridesOf } from '../ir/index.js'
import { allocateHost, asMovable, decode, type HostArray, roundToStorage } from './array.js'
import { copyStrided } from './strided.js'

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)

/** Elements of `shape` read through strides, as a new dense array. */
export function readStrided(
  x: HostArray,
  shape: Shape,
  strides: readonly number[],
  offset: number,
  dtype: ShapeDType['dtype'],
): HostArray {
  const out = allocateHost(dtype, sizeOf(shape))
  copyStrided(shape, out, { offset: 0, strides: stridesOf(shape) }, x, { offset, strides })
  return out
}

export function evaluateConstant({ data, shape, dtype }: OpAttrs['constant']): HostArray {
  const values = decode(data, dtype)
  const size = sizeOf(shape)
  if (values.length === size) return values
  const out = allocateHost(dtype, size)
  if (out instanceof BigInt64Array) out.fill((values as BigInt64Array)[0])
  else out.fill(Number(values[0]))
  return out
}

export function evaluateIota({ shape, dtype, dimension }: OpAttrs['iota']): HostArray {
  const line = allocateHost(dtype, shape[dimension])
  if (line instanceof BigInt64Array) for (let i = 0; i < line.length; i++) line[i] = BigInt(i)
  else if (dtype === 'bool') for (let i = 0; i < line.length; i++) line[i] = i === 0 ? 0 : 1
  else for (let i = 0; i < line.length; i++) line[i] = i
  const strides = shape.map((_, dim) => (dim === dimension ? 1 : 0))
  return readStrided(roundToStorage(line, dtype), shape, strides, 0, dtype)
}

export function evaluateTranspose(x: HostArray, input: ShapeDType, permutation: readonly number[]): HostArray {
  if (permutation.every((dim, i) => dim === i)) return x
  const strides = stridesOf(input.shape)
  const shape = permutation.map((dim) => input.shape[dim])
  return readStrided(
    x,
    shape,
    permutation.map((dim) => strides[dim]),
    0,
    input.dtype,
  )
}

export function evaluateBroadcast(x: HostArray, input: ShapeDType, attrs: OpAttrs['broadcast_in_dim']): HostArray {
  const own = stridesOf(input.shape)
  const strides = new Array<number>(attrs.shape.length).fill(0)
  attrs.dims.forEach((dim, i) => {
    if (input.shape[i] !== 1) strides[dim] = own[i]
  })
  return readStrided(x, attrs.shape, strides, 0, input.dtype)
}

export function evaluateSlice(x: HostArray, input: ShapeDType, attrs: OpAttrs['slice']): HostArray {
  const own = stridesOf(input.shape)
  const shape = attrs.start.map((start, i) => Math.ceil((attrs.limit[i] - start) / attrs.strides[i]))
  const offset = sum(attrs.start.map((start, i) => start * own[i]))
  return readStrided(
    x,
    shape,
    own.map((stride, i) => stride * attrs.strides[i]),
    offset,
    input.dtype,
  )
}

export function evaluateReverse(x: HostArray, input: ShapeDType, dimensions: readonly number[]): HostArray {
  const strides = stridesOf(input.shape)
  let offset = 0
  for (const dim of dimensions) {
    offset += strides[dim] * (input.shape[dim] - 1)
    strides[dim] = -strides[dim]
  }
  return readStrided(x, input.shape, strides, offset, input.dtype)
}

export function evaluatePad(x: HostArray, value: number | bigint, input: ShapeDType, attrs: OpAttrs['pad']): HostArray {
  const step = attrs.interior.map((n) => n + 1)
  const shape = input.shape.map((n, i) => attrs.low[i] + n + Math.max(n - 1, 0) * attrs.interior[i] + attrs.high[i])
  const out = allocateHost(input.dtype, sizeOf(shape))
  if (out instanceof BigInt64Array) out.fill(BigInt(value))
  else out.fill(Number(value))
  // Input index i lands on low + i * step; negative padding leaves only those inside the output.
  const first = attrs.low.map((low, i) => Math.max(0, Math.ceil(-low / step[i])))
  const last = input.shape.map((n, i) => Math.min(n - 1, Math.floor((shape[i] - 1 - attrs.low[i]) / step[i])))
  const kept = first.map((f, i) => Math.max(0, last[i] - f + 1))
  const own = stridesOf(input.shape)
  const target = stridesOf(shape)
  copyStrided(
    kept,
    out,
    {
      offset: sum(target.map((s, i) => s * (attrs.low[i] + first[i] * step[i]))),
      strides: target.map((s, i) => s * step[i]),
    },
    x,
    { offset: sum(own.map((s, i) => s * first[i])), strides: own },
  )
  return out
}

export function evaluateConcatenate(
  xs: readonly HostArray[],
  inputs: readonly ShapeDType[],
  output: ShapeDType,
  dimension: number,
): HostArray {
  const out = asMovable(allocateHost(output.dtype, sizeOf(output.shape)))
  const outer = sizeOf(output.shape.slice(0, dimension))
  const line = sizeOf(output.shape.slice(dimension))
  let at = 0
  xs.forEach((x, i) => {
    const width = sizeOf(inputs[i].shape.slice(dimension))
    const source = asMovable(x)
    for (let o = 0; o < outer; o++) out.set(source.subarray(o * width, (o + 1) * width), o * line + at)
    at += width
  })
  return out as HostArray
}
