import assert from 'node:assert/strict'
import { vjp } from '../../../src/autodiff/index.js'
import { evaluateGraph } from '../../../src/interpret/index.js'
import {
  apply,
  Graph,
  type OpAttrs,
  type OpName,
  parameter,
  type Shape,
  sizeOf,
  type TypedArray,
  type Value,
  verifyGraph,
} from '../../../src/ir/index.js'

/** Deterministic numbers in (low, high), never repeating. */
export function numbers(count: number, low = -1, high = 1, seed = 1): Float64Array {
  let state = seed * 2654435761
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return low + ((high - low) * (state + 0.5)) / 2 ** 32
  })
}

export const op = <K extends OpName>(name: K, inputs: readonly Value[], attrs: OpAttrs[K]): Value =>
  apply(name, inputs, attrs)

export interface Argument {
  readonly shape: Shape
  readonly low?: number
  readonly high?: number
  readonly values?: readonly number[]
}

const values = ({ shape, low = -1, high = 1, values }: Argument, seed: number): Float64Array =>
  values ? Float64Array.from(values) : numbers(sizeOf(shape), low, high, seed)

const shifted = (x: Float64Array, direction: Float64Array, by: number): Float64Array =>
  x.map((v, i) => v + by * direction[i])

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}

/** The graph (args, ct) -> gradients of the arguments of `f` under the cotangent ct. */
export function gradientGraph(f: (...args: Value[]) => Value, shapes: readonly Shape[]): Graph {
  const params = shapes.map((shape) => parameter(shape, 'f64'))
  const result = f(...params)
  const ct = parameter(result.shape, 'f64')
  const grads = vjp([result], [ct], params).map(
    (grad, i) => grad ?? op('constant', [], { shape: shapes[i], dtype: 'f64', data: new Float64Array(1) }),
  )
  const graph = new Graph([...params, ct], grads)
  verifyGraph(graph, 'vjp')
  return graph
}

/**
 * Compares the gradient of `f` (all f64) with central differences along random directions; `order` 2 checks the gradient of the gradient, too.
 */
export function checkGradient(
  f: (...args: Value[]) => Value,
  args: readonly Argument[],
  order: 1 | 2 = 1,
  tolerance = 1e-6,
): void {
  const shapes = args.map(({ shape }) => shape)
  const params = shapes.map((shape) => parameter(shape, 'f64'))
  const forward = new Graph(params, [f(...params)])
  const at = args.map((arg, i) => values(arg, i + 1))
  const ct = numbers(sizeOf(forward.results[0].shape), -1, 1, 77)
  const grads = evaluateGraph(gradientGraph(f, shapes), [...at, ct]) as Float64Array[]
  const run = (inputs: TypedArray[]): Float64Array => evaluateGraph(forward, inputs)[0] as Float64Array
  const step = 1e-5
  for (let seed = 1; seed <= 2; seed++) {
    const directions = at.map((x, i) => numbers(x.length, -1, 1, 100 * seed + i))
    const plus = run(at.map((x, i) => shifted(x, directions[i], step)))
    const minus = run(at.map((x, i) => shifted(x, directions[i], -step)))
    const numeric = dot(
      ct,
      plus.map((v, i) => (v - minus[i]) / (2 * step)),
    )
    const exact = grads.reduce((sum, grad, i) => sum + dot(grad, directions[i]), 0)
    const scale = Math.max(1, Math.abs(numeric))
    assert.ok(
      Math.abs(exact - numeric) <= tolerance * scale,
      `directional derivative ${exact}, by differences ${numeric}`,
    )
  }
  if (order === 2) {
    // The sum of the gradients, each weighted by fixed numbers, as a function of arguments and cotangent.
    const inner = (...inputs: Value[]): Value => {
      const own = inputs.slice(0, args.length)
      const result = f(...own)
      const all = vjp([result], [inputs[args.length]], own)
      const parts = all.flatMap((grad, i) => (grad === null ? [] : [weighted(grad, 500 + i)]))
      return parts.reduce((a, b) => op('add', [a, b], {}))
    }
    checkGradient(inner, [...args, { shape: forward.results[0].shape, values: [...ct] }], 1, tolerance * 10)
  }
}

function weighted(x: Value, seed: number): Value {
  const weights = op('constant', [], {
    shape: x.shape,
    dtype: x.dtype,
    data: numbers(Math.max(1, sizeOf(x.shape)), -1, 1, seed).slice(0, sizeOf(x.shape) || 1),
  })
  return op('reduce', [op('multiply', [x, weights], {})], { kind: 'sum', dimensions: x.shape.map((_, i) => i) })
}

/** Gradients of sum(f) at given f64 arguments. */
export function gradientsAt(
  f: (...args: Value[]) => Value,
  args: readonly { shape: Shape; values: readonly number[] }[],
): number[][] {
  const graph = gradientGraph(
    f,
    args.map(({ shape }) => shape),
  )
  const ct = new Float64Array(sizeOf(graph.params[args.length].shape)).fill(1)
  return evaluateGraph(graph, [...args.map((arg) => Float64Array.from(arg.values)), ct]).map((grad) =>
    Array.from(grad as Float64Array),
  )
}
