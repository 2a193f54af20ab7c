import assert from 'node:assert/strict'
import { evaluateGraph } from '../../../src/interpret/index.js'
import {
  allocateArray,
  type DType,
  fromBf16,
  fromF16,
  Graph,
  makeNode,
  type OpAttrs,
  type OpName,
  parameter,
  type Shape,
  scalarData,
  type TypedArray,
} from '../../../src/ir/index.js'

export interface Operand {
  readonly dtype: DType
  readonly shape: Shape
  readonly values: readonly (number | bigint)[]
}

/** A vector, or a tensor where a shape is given. */
export const of = (dtype: DType, values: readonly (number | bigint)[], shape: Shape = [values.length]): Operand => ({
  dtype,
  shape,
  values,
})
export const f32 = (...values: number[]): Operand => of('f32', values)
export const f64 = (...values: number[]): Operand => of('f64', values)
export const i32 = (...values: number[]): Operand => of('i32', values)
export const i64 = (...values: bigint[]): Operand => of('i64', values)

export function store({ dtype, values }: Operand): TypedArray {
  const out = allocateArray(dtype, values.length)
  values.forEach((value, i) => {
    out[i] = scalarData(value, dtype)[0] as never
  })
  return out
}

const read = (data: TypedArray, dtype: DType): (number | bigint)[] =>
  Array.from(data as ArrayLike<number | bigint>, (x) =>
    dtype === 'f16' ? fromF16(Number(x)) : dtype === 'bf16' ? fromBf16(Number(x)) : x,
  )

/** Runs one op; every result as plain numbers (bigints for i64). */
export function runAll<K extends OpName>(
  op: K,
  operands: readonly Operand[],
  attrs: OpAttrs[K],
): (number | bigint)[][] {
  const params = operands.map(({ shape, dtype }) => parameter(shape, dtype))
  const graph = new Graph(params, makeNode(op, params, attrs).outputs)
  return evaluateGraph(graph, operands.map(store)).map((data, i) => read(data, graph.results[i].dtype))
}

export const run = <K extends OpName>(op: K, operands: readonly Operand[], attrs: OpAttrs[K]): (number | bigint)[] =>
  runAll(op, operands, attrs)[0]

/** Holds each number to `ulps` units of 2^-52 relative error; NaN, infinities and zeros exactly. */
export function assertClose(got: readonly (number | bigint)[], want: readonly number[], ulps: number): void {
  assert.equal(got.length, want.length)
  want.forEach((w, i) => {
    const g = Number(got[i])
    const close = Object.is(g, w) || Math.abs(g - w) <= ulps * 2 ** -52 * Math.abs(w)
    assert.ok(close, `element ${i}: got ${g}, want ${w}`)
  })
}
