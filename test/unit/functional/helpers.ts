import assert from 'node:assert/strict'
import { evaluateGraph } from '../../../src/interpret/index.js'
import {
  apply,
  cloneWith,
  type DType,
  fromBf16,
  fromF16,
  Graph,
  parameter,
  type Shape,
  sizeOf,
  topologicalOrder,
  type Value,
} from '../../../src/ir/index.js'
import '../../../src/tensor/methods.js'
import { bufferOf, Trace, withTrace } from '../../../src/runtime/index.js'
import { storageOf } from '../../../src/tensor/core.js'
import { Tensor } from '../../../src/tensor/tensor.js'
import { type Argument, checkGradient, numbers } from '../autodiff/check.js'

export { numbers }

type Fn = (...xs: Tensor[]) => Tensor

/** Records `f` as the body of a function, so that numbers and arrays among its operands are constants of its graph. */
function traced(f: (...xs: Tensor[]) => readonly Tensor[], params: readonly Value[]): Value[] {
  const results = withTrace(new Trace('body', 'test', params), () => f(...params.map((param) => new Tensor(param))))
  const values = results.map((result) => result.value)
  const constants = new Map<Value, Value>()
  for (const node of topologicalOrder(values)) {
    const buffer = bufferOf(node.outputs[0])
    if (!buffer) continue
    const { shape, dtype } = node.outputs[0]
    constants.set(node.outputs[0], apply('constant', [], { shape, dtype, data: buffer.array }))
    buffer.release()
  }
  return cloneWith(values, constants, (node) => node.op === 'parameter')
}

/** Holds the gradient of `f` (all f64) to finite differences; `order` 2 checks the gradient's gradient, too. */
export const checkGrad = (f: Fn, args: readonly Argument[], order: 1 | 2 = 1, tolerance = 1e-6): void =>
  checkGradient((...values) => traced((...xs) => [f(...xs)], values)[0], args, order, tolerance)

export interface Operand {
  readonly shape: Shape
  readonly values: readonly number[]
  readonly dtype: DType
}

/** An operand; f64 unless said otherwise. */
export const of = (
  shape: Shape,
  values: ArrayLike<number> = numbers(sizeOf(shape)),
  dtype: DType = 'f64',
): Operand => ({
  shape,
  values: Array.from(values),
  dtype,
})

export const range = (n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => from + i)

/** A result as plain numbers. */
export interface Result {
  readonly shape: Shape
  readonly values: number[]
  readonly dtype: DType
}

const readers: { readonly [D in DType]?: (bits: number) => number } = { f16: fromF16, bf16: fromBf16 }

/** Runs `f` in the reference interpreter. */
export function run(f: (...xs: Tensor[]) => Tensor | readonly Tensor[], ...operands: readonly Operand[]): Result[] {
  const params = operands.map(({ shape, dtype }) => parameter(shape, dtype))
  const results = traced((...xs) => [f(...xs)].flat() as Tensor[], params)
  const data = evaluateGraph(
    new Graph(params, results),
    operands.map(({ values, dtype }) => storageOf(values, dtype)),
  )
  return results.map(({ shape, dtype }, i) => {
    const read = readers[dtype] ?? ((x: number) => x)
    return { shape, dtype, values: Array.from(data[i] as ArrayLike<number | bigint>, (x) => read(Number(x))) }
  })
}

export function assertClose(got: readonly number[], want: readonly number[], tolerance = 1e-9): void {
  assert.equal(got.length, want.length, `${got.length} values, expected ${want.length}`)
  want.forEach((w, i) => {
    const close = Object.is(got[i], w) || got[i] === w || Math.abs(got[i] - w) <= tolerance * Math.max(1, Math.abs(w))
    assert.ok(close, `element ${i}: got ${got[i]}, want ${w}`)
  })
}

export const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i], 0)
